"""Distributions that a production build installs without an exact version."""

from __future__ import annotations

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.docker_view import is_shipped
from pyprod_audit.checks.pip_installs import Install, Step, commands_in, file_in_tree, install_of, resolved, steps
from pyprod_audit.checks.requirement_files import (
    by_path,
    constraints_of,
    included,
    is_pinned,
    pinned_names,
    requirements_of,
    uses,
)
from pyprod_audit.model import Node, Repository, Resource, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.requirement_line import normal_name, read_requirement

# The installers that come with Python: `pip install --upgrade pip` changes what installs, not what is installed.
_BUNDLED = frozenset(("pip", "setuptools", "wheel"))
_NAME = lazy(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHOWN = 4


def unpinned_installs(resource: Resource, context: Context) -> Outcomes:
    """Names on the command line of `pip install` have an exact version, of their own or from a constraints file."""
    repository = context.repository
    if not _is_production(resource, repository):
        yield Skip("not part of what production runs")
        return
    stage = resource.parent if resource.kind == "docker.run" else None
    judged = False
    for command in commands_in(resource):
        install = install_of(command)
        if install is None or not install.resolves_names or not install.words:
            continue
        judged = True
        yield from _judged(Step(install, resource, stage), repository)
    if not judged:
        yield Skip("it installs no distribution by name")


def _is_production(resource: Resource, repository: Repository) -> bool:
    if resource.kind == "docker.run":
        return is_shipped(resource.parent, repository)
    owners = repository.memo("checks.install_owners", lambda repo: {id(step.owner) for step in steps(repo)})
    return id(resource) in owners


def _judged(step: Step, repository: Repository) -> Outcomes:
    install = step.install
    if "--no-index" in install.options or "--dry-run" in install.options:
        return  # only what was put into a folder before can be installed
    found: list[tuple[Node, str]] = []
    covered: set[str] | None = None
    for word in install.words:
        state, name = _state(resolved(word, step), install)
        if state is None:
            yield Cannot(word.anchor, f"what {word.span.text} stands for is known only during the build")
        if state is not False or _name_in(name) in _BUNDLED:
            continue
        if covered is None:
            covered = _covered(step, repository)
        if covered is not None and _name_in(name) not in covered:
            found.append((word, name))
    if not found:
        return
    if install.conditional:
        yield Cannot(found[0][0].anchor, "the command runs only under a condition")
        return
    names = _listed([name for _, name in found])
    values = {"names": names, "command": install.tool + " " + install.action}
    yield Hit(found[0][0].span, values, address=f"{step.owner.address}/{found[0][1]}")


def _state(word: Node, install: Install) -> tuple[bool | None, str]:
    """Whether a word on the command line is pinned (True also for local code), and the name it gives."""
    text = word.text
    if text is None:
        raw = word.value.expression.strip("\"'") if isinstance(word.value, Unknown) else ""
        if "==" in raw:  # `poetry==$POETRY_VERSION`: the version stands elsewhere, but there is one
            return True, raw
        if raw.startswith(("git+", "http")) and "$" not in raw.rpartition("@")[2].rpartition("#")[0]:
            text = raw
        else:
            return None, raw
    if install.tool == "uv tool" and "@" in text and "://" not in text:  # uv tool install ruff@0.6.0
        return not text.endswith("@latest"), text
    requirement = read_requirement(text)
    if isinstance(requirement, str) or requirement.path:
        return True, text
    if requirement.unknown:
        return None, text
    return requirement.pinned, text if requirement.url else requirement.raw


def _name_in(text: str) -> str:
    """The normal name of the distribution that a requirement's text begins with."""
    found = _NAME.match(text)
    return normal_name(found[0]) if found else ""


def _covered(step: Step, repository: Repository) -> set[str] | None:
    """The names that constraints and requirements files of the command pin; None: one may pin anything."""
    names, unseen = constraints_of(step, repository)
    if unseen:
        return None
    files = by_path(repository)
    starts = [file_in_tree(word, step, repository) for word in step.install.files]
    for path in included([one for one in starts if one], "-r", repository):
        names |= pinned_names(files[path])
    return names


def unpinned_requirements(resource: Resource, context: Context) -> Outcomes:
    """Every entry of a requirements file that production installs names one exact release."""
    repository = context.repository
    use = uses(repository).get(resource.path)
    if use is None:
        yield Skip("no production step installs the file")
        return
    if use.open:
        return
    loose: list[Node] = []
    entries = list(requirements_of(resource))
    for entry in entries:
        pinned = is_pinned(entry)
        if pinned is None:
            yield Cannot(entry.anchor, "a template fills in the version")
        elif not pinned and entry.text_at("name") not in use.constrained:
            loose.append(entry)
    if not loose:
        return
    related = [(entry.anchor, "no exact version either") for entry in loose[1:8]]
    if use.steps:
        related.insert(0, (use.steps[0].install.command.anchor, "production installs the file here"))
    names = _listed([one.text_at("raw") or "" for one in loose])
    values = {"loose": len(loose), "all": len(entries), "names": names}
    yield Hit(loose[0].anchor, values, related=tuple(related))


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(name.strip() for name in names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")

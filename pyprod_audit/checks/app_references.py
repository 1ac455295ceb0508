"""Whether the module and the attribute that a server is told to load exist."""

from __future__ import annotations

import posixpath
import re

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.docker_view import index_of, stage_called
from pyprod_audit.checks.pip_installs import steps_in
from pyprod_audit.checks.service_view import address_at, command_in_words, in_words, serving
from pyprod_audit.link.application import finder_of
from pyprod_audit.link.python_modules import module_at
from pyprod_audit.model import AppReference, Process, Repository, Resource, Service, Unknown
from pyprod_audit.model.patterns import lazy

_LOADERS = frozenset({"gunicorn", "uvicorn", "hypercorn", "daphne", "uwsgi", "granian", "waitress-serve",
                      "fastapi run"})  # fmt: skip
_BUILT = lazy(r"\b(?:git clone|unzip|tar\s{1,9}-{0,2}[a-z]{0,9}x|startproject|cookiecutter)\b")
_INSTALLERS = frozenset({"uv", "poetry", "pdm", "pipenv"})
_NAME = lazy(r"[^a-z0-9]+")
_SUGGESTED = 3


def app_missing(service: Service, context: Context) -> Outcomes:
    """A server that is told to load a module or an attribute that does not exist."""
    process = serving(service)
    if isinstance(process, Skip) or process.server not in _LOADERS:
        yield process if isinstance(process, Skip) else Skip("its server loads no application by name")
        return
    app = process.app
    if app is None or (isinstance(app, AppReference) and (app.module == "__main__" or service.files is None)):
        yield Skip("its application or its files are not in the repository")
        return
    if isinstance(app, Unknown):
        yield Cannot(process.span, in_words(app))
        return
    finder = finder_of(service, context.repository)
    path = finder.path(app.module)
    if path is None:
        yield from _no_module(service, process, app, context.repository)
        return
    module = module_at(path, context.repository)
    if module is None:
        yield Cannot(app.span, f"{path} was not read")
        return
    yield from _attribute(service, process, app, module)


def _attribute(service: Service, process: Process, app: AppReference, module: Resource) -> Outcomes:
    name = re.split(r"[.(]", app.attribute, maxsplit=1)[0]
    if not name or process.server == "fastapi run":
        return
    node = module.node
    opened = node.get("definitions_open")
    if opened is not None and opened.scalar is True:
        yield Cannot(app.span, f"{module.path} may get {name} by a star import or at run time")
        return
    known = [one.text or "" for one in node.items_at("definitions")]
    annotated_or_key = rf"(?m)^[ \t]*{re.escape(name)}[ \t]*:|[\"']{re.escape(name)}[\"'][ \t]*:"
    if name in known or re.search(annotated_or_key, module.source.text):
        return
    if _is_submodule(module.path, name, service):
        return
    if re.search(rf"\bglobal\b[^\n]{{0,200}}\b{re.escape(name)}\b", module.source.text):
        yield Cannot(app.span, f"a function of {module.path} may set {name}")
        return
    apps = [one.text_at("name") or "" for one in node.items_at("apps")][:_SUGGESTED]
    has = f"; it has {', '.join(apps)}" if apps else ""
    guarded = node.get("main_guard")
    if (
        guarded is not None
        and guarded.scalar is True
        and re.search(rf"(?m)^[ \t]+{re.escape(name)}\s*=", module.source.text)
    ):
        has = f"; {name} is assigned only when the file is run as a program or in a function"
    yield Hit(
        app.span, {"command": command_in_words(process), "what": f"{module.path} defines no {name}{has}"},
        ((module.source.span(0, 0), "the module"),), address_at(service, app.span, "app"),
    )  # fmt: skip


def _is_submodule(path: str, name: str, service: Service) -> bool:
    folder = posixpath.dirname(path)
    if posixpath.basename(path) != "__init__.py" or service.files is None:
        return False
    return any(posixpath.join(folder, other) in service.files.paths for other in (f"{name}.py", f"{name}/__init__.py"))


def _no_module(service: Service, process: Process, app: AppReference, repository: Repository) -> Outcomes:
    doubt = _may_be_elsewhere(service, app, repository)
    if doubt is not None:
        yield doubt
        return
    what = f"no module {app.module} is in the image"
    yield Hit(app.span, {"command": command_in_words(process), "what": what}, (), address_at(service, app.span, "app"))


def _may_be_elsewhere(service: Service, app: AppReference, repository: Repository) -> Cannot | Skip | None:
    """Why the module may exist although the folders of the image do not show it."""
    files, image = service.files, service.image
    if files is None or image is None or not files.copies or service.project is None:
        return Skip("what the image holds is not known")
    if any("$" in source or "{{" in source for copy in files.copies for source in copy.sources):
        return Cannot(app.span, "what the image holds is known only when it is built")
    if "{{" in image.path or _mounts_code(service):
        return Cannot(app.span, "a volume or a template may bring the module")
    stages = repository.children(image.parent, "docker.stage") if image.parent is not None else [image]
    if not any(files.folders()) and _copies_from_elsewhere(image, stages):
        return Cannot(app.span, "the files come from another image")
    text = image.source.text
    base = image.node.text_at("base.image") or ""
    if _BUILT.search(text) or any(one.node.text_at("base.image") is None for one in stages):
        return Cannot(app.span, "the build brings files that are not in the repository")
    top = app.module.partition(".")[0]
    stem = app.module.replace(".", "/")
    endings = (f"/{stem}.py", f"/{stem}/__init__.py")
    if any(path.endswith(endings) for path in repository.paths):
        found = next(path for path in sorted(repository.paths) if path.endswith(endings))
        return Cannot(app.span, f"{found} may be on the import path")
    own = any(f"/{path}".endswith((f"/{top}.py", f"/{top}/__init__.py")) for path in repository.paths)
    if not own and _installs_itself(stages, repository):
        return Cannot(app.span, f"{top} may be a package that the build installs")
    wanted = _NAME.sub("", top.lower())
    for name in _distributions(service, repository):
        short = _NAME.sub("", name)
        if (len(wanted) > 2 and (wanted in short or short in wanted)) or wanted in base:
            return Cannot(app.span, f"{top} may belong to the distribution {name}")
    return None


def _copies_from_elsewhere(image: Resource, stages: list[Resource]) -> bool:
    """Whether an image that is not a stage of the same Dockerfile brings more than programs."""
    for instruction in image.node.items_at("instructions"):
        name = instruction.text_at("flags.from")
        words = instruction.items_at("words")
        if name and words and stage_called(name, stages, index_of(image)) is None:
            target = (words[-1].text or "").rstrip("/")
            if "bin" not in target.split("/"):
                return True
    return False


def _mounts_code(service: Service) -> bool:
    """Whether a volume may bring modules: any but those that are empty when the container starts."""
    if service.container is None or service.pod is None:
        return False
    empty = {one.text_at("name") for one in service.pod.node.items_at("volumes") if "emptyDir" in one.mapping}
    return any(mount.text_at("name") not in empty for mount in service.container.node.items_at("volumeMounts")) or bool(
        empty and service.pod.node.items_at("initContainers")
    )


def _installs_itself(stages: list[Resource], repository: Repository) -> bool:
    """Whether the build installs the project, so that its modules are found wherever their folder is."""
    for step in steps_in(stages, repository):
        install = step.install
        if (
            install.tool in _INSTALLERS
            or install.local
            or any((word.text or "").startswith(".") for word in install.words)
        ):
            return True
    return False


def _distributions(service: Service, repository: Repository) -> list[str]:
    """Names of what the project installs, without the project itself: its modules are in the repository."""
    prefix = f"{service.project}/" if service.project else ""
    found: list[str] = []
    own: set[str] = set()
    for resource in repository.of_kind("py.requirements", "py.manifest", "py.lock"):
        if not resource.path.startswith(prefix):
            continue
        if resource.kind == "py.manifest":
            own.add(_NAME.sub("", (resource.node.text_at("name") or "").lower()))
        for key in ("requirements", "dependencies", "packages"):
            found.extend(one.text_at("name") or "" for one in resource.node.items_at(key))
    return [name for name in found if name and _NAME.sub("", name) not in own]

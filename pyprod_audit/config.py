"""The configuration of a repository: found, read, checked.

`pyprod-audit.toml`, `.pyprod-audit.toml` or `[tool.pyprod-audit]` in `pyproject.toml`; docs/configuration.md explains
the keys, `data/config_schema.json` describes them to editors.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pyprod_audit.findings import Profile, Severity
from pyprod_audit.toml_places import KeyLines

if TYPE_CHECKING:
    from pyprod_audit.catalogue import Catalogue, Rule

NAMES = ("pyprod-audit.toml", ".pyprod-audit.toml", "pyproject.toml")
NEVER = "never"
_TABLE = ("tool", "pyprod-audit")
_LARGEST = 1024 * 1024
_LONGEST_CHAIN = 10


class ConfigError(ValueError):
    """A configuration that cannot be used. `line` is 1-based, None when the file as a whole is meant."""

    def __init__(self, message: str, path: str, line: int | None = None) -> None:
        super().__init__(f"{path}:{line}: {message}" if line else f"{path}: {message}")
        self.message = message
        self.path = path
        self.line = line


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """What the configuration changes about one rule."""

    severity: Severity | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


class StatedService(NamedTuple):
    """A join that the linker cannot see.

    `dockerfile` and `project` are paths relative to the configuration's folder; `workload` is the address
    ("Deployment/web") or the path of its manifest.
    """

    name: str
    dockerfile: str | None = None
    workload: str | None = None
    project: str | None = None


class Place(NamedTuple):
    """A line of a configuration file."""

    path: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration with all that it extends.

    `path` names its file; `prefix` leads from the file's folder, from which globs and paths count, to the scan root.
    `fail_on` is a severity's label, "never", or "" when not set. `rules` is keyed as written (id, name or former name);
    `places` says where a selector or parameter was written.
    """

    path: str = ""
    prefix: str = ""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    profile: Profile | None = None
    severity: Severity | None = None
    fail_on: str = ""
    require_reason: bool = False
    rules_folder: Path | None = None
    per_path_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: Mapping[str, RuleSettings] = field(default_factory=dict)
    services: tuple[StatedService, ...] = ()
    places: Mapping[tuple[str, ...], Place] = field(default_factory=dict)

    def severities(self, catalogue: Catalogue) -> dict[str, Severity]:
        """Severity by rule id, for the rules whose severity is set."""
        return {rule.id: s.severity for rule, s in self._settings(catalogue) if s.severity is not None}

    def params(self, catalogue: Catalogue) -> dict[str, Mapping[str, Any]]:
        """Parameters by rule id, for the rules that have some set."""
        return {rule.id: s.params for rule, s in self._settings(catalogue) if s.params}

    def check(self, catalogue: Catalogue) -> None:
        """Raise ConfigError for a rule, group of rules or parameter that the catalogue does not have."""
        for key, selectors in self._selectors():
            for selector in selectors:
                if not catalogue.match(selector) and not catalogue.knows_section(selector):
                    raise self._error((*key, selector), _with_nearest("no rule", selector, catalogue.suggest(selector)))
        for name, settings in self.rules.items():
            rule = catalogue.resolve(name)
            if rule is None:
                raise self._error(("rules", name), _with_nearest("no rule", name, catalogue.suggest(name)))
            for param, value in settings.params.items():
                complaint = _param_complaint(rule, param, value)
                if complaint:
                    raise self._error(("rules", name, "params", param), complaint)

    def _settings(self, catalogue: Catalogue) -> Iterator[tuple[Rule, RuleSettings]]:
        for name, settings in self.rules.items():
            rule = catalogue.resolve(name)
            if rule is not None:
                yield rule, settings

    def _selectors(self) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
        yield ("select",), self.select
        yield ("ignore",), self.ignore
        for glob, selectors in self.per_path_ignores.items():
            yield ("per-path-ignores", glob), selectors

    def _error(self, key: tuple[str, ...], message: str) -> ConfigError:
        place = self.places.get(key, Place(self.path, None))
        return ConfigError(message, place.path, place.line)


def find(root: Path) -> Path | None:
    """The nearest configuration file from `root` up to the folder with `.git` (without git: in `root` only).

    Raises ConfigError when it is a link out of that folder.
    """
    from pyprod_audit.discover.walk import git_root_of

    here = Path(os.path.realpath(root))
    top = git_root_of(here) or here
    for folder in (here, *here.parents):
        for name in NAMES:
            candidate = folder / name
            if not candidate.is_file():
                continue
            if not Path(os.path.realpath(candidate)).is_relative_to(top):
                if name != "pyproject.toml":
                    raise ConfigError("a link that leads out of the repository", shown(candidate))
            elif name != "pyproject.toml" or _has_table(candidate):
                return candidate
        if folder == top:
            return None
    return None


def load(root: Path, explicit: Path | None = None) -> Config:
    """The configuration for scanning `root`: the file `explicit`, else the one that `find` finds, else the defaults.

    A file that was found belongs to the scanned repository and may refer only to files of that repository; one that
    the user names may extend whatever it likes. Raises ConfigError.
    """
    from pyprod_audit.discover.walk import git_root_of

    here = Path(os.path.realpath(root))
    file = explicit or find(root)
    if file is None:
        return Config()
    inside = (git_root_of(here) or here) if explicit is None else None
    config = _read_chain(file, inside)
    folder = Path(os.path.realpath(file)).parent
    prefix = here.relative_to(folder).as_posix() if here.is_relative_to(folder) else ""
    return replace(config, prefix="" if prefix == "." else prefix)


def severity_named(label: str) -> Severity:
    """The severity with this label. Raises KeyError."""
    return Severity[label.upper()]


def _read_chain(file: Path, inside: Path | None) -> Config:
    from pyprod_audit.config_keys import read_table

    chain: list[Config] = []
    seen: list[Path] = []
    following: Path | None = file
    while following is not None:
        real = Path(os.path.realpath(following))
        table, lines, prefix = _read_toml(following)
        config, extends = read_table(table, lines, prefix, following, inside)
        chain.append(config)
        seen.append(real)
        if extends is None:
            break
        if Path(os.path.realpath(extends)) in seen or len(seen) >= _LONGEST_CHAIN:
            what = "extends itself" if len(seen) < _LONGEST_CHAIN else f"extends more than {_LONGEST_CHAIN} files deep"
            raise ConfigError(what, shown(following), lines.line((*prefix, "extends")))
        if not extends.is_file():
            message = f"extends {os.path.relpath(extends, real.parent)}: there is no such file"
            raise ConfigError(message, shown(following), lines.line((*prefix, "extends")))
        following = extends
    result = chain.pop()
    while chain:
        result = _extended(result, chain.pop())
    return result


def _extended(parent: Config, child: Config) -> Config:
    """`child` on top of `parent`: lists of what to leave out add up, tables are merged, all else is replaced."""
    rules = dict(parent.rules)
    for name, settings in child.rules.items():
        below = rules.get(name, RuleSettings())
        rules[name] = RuleSettings(settings.severity or below.severity, {**below.params, **settings.params})
    return Config(
        path=child.path,
        select=child.select or parent.select,
        ignore=(*parent.ignore, *child.ignore),
        exclude=(*parent.exclude, *child.exclude),
        profile=child.profile or parent.profile,
        severity=child.severity or parent.severity,
        fail_on=child.fail_on or parent.fail_on,
        require_reason=child.require_reason or parent.require_reason,
        rules_folder=child.rules_folder or parent.rules_folder,
        per_path_ignores={**parent.per_path_ignores, **child.per_path_ignores},
        rules=rules,
        services=(*parent.services, *child.services),
        places={**parent.places, **child.places},
    )


def _read_toml(file: Path) -> tuple[Mapping[str, Any], KeyLines, tuple[str, ...]]:
    import tomllib

    name = shown(file)
    try:
        if file.stat().st_size > _LARGEST:
            raise ConfigError("larger than 1 MiB", name)
        text = file.read_bytes().decode("utf-8-sig")
        data: Any = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}", name) from error
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(error, name) from error
    except RecursionError as error:
        raise ConfigError("nested too deeply", name) from error
    prefix = _TABLE if file.name == "pyproject.toml" else ()
    lines = KeyLines(text)
    for part in prefix:
        data = data.get(part, {}) if isinstance(data, dict) else {}
    if not isinstance(data, dict):
        raise ConfigError("[tool.pyprod-audit] must be a table", name, lines.line(prefix))
    return data, lines, prefix


def _syntax_error(error: ValueError, name: str) -> ConfigError:
    import re

    place = re.search(r" \(at line (\d+), column \d+\)$", str(error))
    message = str(error)[: place.start()] if place else str(error)
    return ConfigError(f"not valid TOML: {message}", name, int(place[1]) if place else None)


def _has_table(file: Path) -> bool:
    import tomllib

    try:
        if file.stat().st_size > _LARGEST:
            return False
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return False
    if "pyprod-audit" not in text:
        return False
    try:
        tool = tomllib.loads(text).get("tool")
    except (tomllib.TOMLDecodeError, RecursionError):
        return "[tool.pyprod-audit" in text  # broken, and ours: the reader says what is wrong with it
    return isinstance(tool, dict) and "pyprod-audit" in tool


def _param_complaint(rule: Rule, key: str, value: Any) -> str | None:
    if key not in rule.params:
        if not rule.params:
            return f"{rule.id} has no parameters"
        from difflib import get_close_matches

        near = get_close_matches(key, rule.params, n=1)
        return _with_nearest(f"{rule.id} has no parameter", key, near[0] if near else ", ".join(rule.params))
    default = rule.params[key]
    is_number = isinstance(default, (int, float)) and not isinstance(default, bool)
    fits = (
        isinstance(value, (int, float)) and not isinstance(value, bool) if is_number else type(value) is type(default)
    )
    return None if fits or default is None else f"{key} must be of the kind of its default, {default!r}"


def _with_nearest(what: str, name: str, near: str | None) -> str:
    return f"{what} {name!r}" + (f"; did you mean {near!r}?" if near else "")


def shown(file: Path) -> str:
    """How a configuration file is called in messages: relative to the working folder where that is shorter."""
    try:
        relative = os.path.relpath(file)
    except ValueError:  # another drive
        return str(file)
    return relative if len(relative) < len(str(file)) else str(file)

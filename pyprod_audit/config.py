"""What a configuration says, and whether the catalogue has what it names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pyprod_audit.findings import Profile, Severity

if TYPE_CHECKING:
    from pyprod_audit.catalogue import Catalogue, Rule

NEVER = "never"


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


def severity_named(label: str) -> Severity:
    """The severity with this label. Raises KeyError."""
    return Severity[label.upper()]


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

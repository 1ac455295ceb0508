"""The keys of a configuration file: what each may hold, and what is said when it holds something else."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from pyprod_audit.config import NEVER, Config, ConfigError, Place, RuleSettings, StatedService, severity_named, shown
from pyprod_audit.discover.ignore import complaint_about
from pyprod_audit.findings import Profile, Severity
from pyprod_audit.toml_places import KeyLines

LEVELS = tuple(severity.label for severity in sorted(Severity, reverse=True))
PROFILES = tuple(profile.name.lower() for profile in Profile)
KEYS = (
    "extends", "select", "ignore", "exclude", "profile", "severity", "fail-on", "require-reason", "rules-folder",
    "per-path-ignores", "rules", "services",
)  # fmt: skip
RULE_KEYS = ("severity", "params")
SERVICE_KEYS = ("name", "dockerfile", "workload", "project")

_Path: TypeAlias = tuple[str, ...]


def read_table(
    table: Mapping[str, Any], lines: KeyLines, prefix: _Path, file: Path, inside: Path | None
) -> tuple[Config, Path | None]:
    """Check one file's table.

    Args:
        table: the parsed table.
        lines: where its keys stand.
        prefix: the path of the table in the file.
        file: the file, for messages and relative paths.
        inside: the folder that paths may not lead out of; None: they may.

    Returns:
        The configuration without what it extends, and the file that it extends.
    """
    reader = _Reader(lines, prefix, file, inside)
    reader.only(table, (), KEYS)
    fail_on = reader.choice(table, "fail-on", (*LEVELS, NEVER))
    severity = reader.choice(table, "severity", LEVELS)
    profile = reader.choice(table, "profile", PROFILES)
    config = Config(
        path=shown(file),
        select=reader.strings(table, ("select",)),
        ignore=reader.strings(table, ("ignore",)),
        exclude=reader.globs(reader.strings(table, ("exclude",)), ("exclude",)),
        profile=Profile[profile.upper()] if profile else None,
        severity=severity_named(severity) if severity else None,
        fail_on=fail_on,
        require_reason=reader.typed(table, ("require-reason",), bool, "true or false") or False,
        rules_folder=reader.existing(table, "rules-folder", Path.is_dir, "folder"),
        per_path_ignores=reader.per_path_ignores(table),
        rules=reader.rules(table),
        services=reader.services(table),
        places=reader.places,
    )
    return config, reader.path(table, "extends")


class _Reader:
    """Takes values out of one file's table and complains with file and line."""

    def __init__(self, lines: KeyLines, prefix: _Path, file: Path, inside: Path | None) -> None:
        self._lines = lines
        self._prefix = prefix
        self._file = file
        self._folder = Path(os.path.realpath(file)).parent
        self._inside = inside
        self.places: dict[_Path, Place] = {}

    def error(self, at: _Path, message: str, item: str | None = None) -> ConfigError:
        return ConfigError(message, shown(self._file), self._lines.line((*self._prefix, *at), item))

    def only(self, table: Mapping[str, Any], at: _Path, known: Sequence[str]) -> None:
        """Complain about the first key that is not known."""
        for key in table:
            if key not in known:
                from difflib import get_close_matches

                near = get_close_matches(key.replace("_", "-").lower(), known, n=1, cutoff=0.5)
                hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
                raise self.error((*at, key), f"unknown key {'.'.join((*at, key))!r}{hint}")

    def typed(self, table: Mapping[str, Any], at: _Path, kind: type, what: str) -> Any:
        value = table.get(at[-1])
        if value is not None and not isinstance(value, kind):
            raise self.error(at, f"{'.'.join(at)} must be {what}, not {value!r:.80}")
        return value

    def text(self, table: Mapping[str, Any], at: _Path) -> str:
        value: str = self.typed(table, at, str, "a string") or ""
        if not value and at[-1] in table:
            raise self.error(at, f"{'.'.join(at)} is empty")
        return value

    def choice(self, table: Mapping[str, Any], key: str, known: Sequence[str], at: _Path = ()) -> str:
        value = self.text(table, (*at, key))
        if value and value not in known:
            from difflib import get_close_matches

            near = get_close_matches(value.lower(), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise self.error((*at, key), f"{key} {value!r} is none of {', '.join(known)}{hint}")
        return value

    def strings(self, table: Mapping[str, Any], at: _Path) -> tuple[str, ...]:
        value = self.typed(table, at, list, "a list of strings") or []
        for item in value:
            if not isinstance(item, str) or not item.strip():
                raise self.error(at, f"{'.'.join(at)} must be a list of strings, and {item!r:.80} is none")
            self.places[*at, item] = Place(shown(self._file), self._lines.line((*self._prefix, *at), item))
        return tuple(value)

    def globs(self, patterns: Sequence[str], at: _Path) -> tuple[str, ...]:
        for pattern in patterns:
            complaint = complaint_about(pattern)
            if complaint:
                raise self.error(at, f"not a valid pattern: {complaint}", pattern)
        return tuple(patterns)

    def path(self, table: Mapping[str, Any], key: str) -> Path | None:
        value = self.text(table, (key,))
        if not value:
            return None
        if Path(value).is_absolute() or PurePosixPath(value).is_absolute():
            raise self.error((key,), f"{key} must be a path relative to this file")
        target = Path(os.path.realpath(self._folder / value))
        if self._inside is not None and not target.is_relative_to(self._inside):
            raise self.error((key,), f"{key} leads out of the repository")
        return target

    def existing(self, table: Mapping[str, Any], key: str, exists: Callable[[Path], bool], what: str) -> Path | None:
        target = self.path(table, key)
        if target is not None and not exists(target):
            raise self.error((key,), f"{key}: there is no {what} {table[key]!r}")
        return target

    def per_path_ignores(self, table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        key = "per-path-ignores"
        globs = self.typed(table, (key,), dict, "a table from glob to rules") or {}
        for glob in globs:
            self.globs((glob,), (key, glob))
        return {glob: self.strings(globs, (key, glob)) for glob in globs}

    def rules(self, table: Mapping[str, Any]) -> dict[str, RuleSettings]:
        rules = self.typed(table, ("rules",), dict, "a table from rule to settings (see also rules-folder)") or {}
        found = {}
        for name in rules:
            at = ("rules", name)
            settings = self.typed(rules, at, dict, "a table")
            self.only(settings, at, RULE_KEYS)
            severity = self.choice(settings, "severity", LEVELS, at)
            params = self.typed(settings, (*at, "params"), dict, "a table") or {}
            file = shown(self._file)
            self.places[at] = Place(file, self._lines.line((*self._prefix, *at)))
            for param in params:
                full = (*at, "params", param)
                self.places[full] = Place(file, self._lines.line((*self._prefix, *full)))
            found[name] = RuleSettings(severity_named(severity) if severity else None, params)
        return found

    def services(self, table: Mapping[str, Any]) -> tuple[StatedService, ...]:
        found: list[StatedService] = []
        for index, service in enumerate(self.typed(table, ("services",), list, "an array of tables") or []):
            at = ("services", str(index))
            if not isinstance(service, dict):
                raise self.error(at, f"a service must be a table, not {service!r:.80}")
            self.only(service, at, SERVICE_KEYS)
            given = {key: self.text(service, (*at, key)) or None for key in SERVICE_KEYS}
            name = given.pop("name")
            if name is None:
                raise self.error(at, "a service needs a name")
            if len(service) == 1:
                raise self.error(at, f"service {name!r} joins nothing: give dockerfile, workload or project")
            if any(name == other.name for other in found):
                raise self.error(at, f"service {name!r} is there twice")
            for key, value in given.items():
                if value and (PurePosixPath(value).is_absolute() or ".." in value.split("/")):
                    raise self.error((*at, key), f"{key} must be a path below this file's folder")
            found.append(StatedService(name, **given))
        return tuple(found)

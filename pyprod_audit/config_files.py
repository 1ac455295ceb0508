"""The configuration files of a repository: found, read, extended.

`pyprod-audit.toml`, `.pyprod-audit.toml` or `[tool.pyprod-audit]` in `pyproject.toml`; docs/configuration.md explains
the keys, `data/config_schema.json` describes them to editors.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyprod_audit.config import Config, ConfigError, RuleSettings, shown
from pyprod_audit.toml_places import KeyLines

NAMES = ("pyprod-audit.toml", ".pyprod-audit.toml", "pyproject.toml")
_TABLE = ("tool", "pyprod-audit")
_LARGEST = 1024 * 1024
_LONGEST_CHAIN = 10


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

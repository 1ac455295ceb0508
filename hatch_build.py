"""Builds the catalogue's index and docs from rules/ and ships exactly those two files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CatalogueBuildHook(BuildHookInterface[Any]):
    """Turns `rules/**/*.yaml` into `pyprod_audit/_catalogue.json` and `pyprod_audit/_docs.json`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write both files and add them, by name, to what is shipped."""
        root = Path(self.root)
        sys.path.insert(0, str(root))
        try:
            from pyprod_audit.catalogue_build import write
        finally:
            sys.path.remove(str(root))
        files = {name: root / "pyprod_audit" / name for name in ("_catalogue.json", "_docs.json")}
        write(root / "rules", files["_catalogue.json"], files["_docs.json"])
        if self.target_name == "wheel" and version == "standard":
            for name, path in files.items():
                build_data["force_include"][str(path)] = f"pyprod_audit/{name}"

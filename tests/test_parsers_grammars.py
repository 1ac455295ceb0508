"""tree-sitter's languages, loaded without their packages."""

from __future__ import annotations

import subprocess
import sys

import pytest
import tree_sitter

from pyprod_audit.parsers import grammars


@pytest.mark.parametrize("package", ["tree_sitter_bash", "tree_sitter_hcl", "tree_sitter_python"])
def test_the_language_is_that_of_its_package(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = grammars.language(package)
    monkeypatch.setattr(grammars, "_binding", lambda _package: None)
    assert grammars.language(package) == own


def test_what_the_packages_import_is_left_alone() -> None:
    code = "import sys, pyprod_audit.parsers.shell_tree; print({'importlib.resources', 'tempfile'} & {*sys.modules})"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "set()\n"


def test_a_package_that_is_missing() -> None:
    with pytest.raises(ImportError):
        grammars.language("tree_sitter_of_nothing")


def test_text_is_read_with_it() -> None:
    parser = tree_sitter.Parser(grammars.language("tree_sitter_bash"))
    assert parser.parse(b"exec gunicorn app:app\n").root_node.children[0].type == "command"

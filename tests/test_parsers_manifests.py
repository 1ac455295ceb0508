from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.model import Node, Parsed, SourceFile
from pyprod_audit.parsers import manifests
from pyprod_audit.parsers.toml_tree import plain

PEP621 = """\
[build-system]
requires = ["hatchling"]

[project]
name = "web"
requires-python = ">=3.11"
dynamic = ["version"]
dependencies = [
    "django>=4.2,<5",  # "django>=4.2,<5" again
    'redis[hiredis]==5.0.1; sys_platform == "linux"',
    "lib",
]

[project.optional-dependencies]
s3 = ["django>=4.2,<5", "boto3==1.34.0"]

[dependency-groups]
Test_ing = ["pytest>=8", { include-group = "lint" }]
lint = ["ruff==0.4.0", { include-group = "test-ing" }]

[tool.uv]
dev-dependencies = ["ipdb"]

[tool.uv.sources]
lib = { git = "https://git.example.com/o/lib.git", tag = "v1.0" }

[[tool.uv.index]]
name = "internal"
url = "https://pypi.example.com/simple"
"""

POETRY = """\
[tool.poetry]
name = "web"

[tool.poetry.dependencies]
python = "^3.11"
Django = "^4.2"
celery = { version = "~5.3", extras = ["redis"] }
lib = { git = "https://git.example.com/o/lib.git", branch = "main" }
local = { path = "../local", develop = true }
numpy = [
    { version = "1.24.4", python = "<3.9" },
    { version = "^1.26", python = ">=3.9" },
]
either = "^1.0 || ^2.0"

[tool.poetry.group.dev.dependencies]
pytest = "*"

[tool.poetry.dev-dependencies]
black = "23.1"
"""

PIPFILE = """\
[[source]]
url = "https://pypi.example.com/simple"
verify_ssl = true
name = "pypi"

[packages]
Flask = "==3.0.0"
requests = "*"
lib = {git = "https://git.example.com/o/lib.git", ref = "main", editable = true}

[dev-packages]
pytest = ">=8"

[docs]
sphinx = "*"

[requires]
python_version = "3.12"
"""


def parse(text: str, path: str = "pyproject.toml") -> Parsed:
    return manifests.parse(SourceFile(path, text))


def manifest(text: str, path: str = "pyproject.toml") -> Node:
    return parse(text, path).resources[0].node


def brief(nodes: tuple[Node, ...]) -> list[tuple[Any, Any, Any]]:
    return [(n.text_at("name"), n.text_at("specifier"), plain(n.mapping["pinned"])) for n in nodes]


class TestPyproject:
    def test_pep621(self) -> None:
        node = manifest(PEP621)
        assert node.text_at("tool") == "pep621"
        assert node.text_at("requires_python") == ">=3.11"
        assert [d.text for d in node.items_at("dynamic")] == ["version"]
        assert node.mapping["buildable"].value is True
        assert brief(node.items_at("dependencies")) == [
            ("django", ">=4.2,<5", False),
            ("redis", "==5.0.1", True),
            ("lib", "", True),
        ]
        lib = node.items_at("dependencies")[2]
        assert (lib.text_at("url"), lib.text_at("ref")) == ("https://git.example.com/o/lib.git", "v1.0")
        assert [t.text for t in node.items_at("tools")] == ["uv"]
        assert node.items_at("indexes")[0].text_at("url") == "https://pypi.example.com/simple"

    def test_each_of_two_equal_strings_keeps_its_place(self) -> None:
        node = manifest(PEP621)
        first = node.items_at("dependencies")[0]
        extra = node.mapping_at("extras")["s3"].items[0]
        assert first.span.text == extra.span.text == "django>=4.2,<5"
        assert (first.span.line, first.span.column) == (9, 6)
        assert extra.span.line == 15

    def test_included_groups_are_expanded_once(self) -> None:
        groups = manifest(PEP621).mapping_at("groups")
        assert [r.text_at("name") for r in groups["Test_ing"].items] == ["pytest", "ruff"]
        assert [r.text_at("name") for r in groups["lint"].items] == ["ruff", "pytest"]
        assert [r.text_at("name") for r in groups["dev"].items] == ["ipdb"]

    def test_poetry(self) -> None:
        node = manifest(POETRY)
        assert node.text_at("tool") == "poetry"
        assert node.text_at("requires_python") == ">=3.11,<4.0"
        assert brief(node.items_at("dependencies")) == [
            ("django", ">=4.2,<5.0", False),
            ("celery", ">=5.3,<5.4", False),
            ("lib", "", False),
            ("local", "", False),
            ("numpy", "==1.24.4", True),
            ("numpy", ">=1.26,<2.0", False),
            ("either", "^1.0 || ^2.0", False),
        ]
        django, celery, _, local = node.items_at("dependencies")[:4]
        assert django.span.text == 'Django = "^4.2"'
        assert [e.text for e in celery.items_at("extras")] == ["redis"]
        assert local.text_at("path") == "../local"
        assert local.mapping["editable"].value is True
        groups = node.mapping_at("groups")
        assert [r.text_at("name") for r in groups["dev"].items] == ["pytest"]

    def test_poetry_hash_is_the_formula_of_its_locker(self) -> None:
        node = manifest('[tool.poetry]\nname = "x"\n[tool.poetry.dependencies]\npython = "^3.11"\n')
        written = b'{"dependencies": {"python": "^3.11"}, "dev-dependencies": null, "extras": null, "source": null}'
        assert [h.text for h in node.items_at("content_hashes")] == [hashlib.sha256(written).hexdigest()]

    def test_poetry_hash_with_a_project_table(self) -> None:
        node = manifest('[project]\nname = "x"\ndependencies = ["a>=1"]\n[tool.poetry]\npackage-mode = false\n')
        written = b'{"project": {"dependencies": ["a>=1"]}, "tool": {"poetry": {}}}'
        assert hashlib.sha256(written).hexdigest() in [h.text for h in node.items_at("content_hashes")]

    def test_a_file_that_only_configures_tools_is_no_manifest(self) -> None:
        assert not parse("[tool.ruff]\nline-length = 120\n").resources

    def test_a_uv_workspace(self) -> None:
        node = manifest('[tool.uv.workspace]\nmembers = ["backend", "libs/*"]\n')
        assert [m.text for m in node.items_at("workspace")] == ["backend", "libs/*"]

    def test_broken_toml_gives_the_rest_and_a_line(self) -> None:
        parsed = parse('[project]\nname = "x"\nversion = = 1\ndependencies = ["a==1", "b ="]\n')
        assert [p.line for p in parsed.problems] == [3, 4]
        assert parsed.partial
        assert brief(parsed.resources[0].node.items_at("dependencies")) == [("a", "==1", True)]

    def test_a_cookiecutter_template(self) -> None:
        text = '[project]\nname = "{{ slug }}"\ndependencies = [\n  {# more #}\n  "django",\n'
        text += '  {%- if x %}\n  "a==1",\n  {%- endif %}\n]\n'
        parsed = parse(text)
        assert not parsed.problems
        node = parsed.resources[0].node
        assert node.mapping["name"].is_unknown
        assert [r.text_at("name") for r in node.items_at("dependencies")] == ["django", "a"]


class TestPipfile:
    def test_packages(self) -> None:
        node = manifest(PIPFILE, "Pipfile")
        assert node.text_at("tool") == "pipenv"
        assert node.text_at("requires_python") == "==3.12.*"
        assert brief(node.items_at("dependencies")) == [
            ("flask", "==3.0.0", True),
            ("requests", "", False),
            ("lib", "", False),
        ]
        assert set(node.mapping_at("groups")) == {"dev", "docs"}

    def test_hash_is_the_formula_of_plette(self) -> None:
        text = '[[source]]\nname = "pypi"\nurl = "https://pypi.example.com/simple"\nverify_ssl = true\n'
        text += '[packages]\nFlask = "*"\n'
        written = (
            b'{"_meta":{"requires":{},"sources":[{"name":"pypi","url":"https://pypi.example.com/simple","verify_ssl":true}'
            b']},"default":{"Flask":"*"},"develop":{}}'
        )
        found = [h.text for h in manifest(text, "Pipfile").items_at("content_hashes")]
        assert hashlib.sha256(written).hexdigest() in found
        assert hashlib.sha256(written.replace(b"Flask", b"flask")).hexdigest() in found
        assert len(found) == 2


class TestSetuptools:
    def test_setup_cfg(self) -> None:
        text = (
            "[metadata]\nname = web\n[options]\npython_requires = >=3.9\ninstall_requires =\n    django>=4.2\n"
            "    # a comment\n    redis==5.0.1 ; python_version > '3.8'\n[options.extras_require]"
            "\ntest = pytest; mypy\n"
        )
        node = manifest(text, "setup.cfg")
        assert node.text_at("requires_python") == ">=3.9"
        assert brief(node.items_at("dependencies")) == [("django", ">=4.2", False), ("redis", "==5.0.1", True)]
        assert [r.span.line for r in node.items_at("dependencies")] == [6, 8]
        extras = node.mapping_at("extras")["test"].items
        assert [(r.text_at("name"), r.span.text) for r in extras] == [("pytest", "pytest"), ("mypy", "mypy")]

    def test_setup_cfg_that_reads_a_file(self) -> None:
        node = manifest("[options]\ninstall_requires = file: requirements.txt\n", "setup.cfg")
        assert [d.text for d in node.items_at("dynamic")] == ["dependencies"]
        assert not node.items_at("dependencies")

    def test_setup_cfg_of_other_tools(self) -> None:
        assert not parse("[flake8]\nmax-line-length = 120\n", "setup.cfg").resources

    def test_setup_py(self) -> None:
        text = (
            "# é\nfrom setuptools import setup\nBASE = ['django>=4.2', \"redis==5.0\"]\n"
            "setup(name='web', python_requires='>=3.9', install_requires=BASE,\n"
            "      extras_require={'test': ['pytest'] + BASE})\n"
        )
        node = manifest(text, "setup.py")
        assert node.text_at("name") == "web"
        assert node.text_at("requires_python") == ">=3.9"
        assert [(r.text_at("name"), r.span.text) for r in node.items_at("dependencies")] == [
            ("django", "django>=4.2"),
            ("redis", "redis==5.0"),
        ]
        assert not node.items_at("dynamic")
        assert [r.text_at("name") for r in node.mapping_at("extras")["test"].items] == ["pytest", "django", "redis"]

    def test_setup_py_that_computes(self) -> None:
        text = "import setuptools\nsetuptools.setup(name=NAME, install_requires=open('r.txt').read().split())\n"
        node = manifest(text, "setup.py")
        assert node.mapping["name"].is_unknown
        assert [d.text for d in node.items_at("dynamic")] == ["dependencies"]

    def test_setup_py_with_a_sum_that_holds_itself(self) -> None:
        assert parse("A = A + ['x==1'] + A\nsetup(install_requires=A)\n", "setup.py").resources


FRAGMENTS = [
    "[project]\n", "[options]\n", "[packages]\n", "dependencies = [", '"a==1"', "]", "\n",
    "install_requires =", "  a==1\n",
    "setup(", "install_requires=", "['a', ", "'b'", ")", "{", "}", "=", '"', "'", "é", "[tool.poetry.dependencies]\n",
    'x = "^1"\n', "[dependency-groups]\n", 'g = [{include-group = "g"}]\n', "python = 3\n",
    "f'{x}'", "A = A + A\n", "A",
    'y = {git = 1, path = [], extras = "s"}\n', "[tool.uv.sources]\na = 1\n", "name = 1\n",
    "[[project]]\n", "tool = 1\n",
]  # fmt: skip


@pytest.mark.parametrize("path", ["pyproject.toml", "setup.cfg", "setup.py", "Pipfile"])
@settings(max_examples=120, deadline=None)
@given(parts=st.lists(st.sampled_from(FRAGMENTS), max_size=20))
def test_fuzz(path: str, parts: list[str]) -> None:
    source = SourceFile(path, "".join(parts))
    parsed = manifests.parse(source)
    for resource in parsed.resources:
        for node in resource.node.walk():
            assert 0 <= node.start <= node.end <= len(source.text)
    assert all(p.line is None or 1 <= p.line <= len(source.lines) for p in parsed.problems)

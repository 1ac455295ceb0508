from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.model import Node, Parsed, SourceFile, Unknown
from pyprod_audit.parsers import python_version, requirements
from pyprod_audit.parsers.poetry_constraints import pep440
from pyprod_audit.parsers.requirement_line import normal_name, read_requirement
from pyprod_audit.parsers.toml_tree import parse_toml, plain

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def read(text: str, path: str = "requirements.txt") -> Parsed:
    return requirements.parse(SourceFile(path, text))


def the_requirements(text: str) -> tuple[Node, ...]:
    return read(text).resources[0].node.items_at("requirements")


def only(text: str) -> dict[str, Any]:
    (found,) = the_requirements(text)
    value = plain(found)
    assert isinstance(value, dict)
    return value


def assert_places(parsed: Parsed, source: SourceFile) -> None:
    for resource in parsed.resources:
        for node in resource.node.walk():
            assert 0 <= node.start <= node.end <= len(source.text)
            assert node.source is source
    for problem in parsed.problems:
        assert problem.line is not None
        assert 1 <= problem.line <= len(source.lines)


class TestRequirements:
    def test_hashes_over_continuation_lines(self) -> None:
        text = "Flask_Login==0.6.3 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via app\nrequests>=2\n"
        parsed = read(text)
        node = parsed.resources[0].node
        first, second = node.items_at("requirements")
        assert first.text_at("name") == "flask-login"
        assert first.text_at("version") == "0.6.3"
        assert [h.text for h in first.items_at("hashes")] == ["sha256:aa", "sha256:bb"]
        assert [h.span.line for h in first.items_at("hashes")] == [2, 3]
        assert first.span.text == "Flask_Login==0.6.3"
        assert second.span.line == 5
        assert not second.items_at("hashes")
        hashed = node.get("hashed")
        assert hashed is not None
        assert hashed.value is True

    def test_includes_and_options(self) -> None:
        text = (
            "-r base.txt\n--constraint=constraints.txt # pins\n-i https://pypi.example.com/simple\n"
            '--extra-index-url "https://more.example.com/simple"\n--require-hashes\n--pre\n'
        )
        node = read(text).resources[0].node
        assert [(i.text_at("option"), i.text_at("path")) for i in node.items_at("includes")] == [
            ("-r", "base.txt"),
            ("-c", "constraints.txt"),
        ]
        assert [i.mapping["path"].span.text for i in node.items_at("includes")] == ["base.txt", "constraints.txt"]
        options = [(o.text_at("option"), o.text_at("value")) for o in node.items_at("options")]
        assert options == [
            ("--index-url", "https://pypi.example.com/simple"),
            ("--extra-index-url", "https://more.example.com/simple"),
            ("--require-hashes", None),
            ("--pre", None),
        ]
        assert node.items_at("options")[1].mapping["value"].span.text == "https://more.example.com/simple"
        assert node.mapping["hashed"].value is True

    @pytest.mark.parametrize(
        ("line", "pinned"),
        [
            ("django==4.2.11", True),
            ("django===4.2.11", True),
            ("django == 4.2.11 ; python_version < '3.12'", True),
            ("django==4.2.*", False),
            ("django~=4.2", False),
            ("django", False),
            ("django>=4,<5", False),
            (f"lib @ git+https://git.example.com/o/lib.git@{COMMIT}", True),
            ("lib @ git+https://git.example.com/o/lib.git@v1.2.3", True),
            ("lib @ git+https://git.example.com/o/lib.git@main", False),
            ("lib @ git+https://git.example.com/o/lib.git@release-branch", False),
            ("git+ssh://git@git.example.com/o/lib.git#egg=lib", False),
            ("https://files.example.com/lib.zip", False),
            ("https://files.example.com/lib.zip#sha256=" + "a" * 64, True),
            ("https://files.example.com/lib.zip --hash=sha256:" + "a" * 64, True),
            ("https://files.example.com/lib-1.0-py3-none-any.whl", True),
            ("https://git.example.com/o/lib/archive/refs/heads/main.tar.gz", False),
            ("https://git.example.com/o/lib/archive/refs/tags/stable.tar.gz", True),
            ("./libs/shared", False),
        ],
    )
    def test_pinned(self, line: str, pinned: bool) -> None:
        assert only(line)["pinned"] is pinned

    def test_urls_and_paths(self) -> None:
        vcs = only("-e git+ssh://git@git.example.com/o/My_Lib.git@main#egg=My_Lib&subdirectory=src")
        assert vcs["vcs"] is True
        assert vcs["editable"] is True
        assert (vcs["name"], vcs["ref"]) == ("my-lib", "main")
        path = only("./libs/.[postgres,s3]")
        assert (path["path"], path["extras"]) == ("./libs/.", ["postgres", "s3"])
        assert only("-e .[dev]")["path"] == "."
        assert only("name @ https://example.com/x.zip ; sys_platform == 'linux'")["marker"] == "sys_platform == 'linux'"
        assert only("-e lib @ git+https://example.com/x.git@v1.0")["name"] == "lib"

    def test_comments_need_a_blank_before_them(self) -> None:
        parsed = read("a==1.0 # fine\n# whole line\nb==1.0#not-a-comment\nc==2.0\n")
        assert [r.text_at("name") for r in parsed.resources[0].node.items_at("requirements")] == ["a", "c"]
        assert [p.line for p in parsed.problems] == [3]
        assert parsed.partial

    def test_inline_options(self) -> None:
        parsed = read("psycopg2==2.9.9 --no-binary psycopg2 --config-settings='x=y'\n")
        assert not parsed.problems
        (found,) = parsed.resources[0].node.items_at("requirements")
        assert found.text_at("version") == "2.9.9"
        assert [o.text_at("value") for o in parsed.resources[0].node.items_at("options")] == ["psycopg2", "x=y"]

    def test_environment_and_templates_are_unknown(self) -> None:
        text = (
            "lib @ https://${TOKEN}@files.example.com/lib.tar.gz\ndjango=={{ django_version }}\n"
            "{% if debug %}\nipdb==0.13\n{% endif %}\n{{ extra }}\n"
        )
        parsed = read(text)
        assert not parsed.problems
        url, django, ipdb, extra = parsed.resources[0].node.items_at("requirements")
        assert isinstance(url.mapping["url"].value, Unknown)
        assert isinstance(django.mapping["pinned"].value, Unknown)
        assert django.text_at("name") == "django"
        assert ipdb.mapping["pinned"].value is True
        assert extra.mapping["name"].is_unknown

    def test_a_token_does_not_hide_the_branch(self) -> None:
        assert only("git+https://${TOKEN}@git.example.com/o/r.git@main")["pinned"] is False

    @pytest.mark.parametrize(
        "text",
        [
            "<!DOCTYPE html>\n<html><body>not found</body></html>\n",
            "\0\x01GITCRYPT\n",
            "You need these things first.\nA computer, of course!\nAnd some time (plenty).\n",
        ],
    )
    def test_something_else_is_one_problem(self, text: str) -> None:
        parsed = read(text)
        assert not parsed.resources
        assert len(parsed.problems) == 1

    def test_bom_and_crlf(self) -> None:
        text = "\ufeffdjango==4.2\r\nredis==5.0 \\\r\n  --hash=sha256:aa\r\n"
        first, second = the_requirements(text)
        assert first.span.text == "django==4.2"
        assert second.mapping["version"].span.text == "5.0"
        assert second.items_at("hashes")[0].text == "sha256:aa"

    def test_the_version_is_found_behind_the_name(self) -> None:
        (found,) = the_requirements("pkg1==1\n")
        assert found.mapping["version"].start == 6

    def test_an_unknown_option_is_a_problem_with_its_line(self) -> None:
        parsed = read("a==1\nb==1\n--no-such-thing\n")
        assert [p.line for p in parsed.problems] == [3]

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.sampled_from([
        "a==1", "-e ", "-r", "--hash=", "git+https://", "@", ";", "\\\n", "\n", " ", "#", "{{", "}}", "[", "]", "x @ ",
        '"', "'", "=", ",", "é", "\r\n", "-", "--", "${A}", "{%", "<", "/", "~=2.0", "-i",
    ]) | st.text(max_size=6), max_size=25))  # fmt: skip
    def test_fuzz(self, parts: list[str]) -> None:
        source = SourceFile("requirements.txt", "".join(parts))
        assert_places(requirements.parse(source), source)


class TestRequirementText:
    def test_names(self) -> None:
        assert normal_name("Foo__Bar.baz") == "foo-bar-baz"

    @pytest.mark.parametrize("text", ["x=1", "==1.0", "a b", "a==", "name @ ", "!"])
    def test_what_is_wrong_is_said(self, text: str) -> None:
        assert isinstance(read_requirement(text), str)

    def test_a_long_line_is_read_in_linear_time(self) -> None:
        assert isinstance(read_requirement("a" * 200_000 + "!"), str)
        read_requirement("a==" + "1.0-" * 50_000)
        read_requirement("https://x.example.com/" + "a-" * 50_000 + "1.0.zip")


class TestPoetryConstraints:
    @pytest.mark.parametrize(
        ("constraint", "expected"),
        [
            ("^1.2.3", ">=1.2.3,<2.0.0"),
            ("^1.2", ">=1.2,<2.0"),
            ("^1", ">=1,<2"),
            ("^0.2.3", ">=0.2.3,<0.3.0"),
            ("^0.0.3", ">=0.0.3,<0.0.4"),
            ("^0.0", ">=0.0,<0.1"),
            ("^0", ">=0,<1"),
            ("~1.2.3", ">=1.2.3,<1.3.0"),
            ("~1.2", ">=1.2,<1.3"),
            ("~1", ">=1,<2"),
            ("*", ""),
            ("1.2.*", "==1.2.*"),
            ("1.2.3", "==1.2.3"),
            ("=1.2.3", "==1.2.3"),
            (">=1.2,<1.5", ">=1.2,<1.5"),
            (">= 1.2, < 1.5", ">=1.2,<1.5"),
            (">=3.8 <4.0", ">=3.8,<4.0"),
            ("^3.8 || ^4.0", None),
            ("latest", None),
        ],
    )
    def test_as_the_documentation_has_it(self, constraint: str, expected: str | None) -> None:
        assert pep440(constraint) == expected


class TestPythonVersion:
    @pytest.mark.parametrize(
        ("path", "text", "version"),
        [
            (".python-version", "3.12.4\n", "3.12.4"),
            (".python-version", "# pinned\n3.11\n3.10\n", "3.11"),
            (".python-version", "cpython-3.12.1-linux-x86_64-gnu\n", "3.12.1"),
            (".python-version", "3.13.0rc1\n", "3.13.0rc1"),
            (".python-version", "pypy3.10-7.3.12\n", "3.10"),
            ("runtime.txt", "python-3.12.4\r\n", "3.12.4"),
            ("runtime.txt", "python-3.12.x", "3.12"),
            (".tool-versions", "nodejs 20.1.0\npython 3.12.2 3.11.1 # web\n", "3.12.2"),
        ],
    )
    def test_versions(self, path: str, text: str, version: str) -> None:
        (found,) = python_version.parse(SourceFile(path, text)).resources
        node = found.node.mapping["version"]
        assert node.text == version
        assert node.span.text == version
        assert found.node.text_at("declared_by") == path

    @pytest.mark.parametrize("text", ["my-venv\n", "system\n", "{{ python_version }}\n"])
    def test_names_are_unknown(self, text: str) -> None:
        (found,) = python_version.parse(SourceFile(".python-version", text)).resources
        assert found.node.mapping["version"].is_unknown

    def test_nothing_said(self) -> None:
        assert not python_version.parse(SourceFile(".tool-versions", "nodejs 20\n")).resources
        assert not python_version.parse(SourceFile(".python-version", "\n# none\n")).resources

    @settings(max_examples=60, deadline=None)
    @given(st.text(max_size=60), st.sampled_from([".python-version", ".tool-versions", "runtime.txt"]))
    def test_fuzz(self, text: str, path: str) -> None:
        source = SourceFile(path, "python " + text)
        assert_places(python_version.parse(source), source)


class TestTomlTree:
    def test_one_broken_line_does_not_lose_the_rest(self) -> None:
        source = SourceFile("x.toml", '[a]\nx = 1\ny = = 2\nz = "ok"\n[b\nlost = 1\n[c]\nk = true\n')
        tree = parse_toml(source)
        assert plain(tree.root) == {"a": {"x": 1, "z": "ok"}, "c": {"k": True}}
        assert [p.line for p in tree.problems] == [3, 5]

    def test_depth_is_bounded(self) -> None:
        tree = parse_toml(SourceFile("x.toml", "a = " + "[" * 30_000 + "\nb = 1\n"))
        assert tree.problems
        assert "b" in tree.root.mapping

    def test_many_tables_cost_no_square(self) -> None:
        tree = parse_toml(SourceFile("x.toml", "[[p]]\nn = 1\n" * 5_000))
        assert len(tree.root.items_at("p")) == 5_000

    def test_places(self) -> None:
        text = "a.b = { c = [\"x\", 'x'] }\n"
        node = parse_toml(SourceFile("x.toml", text)).root
        first, second = node.items_at("a.b.c")
        assert (first.span.text, second.span.text) == ('"x"', "'x'")
        assert first.start < second.start
        key = node.mapping_at("a")["b"].key
        assert key is not None
        assert key.text == "b"

    def test_agrees_with_the_standard_library(self) -> None:
        import tomllib

        text = (
            'title = "T\\u00e9 \\"q\\""\nlit = \'C:\\x\'\nmulti = """\nline\\\n   joined ""quoted"" """\n'
            "raw = '''\na\nb'''\n"
            "n = [1_000, 0xff, -3, +4, 1.5e3, inf]\nt = { a.b = 1, 'c d' = [] }\n[x.y]\nk = false # c\n[[z]]\na = 1\n"
            "[[z]]\na = 2\n[z.sub]\nb = 3\n[[z.inner]]\nq = 1\n"
        )
        tree = parse_toml(SourceFile("x.toml", text))
        assert not tree.problems
        assert plain(tree.root) == tomllib.loads(text)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.sampled_from([
        "a", "b.c", " = ", "=", "[", "]", "[[", "]]", "{", "}", '"', "'", '"""', "'''", "\n", "\r\n", ",", "1", "true",
        "\\", "#", "{%", "{#", "2020-01-01", ".", "é", "[t]\n", 'k = "v"\n',
    ]), max_size=40))  # fmt: skip
    def test_fuzz(self, parts: list[str]) -> None:
        source = SourceFile("x.toml", "".join(parts))
        tree = parse_toml(source)
        for node in tree.root.walk():
            assert 0 <= node.start <= node.end <= len(source.text)

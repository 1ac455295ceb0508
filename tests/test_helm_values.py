"""What each chart of a release gets as values; patterns of paths; packed charts."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyprod_audit.evaluate.helm.archives import unpack
from pyprod_audit.evaluate.helm.charts import Chart, Shelf
from pyprod_audit.evaluate.helm.globs import HelmIgnore, glob
from pyprod_audit.evaluate.helm.values import Part, ValuesError, compose, overlaid, values_of
from pyprod_audit.model import SourceFile, Tree
from pyprod_audit.parsers.yaml_events import parse_documents


def shelf(files: dict[str, str]) -> Shelf:
    sources = {path: SourceFile(path, text) for path, text in files.items()}
    return Shelf(Tree(set(sources), sources))


def chart(files: dict[str, str]) -> Chart:
    (found,) = shelf({"Chart.yaml": "name: root\nversion: 1.0.0\n", **files}).charts([""])
    return found


def values(text: str, name: str = "values-prod.yaml") -> object:
    node = parse_documents(SourceFile(name, text)).nodes
    return values_of(node[0] if node else None, f"set by {name}")


def names(part: Part) -> list[str]:
    return [child.name for child in part.parts]


SUB = {
    "charts/db/Chart.yaml": "name: db\nversion: 1.0.0\n",
    "charts/db/values.yaml": "port: 5432\noptions: {a: 1, b: 2}\nglobal: {region: eu}\n",
}
DEPENDENCIES = "name: root\nversion: 1.0.0\ndependencies:\n"


class TestValues:
    def test_given_values_lie_over_defaults_and_keep_their_places(self) -> None:
        found = chart({"values.yaml": "a: {x: 1, v: 2}\nlist: [1, 2]\nkept: old\n"})
        _, laid = compose(
            found, overlaid([values("a: {x: 3}\nlist: [9]\n", "one.yaml"), values("a: {z: 4}", "two.yaml")])
        )
        assert laid == {"a": {"x": 3.0, "v": 2.0, "z": 4.0}, "list": [9.0], "kept": "old"}
        assert laid.places["kept"][0].span.file.path == "values.yaml"
        assert laid.places["kept"][0].label == "set by values.yaml"
        assert (laid["a"].places["z"][0].span.file.path, laid["a"].places["z"][0].span.line) == ("two.yaml", 1)
        assert laid["list"].places[0][0].span.text == "9"

    def test_a_null_takes_a_default_away_and_a_null_default_stays(self) -> None:
        found = chart({"values.yaml": "a: {x: 1, v: 2}\nb: 1\nempty: null\n"})
        _, laid = compose(found, values("a: {x: null}\nb: null\n"))
        assert laid == {"a": {"v": 2.0}, "empty": None}

    def test_a_scalar_given_for_a_mapping_replaces_it(self) -> None:
        _, laid = compose(chart({"values.yaml": "a: {x: 1}\n"}), values("a: text\n"))
        assert laid == {"a": "text"}

    def test_sub_charts_get_their_part_and_the_globals(self) -> None:
        found = chart({**SUB, "values.yaml": "global: {domain: example.com}\ndb: {options: {b: null}, extra: 1}\n"})
        root, laid = compose(found, values("db: {port: 6000}\n"))
        assert names(root) == ["db"]
        assert laid["db"] == {
            "port": 6000.0, "options": {"a": 1.0}, "extra": 1.0, "global": {"domain": "example.com", "region": "eu"},
        }  # fmt: skip

    def test_what_is_given_is_not_changed(self) -> None:
        given_values = values("a: {x: 1}\n")
        found = chart({"values.yaml": "a: {v: 2}\n"})
        _, first = compose(found, given_values)
        first["a"]["x"] = "changed"
        assert compose(found, given_values)[1] == {"a": {"x": 1.0, "v": 2.0}}

    def test_values_of_a_sub_chart_that_are_no_mapping(self) -> None:
        with pytest.raises(ValuesError, match="db are not a mapping"):
            compose(chart({**SUB, "values.yaml": "db: true\n"}), values(""))

    @pytest.mark.parametrize(
        ("text", "key"),
        [
            ("on: 1", "true"), ("no: 1", "false"), ("'on': 1", "on"), ("0x10: 1", "16"), ("1.50: 1", "1.5"),
            ("8080: 1", "8080"), ("~: 1", "~"), ("'': 1", ""),
        ],
    )  # fmt: skip
    def test_keys_are_those_of_json(self, text: str, key: str) -> None:
        assert list(values(text)) == [key]


class TestDependencies:
    @pytest.mark.parametrize(
        ("entry", "given_text", "expected"),
        [
            ("{name: db, condition: db.enabled}", "", ["db"]),
            ("{name: db, condition: db.enabled}", "db: {enabled: false}", []),
            ("{name: db, condition: 'absent.x,db.use'}", "db: {use: false}", []),
            ("{name: db, condition: db.enabled}", "db: {enabled: 'no'}", ["db"]),
            ("{name: db, tags: [back, store]}", "tags: {back: false}", []),
            ("{name: db, tags: [back, store]}", "tags: {back: false, store: true}", ["db"]),
            ("{name: db, tags: [back], condition: db.enabled}", "tags: {back: false}\ndb: {enabled: true}", ["db"]),
            ("{name: db, alias: main}", "", ["main"]),
            ("{name: other}", "", ["db"]),
        ],
    )
    def test_which_are_left(self, entry: str, given_text: str, expected: list[str]) -> None:
        found = chart({**SUB, "Chart.yaml": f"{DEPENDENCIES}  - {entry}\n"})
        assert names(compose(found, values(given_text))[0]) == expected

    def test_two_aliases_of_one_chart(self) -> None:
        listed = f"{DEPENDENCIES}  - {{name: db, alias: a}}\n  - {{name: db, alias: b}}\n"
        root, laid = compose(chart({**SUB, "Chart.yaml": listed}), values("b: {port: 1}\n"))
        assert names(root) == ["a", "b"]
        assert (laid["a"]["port"], laid["b"]["port"]) == (5432.0, 1.0)

    def test_imported_values(self) -> None:
        listed = f"{DEPENDENCIES}  - {{name: db, import-values: [web, {{child: options, parent: db-options.x}}]}}\n"
        files = {**SUB, "Chart.yaml": listed, "values.yaml": "db-options: {x: {a: 9}}\nport: 1\n"}
        files["charts/db/values.yaml"] = "exports: {web: {port: 80, host: h}}\noptions: {a: 1, b: 2}\n"
        laid = compose(chart(files), values(""))[1]
        assert (laid["port"], laid["host"], laid["db-options"]) == (1.0, "h", {"x": {"a": 9.0, "b": 2.0}})

    def test_those_of_older_charts_stand_in_a_file_of_their_own(self) -> None:
        found = chart({**SUB, "requirements.yaml": "dependencies: [{name: db, condition: use}, {name: gone}]\n"})
        assert names(compose(found, values("use: false"))[0]) == []
        assert [one.name for one in found.missing] == ["gone"]

    def test_beside_the_chart_and_in_a_circle(self) -> None:
        files = {
            "a/Chart.yaml": "name: a\ndependencies: [{name: b, repository: 'file://../b'}]\n",
            "b/Chart.yaml": "name: b\ndependencies: [{name: a, repository: 'file://../a'}]\n",
            "c/Chart.yaml": "name: c\ndependencies: [{name: x, repository: 'file://../../../etc'}]\n",
        }
        first, second, third = shelf(files).charts(["a", "b", "c"])
        assert [child.name for child in first.children] == ["b"]
        assert first.children[0].children == []
        assert [child.name for child in second.children] == ["a"]
        assert [one.name for one in third.missing] == ["x"]

    def test_which_charts_stand_for_themselves(self) -> None:
        files = {f"{folder}/Chart.yaml": f"name: {folder[-1]}" for folder in ("a", "a/charts/b", "a/sub/c", "charts/d")}
        assert [one.origin.path for one in shelf(files).charts([p[: -len("/Chart.yaml")] for p in files])] == [
            "a", "a/sub/c", "charts/d",
        ]  # fmt: skip


class TestGlobs:
    @pytest.mark.parametrize(
        ("pattern", "path", "found"),
        [
            ("conf/*.conf", "conf/a.conf", True),
            ("conf/*.conf", "conf/deep/a.conf", False),
            ("conf/**.conf", "conf/deep/a.conf", True),
            ("**", "a/b/c", True),
            ("*", "a/b", False),
            ("conf/{a,b}.conf", "conf/b.conf", True),
            ("conf/{a,b}.conf", "conf/c.conf", False),
            ("conf/[!a].conf", "conf/b.conf", True),
            ("conf/[a-c]?.conf", "conf/b1.conf", True),
            ("conf/[a-c]?.conf", "conf/d1.conf", False),
            ("a\\*", "a*", True),
            ("", "", True),
        ],
    )
    def test_glob(self, pattern: str, path: str, found: bool) -> None:
        assert glob(pattern, path) is found

    @pytest.mark.parametrize(
        ("text", "path", "ignored"),
        [
            ("*.bak", "a/b/x.bak", True),
            ("/top.txt", "top.txt", True),
            ("/top.txt", "a/top.txt", False),
            ("a/b.txt", "a/b.txt", True),
            ("a/b.txt", "x/a/b.txt", False),
            ("node/", "node/x/y.txt", True),
            ("node/", "node", False),
            ("# a\n\n  x.txt  ", "x.txt", True),
            ("", "templates/.hidden.yaml", True),
            ("", "templates/a/.hidden.yaml", False),
            ("", "templates/x.yaml", False),
            ("**/x", "a/x", False),
            ("!x.txt", "y.txt", True),
            ("!x.txt", "x.txt", False),
        ],
    )
    def test_helmignore(self, text: str, path: str, ignored: bool) -> None:
        assert HelmIgnore(text)(path) is ignored

    def test_many_stars_take_no_time(self) -> None:
        assert glob("*a" * 200, "a" * 5_000) is True
        assert glob("*a" * 200 + "b", "a" * 5_000) is False

    @given(st.text(max_size=60), st.text(max_size=60))
    def test_any_pattern(self, pattern: str, path: str) -> None:
        glob(pattern, path)
        HelmIgnore(pattern)(path)


def packed(members: dict[str, bytes], **changes: object) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in changes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class TestArchives:
    def test_files_lose_the_folder_of_the_chart(self) -> None:
        assert unpack(packed({"db/Chart.yaml": b"name: db", "db/templates/a.yaml": b"a"})) == {
            "Chart.yaml": b"name: db", "templates/a.yaml": b"a",
        }  # fmt: skip

    @pytest.mark.parametrize("name", ["db/../../etc/passwd", "/etc/passwd", "db", "../db/x", "db/a/../../../x"])
    def test_paths_that_lead_out_are_left_out(self, name: str) -> None:
        assert unpack(packed({name: b"x"})) == {}

    def test_links_are_left_out(self) -> None:
        assert unpack(packed({"db/a": b""}, type=tarfile.SYMTYPE, linkname="/etc/passwd")) == {}

    def test_what_unpacks_to_too_much_is_cut(self) -> None:
        bomb = gzip.compress(b"\0" * (200 * 1024 * 1024))
        assert unpack(bomb) == {}
        assert list(unpack(packed({"db/big": b"x" * (6 * 1024 * 1024), "db/small": b"y"}))) == ["small"]

    @given(st.binary(max_size=400))
    def test_any_bytes(self, data: bytes) -> None:
        unpack(data)
        unpack(gzip.compress(data))

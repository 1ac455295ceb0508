"""Other parsers on the same fixtures, compared where they are right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import crossplane
import hcl2
import pytest
from dockerfile_parse import DockerfileParser

from pyprod_audit.model import Node, Resource, SourceFile
from pyprod_audit.parsers import parser_for

FIXTURES = Path(__file__).parent.parent / "fixtures"
WELL_FORMED = ("golden", "broken-shop", "broken-django")


def files(pattern: str) -> list[Path]:
    found = [path for folder in WELL_FORMED for path in sorted((FIXTURES / folder).rglob(pattern))]
    assert found
    return found


def parsed(path: Path, kind: str) -> list[Resource]:
    parse = parser_for(kind)
    assert parse is not None
    result = parse(SourceFile(path.name, path.read_text(encoding="utf-8"), kind))
    assert not result.problems
    return result.resources


def by_path(path: Path) -> str:
    return path.relative_to(FIXTURES).as_posix()


@pytest.mark.parametrize("path", files("Dockerfile"), ids=by_path)
def test_dockerfiles_as_dockerfile_parse_reads_them(path: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(path.read_text(encoding="utf-8"))
    oracle = DockerfileParser(str(tmp_path))
    expected = [
        (row["instruction"], row["startline"] + 1) for row in oracle.structure if row["instruction"] != "COMMENT"
    ]
    stages = [resource for resource in parsed(path, "dockerfile") if resource.kind == "docker.stage"]
    own = [
        (str(instruction.text_at("name")), instruction.span.line)
        for stage in stages
        for instruction in stage.node.items_at("instructions")
    ]
    assert own == [row for row in expected if row[0] != "FROM" or row in own]
    assert [stage.node.text_at("from.image") for stage in stages] == oracle.parent_images


def directives(nodes: tuple[Node, ...]) -> list[tuple[object, ...]]:
    return [
        (
            node.text_at("name"),
            [arg.text for arg in node.items_at("args")],
            node.span.line,
            directives(node.items_at("block")),
        )
        for node in nodes
    ]


def crossplane_directives(block: list[dict[str, object]]) -> Iterator[tuple[object, ...]]:
    for row in block:
        inner = row.get("block", [])
        assert isinstance(inner, list)
        yield row["directive"], row["args"], row["line"], list(crossplane_directives(inner))


@pytest.mark.parametrize("path", files("nginx.conf"), ids=by_path)
def test_nginx_as_crossplane_reads_it(path: Path) -> None:
    payload = crossplane.parse(str(path), single=True, comments=False)
    assert payload["status"] == "ok"
    expected = list(crossplane_directives(payload["config"][0]["parsed"]))
    (config,) = parsed(path, "nginx")
    assert directives(config.node.items_at("directives")) == expected


@pytest.mark.parametrize("path", files("*.tf"), ids=by_path)
def test_terraform_blocks_as_python_hcl2_reads_them(path: Path) -> None:
    with path.open(encoding="utf-8") as opened:
        oracle = hcl2.load(opened)
    expected = sorted(kind for kind, blocks in oracle.items() if not kind.startswith("__") for _ in blocks)
    (file,) = parsed(path, "terraform")
    assert sorted(str(block.text_at("type")) for block in file.node.items_at("blocks")) == expected
    text = json.dumps(oracle)
    for block in file.node.items_at("blocks"):
        for label in block.items_at("labels"):
            assert str(label.text) in text

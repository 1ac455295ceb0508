"""The include graph and the directives of whole configurations, against what nginx reads (tests/oracles/nginx)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pyprod_audit.evaluate.nginx.contents import Contents
from pyprod_audit.evaluate.nginx.evaluation import evaluate
from pyprod_audit.evaluate.nginx.files import ConfigFile, Files
from pyprod_audit.evaluate.nginx.graph import starting_points
from pyprod_audit.evaluate.nginx.includes import Includes
from pyprod_audit.intake import from_sources
from pyprod_audit.model import Node, Resource, SourceFile, Tree
from pyprod_audit.parsers.nginx import parse
from tests.oracles.nginx import behaviour
from tests.oracles.nginx.trees import EXPECTED, Configurations, configurations

RECORDED = json.loads(EXPECTED.read_text(encoding="utf-8"))["trees"]
# Where a glob matches nothing, the files may come at deploy time: unknown, where nginx reads nothing.
UNKNOWN = {
    "a-glob-that-matches-nothing": ["conf.d/*.conf", "sites-enabled/[a-z]*"],
    "two-main-configurations": ["sites/*.conf"],
}


def rows(
    contents: Contents, items: Sequence[Node], chain: tuple[str, ...], read: list[str], depth: int = 0
) -> Iterator[list[Any]]:
    missing: list[Node] = []
    for directive, files in contents.directives(items, chain, missing):
        read.extend(files)
        members = directive.mapping
        yield [depth, files[-1], members["name"].value, *(word.value for word in members["args"].items)]
        if "block" in members:
            yield from rows(contents, members["block"].items, files, read, depth + 1)
    if missing:
        yield [depth, "missing", *(node.text for node in missing)]


def as_we_write(row: list[Any]) -> list[Any]:
    """A row of nginx's, with the condition of an `if` without its parentheses."""
    if row[2] != "if":
        return row
    words = [row[3].removeprefix("("), *row[4:]]
    words[-1] = words[-1].removesuffix(")")
    return [*row[:3], *(word for word in words if word)]


@pytest.mark.parametrize("tree", list(configurations()), ids=lambda tree: tree.name)
def test_files_and_directives_are_those_that_nginx_reads(tree: Configurations) -> None:
    intake = from_sources([SourceFile(path, text) for path, text in tree.files.items()])
    given = [ConfigFile(r.path, r) for r in intake.resources if r.kind == "nginx.config"]
    includes = Includes(Files(given, intake.tree()))
    main = next(file for file in starting_points(given, includes) if file.location == tree.main)
    contents = Contents(includes, 10_000)
    opened: list[str] = []
    found = list(rows(contents, main.directives, (tree.main,), opened))
    expected = RECORDED[tree.name]
    assert [row for row in found if row[1] != "missing"] == [
        as_we_write(row) for row in expected["directives"] if row[2] != "include"
    ]
    assert [name for row in found if row[1] == "missing" for name in row[2:]] == UNKNOWN.get(tree.name, [])
    assert contents.problems == []
    with_directives = [path for path in expected["files"] if path not in ("empty.conf", "comment.conf", "blank.conf")]
    assert list(dict.fromkeys(opened)) == list(dict.fromkeys(with_directives))


def test_enough_trees_are_recorded() -> None:
    names = [tree.name for tree in configurations()]
    assert len(names) == len(set(names)) >= 40
    assert set(names) == set(RECORDED)


# -- which directives hold in a block --------------------------------------------------------------------------


def blocks(configuration: Path) -> dict[str, Resource]:
    text = configuration.read_text(encoding="utf-8").replace(":PORT", ":8080")
    found = evaluate(parse(SourceFile("nginx.conf", text)).resources, Tree({"nginx.conf"}))
    assert found.problems == []
    return {resource.address: resource for resource in found.resources}


BLOCKS = blocks(behaviour.CONFIGURATION)
ANSWERS = json.loads(behaviour.RECORDED.read_text(encoding="utf-8"))["answers"]
ASKED = [
    pytest.param(request, answer, id=answer["request"])
    for request, answer in zip(behaviour.REQUESTS, ANSWERS, strict=True)
]


def effective(request: behaviour.Request) -> dict[str, list[list[str]]]:
    block = BLOCKS[request.block.replace(":PORT", ":8080")]
    return {
        name: [[str(word.value) for word in occurrence.items] for occurrence in node.items]
        for name, node in block.node.mapping.items()
        if name not in ("own", "location", "condition", "methods", "variables", "incomplete")
    }


def last(found: dict[str, list[list[str]]], name: str) -> str:
    return found[name][-1][-1] if name in found else ""


@pytest.mark.parametrize(("request_", "answer"), ASKED)
def test_a_request_is_answered_with_the_effective_directives(
    request_: behaviour.Request, answer: dict[str, Any]
) -> None:
    found = effective(request_)
    if found.get("access_log") == [["off"]]:
        assert answer["logs"] == []
    else:
        assert answer["logs"] == [Path(occurrence[0]).name for occurrence in found["access_log"]]
    if int(last(found, "client_max_body_size")) < len(request_.body):
        assert answer["status"] == 413
    elif found.get("deny") == [["all"]] and "allow" not in found:
        assert answer["status"] == 403
    elif answer["status"] == 404:
        assert answer["body"] == dict(found["error_page"]).get("404", "")
    else:
        assert answer["status"] == 200
        assert sent_headers(answer) == [f"{name}: {value}" for name, value in found.get("add_header", [])]
        assert answer["trailers"] == [f"{name}: {value}" for name, value in found.get("add_trailer", [])]
        caching = {"-1": ["no-cache"], "1h": ["max-age=3600"], "": []}[last(found, "expires")]
        assert of(answer, "Cache-Control") == caching
        check_passed_on(found, answer) if "[" in answer["body"] else check_file(found, answer)


def sent_headers(answer: dict[str, Any]) -> list[str]:
    return [one for one in answer["headers"] if one.startswith("X-") and not one.startswith("X-Hide")]


def of(answer: dict[str, Any], name: str) -> list[str]:
    return [one.partition(": ")[2] for one in answer["headers"] if one.startswith(f"{name}:")]


def check_passed_on(found: dict[str, list[list[str]]], answer: dict[str, Any]) -> None:
    words = dict(found["sub_filter"])
    texts = " ".join(words.get(word, word) for word in ("alpha", "beta"))
    if "uwsgi_pass" in found:
        sent = [f"{name}={value}" for name, value in found["uwsgi_param"]]
    else:
        sent = [f"{name}: {value}" for name, value in found["proxy_set_header"]]
        assert of(answer, "Location") == [f"{last(found, 'proxy_redirect')}x"]
        assert of(answer, "Set-Cookie") == [f"a=b; Path={last(found, 'proxy_cookie_path')}"]
        hidden = {name for (name,) in found["proxy_hide_header"]}
        shown = {name for name in ("X-Hide-Http", "X-Hide-Own") if of(answer, name)}
        assert shown == {"X-Hide-Http", "X-Hide-Own"} - hidden
    assert answer["body"] == f"{texts} {json.dumps(sent)}"


def check_file(found: dict[str, list[list[str]]], answer: dict[str, Any]) -> None:
    path = answer["request"].partition("example.com")[2]
    name = last(found, "index") if path.endswith("/") else ""
    if "alias" in found:
        expected = last(found, "alias") + path.removeprefix("/aliased/") + name
    elif "try_files" in found:
        expected = f"{last(found, 'root')}{found['try_files'][0][0]}"
    else:
        expected = f"{last(found, 'root')}{path}{name}"
    assert answer["body"] == expected


def test_every_request_finds_its_block() -> None:
    assert {request.block.replace(":PORT", ":8080") for request in behaviour.REQUESTS} <= set(BLOCKS)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        pytest.param(request, answer, id=answer["request"])
        for request, answer in zip(
            behaviour.MORE_REQUESTS,
            json.loads(behaviour.MORE_RECORDED.read_text(encoding="utf-8"))["answers"],
            strict=True,
        )
    ],
)
def test_headers_more_is_read_from_the_outside_in(request_: behaviour.Request, answer: dict[str, Any]) -> None:
    node = blocks(behaviour.MORE)[request_.block.replace(":PORT", ":8080")].node
    headers: dict[str, str] = {}
    for occurrence in node.items_at("more_set_headers"):
        headers.update(str(word.value).split(": ") for word in occurrence.items)
    for occurrence in node.items_at("more_clear_headers"):
        for word in occurrence.items:
            headers.pop(str(word.value))
    assert sorted(answer["headers"]) == sorted(f"{name}: {value}" for name, value in headers.items())

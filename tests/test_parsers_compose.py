"""Compose files as trees: what is one, how its scalars read, which tags are kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.model import Node, Parsed, SourceFile, Unknown
from pyprod_audit.parsers.compose import OVERRIDE, RESET, Tagged, looks_like_compose, parse

SHOP = """# the shop
x-defaults: &defaults
  restart: unless-stopped
  logging: {driver: json-file}
services:
  web:
    <<: *defaults
    image: registry.example.com/shop:1.4
    ports: ["8000:8000"]
    environment:
      DEBUG: no
      UMASK: 0022
      SINCE: 2026-11-28
  db:
    image: postgres:16
volumes:
  data:
"""


def read(text: str) -> Parsed:
    return parse(SourceFile("compose.yaml", text, "compose"))


def document(text: str) -> Node:
    parsed = read(text)
    assert parsed.problems == []
    return parsed.resources[0].node


def plain(node: Node) -> Any:
    value = node.value
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return [plain(member) for member in value] if isinstance(value, tuple) else value


def test_a_file_is_one_resource_with_the_path_as_address() -> None:
    (resource,) = read(SHOP).resources
    assert (resource.kind, resource.address) == ("compose.file", "compose.yaml")
    assert list(resource.node.mapping) == ["x-defaults", "services", "volumes"]
    image = resource.node.find(("services", "web", "image"))[0]
    assert isinstance(image, Node)
    assert (image.span.line, image.span.column, image.span.text) == (8, 12, "registry.example.com/shop:1.4")


def test_scalars_are_those_of_go() -> None:
    environment = plain(document(SHOP))["services"]["web"]["environment"]
    assert environment == {"DEBUG": "no", "UMASK": 18, "SINCE": "2026-11-28 00:00:00 +0000 UTC"}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0440", 288), ("0o17", 15), ("0b11", 3), ("0x1F", 31), ("1_000", 1000), ("1.50", 1.5), ("08", 8.0),
        ("22:22", "22:22"), ("yes", "yes"), ("Off", "Off"), ("True", True), ("~", None), ("'0440'", "0440"),
        ("2026-2-28", "2026-02-28 00:00:00 +0000 UTC"), ("2026-02-30", "2026-02-30"),
        ("2024-02-29", "2024-02-29 00:00:00 +0000 UTC"), ("2100-02-29", "2100-02-29"),
        ("2026-11-28 10:05:06.70", "2026-11-28 10:05:06.7 +0000 UTC"), ("2026-11-28T10:05:06", "2026-11-28T10:05:06"),
        ("2026-11-28T10:05:06Z", "2026-11-28 10:05:06 +0000 UTC"), ('"2026-11-28"', "2026-11-28"),
        ("2026-11-28T10:05:06+02:00", "2026-11-28 10:05:06 +0200 +0200"),
        ("2026-11-28 25:00:00", "2026-11-28 25:00:00"),
    ],
)  # fmt: skip
def test_scalar(written: str, value: object) -> None:
    found = document(f"services: {{web: {{x: {written}}}}}\n").find(("services", "web", "x"))[0]
    assert isinstance(found, Node)
    assert found.value == value
    assert type(found.value) is type(value)


def test_merge_keys_and_anchors() -> None:
    web = plain(document(SHOP))["services"]["web"]
    assert web["restart"] == "unless-stopped"
    assert web["logging"] == {"driver": "json-file"}


def test_tags_that_take_back_are_kept() -> None:
    services = document(
        "services:\n  web:\n    ports: !reset []\n    environment: !override\n      A: 1\n    command: !reset\n"
        "    cap_add:\n      - !reset NET_ADMIN\n      - SYS_TIME\n    expose: []\n"
    ).mapping["services"]
    web = services.mapping["web"].mapping
    tags = {name: node.tag for name, node in web.items() if isinstance(node, Tagged)}
    assert tags == {"ports": RESET, "environment": OVERRIDE, "command": RESET}
    assert plain(web["environment"]) == {"A": 1}
    assert plain(web["cap_add"]) == ["SYS_TIME"]


def test_an_alias_carries_the_tag_of_its_anchor() -> None:
    tree = document("x-a: &a !override\n  B: 1\nservices:\n  web:\n    environment: *a\n    labels: {}\n")
    environment = tree.find(("services", "web", "environment"))[0]
    assert isinstance(environment, Tagged)
    assert environment.tag == OVERRIDE
    assert not isinstance(tree.find(("services", "web", "labels"))[0], Tagged)


def test_each_document_is_a_resource() -> None:
    parsed = read("services: {a: {image: x}}\n---\nservices: {b: {image: y}}\n")
    assert [list(r.node.mapping["services"].mapping) for r in parsed.resources] == [["a"], ["b"]]


def test_a_broken_document_does_not_lose_the_other() -> None:
    parsed = read("services: {a: {image: x}}\n---\nservices: [}\n")
    assert len(parsed.resources) == 1
    assert [problem.line for problem in parsed.problems] == [3]


def test_what_is_no_mapping_is_a_problem() -> None:
    parsed = read("- services\n")
    assert parsed.resources == []
    assert [(problem.line, problem.stage) for problem in parsed.problems] == [(1, "parse")]


def test_repeated_keys() -> None:
    parsed = read("services:\n  web:\n    image: a\n    image: b\n")
    (repeated,) = [r for r in parsed.resources if r.kind == "yaml.duplicate_key"]
    assert repeated.address == "compose.yaml/services.web.image"
    assert repeated.parent is parsed.resources[0]


def test_templates_are_read_around() -> None:
    tree = document(
        "services:\n  web:\n    image: {{ cookiecutter.slug }}_web\n    {%- if cookiecutter.celery %}\n"
        "    restart: always\n    {%- endif %}\n"
    )
    web = tree.find(("services", "web"))[0]
    assert isinstance(web, Node)
    assert isinstance(web.mapping["image"].value, Unknown)
    assert web.mapping["restart"].value == "always"


def test_docker_s_own_templates_do_not_change_the_rest() -> None:
    web = plain(
        document(
            "services:\n  web:\n    logging:\n      options:\n        tag: '{{.Name}}'\n"
            "    environment:\n      A: '{{'\n      B: kept\n      C: '}}'\n"
        )
    )["services"]["web"]
    assert isinstance(web["logging"]["options"]["tag"], Unknown)
    assert web["environment"]["B"] == "kept"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("services:\n  web: {}\n", True), ("include:\n  - a.yaml\n", True), ("volumes:\n  data:\n", True),
        ("version: '3'\nservices:\n", True), ('{"services": {}}', True), ("x: 1\n  services:\n", False),
        ("on: push\njobs:\n  a:\n    services:\n", False), ("apiVersion: v1\nservices: {}\n", False), ("", False),
    ],
)  # fmt: skip
def test_what_looks_like_a_compose_file(text: str, answer: bool) -> None:
    assert looks_like_compose(text) is answer


PIECES = [
    "services:", "\n", "  ", "web:", "!reset", "!override ", "&a ", "*a", "<<: ", "- ", "{", "}", "[", "]", "{{ x }}",
    "image: y", "'", '"', "$", "{%", "---\n", "0440", "2026-01-01", "\ue000", "\t",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_no_text_raises(text: str) -> None:
    for resource in read(text).resources:
        for node in resource.node.walk():
            assert 0 <= node.start <= node.end <= len(text)
    looks_like_compose(text)

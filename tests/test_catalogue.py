"""Rules about rules."""

from __future__ import annotations

import re
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from pyprod_audit import catalogue
from pyprod_audit.message import fields
from tests.rule_examples import RULES, rule_rows

ROWS = list(rule_rows())
SECTIONS = {
    row["number"]: row for row in yaml.safe_load((RULES / "sections.yaml").read_text(encoding="utf-8"))["sections"]
}


def by_id(row: dict[str, object]) -> str:
    return str(row["id"])


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_a_rule_stands_in_its_sections_folder_under_its_name(row: dict[str, object]) -> None:
    path = row["path"]
    assert isinstance(path, Path)
    assert path.parent.name == SECTIONS[row["section"]]["folder"]
    assert path.stem == row["name"]
    assert str(row["id"]).startswith(SECTIONS[row["section"]]["prefix"] + "-")


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_a_rule_has_examples_references_and_short_lines(row: dict[str, object]) -> None:
    examples = row["examples"]
    assert isinstance(examples, dict)
    assert len(examples["bad"]) >= 1
    assert len(examples["good"]) >= 2
    assert row["references"]
    references = row["references"]
    assert isinstance(references, list)
    assert all(str(reference).startswith("https://") for reference in references)
    assert len(str(row["title"])) <= 80
    assert len(str(row["help"])) <= 160
    assert not str(row["help"]).endswith(".")
    assert not str(row["message"]).endswith(".")


@pytest.mark.parametrize("row", [row for row in ROWS if "function" in row], ids=by_id)
def test_a_function_exists_and_says_what_it_does(row: dict[str, object]) -> None:
    module, _, name = str(row["function"]).partition(":")
    function = getattr(import_module(f"pyprod_audit.checks.{module}"), name)
    assert function.__doc__


@pytest.mark.parametrize("row", [row for row in ROWS if "expect" in row], ids=by_id)
def test_a_vocabulary_message_asks_only_for_what_there_is(row: dict[str, object]) -> None:
    params = row.get("params", {})
    assert isinstance(params, dict)
    assert fields(str(row["message"])) <= {"address", "name", "value", *params}


def test_ids_and_names_are_unique() -> None:
    keys = Counter(key for row in ROWS for key in (row["id"], row["name"], *row.get("aliases", [])))
    assert [key for key, count in keys.items() if count > 1] == []


def test_the_index_holds_every_rule() -> None:
    loaded = catalogue.load()
    assert {rule.id for rule in loaded} == {row["id"] for row in ROWS}
    assert set(catalogue.load_docs()) == {row["id"] for row in ROWS}


def test_every_name_starts_with_a_known_technology() -> None:
    known = {
        "app", "asgi", "backup", "celery", "compose", "django", "docker", "flask", "gateway", "gunicorn", "helm", "hpa",
        "image", "ingress", "k8s", "lock", "manifest", "migration", "nginx", "pgbouncer", "pip", "pod", "pool",
        "postgres", "probe", "python", "requirements", "secret", "server", "service", "shell", "sqlite",
        "terraform", "tls", "uvicorn", "uwsgi", "venv", "wsgi",
    }  # fmt: skip
    assert {str(row["name"]).split("-")[0] for row in ROWS} <= known


def test_no_text_is_cut_short() -> None:
    for row in ROWS:
        for key in ("rationale", "fix", "message", "help"):
            assert not re.search(r"TODO|FIXME|lorem", str(row[key]), re.IGNORECASE)


def test_the_marks_of_examples_are_not_shown() -> None:
    for doc in catalogue.load_docs().values():
        for example in (*doc.bad, *doc.good):
            assert not any(re.search(r"\bexpect$", line) for text in example.values() for line in text.split("\n"))
            assert not {"expect", "as_of", "undecided"} & set(example)

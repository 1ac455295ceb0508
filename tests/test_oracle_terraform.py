"""What `terraform console` makes of thousands of expressions, and what is made of them here.

`tests/oracles/record_terraform.py` has recorded the answers and says how. Unknown is allowed, a different value is not.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from pyprod_audit.discover.read import decode
from pyprod_audit.evaluate.terraform.values import Type, type_of
from pyprod_audit.model import Node, SourceFile
from tests.terraform_console import Console, as_json, evaluated

FOLDER = Path(__file__).parent / "oracles" / "terraform"

LEFT_OPEN = {
    # numbers beyond a float's range, and infinity
    "tostring(1e400)", 'tonumber("1e400")', 'jsondecode("1e400")', "log(2, 0)",
    'tonumber("1p3")',
    # a family of emoji is one character
    'length("👨\u200d👩\u200d👧")',
    'regex("\\\\p{Greek}", "αβ")',
    'issensitive(sensitive("a"))',
    # another program, or a later one, may know the function
    "try(nosuch(), 1)",
    # later versions of Terraform do not look at the right side
    'try(false && [][0], "short")',
    # addresses that nobody means
    'cidrhost("::ffff:10.0.0.0/104", 1)', 'cidrsubnet("10.0.0.0/8", -1, 0)', 'cidrsubnet("10.0.0.0/8", 8, -1)',
}  # fmt: skip
"""Valid expressions whose value is left Unknown."""


@cache
def entries() -> list[dict[str, Any]]:
    return list(json.loads((FOLDER / "expressions.json").read_text(encoding="utf-8")))


@cache
def values() -> list[Node]:
    """What is made of each expression here."""
    files: dict[str, SourceFile] = {}
    for path in (FOLDER / "files").rglob("*"):
        if path.is_file():
            name = path.relative_to(FOLDER).as_posix()
            source = decode(name, path.read_bytes())
            assert isinstance(source, SourceFile)
            files[name] = source
    console = Console(files=files)
    return [evaluated(entry["expression"], console) for entry in entries()]


def test_there_are_thousands() -> None:
    assert sum("result" in entry for entry in entries()) > 2500
    assert sum("error" in entry for entry in entries()) > 700


def test_no_value_differs() -> None:
    found = [(entry, as_json(node)) for entry, node in zip(entries(), values(), strict=True) if "result" in entry]
    wrong = [
        (entry["expression"], ours, entry["result"]) for entry, ours in found if ours not in (None, entry["result"])
    ]
    assert wrong == []


def test_what_terraform_rejects_is_unknown() -> None:
    assert [entry["expression"] for entry, node in zip(entries(), values(), strict=True)
            if "error" in entry and as_json(node) is not None] == []  # fmt: skip


def test_everything_else_is_known() -> None:
    """Unknown is allowed above; here it is listed, so that it does not grow unseen."""
    unknown = {entry["expression"] for entry, node in zip(entries(), values(), strict=True)
               if "error" not in entry and as_json(node) is None}  # fmt: skip
    assert unknown == LEFT_OPEN


def test_types_are_those_of_terraform() -> None:
    """Where no null takes part, whose type is not kept."""
    wrong = []
    for entry, node in zip(entries(), values(), strict=True):
        if "error" in entry or as_json(node) is None or "dynamic" in entry["type"]:
            continue
        ours = type_text(type_of(node.value))
        if "dynamic" not in ours and bare(ours) != bare(entry["type"]):
            wrong.append(f"{entry['expression']}: {ours}, Terraform says {entry['type']}")
    assert wrong == []


def type_text(kind: Type) -> str:
    if isinstance(kind, str):
        return "dynamic" if kind in ("any", "open") else kind
    name, *inner = kind
    if name == "object":
        return "object({" + ",".join(f"{key}:{type_text(one)}" for key, one in inner) + "})"  # type: ignore[attr-defined]  # pairs
    members = ",".join(type_text(one) for one in inner)  # type: ignore[arg-type]  # types
    return f"tuple([{members}])" if name == "tuple" else f"{name}({members})"


def bare(text: str) -> str:
    """A type without spaces, quotes and trailing commas."""
    return re.sub(r",(?=[\])}])", "", re.sub(r'[\s"]', "", text))

"""Every rule's examples: bad ones fire exactly at the marked lines, good ones stay silent."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.rule_examples import Example, examples


@pytest.mark.parametrize("example", [pytest.param(e, id=e.id) for e in examples()])
def test_example(example: Example) -> None:
    report = example.scan()
    found = Counter((f.path, f.primary.span.line) for f in report.findings)
    details = "\n".join(f"{f.path}:{f.primary.span.line}: {f.message}" for f in report.findings)
    assert not report.problems, report.problems
    assert {f.rule_id for f in report.findings} <= {example.rule}
    assert found == example.expected(), f"found:\n{details}\nundecided: {report.undecided}"
    if example.kind == "bad":
        assert found, "a bad example marks no line"
        assert all("{" not in f.message or "{{" in f.message or "${" in f.message for f in report.findings), details
    else:
        assert not found, "a good example expects nothing"
        assert bool(example.content.get("undecided")) <= bool(report.undecided), "it should be undecided"

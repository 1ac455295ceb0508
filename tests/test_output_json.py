from __future__ import annotations

import dataclasses
import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from pyprod_audit.findings import Report, Severity
from pyprod_audit.model import SourceFile
from pyprod_audit.outputs import RenderOptions, render
from tests.output_samples import WORKLOAD, check_snapshot, finding, sample, span


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads(files("pyprod_audit").joinpath("data/report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(
    "options", [RenderOptions(), RenderOptions(show_suppressed=True), RenderOptions(minimum=Severity.CRITICAL)]
)
def test_fits_the_published_schema(validator: Any, options: RenderOptions) -> None:
    validator.validate(json.loads(render("json", sample(), options)))


def test_an_empty_report_fits_too(validator: Any) -> None:
    validator.validate(json.loads(render("json", Report(findings=[]), RenderOptions())))


def test_the_schema_is_closed(validator: Any) -> None:
    report = json.loads(render("json", sample(), RenderOptions()))
    report["findings"][0]["severity"] = "fatal"
    report["findings"][1]["line"] = 0
    report["extra"] = 1
    assert len(list(validator.iter_errors(report))) == 3


def test_snapshot() -> None:
    check_snapshot("report.json", render("json", sample(), RenderOptions(show_suppressed=True)))


def test_suppressed_findings_are_counted_not_listed() -> None:
    report = json.loads(render("json", sample(), RenderOptions()))
    assert report["summary"]["suppressed"] == 1
    assert all(entry["suppressed"] is None for entry in report["findings"])


def test_minimum_filters_findings_not_totals() -> None:
    report = json.loads(render("json", sample(), RenderOptions(minimum=Severity.CRITICAL)))
    assert {entry["severity"] for entry in report["findings"]} == {"critical"}
    assert report["summary"]["medium"] == 5


@pytest.mark.parametrize(("fail_on", "code"), [(Severity.HIGH, 1), (None, 0)])
def test_exit_code(fail_on: Severity | None, code: int) -> None:
    report = json.loads(render("json", sample(), RenderOptions(fail_on=fail_on)))
    assert report["summary"]["exit_code"] == code


def test_end_column_is_exclusive() -> None:
    report = json.loads(render("json", Report(findings=[finding(span(WORKLOAD, "8080"))]), RenderOptions()))
    place = report["findings"][0]
    assert (place["line"], place["column"], place["end_line"], place["end_column"]) == (11, 60, 11, 64)


def test_any_path_can_be_written() -> None:
    source = SourceFile("bad\udcff\n.yaml", "a: 1\n")
    report = dataclasses.replace(sample(), findings=[finding(span(source, "1"))])
    text = render("json", report, RenderOptions())
    assert json.loads(text.encode())["findings"][0]["path"] == "bad\udcff\n.yaml"

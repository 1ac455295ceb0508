from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.lifecycles import (
    distro_of_tag,
    facts_date,
    facts_source,
    image_product,
    is_stale,
    lifecycle,
    products,
    python_version_of_tag,
)

ROOT = Path(__file__).parent.parent
DATA = ROOT / "pyprod_audit" / "data" / "lifecycles.json"


@pytest.mark.parametrize(
    ("product", "version", "cycle", "end"),
    [
        ("python", "3.12.4", "3.12", dt.date(2028, 10, 31)),
        ("python", "3.10", "3.10", dt.date(2026, 10, 31)),
        ("postgres", "16.2", "16", dt.date(2028, 11, 9)),
        ("node", "v20.11.0", "20", dt.date(2026, 4, 30)),
        ("kubernetes", "v1.34.1-eks-abc", "1.34", dt.date(2026, 10, 27)),
        ("ubuntu", "jammy", "22.04", dt.date(2027, 4, 1)),
        ("alpine", "3.21.3", "3.21", dt.date(2026, 11, 1)),
        ("django", "4.2.11", "4.2", dt.date(2026, 4, 7)),
    ],
)
def test_a_version_leads_to_its_cycle(product: str, version: str, cycle: str, end: dt.date) -> None:
    found = lifecycle(product, version)
    assert found is not None
    assert (found.cycle, found.end_of_life) == (cycle, end)


def test_the_last_day_is_still_supported() -> None:
    found = lifecycle("python", "3.9")
    assert found is not None
    assert not found.is_past(dt.date(2025, 10, 31))
    assert found.is_past(dt.date(2025, 11, 1))


def test_debian_has_lts_after_its_security_support() -> None:
    found = lifecycle("debian", "bookworm")
    assert found is not None
    day = dt.date(2026, 11, 22)
    assert not found.is_past(day)
    assert found.security_is_past(day)


def test_a_release_without_a_date_goes_on() -> None:
    found = lifecycle("nginx", "1.31")
    assert found is not None
    assert found.end_of_life is None
    assert not found.is_past(dt.date(2035, 1, 1))


@pytest.mark.parametrize(("product", "version"), [("python", "3.99"), ("python", "3"), ("nosuch", "1"), ("python", "")])
def test_what_has_no_facts_is_none(product: str, version: str) -> None:
    assert lifecycle(product, version) is None


@pytest.mark.parametrize(
    ("image", "tag", "expected"),
    [
        ("python", "3.12-slim-bookworm", ("python", "3.12")),
        ("docker.io/library/python", "3.13.1-alpine3.20", ("python", "3.13.1")),
        ("python", "slim", None),
        ("python", "latest", None),
        ("postgres", "16.2-alpine", ("postgresql", "16.2")),
        ("timescale/timescaledb", "2.14.2-pg15", ("postgresql", "15")),
        ("postgis/postgis", "14-3.4", ("postgresql", "14")),
        ("ghcr.io/astral-sh/uv", "0.5.1-python3.11-bookworm-slim", ("python", "3.11")),
        ("ghcr.io/astral-sh/uv", "3.5.1", None),
        ("debian", "bullseye-slim", ("debian", "11")),
        ("ubuntu", "20.04", ("ubuntu", "20.04")),
        ("registry.example.com/team/python", "3.8", None),
    ],
)
def test_image_product(image: str, tag: str, expected: tuple[str, str] | None) -> None:
    assert image_product(image, tag) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("3.12-slim-bookworm", ("debian", "12")),
        ("3.12-alpine3.19", ("alpine-linux", "3.19")),
        ("3.12-alpine", ("alpine-linux", "")),
        ("jammy-20240111", ("ubuntu", "22.04")),
        ("3.12-slim", None),
        ("nonroot-debian12", ("debian", "12")),
    ],
)
def test_distro_of_tag(tag: str, expected: tuple[str, str] | None) -> None:
    assert distro_of_tag(tag) == expected


def test_python_version_of_tag() -> None:
    assert python_version_of_tag("3.14.0rc1-slim") == "3.14.0"
    assert python_version_of_tag("python3.11") == "3.11"
    assert python_version_of_tag("bookworm") is None


def test_the_facts_age() -> None:
    assert not is_stale(facts_date() + dt.timedelta(days=365))
    assert is_stale(facts_date() + dt.timedelta(days=366))
    assert "endoflife.date" in facts_source()


def test_the_data_is_small_and_every_date_is_one() -> None:
    assert DATA.stat().st_size < 30_000
    for name, cycles in json.loads(DATA.read_text(encoding="utf-8"))["products"].items():
        assert name in products()
        for cycle, row in cycles.items():
            found = lifecycle(name, cycle)
            assert found is not None
            assert found.cycle == cycle
            assert len(row) in (2, 3)


def test_importing_reads_nothing() -> None:
    code = "import pyprod_audit.lifecycles as m, sys; print(m._facts.cache_info().currsize)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "0"


def test_the_update_script_keeps_the_form(tmp_path: Path) -> None:
    code = (ROOT / "tools" / "update_lifecycles.py").read_text(encoding="utf-8")
    names = products()
    releases = {name: [{"releaseCycle": "9", "releaseDate": "2020-01-01", "eol": "False"}] for name in names}
    releases["debian"] = [
        {"releaseCycle": "12", "releaseDate": "2023-06-10", "eol": "2026-07-11", "eoes": "2028-06-30"}
    ]
    extract = tmp_path / "releases.json"
    extract.write_text(json.dumps({"products": releases}), encoding="utf-8")
    target = tmp_path / "out.json"
    scope = {"__name__": "update", "__file__": str(ROOT / "tools" / "update_lifecycles.py")}
    exec(compile(code, "update_lifecycles.py", "exec"), scope)
    scope["TARGET"] = target
    scope["main"](str(extract), "2026-01-02")  # type: ignore[operator]  # run_path gives objects
    data = json.loads(target.read_text(encoding="utf-8"))
    assert data["date"] == "2026-01-02"
    assert data["products"]["debian"] == {"12": ["2023-06-10", "2028-06-30", "2026-07-11"]}
    assert data["products"]["python"] == {"9": ["2020-01-01", None]}


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.sampled_from(["python", "debian", "ghcr.io/astral-sh/uv", "pgvector/pgvector"]))
def test_no_tag_raises(tag: str, image: str) -> None:
    found = image_product(image, tag)
    distro_of_tag(tag)
    if found is not None:
        assert found[1]
        lifecycle(*found)

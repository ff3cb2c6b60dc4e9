"""Every clause of the OTLP specification is proven by a test that is there, or does not concern us for a reason."""

import ast
import re
import tomllib
from functools import cache
from typing import Any

import pytest

from spectral.domains.traces.otlp.requests import (
    LARGE_BYTES,
    MAXIMUM_PARTS,
    MAXIMUM_REPEATED_BYTES,
    MAXIMUM_RESOURCE_BYTES,
    MAXIMUM_SPAN_BYTES,
    MAXIMUM_SPANS,
    REASONS,
)
from spectral.settings import Settings
from tests.fixtures.project import ROOT

HERE = "tests/domains/traces/otlp"
CLAUSES = ROOT / HERE / "clauses.toml"
PAGE = ROOT / "docs" / "otlp.md"
# Their tests exist for the specification's sake.
CONFORMANCE = (f"{HERE}/test_conformance.py", f"{HERE}/test_json_requests.py", f"{HERE}/test_requests.py")
LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "required", "is"}
TABLE = ("<!-- clauses -->", "<!-- end of clauses -->")


@cache
def clauses() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads(CLAUSES.read_text())["clause"]
    return found


@cache
def found_in(path: str) -> frozenset[str]:
    file = ROOT / path
    tree = ast.parse(file.read_text()) if file.is_file() else ast.Module([], [])
    names = (node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(f"{path}::{name}" for name in names if name.startswith("test_"))


def named() -> set[str]:
    return {test for clause in clauses() for test in clause.get("tests", ())}


def table() -> str:
    """What the page says, clause by clause."""
    lines: list[str] = []
    section = ""
    for clause in clauses():
        if clause["section"] != section:
            section = clause["section"]
            lines += ["", f"**{section}**", "", "| Clause | Level | Demand | |", "|---|---|---|---|"]
        said = clause.get("not_applicable") or "yes"
        lines.append(f"| `{clause['id']}` | {clause['level']} | {clause['demand']} | {said} |")
    return "\n".join(lines).strip()


def test_every_clause_is_whole() -> None:
    ids = [clause["id"] for clause in clauses()]
    assert len(ids) == len(set(ids)) > 90
    for clause in clauses():
        assert clause.keys() in (
            {"id", "section", "level", "demand", "tests"},
            {"id", "section", "level", "demand", "not_applicable"},
        ), clause["id"]
        assert clause["level"] in LEVELS
        assert re.fullmatch(r"[a-z0-9_.]+", clause["id"])
        assert clause["demand"].strip()


def test_no_clause_is_without_a_test_or_a_reason() -> None:
    unmapped = [clause["id"] for clause in clauses() if not clause.get("tests") and not clause.get("not_applicable")]
    assert not unmapped


def test_every_test_that_a_clause_names_is_there() -> None:
    missing = {test for test in named() if test not in found_in(test.partition("::")[0])}
    assert not missing


def test_every_test_of_the_specification_is_named_by_a_clause() -> None:
    unnamed = [test for path in CONFORMANCE for test in sorted(found_in(path)) if test not in named()]
    assert not unnamed


def test_the_page_shows_the_clauses_as_they_are() -> None:
    page = PAGE.read_text()
    shown = page.partition(TABLE[0])[2].partition(TABLE[1])[0].strip()
    assert shown == table(), "docs/otlp.md: put this between its markers:\n" + table()


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_the_page_says_what_each_reason_means(reason: str) -> None:
    assert f"| `{reason}` |" in PAGE.read_text()


def test_the_page_names_the_limits_that_hold() -> None:
    page = " ".join(PAGE.read_text().split())
    defaults = {name: Settings.model_fields[name].default for name in Settings.model_fields}
    for said in (
        f"{defaults['otlp_body_limit_bytes'] >> 20} MiB",
        f"{MAXIMUM_SPANS:,} spans",
        f"{MAXIMUM_PARTS:,} messages",
        f"more than {LARGE_BYTES >> 20} MiB",
        f"{MAXIMUM_SPAN_BYTES >> 20} MiB a span",
        f"{MAXIMUM_RESOURCE_BYTES >> 10} KiB for a resource",
        f"may come to {MAXIMUM_REPEATED_BYTES >> 20} MiB a request",
    ):
        assert said in page, said
    for variable in re.findall(r"SPECTRAL_[A-Z_]+", page):
        assert variable.removeprefix("SPECTRAL_").lower() in defaults, variable

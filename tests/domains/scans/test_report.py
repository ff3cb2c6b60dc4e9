"""A report says what was found and no more; nothing that somebody else wrote gets out of its place on the page."""

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest

from spectral.domains.evaluations.progress import TriedConfig
from spectral.domains.scans.models import Scan, ScanCandidate, ScanPhase
from spectral.domains.scans.report import ReportSource, build_report
from spectral.domains.scans.report_charts import (
    Bar,
    Dot,
    Interval,
    Step,
    bar_chart,
    interval_chart,
    progress_chart,
    scatter_chart,
)
from spectral.domains.scans.report_markdown import render_markdown
from spectral.domains.scans.report_page import render_html
from spectral.domains.scans.service import CostLine, ScanCost, ScanView
from tests.domains.scans.toy_tickets import TEXT, champion

pytestmark = pytest.mark.databases("sqlite")
ONE = UUID("0191d3a0-0000-7000-8000-000000000001")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TRIED = [("c", 100, 0.4), ("b", 20, 0.9), ("d", 5, 1.0), ("a", 100, 0.6)]
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)> ]]> & | `x` ![i](http://evil.example/) \x1b[31m"
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "p", "h1", "h2", "h3", "span"),
    *("dl", "dt", "dd", "div", "figure", "table", "thead", "tbody", "tr", "th", "td", "pre", "ins", "del", "code"),
    *("details", "summary", "ul", "li", "svg", "line", "text", "rect", "circle", "polyline"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "scope", "role", "aria-label", "viewbox", "points"),
    *("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "width", "height"),
}


def arm(**changes: Any) -> dict[str, Any]:
    names = ("objective_low", "objective_high", "mean_cost_nano_usd_low", "mean_cost_nano_usd_high")
    summary = {"items": 75, "missing": 0, "objective": 0.5, "passed": 37, "accuracy": 0.5, "accuracy_low": 0.4}
    summary |= {"accuracy_high": 0.6, "mean_cost_nano_usd": 2_000_000.0, "mean_latency_ms": 120.0}
    return {**summary, **dict.fromkeys(names), **changes}


def hostile_source(*, said: str = HOSTILE) -> ReportSource:
    """A validated scan in which every text is what an enemy would like it to be."""
    look = {"mean": 0.1, "low": 0.02, "high": 0.18}
    validation = {
        "status": "completed",
        "verdict": "validated",
        "reasons": [said],
        "n_more": None,
        "holdout_id": str(ONE),
        "holdout_digest": said,
        "look": 1,
        "looks_planned": 3,
        "alpha": 0.025,
        "items": 75,
        "minimum_effect": 0.01,
        "n": 75,
        "effect": look,
        "effect_95": look,
        "p_value": 0.001,
        "guards": [],
        "missing": {},
        "champion": None,
        "challenger": None,
    }
    select = {"ordinal": 1, "strategy": said, "config_hash": "a" * 64, "n": 75, "effect": 0.1, "low": 0.02}
    select |= {"high": 0.18, "p_adjusted": 0.01, "wins": 10, "losses": 2, "beats": True, "on_frontier": True}
    select |= {f"arm_{name}": value for name, value in arm(objective=0.6, mean_cost_nano_usd=3e6).items()}
    cluster = {"id": said, "label": said, "size": 7, "share": 0.5, "stability": 0.9, "examples": [said]}
    results: dict[str, dict[str, Any]] = {
        "observe": {"readiness": {"warnings": [said]}, "items": {}},
        "cluster": {"clusters": [{**cluster, "muted": True, "members": [str(ONE)]}]},
        "evaluate": {"champion": arm(), "champion_on_frontier": True, "results": [select], "winner": 1},
        "diagnose": {
            "clusters": [{"id": said, "fixed": 5, "broken": 1}],
            "unclustered": {"fixed": 0, "broken": 0},
            "ablations": [{"pointer": said, "objective_with": 0.6, "objective_without": 0.5, "worth": 0.1}],
        },
        "safety": {"outcome": "validated", "validation": validation, "changeset_id": str(ONE)},
    }
    scan = Scan(
        **{f"{name}_id": ONE for name in ("agent", "sample_set", "rubric", "objective", "holdout", "changeset")},
        id=ONE,
        workspace_id=ONE,
        base_version=1,
        base_config_hash="c" * 64,
        rubric_version=1,
        target_environment=said,
        sample_set_version=1,
        objective={"minimum_effect": 0.01},
        seed=1,
        strategies=[said],
        options={},
        reflection_model=said,
        max_evaluations=500,
        plan={},
        max_cost_nano_usd=10**9,
        status="completed",
        phase="safety",
        outcome="validated",
        failure={"type": said, "detail": said},
        last_seq=1,
        created_by=said,
        created_at=NOW,
        finished_at=NOW,
        experiment_id=None,
    )
    phases = [ScanPhase(name=name, result=result) for name, result in results.items()]
    text = champion().prompts["main"].messages[0].content
    candidate = ScanCandidate(
        ordinal=1,
        strategy=said,
        rationale=said,
        config_hash="a" * 64,
        select_result=None,
        changes={TEXT: f"{text}\n{said.replace(chr(27), '')}"},
    )
    cost = ScanCost((CostLine(said, said, 3, 10, 5, 4_000, 0), CostLine(said, "judge", 1, 1, 1, None, 0)), 450)
    ours = {"candidate_version": 2, "candidate_config_hash": said, "base_version": 1, "base_config_hash": said}
    evidence = {
        "trace_ids": [said],
        "clusters": [{"label": said}],
        "candidate": {**ours, "diff": []},
        "reasons": [said],
        "experiment": {"id": said, "items": 75},
        "interval": look,
        "verdict": said,
        "execution": said,
        "holdout": {"holdout_id": said, "digest": said, "look": 1, "alpha": 0.025},
    }
    tried = [
        TriedConfig(digest * 64, items, items, score, NOW + timedelta(seconds=number))
        for number, (digest, items, score) in enumerate(
            [("c", 100, 0.4), ("b", 20, 0.9), ("d", 5, 1.0), ("a", 100, 0.6)]
        )
    ]
    view = ScanView(scan, phases, [candidate], cost)
    return ReportSource(view, said, said, champion(), tried, 100, {str(ONE): said}, evidence)


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_everything_that_others_wrote_stays_text() -> None:
    report = build_report(hostile_source())
    assert json.loads(json.dumps(report)) == report
    html = render_html(report)
    page = Page()
    page.feed(html)
    assert page.tags <= TAGS, page.tags - TAGS
    assert page.attributes <= ATTRIBUTES, page.attributes - ATTRIBUTES
    assert page.text.count("<script>alert(1)</script>") > 20
    assert "url(" not in html
    assert not re.search(r"(?:https?:)?//(?!evil)", html.replace("evil.example", "evil"))
    for chart in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        ET.fromstring(chart)  # noqa: S314 - our own
    assert html.count("<svg") == 5

    text = render_markdown(report)
    outside = re.sub(r"^(`{3,})\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert "<script>" not in outside
    assert "](http" not in outside
    assert outside.count("\\<script\\>") > 20
    # A cell cannot begin a new one.
    rows = [line for line in outside.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows if "script" in row} <= {3, 5, 7, 8}


def test_what_a_report_says() -> None:
    report = build_report(hostile_source(said="plain"))
    assert [(step["evaluations"], step["whole"], step["best"]) for step in report["progress"]] == [
        *((100, True, 0.4), (120, False, 0.4), (225, True, 0.6))
    ]
    assert (report["progress"][0]["champion"], report["progress"][-1]["ordinal"]) == (True, 1)
    assert report["clusters"][0]["trace_ids"] == ["plain"]
    assert (report["clusters"][0]["fixed"], report["clusters"][0]["broken"]) == (5, 1)
    assert report["clusters"][0]["muted"] is True
    # One unknown price makes the sum unknown, never 0.
    assert report["cost"]["total_cost_usd"] is None
    assert [line["cost_usd"] for line in report["cost"]["by_model"]] == ["0.000004", None]
    assert report["note"].startswith("built-in local runtime, not a language model")
    page = render_html(report)
    assert "fixed 5 of 7, broke 1, muted" in page
    assert "plain \\(muted\\)" in render_markdown(report)
    assert "minimum effect" in page
    assert "unknown" in page
    assert "prefers-color-scheme: dark" in page


def test_a_scan_that_has_only_begun_has_a_report_too() -> None:
    source = hostile_source()
    scan = source.view.scan
    scan.status, scan.outcome, scan.failure, scan.finished_at = "running", None, None, None
    begun = ReportSource(ScanView(scan, [], [], ScanCost((), 0)), "agent", "prompt", champion())
    report = build_report(begun)
    assert report["headline"] == "The scan has not ended yet."
    assert "<svg" not in render_html(report)
    assert render_markdown(report).startswith("# Scan of agent")


def test_charts_of_extremes_are_finite() -> None:
    charts = [
        interval_chart([Interval("x" * 90, 0.0, 0.0, 0.0)], None, "t"),
        interval_chart([Interval("x", -1e6, 0.0, 1e6, 'nonsense" onload=x')], 1.0, "t"),
        bar_chart([Bar("a", [(0.0, "good"), (1e-9, "bad")], "n"), Bar("b", [], "")], "t"),
        scatter_chart([Dot("a", 0.0, 0.0, "winner", True), Dot("b", 0.0, 0.0, "other", True)], "x", "y", "t"),
        progress_chart([Step(0, 0.0, None, False)], "t"),
        progress_chart([Step(10**9, 1.0, 1.0, True)] * 3, "t"),
    ]
    for chart in charts:
        ET.fromstring(chart)  # noqa: S314 - our own
        assert "nan" not in chart
        assert "inf" not in chart
        assert "onload" not in chart
    assert interval_chart([], None, "t") == bar_chart([Bar("a", [(0.0, "good")], "")], "t") == ""
    assert scatter_chart([], "x", "y", "t") == progress_chart([], "t") == ""

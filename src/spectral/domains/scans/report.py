"""A scan's report: one document, as JSON, Markdown, or a page that needs nothing but itself. Pure.

Everything in it that a person, a trace or a model wrote is escaped; the page holds no script.
"""

import html
import re
from collections.abc import Sequence
from typing import Any

from spectral.domains.agents.config import ConfigDocument, apply_changes, diff_documents
from spectral.domains.scans.service import ScanView
from spectral.domains.scans.states import Outcome, Phase, ScanStatus
from spectral.platform.shared.money import nano_to_usd
from spectral.platform.shared.wire import rfc3339

LOCAL_LABEL = "built-in local runtime, not a language model; gains here do not predict gains on yours"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~])")


def build_report(view: ScanView, agent_name: str, champion: ConfigDocument) -> dict[str, Any]:
    """Everything that a scan has found so far, in plain JSON values."""
    scan = view.scan
    observed, evaluated = view.result_of(Phase.OBSERVE), view.result_of(Phase.EVALUATE)
    diagnosed, safety = view.result_of(Phase.DIAGNOSE), view.result_of(Phase.SAFETY)
    clustered = view.result_of(Phase.CLUSTER)
    results = [] if evaluated is None else evaluated["results"]
    winner_ordinal = None if evaluated is None else evaluated["winner"]
    total = view.cost.total_nano_usd
    return {
        "scan_id": str(scan.id),
        "agent": {"id": str(scan.agent_id), "name": agent_name},
        "status": scan.status,
        "outcome": scan.outcome,
        "headline": headline(view),
        "note": LOCAL_LABEL if champion.model.startswith("spectral-local/") else None,
        "started_with": {
            "base_version": scan.base_version,
            "target_environment": scan.target_environment,
            "sample_set_id": str(scan.sample_set_id),
            "sample_set_version": scan.sample_set_version,
            "rubric_id": str(scan.rubric_id),
            "rubric_version": scan.rubric_version,
            "objective_id": str(scan.objective_id),
            "objective": scan.objective,
            "strategies": list(scan.strategies),
            "seed": scan.seed,
            "created_at": rfc3339(scan.created_at),
            "created_by": scan.created_by,
        },
        "finished_at": None if scan.finished_at is None else rfc3339(scan.finished_at),
        "failure": scan.failure,
        "readiness": None if observed is None else observed["readiness"],
        "champion": None if evaluated is None else evaluated["champion"],
        "candidates": [
            {
                "ordinal": candidate.ordinal,
                "strategy": candidate.strategy,
                "rationale": candidate.rationale,
                "config_hash": candidate.config_hash,
                "select": next((one for one in results if one["ordinal"] == candidate.ordinal), None),
                "winner": candidate.ordinal == winner_ordinal,
            }
            for candidate in view.candidates
        ],
        "changes": _changes(view, champion, winner_ordinal),
        "clusters": _clusters(clustered, diagnosed),
        "unclustered": None if diagnosed is None else diagnosed["unclustered"],
        "ablations": [] if diagnosed is None else diagnosed["ablations"],
        "changeset_id": None if scan.changeset_id is None else str(scan.changeset_id),
        "experiment_id": None if scan.experiment_id is None else str(scan.experiment_id),
        "validation": None if safety is None else safety.get("validation"),
        "cost": {
            "evaluations": view.cost.evaluations,
            "max_evaluations": scan.max_evaluations,
            "total_cost_usd": None if total is None else nano_to_usd(total),
            "by_model": [
                {
                    "model": line.model,
                    "purpose": line.purpose,
                    "calls": line.calls,
                    "cost_usd": None if line.cost_nano_usd is None else nano_to_usd(line.cost_nano_usd),
                }
                for line in view.cost.lines
            ],
        },
    }


def headline(view: ScanView) -> str:
    """The scan in one sentence that claims no more than was measured."""
    scan = view.scan
    if scan.status == ScanStatus.FAILED:
        return "The scan failed."
    if scan.status == ScanStatus.CANCELLED:
        return "The scan was cancelled."
    if scan.status != ScanStatus.COMPLETED:
        return "The scan has not ended yet."
    if scan.outcome == Outcome.NO_IMPROVEMENT:
        return "No candidate was better than the champion on the select split; nothing is proposed."
    validation = (view.result_of(Phase.SAFETY) or {}).get("validation") or {}
    effect = validation.get("effect_95") or validation.get("effect")
    measured = ""
    if effect is not None and effect["low"] is not None and effect["high"] is not None:
        measured = (
            f" The objective changed by {100 * effect['mean']:+.1f} points "
            f"(95 % interval {100 * effect['low']:+.1f} to {100 * effect['high']:+.1f}) "
            f"on {validation.get('n')} holdout items."
        )
    sentence = {
        Outcome.VALIDATED: "A candidate is better than the champion, and an untouched holdout says so.",
        Outcome.REFUTED: "The best candidate did not hold on the untouched holdout.",
        Outcome.INCONCLUSIVE: "The holdout could not decide about the best candidate.",
    }[Outcome(scan.outcome or Outcome.INCONCLUSIVE)]
    more = validation.get("n_more")
    needed = f" {more} more samples are needed." if more else ""
    return sentence + measured + needed


def _changes(view: ScanView, champion: ConfigDocument, winner: int | None) -> list[dict[str, Any]]:
    chosen = next((candidate for candidate in view.candidates if candidate.ordinal == winner), None)
    if chosen is None:
        return []
    return [
        {
            "pointer": change.pointer,
            "operation": change.operation,
            "before": change.before,
            "after": change.after,
            "text_diff": change.text_diff,
        }
        for change in diff_documents(champion, apply_changes(champion, chosen.changes))
    ]


def _clusters(clustered: dict[str, Any] | None, diagnosed: dict[str, Any] | None) -> list[dict[str, Any]]:
    if clustered is None:
        return []
    effects = {one["id"]: one for one in (diagnosed or {}).get("clusters") or []}
    return [
        {
            "id": one["id"],
            "label": one["label"],
            "size": one["size"],
            "share": one["share"],
            "stability": one["stability"],
            "examples": one["examples"],
            "fixed": effects.get(one["id"], {}).get("fixed"),
            "broken": effects.get(one["id"], {}).get("broken"),
        }
        for one in clustered["clusters"]
    ]


Table = tuple[str, list[str], list[list[str]]]


def _tables(report: dict[str, Any]) -> list[Table]:
    """The same tables for both renderings: title, columns, rows."""
    tables: list[Table] = []
    champion = report["champion"]
    if champion is not None:
        rows = [["champion", "", _percent(champion["accuracy"]), _number(champion["objective"]), "", "", ""]]
        for one in report["candidates"]:
            select = one["select"]
            if select is not None:
                rows.append(
                    [
                        f"{one['ordinal']} ({one['strategy']})",
                        "chosen" if one["winner"] else "",
                        _percent(select["arm_accuracy"]),
                        _number(select["arm_objective"]),
                        f"{100 * select['effect']:+.1f} [{100 * select['low']:+.1f}, {100 * select['high']:+.1f}]",
                        f"{select['p_adjusted']:.4f}",
                        f"{select['wins']} / {select['losses']}",
                    ]
                )
        columns = ["Configuration", "", "Accuracy", "Objective", "Gain in points [95 %]", "p (Holm)", "Won / lost"]
        tables.append(("On the select split", columns, rows))
    if report["clusters"]:
        rows = [
            [
                one["label"],
                str(one["size"]),
                _percent(one["share"]),
                _number(one["stability"]),
                _text(one["fixed"]),
                _text(one["broken"]),
            ]
            for one in report["clusters"]
        ]
        tables.append(("Failure clusters", ["Cluster", "Failures", "Share", "Stability", "Fixed", "Broken"], rows))
    lines = [
        [line["model"], line["purpose"], str(line["calls"]), _text(line["cost_usd"], "unknown")]
        for line in report["cost"]["by_model"]
    ]
    if lines:
        tables.append(("Cost", ["Model", "Purpose", "Calls", "US dollars"], lines))
    return tables


def _facts(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What stands above the tables, as name and value."""
    facts = [
        ("Agent", report["agent"]["name"]),
        ("Scan", report["scan_id"]),
        ("Status", report["status"]),
        ("Outcome", _text(report["outcome"], "none yet")),
        ("Champion", f"version {report['started_with']['base_version']}"),
        ("Strategies", ", ".join(report["started_with"]["strategies"])),
        ("Change set", _text(report["changeset_id"], "none")),
        ("Evaluations", f"{report['cost']['evaluations']} of {report['cost']['max_evaluations']}"),
    ]
    validation = report["validation"]
    if validation is not None:
        facts += [
            ("Holdout", f"{validation['holdout_id']} (SHA-256 {validation['holdout_digest']})"),
            ("Look", f"{validation['look']} at α = {validation['alpha']:g}, {validation['items']} items"),
            ("Verdict", f"{validation['verdict']} ({', '.join(validation['reasons'])})"),
        ]
    if report["failure"] is not None:
        facts.append(("Failure", report["failure"]["detail"]))
    return facts


def render_markdown(report: dict[str, Any]) -> str:
    """The report as CommonMark with tables."""
    parts = ["# Scan report", _md(report["headline"])]
    if report["note"]:
        parts.append(f"*{_md(report['note'])}*")
    parts.append("\n".join(f"- **{_md(name)}**: {_md(value)}" for name, value in _facts(report)))
    parts.extend(f"> {_md(warning)}" for warning in (report["readiness"] or {}).get("warnings", []))
    for title, columns, rows in _tables(report):
        table = [_md_row(columns), _md_row(["---"] * len(columns), escaped=False), *(_md_row(row) for row in rows)]
        parts.append(f"## {_md(title)}\n\n" + "\n".join(table))
    parts.extend(
        f"## Change of {_md(change['pointer'])}\n\n{_md_block(_shown(change))}" for change in report["changes"]
    )
    return "\n\n".join(parts) + "\n"


def render_html(report: dict[str, Any]) -> str:
    """The report as one page: no script, no outside reference, everything escaped."""
    body = ["<h1>Scan report</h1>", f"<p class=headline>{_h(report['headline'])}</p>"]
    if report["note"]:
        body.append(f"<p class=note>{_h(report['note'])}</p>")
    rows = "".join(f"<dt>{_h(name)}</dt><dd>{_h(value)}</dd>" for name, value in _facts(report))
    body.append(f"<dl>{rows}</dl>")
    warnings = (report["readiness"] or {}).get("warnings", [])
    body.extend(f"<p class=note>{_h(warning)}</p>" for warning in warnings)
    for title, columns, lines in _tables(report):
        head = "".join(f"<th scope=col>{_h(column)}</th>" for column in columns)
        filled = "".join("<tr>" + "".join(f"<td>{_h(cell)}</td>" for cell in line) + "</tr>" for line in lines)
        body.append(f"<h2>{_h(title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{filled}</tbody></table>")
    body.extend(
        f"<h2>Change of <code>{_h(change['pointer'])}</code></h2><pre>{_h(_shown(change))}</pre>"
        for change in report["changes"]
    )
    return _PAGE.replace("@title@", _h(f"Scan {report['scan_id']}")).replace("@body@", "\n".join(body))


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>@title@</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c1c1c; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; }
dt { font-weight: 600; }
dd { margin: 0 0 .4rem; overflow-wrap: anywhere; }
pre { background: #f6f6f6; padding: 1rem; overflow: auto; white-space: pre-wrap; }
.headline { font-size: 1.2rem; }
.note { color: #555; }
</style>
</head>
<body>
@body@
</body>
</html>
"""


def _shown(change: dict[str, Any]) -> str:
    if change["text_diff"]:
        return str(change["text_diff"])
    return f"before: {change['before']!r}\nafter:  {change['after']!r}"


def _h(text: str) -> str:
    return html.escape(text, quote=True)


def _md(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _md_row(cells: Sequence[str], *, escaped: bool = True) -> str:
    return "| " + " | ".join(_md(cell) if escaped else cell for cell in cells) + " |"


def _md_block(text: str) -> str:
    # A fence longer than any run of back-quotes in the text cannot be closed by it.
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _text(value: object, absent: str = "") -> str:
    return absent if value is None else str(value)

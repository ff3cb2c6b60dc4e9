"""What both renderings of a report show in tables and lists. Pure; texts are as they were written, not escaped."""

import re
from dataclasses import dataclass
from typing import Any

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Nothing that anybody should read: terminals take orders from some of these, and XML holds none of them."""


@dataclass(frozen=True, slots=True)
class Table:
    """key: what the table is about, for whoever wants to put something beside it."""

    key: str
    title: str
    columns: list[str]
    rows: list[list[str]]


def tables_of(report: dict[str, Any]) -> list[Table]:
    """Those that have rows, in the order in which they are read."""
    made = (_look(report), _select(report), _clusters(report), _ablations(report), _cost(report), _chain(report))
    return [table for table in made if table is not None and table.rows]


def facts_of(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What the scan was, as name and value."""
    started = report["started_with"]
    executed = report["executed"]
    facts = [
        ("Agent", report["agent"]["name"]),
        ("Scan", report["scan_id"]),
        ("Status", report["status"]),
        ("Outcome", text(report["outcome"], "none yet")),
        ("Champion", f"version {started['base_version']}, live in {started['target_environment']}"),
        ("Executed", _executed(executed)),
        ("Strategies", ", ".join(started["strategies"])),
        ("Sample set", f"{started['sample_set_id']}, version {started['sample_set_version']}"),
        ("Change set", text(report["changeset_id"], "none")),
        ("Evaluations", f"{report['cost']['evaluations']} of {report['cost']['max_evaluations']}"),
        ("Started", f"{started['created_at']} by {started['created_by']}"),
    ]
    if report["failure"] is not None:
        facts.append(("Failure", f"{report['failure']['type']}: {report['failure']['detail']}"))
    return facts


def _executed(executed: dict[str, Any]) -> str:
    how = {
        None: "",
        "native": ", by the platform itself",
        "runner": ", by the customer's own runner",
        "replica": ", as a reconstruction of the observed agent: it cannot speak for the agent itself",
        "outputs": ", by whoever brought the outputs",
    }.get(executed["execution"], f", {executed['execution']}")
    return f"runtime {executed['runtime']}, model {executed['model']}{how}"


def _look(report: dict[str, Any]) -> Table | None:
    """The look at the holdout: how it was asked, and what it said."""
    validation = report["validation"]
    if validation is None:
        return None
    rows = [
        ["Verdict", text(validation["verdict"], "none")],
        ["Reasons", ", ".join(validation["reasons"])],
        ["Holdout", f"{validation['holdout_id']} (SHA-256 {validation['holdout_digest']})"],
        ["Look", f"{validation['look']} of {validation['looks_planned']} planned, at α = {validation['alpha']:g}"],
        ["Items", f"{text(validation['n'], '0')} measured of {validation['items']}"],
        ["Minimum effect", points(validation["minimum_effect"])],
    ]
    for name, title in (("effect", "Effect at that α"), ("effect_95", "Effect, 95 %")):
        effect = validation.get(name)
        if effect is not None and effect["low"] is not None and effect["high"] is not None:
            rows.append([title, f"{points(effect['mean'])} [{points(effect['low'])}, {points(effect['high'])}]"])
    if validation.get("p_value") is not None:
        rows.append(["p", f"{validation['p_value']:.4g}"])
    if validation["n_more"]:
        rows.append(["Needed", f"{validation['n_more']} more samples"])
    return Table("look", "Decision on the holdout", ["", ""], rows)


def _select(report: dict[str, Any]) -> Table | None:
    champion = report["champion"]
    if champion is None:
        return None
    rows = [["champion", "", percent(champion["accuracy"]), number(champion["objective"]), "", "", ""]]
    for one in report["candidates"]:
        select = one["select"]
        if select is None:
            continue
        gain = f"{points(select['effect'])} [{points(select['low'])}, {points(select['high'])}]"
        rows.append(
            [
                f"{one['ordinal']} ({one['strategy']})",
                "chosen" if one["winner"] else "",
                percent(select["arm_accuracy"]),
                number(select["arm_objective"]),
                gain,
                f"{select['p_adjusted']:.4f}",
                f"{select['wins']} / {select['losses']}",
            ]
        )
    columns = ["Configuration", "", "Accuracy", "Objective", "Gain in points [95 %]", "p (Holm)", "Won / lost"]
    return Table("select", "Candidates on the select split", columns, rows)


def _clusters(report: dict[str, Any]) -> Table:
    rows = [
        [
            f"{one['label']} (muted)" if one["muted"] else one["label"],
            str(one["size"]),
            percent(one["share"]),
            number(one["stability"]),
            text(one["fixed"]),
            text(one["broken"]),
            ", ".join(one["trace_ids"]),
        ]
        for one in report["clusters"]
    ]
    columns = ["Cluster", "Failures", "Share", "Stability", "Fixed", "Broken", "Traces"]
    return Table("clusters", "Failure clusters", columns, rows)


def _ablations(report: dict[str, Any]) -> Table:
    rows = [
        [
            text(one.get("pointer")),
            number(one.get("objective_with")),
            number(one.get("objective_without")),
            points(one.get("worth")),
        ]
        for one in report["ablations"]
    ]
    columns = ["Change", "Objective with all", "Without this one", "Worth"]
    return Table("ablations", "What each change is worth", columns, rows)


def _cost(report: dict[str, Any]) -> Table:
    rows = [
        [
            line["model"],
            line["purpose"],
            str(line["calls"]),
            str(line["input_tokens"]),
            str(line["output_tokens"]),
            text(line["cost_usd"], "unknown"),
        ]
        for line in report["cost"]["by_model"]
    ]
    columns = ["Model", "Purpose", "Calls", "Tokens in", "Tokens out", "US dollars"]
    return Table("cost", "Cost", columns, rows)


def _chain(report: dict[str, Any]) -> Table | None:
    """Traces → clusters → candidate → experiment → holdout → interval → verdict."""
    evidence = report["evidence"]
    if evidence is None:
        return None
    candidate, holdout, interval = evidence["candidate"], evidence["holdout"], evidence["interval"]
    experiment = evidence["experiment"]
    compared = (
        f"version {candidate['candidate_version']} ({candidate['candidate_config_hash'][:12]}) against version "
        f"{candidate['base_version']} ({candidate['base_config_hash'][:12]}); changed: {len(candidate['diff'])}"
    )
    rows = [
        ["Traces", ", ".join(evidence["trace_ids"]) or "none of the examples was made of a trace"],
        ["Clusters", "; ".join(one["label"] for one in evidence["clusters"]) or "none"],
        ["Candidate", compared],
        ["Experiment", "none" if experiment is None else f"{experiment['id']}, {experiment['items']} items"],
    ]
    if holdout is not None:
        look = f"look {holdout['look']} at α = {holdout['alpha']:g}"
        rows.append(["Holdout", f"{holdout['holdout_id']} (SHA-256 {holdout['digest']}), {look}"])
    if interval is not None and interval.get("low") is not None and interval.get("high") is not None:
        shown = f"{points(interval['mean'])} [{points(interval['low'])}, {points(interval['high'])}]"
        rows.append(["Interval", shown])
    rows.append(["Verdict", f"{text(evidence['verdict'], 'none')} ({', '.join(evidence['reasons'])})"])
    return Table("chain", "Evidence", ["", ""], rows)


def shown_change(change: dict[str, Any]) -> str:
    """A change as text: the lines that differ, or before and after."""
    if change["text_diff"]:
        return str(change["text_diff"])
    return f"- {change['before']!r}\n+ {change['after']!r}"


def percent(value: float | None) -> str:
    """A share."""
    return "" if value is None else f"{100 * value:.1f} %"


def points(value: float | None) -> str:
    """A difference of shares, in points."""
    return "" if value is None else f"{100 * value:+.1f}"


def number(value: float | None) -> str:
    """A score."""
    return "" if value is None else f"{value:.4f}"


def visible(value: str) -> str:
    """The text with a mark in the place of every character that cannot be seen."""
    return _CONTROL.sub("\ufffd", value)


def text(value: object, absent: str = "") -> str:
    """Anything, or what stands for nothing."""
    return absent if value is None else str(value)

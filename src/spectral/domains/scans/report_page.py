"""A scan's report as one page: no script, no outside reference, everything escaped, light or dark. Pure."""

import html
from decimal import Decimal
from typing import Any

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
from spectral.domains.scans.report_tables import (
    Table,
    facts_of,
    percent,
    points,
    shown_change,
    tables_of,
    text,
    visible,
)

TONES = {"validated": "good", "refuted": "bad"}
MODEL_TONES = ("one", "two", "three", "four")


def render_html(report: dict[str, Any]) -> str:
    """The report as one document."""
    tables = {table.key: table for table in tables_of(report)}
    body = [
        _header(report),
        _section("look", "Decision", [_effects(report)], tables),
        _section("progress", "How it was found", [_progress(report)], tables),
        _section("select", "Candidates on the select split", [_tradeoff(report)], tables),
        _changes(report),
        _section("clusters", "Failure clusters", [_clusters(report), _examples(report)], tables),
        _section("ablations", "What each change is worth", [], tables),
        _section("cost", "Cost", [_cost(report)], tables),
        _section("chain", "Evidence", [], tables),
        _about(report),
    ]
    title = _h(f"Scan of {report['agent']['name']}")
    return _PAGE.replace("@title@", title).replace("@body@", "\n".join(part for part in body if part))


def _header(report: dict[str, Any]) -> str:
    outcome = report["outcome"] or report["status"]
    tone = TONES.get(outcome, "open")
    parts = [
        "<header>",
        f'<p class="eyebrow">Scan report · {_h(report["agent"]["name"])}</p>',
        f'<h1><span class="badge {tone}">{_h(outcome.replace("_", " "))}</span></h1>',
        f'<p class="headline">{_h(report["headline"])}</p>',
    ]
    if report["note"]:
        parts.append(f'<p class="label">{_h(report["note"])}</p>')
    cards = "".join(f"<div><dt>{_h(name)}</dt><dd>{_h(value)}</dd></div>" for name, value in _cards(report))
    parts.append(f'<dl class="cards">{cards}</dl>')
    if report["failure"] is not None:
        failure = report["failure"]
        parts.append(f'<p class="warning">{_h(text(failure["type"]))}: {_h(text(failure["detail"]))}</p>')
    warnings = (report["readiness"] or {}).get("warnings", [])
    parts += [f'<p class="warning">{_h(warning)}</p>' for warning in warnings]
    return "\n".join([*parts, "</header>"])


def _cards(report: dict[str, Any]) -> list[tuple[str, str]]:
    """The few numbers that a reader looks for first."""
    validation, cost = report["validation"] or {}, report["cost"]
    effect = validation.get("effect_95") or validation.get("effect")
    cards: list[tuple[str, str]] = []
    rates = [((validation.get(one) or {}).get("passed") or {}).get("rate") for one in ("champion", "challenger")]
    if None not in rates:
        cards.append(("Accuracy on the holdout", f"{percent(rates[0])} → {percent(rates[1])}"))
    elif report["champion"] is not None:
        cards.append(("Champion's accuracy on select", percent(report["champion"]["accuracy"])))
    if effect and effect.get("low") is not None:
        shown = f"{points(effect['mean'])} [{points(effect['low'])}, {points(effect['high'])}]"
        cards.append(("Effect in points, 95 %", shown))
    if report["clusters"]:
        fixed = sum(one["fixed"] or 0 for one in report["clusters"])
        broken = sum(one["broken"] or 0 for one in report["clusters"])
        cards.append(("Failures fixed / broken", f"{fixed} / {broken}"))
    cards.append(("Evaluations", f"{cost['evaluations']} of {cost['max_evaluations']}"))
    total = cost["total_cost_usd"]
    cards.append(("Cost", "unknown" if total is None else f"{total} USD"))
    return cards


def _effects(report: dict[str, Any]) -> str:
    """The look's interval against the minimum effect, and the candidates' on select below it."""
    rows: list[Interval] = []
    validation = report["validation"] or {}
    minimum = validation.get("minimum_effect")
    effect = validation.get("effect")
    if effect and effect.get("low") is not None and effect.get("high") is not None:
        tone = TONES.get(validation["verdict"], "open")
        low, mean, high = (100 * effect[name] for name in ("low", "mean", "high"))
        rows.append(Interval("winner, holdout", low, mean, high, tone))
    for one in report["candidates"]:
        select = one["select"]
        if select is not None:
            label = f"{one['ordinal']} {one['strategy']}, select"
            rows.append(Interval(label, 100 * select["low"], 100 * select["effect"], 100 * select["high"], "rest"))
    if minimum is None:
        minimum = report["started_with"]["objective"].get("minimum_effect")
    return interval_chart(rows, None if minimum is None else 100 * minimum, "Effect in points, with its interval")


def _progress(report: dict[str, Any]) -> str:
    steps = [Step(one["evaluations"], one["score"], one["best"], one["whole"]) for one in report["progress"]]
    chart = progress_chart(steps, "Score on the reflect split, and the best so far")
    if not chart:
        return ""
    told = (
        "Each dot is a configuration on the reflect split, hollow where on a part of it; the line is the best so far."
    )
    return f'{chart}<p class="caption">{told}</p>'


def _tradeoff(report: dict[str, Any]) -> str:
    """Quality against cost, or against latency where nothing costs anything or a cost is unknown."""
    champion = report["champion"]
    if champion is None:
        return ""
    arms = [("champion", champion, "champion", bool(report["champion_on_frontier"]))]
    for one in report["candidates"]:
        select = one["select"]
        if select is not None:
            tone = "winner" if one["winner"] else "other"
            summary = {name.removeprefix("arm_"): value for name, value in select.items() if name.startswith("arm_")}
            arms.append((f"{one['ordinal']} {one['strategy']}", summary, tone, bool(select["on_frontier"])))
    costs = [arm["mean_cost_nano_usd"] for _, arm, _, _ in arms]
    priced = None not in costs and any(costs)
    name = "mean_cost_nano_usd" if priced else "mean_latency_ms"
    dots = [
        Dot(label, arm[name] / (1_000_000 if priced else 1), 100 * arm["objective"], tone, frontier)
        for label, arm, tone, frontier in arms
        if arm["objective"] is not None
    ]
    x_name = "mean cost of a call, 0.001 US dollars" if priced else "mean latency, ms"
    chart = scatter_chart(
        dots, x_name, "objective, points", "Quality against cost and latency, with the Pareto frontier"
    )
    caption = "Filled: on the Pareto frontier of quality, cost and latency. Hollow: another is better in all three."
    return f'{chart}<p class="caption">{caption}</p>'


def _clusters(report: dict[str, Any]) -> str:
    bars = []
    for one in report["clusters"]:
        fixed, broken = one["fixed"] or 0, one["broken"] or 0
        note = f"{one['size']} failures" if one["fixed"] is None else f"fixed {fixed} of {one['size']}, broke {broken}"
        note += ", muted" if one["muted"] else ""
        parts = [(fixed, "good"), (max(0, one["size"] - fixed), "rest"), (broken, "bad")]
        bars.append(Bar(one["label"], parts, note))
    return bar_chart(bars, "Failures by cluster: fixed, left, newly broken")


def _examples(report: dict[str, Any]) -> str:
    parts = []
    for one in report["clusters"]:
        if one["examples"]:
            shown = "".join(f"<li>{_h(text(example))}</li>" for example in one["examples"])
            parts.append(f"<details><summary>{_h(one['label'])}: examples</summary><ul>{shown}</ul></details>")
    return "".join(parts)


def _cost(report: dict[str, Any]) -> str:
    bars = []
    tones: dict[str, str] = {}
    for line in report["cost"]["by_model"]:
        tone = tones.setdefault(line["purpose"], MODEL_TONES[len(tones) % len(MODEL_TONES)])
        known = line["cost_usd"]
        note = f"{line['purpose']}, {'unknown' if known is None else known + ' USD'}"
        bars.append(Bar(line["model"], [(0.0 if known is None else float(Decimal(known)), tone)], note))
    return bar_chart(bars, "Cost by model and purpose, US dollars")


def _changes(report: dict[str, Any]) -> str:
    if not report["changes"]:
        return ""
    parts = ["<section><h2>What changed</h2>"]
    for change in report["changes"]:
        parts.append(f"<h3><code>{_h(change['pointer'])}</code> · {_h(change['operation'])}</h3>")
        parts.append(f"<pre>{''.join(_diff_line(line) for line in shown_change(change).splitlines())}</pre>")
    return "\n".join([*parts, "</section>"])


def _diff_line(line: str) -> str:
    if line.startswith("+") and not line.startswith("+++"):
        return f"<ins>{_h(line)}</ins>\n"
    if line.startswith("-") and not line.startswith("---"):
        return f"<del>{_h(line)}</del>\n"
    return f"<span>{_h(line)}</span>\n"


def _about(report: dict[str, Any]) -> str:
    rows = "".join(f"<dt>{_h(name)}</dt><dd>{_h(value)}</dd>" for name, value in facts_of(report))
    return f'<section><h2>About this scan</h2><dl class="facts">{rows}</dl></section>'


def _section(key: str, title: str, figures: list[str], tables: dict[str, Table]) -> str:
    shown = [f"<figure>{figure}</figure>" if figure.startswith("<svg") else figure for figure in figures if figure]
    if key in tables:
        shown.append(_table(tables[key]))
    if not shown:
        return ""
    return f"<section><h2>{_h(title)}</h2>\n" + "\n".join(shown) + "\n</section>"


def _table(table: Table) -> str:
    named = any(table.columns)
    head = "".join(f'<th scope="col">{_h(column)}</th>' for column in table.columns) if named else ""
    rows = []
    for row in table.rows:
        first, *others = row
        cells = "".join(f"<td>{_h(cell)}</td>" for cell in others)
        rows.append(f'<tr><th scope="row">{_h(first)}</th>{cells}</tr>')
    top = f"<thead><tr>{head}</tr></thead>" if named else ""
    return f'<div class="scroll"><table>{top}<tbody>{"".join(rows)}</tbody></table></div>'


def _h(value: str) -> str:
    return html.escape(visible(value), quote=True)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>@title@</title>
<style>
:root {
  color-scheme: light dark;
  --page: #f7f7f5; --sheet: #ffffff; --ink: #1d1f22; --soft: #63676e; --line: #e2e3e0; --code: #f4f4f1;
  --good: #1f8a57; --bad: #c2413b; --open: #b07910; --accent: #2f62c9; --rest: #b9bdc4;
  --one: #2f62c9; --two: #8a55c8; --three: #168a93; --four: #b07910;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131518; --sheet: #1b1e22; --ink: #e7e8ea; --soft: #9ba1aa; --line: #30343a; --code: #23272c;
    --good: #4fc58a; --bad: #ee7d76; --open: #e0ad4b; --accent: #82a9f5; --rest: #5a6069;
    --one: #82a9f5; --two: #be97ee; --three: #58c3cb; --four: #e0ad4b;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 52rem; margin: 0 auto; padding: 2.5rem 1rem 4rem; }
header, section { background: var(--sheet); border: 1px solid var(--line); border-radius: 10px; padding: 1.5rem; }
section { margin-top: 1rem; }
.eyebrow { margin: 0; color: var(--soft); font-size: .9rem; overflow-wrap: anywhere; }
h1 { margin: .5rem 0; font-size: 1.25rem; }
h2 { margin: 0 0 1rem; font-size: 1.15rem; }
h3 { margin: 1rem 0 .4rem; font-size: .95rem; font-weight: 600; overflow-wrap: anywhere; }
.badge { display: inline-block; padding: .15rem .7rem; border-radius: 99px; border: 1.5px solid currentColor; }
.badge.good { color: var(--good); } .badge.bad { color: var(--bad); } .badge.open { color: var(--open); }
.headline { margin: .25rem 0 0; font-size: 1.1rem; }
.label { margin: .5rem 0 0; color: var(--soft); font-style: italic; }
.warning { margin: .75rem 0 0; padding-left: .75rem; border-left: 3px solid var(--open); overflow-wrap: anywhere; }
.caption { margin: .25rem 0 1rem; color: var(--soft); font-size: .9rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1rem; margin: 1.25rem 0 0; }
.cards dt { color: var(--soft); font-size: .85rem; }
.cards dd { margin: 0; font-size: 1.15rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.25rem; margin: 0; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 0 0 1rem; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 13px system-ui, sans-serif; fill: var(--ink); }
svg .small { font-size: 12px; fill: var(--soft); }
svg .end { text-anchor: end; } svg .middle { text-anchor: middle; }
svg .grid { stroke: var(--line); } svg .zero { stroke: var(--soft); stroke-width: 1.5; }
svg .minimum { stroke: var(--accent); stroke-dasharray: 5 4; stroke-width: 1.5; }
svg .span { stroke-width: 2.5; stroke-linecap: round; }
svg .good { --tone: var(--good); } svg .bad { --tone: var(--bad); } svg .open { --tone: var(--open); }
svg .champion { --tone: var(--soft); } svg .winner { --tone: var(--good); } svg .other { --tone: var(--accent); }
svg .rest { --tone: var(--rest); } svg .one { --tone: var(--one); } svg .two { --tone: var(--two); }
svg .three { --tone: var(--three); } svg .four { --tone: var(--four); }
svg .fill { fill: var(--tone); } svg .span { stroke: var(--tone); }
svg .hollow { fill: var(--sheet); stroke: var(--tone); stroke-width: 2; }
svg .frontier { fill: none; stroke: var(--rest); stroke-width: 1.5; stroke-dasharray: 4 4; }
svg .best { fill: none; stroke: var(--good); stroke-width: 2; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 500; white-space: nowrap; }
tbody th { font-weight: 500; overflow-wrap: break-word; }
td { overflow-wrap: anywhere; min-width: 4rem; }
pre { margin: 0; background: var(--code); border-radius: 6px; padding: .8rem 1rem; overflow-x: auto; font-size: .85rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre ins, pre del { text-decoration: none; } pre ins { color: var(--good); } pre del { color: var(--bad); }
details { margin: .25rem 0; } summary { cursor: pointer; } li { overflow-wrap: anywhere; }
@media print { body { background: none; } header, section { border: 0; padding: .5rem 0; } details { display: none; } }
</style>
</head>
<body>
<main>
@body@
</main>
</body>
</html>
"""

"""A scan's report as CommonMark with tables. Pure. Whatever a person, a trace or a model wrote is escaped."""

import re
from collections.abc import Sequence
from typing import Any

from spectral.domains.scans.report_tables import facts_of, shown_change, tables_of, visible

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&])")


def render_markdown(report: dict[str, Any]) -> str:
    """The report as one text."""
    parts = [f"# Scan of {_md(report['agent']['name'])}", _md(report["headline"])]
    if report["note"]:
        parts.append(f"*{_md(report['note'])}*")
    parts.append("\n".join(f"- **{_md(name)}**: {_md(value)}" for name, value in facts_of(report)))
    parts.extend(f"> {_md(warning)}" for warning in (report["readiness"] or {}).get("warnings", []))
    for table in tables_of(report):
        rows = [
            _row(table.columns),
            _row(["---"] * len(table.columns), escaped=False),
            *(_row(row) for row in table.rows),
        ]
        parts.append(f"## {_md(table.title)}\n\n" + "\n".join(rows))
    parts.extend(
        f"## Change of {_md(change['pointer'])}\n\n{_block(shown_change(change))}" for change in report["changes"]
    )
    return "\n\n".join(parts) + "\n"


def _md(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", visible(" ".join(text.split())))


def _row(cells: Sequence[str], *, escaped: bool = True) -> str:
    return "| " + " | ".join(_md(cell) if escaped else cell for cell in cells) + " |"


def _block(text: str) -> str:
    # A fence longer than any run of back-quotes in the text cannot be closed by it.
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{visible(text)}\n{fence}"

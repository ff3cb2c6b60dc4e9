"""The charts of a scan's report: inline SVG without script, style attributes or outside references. Pure.

Colours come from the page's style sheet, by class, so that a chart is dark where the page is. Every text is escaped
here; every number is finite.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from spectral.domains.scans.report_tables import visible

WIDTH = 720
LEFT, RIGHT = 180, 24
ROW = 34
NOTE = 190
LABEL_CHARACTERS = 26


@dataclass(frozen=True, slots=True)
class Interval:
    """An effect with its interval, in points. tone: `good`, `bad` or `open`."""

    label: str
    low: float
    mean: float
    high: float
    tone: str = "open"


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of parts, each a value ≥ 0 with the class of its colour; `note` stands at its end."""

    label: str
    parts: Sequence[tuple[float, str]]
    note: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A configuration in a plane. tone: `champion`, `winner` or `other`; on_frontier: nothing is better in all."""

    label: str
    x: float
    y: float
    tone: str
    on_frontier: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A configuration that was tried: after how many evaluations, its score, and the best score until then.

    best: None until something was measured whole.  whole: it was measured on everything, not on a part.
    """

    at: int
    score: float
    best: float | None
    whole: bool


def interval_chart(rows: Sequence[Interval], minimum: float | None, title: str) -> str:
    """Each effect as a dot with its interval, over the line of no effect and that of the minimum effect."""
    if not rows:
        return ""
    ends = [0.0, *(value for row in rows for value in (row.low, row.mean, row.high))]
    scale = _Scale.over(ends if minimum is None else [*ends, minimum], LEFT, WIDTH - RIGHT)
    top, height = 30, ROW * len(rows)
    parts = [*_ticks(scale, top, height, "{:+g}")]
    parts.append(_line(scale.at(0), top, scale.at(0), top + height, "zero"))
    if minimum is not None:
        x = scale.at(minimum)
        parts.append(_line(x, top - 6, x, top + height, "minimum"))
        parts.append(_text(x, top - 12, "minimum effect", "small middle"))
    for number, row in enumerate(rows):
        y = top + ROW * (number + 0.5)
        parts.append(_text(LEFT - 12, y + 4, _cut(row.label), "end"))
        parts.append(_line(scale.at(row.low), y, scale.at(row.high), y, f"span {_tone(row.tone)}"))
        parts += [
            _line(scale.at(end), y - 6, scale.at(end), y + 6, f"span {_tone(row.tone)}") for end in (row.low, row.high)
        ]
        parts.append(f'<circle cx="{_n(scale.at(row.mean))}" cy="{_n(y)}" r="5" class="fill {_tone(row.tone)}"/>')
    return _svg(parts, top + height + 34, title)


def bar_chart(bars: Sequence[Bar], title: str) -> str:
    """Horizontal bars, all on one scale from 0."""
    longest = max((sum(value for value, _ in bar.parts) for bar in bars), default=0)
    if longest <= 0:
        return ""
    room = WIDTH - LEFT - NOTE
    parts = []
    for number, bar in enumerate(bars):
        y, x = 8 + ROW * number, float(LEFT)
        parts.append(_text(LEFT - 12, y + 16, _cut(bar.label), "end"))
        for value, tone in bar.parts:
            width = room * value / longest
            if width > 0:
                shape = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="20" rx="2"'
                parts.append(f'<rect {shape} class="fill {_tone(tone)}"/>')
            x += width
        parts.append(_text(x + 8, y + 15, bar.note, "small"))
    return _svg(parts, 16 + ROW * len(bars), title)


def scatter_chart(dots: Sequence[Dot], x_name: str, y_name: str, title: str) -> str:
    """Configurations in a plane, those on the Pareto frontier joined by a line; better is left and up."""
    if not dots:
        return ""
    top, height = 18, 240
    across = _Scale.over([dot.x for dot in dots], 70, WIDTH - 150)
    up = _Scale.over([dot.y for dot in dots], top + height, top)
    parts = [*_ticks(across, top, height, "{:g}"), *_rises(up, 70, WIDTH - 150)]
    frontier = sorted((dot for dot in dots if dot.on_frontier), key=lambda dot: (dot.x, dot.y))
    if len(frontier) > 1:
        points = " ".join(f"{_n(across.at(dot.x))},{_n(up.at(dot.y))}" for dot in frontier)
        parts.append(f'<polyline points="{points}" class="frontier"/>')
    below = math.inf
    for dot in sorted(dots, key=lambda each: each.y):
        x, y = across.at(dot.x), up.at(dot.y)
        hollow = "" if dot.on_frontier else " hollow"
        parts.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="6" class="fill {_tone(dot.tone)}{hollow}"/>')
        # Names of neighbours stand above each other.
        below = min(y + 4, below - 14)
        parts.append(_text(x + 10, below, _cut(dot.label), "small"))
    parts.append(_text((70 + WIDTH - 150) / 2, top + height + 40, x_name, "small middle"))
    parts.append(_text(4, top - 6, y_name, "small"))
    return _svg(parts, top + height + 50, title)


def progress_chart(steps: Sequence[Step], title: str) -> str:
    """What was tried as dots over the evaluations spent, and the best so far as a line."""
    if not steps:
        return ""
    top, height, left, right = 18, 200, 70, WIDTH - RIGHT
    across = _Scale.over([0, *(step.at for step in steps)], left, right)
    up = _Scale.over([step.score for step in steps], top + height, top)
    parts = [*_ticks(across, top, height, "{:g}"), *_rises(up, left, right)]
    points: list[str] = []
    for step in steps:
        x = across.at(step.at)
        if step.best is not None:
            # A best stays the best until something better has been measured.
            points += [f"{_n(x)},{points[-1].partition(',')[2]}"] if points else []
            points.append(f"{_n(x)},{_n(up.at(step.best))}")
        style = 'r="4" class="fill other"' if step.whole else 'r="3" class="fill other hollow"'
        parts.append(f'<circle cx="{_n(x)}" cy="{_n(up.at(step.score))}" {style}/>')
    if points:
        points.append(f"{_n(right)},{points[-1].partition(',')[2]}")
        parts.append(f'<polyline points="{" ".join(points)}" class="best"/>')
    parts.append(_text((left + right) / 2, top + height + 40, "evaluations", "small middle"))
    parts.append(_text(4, top - 6, "score", "small"))
    return _svg(parts, top + height + 50, title)


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to places; `marks` are round values inside."""

    low: float
    high: float
    start: float
    end: float
    marks: tuple[float, ...]

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> "_Scale":
        known = [value for value in values if math.isfinite(value)] or [0.0]
        low, high = min(known), max(known)
        margin = (high - low) * 0.06 or max(abs(high), 1.0) * 0.1
        # What cannot be negative is not drawn as if it could.
        low, high = (low - margin if low < 0 or low - margin > 0 else 0.0), high + margin
        step = _round_step((high - low) / 5)
        first = math.ceil(low / step)
        marks = tuple(round(step * number, 10) for number in range(first, math.floor(high / step) + 1))
        return cls(low, high, start, end, marks)

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * min(1.0, max(0.0, share))


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))


def _ticks(scale: _Scale, top: float, height: float, form: str) -> list[str]:
    parts = []
    for mark in scale.marks:
        x = scale.at(mark)
        parts.append(_line(x, top, x, top + height, "grid"))
        parts.append(_text(x, top + height + 18, form.format(mark) if mark else "0", "small middle"))
    return parts


def _rises(scale: _Scale, left: float, right: float) -> list[str]:
    parts = []
    for mark in scale.marks:
        y = scale.at(mark)
        parts.append(_line(left, y, right, y, "grid"))
        parts.append(_text(left - 8, y + 4, f"{mark:g}", "small end"))
    return parts


def _svg(parts: Sequence[str], height: float, title: str) -> str:
    named = html.escape(visible(title))
    size = f'viewBox="0 0 {WIDTH} {_n(height)}"'
    return f'<svg {size} role="img" aria-label="{named}"><title>{named}</title>{"".join(parts)}</svg>'


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" class="{style}"/>'


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" class="{style}">{html.escape(visible(text))}</text>'


def _tone(tone: str) -> str:
    """The class of a colour; nothing that a caller says gets into an attribute but these."""
    known = {"good", "bad", "open", "champion", "winner", "other", "rest", "one", "two", "three", "four"}
    return tone if tone in known else "other"


def _cut(text: str) -> str:
    shown = visible(" ".join(text.split()))
    return shown if len(shown) <= LABEL_CHARACTERS else shown[: LABEL_CHARACTERS - 1] + "…"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")

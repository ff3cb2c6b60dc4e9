"""Which traces are asked for, and in which order."""

import struct
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa

from spectral.domains.traces.models import Trace
from spectral.domains.traces.search.filter_compiler import HAS_ERROR, FilterCompiler
from spectral.domains.traces.search.filter_expression import All, Node, Term, is_deep
from spectral.domains.traces.search.filter_fields import CONTENT, TRACE_FIELDS
from spectral.domains.traces.search.words import Words
from spectral.domains.traces.vocabulary import SpanStatus
from spectral.platform.shared.cursors import Cursor
from spectral.platform.shared.errors import FieldError, ValidationFailedError

Condition = sa.ColumnElement[bool]

NEWEST_FIRST = "-started_at"
SCORE = "score:"
MAXIMUM_SCORE_NAME = 256
WITHOUT_SCORE = -1e300
"""Traces without the score that a list is sorted by stand below every score."""

_INDEXED = ("agent_id", "session_id", "user_id")
_EQUAL = ("status", "agent_version", "mode", "service", "error_type")


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Which traces are asked for; None does not narrow. Times and durations in nanoseconds; `start_to` is exclusive."""

    start_from: int | None = None
    start_to: int | None = None
    status: int | None = None
    has_error: bool | None = None
    agent_id: str | None = None
    agent_version: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    mode: str | None = None
    service: str | None = None
    error_type: str | None = None
    model: str | None = None
    tag: str | None = None
    name_contains: str | None = None
    minimum_duration_ns: int | None = None
    expression: Node | None = None
    words: Words | None = None
    content: str | None = None

    @property
    def whole_expression(self) -> Node | None:
        """The expression together with the wanted content."""
        if self.content is None:
            return self.expression
        term = Term(CONTENT, "~", self.content)
        return term if self.expression is None else All((self.expression, term))

    @property
    def is_deep(self) -> bool:
        """Whether what was sent has to be read."""
        return self.content is not None or is_deep(self.expression)

    def quick(self, compiler: FilterCompiler) -> list[Condition]:
        """What an index serves together with the order of time."""
        conditions = [
            cast("Condition", getattr(Trace, name) == getattr(self, name))
            for name in _INDEXED
            if getattr(self, name) is not None
        ]
        if self.start_from is not None:
            conditions.append(Trace.started_at >= self.start_from)
        if self.start_to is not None:
            conditions.append(Trace.started_at < self.start_to)
        if self.has_error or self.status == SpanStatus.ERROR:
            conditions.append(HAS_ERROR)
        return conditions + compiler.quick(self.expression)

    def rest(self, compiler: FilterCompiler) -> list[Condition]:
        """Everything else but the words; of deep terms nothing."""
        conditions = [
            cast("Condition", getattr(Trace, name) == getattr(self, name))
            for name in _EQUAL
            if getattr(self, name) is not None
        ]
        if self.has_error is False:
            conditions.append(Trace.error_count == 0)
        for name, value in (("model", self.model), ("tag", self.tag)):
            if value is not None:
                conditions.append(compiler.compile(Term(TRACE_FIELDS[name], "=", value)))
        if self.name_contains is not None:
            conditions.append(Trace.name.icontains(self.name_contains, autoescape=True))
        if self.minimum_duration_ns is not None:
            conditions.append(Trace.duration_ns >= self.minimum_duration_ns)
        if self.expression is not None:
            conditions.append(compiler.compile(self.expression))
        return conditions


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of traces, ties by id. `text`: as it was asked for; a leading `-` turns it round."""

    text: str

    @property
    def is_descending(self) -> bool:
        return self.text.startswith("-")

    @property
    def name(self) -> str:
        return self.text.removeprefix("-")

    @property
    def is_by_time(self) -> bool:
        return self.name == "started_at"

    @property
    def score(self) -> str | None:
        """The name of the score that is sorted by."""
        return self.name.removeprefix(SCORE) if self.name.startswith(SCORE) else None

    def key(self, compiler: FilterCompiler) -> sa.ColumnElement[Any]:
        """What the database sorts by."""
        if self.score is not None:
            return sa.func.coalesce(compiler.score(self.score), sa.literal(WITHOUT_SCORE, sa.Float(53)))
        return SORTS[self.name]

    def value(self, trace: Trace) -> int | float:
        """The same of a row."""
        if self.score is not None:
            return float(trace.scores.get(self.score, WITHOUT_SCORE))
        values = {
            "started_at": trace.started_at,
            "duration_ms": trace.duration_ns,
            "cost_usd": -1 if trace.cost_nano_usd is None else trace.cost_nano_usd,
            "tokens": trace.input_tokens + trace.output_tokens,
            "error_count": trace.error_count,
            "span_count": trace.span_count,
        }
        return values[self.name]

    def cursor(self, trace: Trace) -> str:
        """From where the page after this trace goes on."""
        value = self.value(trace)
        bits = value if isinstance(value, int) else struct.unpack(">q", struct.pack(">d", value))[0]
        return Cursor(self.text, bits, trace.trace_id).encode()

    def after(self, cursor: Cursor) -> tuple[sa.ColumnElement[Any], sa.ColumnElement[bytes]]:
        """The place of a cursor, to be compared with key and trace id."""
        identifier = sa.literal(cursor.identifier, sa.LargeBinary)
        if self.score is None:
            return sa.literal(cursor.value, sa.BigInteger), identifier
        value = struct.unpack(">d", struct.pack(">q", cursor.value))[0]
        # Whatever is in a cursor that somebody made up, it is a number.
        return sa.literal(value if value == value and abs(value) <= 1e308 else 0.0, sa.Float(53)), identifier  # noqa: PLR0124


SORTS: dict[str, sa.ColumnElement[int]] = {
    "started_at": cast("sa.ColumnElement[int]", Trace.started_at),
    "duration_ms": cast("sa.ColumnElement[int]", Trace.duration_ns),
    "cost_usd": sa.func.coalesce(Trace.cost_nano_usd, sa.literal(-1, sa.BigInteger)),
    "tokens": Trace.input_tokens + Trace.output_tokens,
    "error_count": cast("sa.ColumnElement[int]", Trace.error_count),
    "span_count": cast("sa.ColumnElement[int]", Trace.span_count),
}
"""What traces can be sorted by besides scores. Traces without a known cost sort below free ones."""


def parse_sort(text: str) -> Sort:
    """The order that a query parameter names. Raises ValidationFailedError (422)."""
    sort = Sort(text)
    score = sort.score
    if sort.name in SORTS or (score and len(score) <= MAXIMUM_SCORE_NAME and "\x00" not in score):
        return sort
    allowed = ", ".join(sorted([*SORTS, f"{SCORE}<name>"]))
    raise ValidationFailedError(
        "The query failed validation", [FieldError("sort", f"must be one of {allowed}, with - for descending")]
    )

"""A filter expression as a condition of SQL: bound parameters only, and every part about the workspace's own rows."""

import operator
from collections.abc import Callable, Sequence
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa

from spectral.domains.traces.models import SpanRecord, Trace
from spectral.domains.traces.search.filter_expression import All, Either, Node, Not, Term
from spectral.domains.traces.search.filter_fields import Form, Place
from spectral.domains.traces.vocabulary import SpanStatus

Condition = sa.ColumnElement[bool]

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

HAS_ERROR: Condition = sa.text("trace.error_count > 0")  # type: ignore[assignment]
"""Literal, because the index of failed traces is used only where the database can see that it holds these rows."""

IS_SHOWN: Condition = sa.text("trace.span_count > 0")  # type: ignore[assignment]
"""Of some traces only log events have come; they are in no list."""


class FilterCompiler:
    """Compiles for one workspace and one database.

    What was sent (deep terms) is in no column: such a term is taken to be true here, or false under `not`, so that the
    condition lets through at least what the expression lets through.
    """

    def __init__(self, workspace_id: UUID, *, is_sqlite: bool) -> None:
        self._workspace_id = workspace_id
        self._is_sqlite = is_sqlite

    def compile(self, node: Node) -> Condition:
        """The condition over `trace`."""
        return self._node(node, assume=True)

    def quick(self, node: Node | None) -> list[Condition]:
        """Those conditions that must hold anyway and that an index serves together with the order of time."""
        if isinstance(node, All):
            return [condition for part in node.parts for condition in self.quick(part)]
        if not isinstance(node, Term) or node.field.place is not Place.TRACE:
            return []
        name = node.field.column
        if name in {"agent_id", "session_id", "user_id"} and node.operator == "=":
            return [self._term(node)]
        if name == "started_at" and node.operator in COMPARISONS:
            return [self._term(node)]
        if is_about_errors(node):
            return [HAS_ERROR]
        return []

    def holds(self, term: Term) -> Condition:
        """Whether one term that is not deep holds, as a value that is never null."""
        return cast("Condition", sa.func.coalesce(self._term(term), sa.false()))

    def score(self, name: str) -> sa.ColumnElement[float]:
        """The mean score of this name; null where there is none."""
        if self._is_sqlite:
            # By its key: a path would have to be put together from the name.
            each = sa.func.json_each(Trace.scores).table_valued("key", "value", name="score")
            found = sa.select(each.c.value).select_from(each).where(each.c.key == name).correlate(Trace)
            return sa.type_coerce(found.scalar_subquery(), sa.Float(53))
        return cast("sa.ColumnElement[float]", Trace.scores[name].as_float())

    def _node(self, node: Node, *, assume: bool) -> Condition:
        if isinstance(node, Not):
            # What is unknown is false, and so is not of it true.
            return sa.not_(sa.func.coalesce(self._node(node.part, assume=not assume), sa.false()))
        if isinstance(node, All):
            return sa.and_(*(self._node(part, assume=assume) for part in node.parts))
        if isinstance(node, Either):
            return sa.or_(*(self._node(part, assume=assume) for part in node.parts))
        if not isinstance(node, Term):
            raise TypeError(node)
        if node.is_deep:
            return sa.true() if assume else sa.false()
        return self._term(node)

    def _term(self, term: Term) -> Condition:
        field = term.field
        if field.place is Place.SCORE:
            return _compare(self.score(field.column), term)
        if field.place is Place.SPAN:
            return self._some_span(_compare(_span_value(field.column), term))
        if field.form is Form.LIST:
            return self._some_element(getattr(Trace, field.column), term)
        return _compare(_trace_value(field.column), term)

    def _some_span(self, condition: Condition) -> Condition:
        # The window leaves one day's partition to look into, or two. SQLite would take its index by time for it.
        within = sa.true() if self._is_sqlite else SpanRecord.started_at.between(Trace.started_at, Trace.ended_at)
        return sa.exists(
            sa.select(sa.literal(1)).where(
                SpanRecord.workspace_id == self._workspace_id,
                SpanRecord.trace_id == Trace.trace_id,
                within,
                condition,
            )
        ).correlate(Trace)

    def _some_element(self, column: Any, term: Term) -> Condition:
        element: Any
        if self._is_sqlite:
            table = sa.func.json_each(column).table_valued("value", name="element")
            element = table.c.value
        else:
            table = sa.func.jsonb_array_elements_text(column).table_valued("value", name="element")
            element = table.c.value
        elements = sa.select(sa.literal(1)).select_from(table).correlate(Trace)
        if term.operator == "exists":
            return sa.exists(elements)
        return sa.exists(elements.where(_compare(sa.type_coerce(element, sa.Text), term)))


def is_about_errors(node: Node | None) -> bool:
    """Whether only traces with a span that failed can fit a term."""
    if not isinstance(node, Term) or node.field.place is not Place.TRACE:
        return False
    name, value = node.field.column, node.value
    if name == "status":
        return node.operator == "=" and value == SpanStatus.ERROR
    return name == "error_count" and (
        (node.operator == ">" and value >= 0) or (node.operator in {">=", "="} and value > 0)
    )


def _trace_value(name: str) -> sa.ColumnElement[Any]:
    if name == "tokens":
        return Trace.input_tokens + Trace.output_tokens
    return cast("sa.ColumnElement[Any]", getattr(Trace, name))


def _span_value(name: str) -> sa.ColumnElement[Any]:
    if name == "tokens":
        return sa.func.coalesce(SpanRecord.input_tokens, 0) + sa.func.coalesce(SpanRecord.output_tokens, 0)
    if name == "duration_ns":
        return SpanRecord.ended_at - SpanRecord.started_at
    return cast("sa.ColumnElement[Any]", getattr(SpanRecord, name))


def _compare(value: sa.ColumnElement[Any], term: Term) -> Condition:
    if term.operator == "exists":
        return value.is_not(None)
    if term.operator == "~":
        return value.icontains(term.value, autoescape=True)
    if term.operator == "in":
        return value.in_([_literal(choice, term.field.form) for choice in cast("Sequence[Any]", term.value)])
    return cast("Condition", COMPARISONS[term.operator](value, _literal(term.value, term.field.form)))


def _literal(value: Any, form: Form) -> sa.ColumnElement[Any]:
    """A bound parameter whose type fits every column of that form: half a token is compared as such."""
    if form is Form.HEX:
        return sa.literal(value, sa.LargeBinary)
    if form in {Form.TEXT, Form.LIST}:
        return sa.literal(value, sa.Text)
    return sa.literal(value, sa.Float(53) if isinstance(value, float) else sa.BigInteger)

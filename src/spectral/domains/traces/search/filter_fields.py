"""What a filter expression can speak of: every column of a trace and of its spans, scores, and what was sent."""

from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """What kind of values a field has; decides which operators and literals go with it."""

    TEXT = "text"
    NUMBER = "number"
    DURATION = "duration"
    MONEY = "money"
    STATUS = "status"
    TIME = "time"
    LIST = "list"
    HEX = "hex"
    ANY = "any"
    SUBSTRING = "substring"


class Place(StrEnum):
    """Where the values of a field are."""

    TRACE = "trace"
    SPAN = "span"
    SCORE = "score"
    ATTRIBUTE = "attribute"
    EVENT = "event"
    CONTENT = "content"


DEEP = frozenset({Place.ATTRIBUTE, Place.EVENT, Place.CONTENT})
"""Not in any row: what was sent has to be read for these."""

_EQUALITY = ("=", "!=", "in", "exists")
_ORDER = ("=", "!=", "<", "<=", ">", ">=", "in", "exists")
OPERATORS: dict[Form, tuple[str, ...]] = {
    Form.TEXT: ("=", "!=", "~", "in", "exists"),
    Form.NUMBER: _ORDER,
    Form.DURATION: _ORDER,
    Form.MONEY: _ORDER,
    Form.STATUS: _EQUALITY,
    Form.TIME: _ORDER,
    Form.LIST: ("has", "=", "!=", "~", "in", "exists"),
    Form.HEX: _EQUALITY,
    Form.ANY: ("=", "!=", "<", "<=", ">", ">=", "~", "in", "exists"),
    Form.SUBSTRING: ("~",),
}
"""`~`: contains, in any case. Of a list `=` and `has` say that it holds the value, `~` that an element contains it."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the language. `column`: of `trace` or `span`, or the name of a score, or the key of an attribute."""

    name: str
    place: Place
    form: Form
    column: str
    description: str = ""

    @property
    def operators(self) -> tuple[str, ...]:
        return OPERATORS[self.form]


def _fields(place: Place, prefix: str, rows: tuple[tuple[str, Form, str, str], ...]) -> dict[str, Field]:
    return {prefix + name: Field(prefix + name, place, form, column, said) for name, form, column, said in rows}


_TOKENS = tuple(
    (name, Form.NUMBER, name, "")
    for name in (
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "audio_tokens",
    )
)
_WHO = tuple(
    (name, Form.TEXT, name, "") for name in ("session_id", "user_id", "agent_id", "agent_version", "mode", "service")
)

TRACE_FIELDS = _fields(
    Place.TRACE,
    "",
    (
        ("trace_id", Form.HEX, "trace_id", "32 hexadecimal digits"),
        ("name", Form.TEXT, "name", "of the root span"),
        ("status", Form.STATUS, "status", "of the root span: unset, ok or error"),
        ("started_at", Form.TIME, "started_at", ""),
        ("ended_at", Form.TIME, "ended_at", ""),
        ("duration_ms", Form.DURATION, "duration_ns", "milliseconds, or with a unit: 1.5s"),
        ("root_span_id", Form.HEX, "root_span_id", "16 hexadecimal digits"),
        ("span_count", Form.NUMBER, "span_count", ""),
        ("error_count", Form.NUMBER, "error_count", "spans that failed"),
        ("error_type", Form.TEXT, "error_type", "of the first span that failed"),
        ("tokens", Form.NUMBER, "tokens", "input and output"),
        *_TOKENS,
        ("cost_usd", Form.MONEY, "cost_nano_usd", "US dollars; does not exist where none is known"),
        ("unpriced_spans", Form.NUMBER, "unpriced_spans", "model calls of unknown cost"),
        ("model", Form.LIST, "models", "the models that it called"),
        ("models", Form.LIST, "models", "the same as model"),
        ("tags", Form.LIST, "tags", ""),
        ("tag", Form.LIST, "tags", "the same as tags"),
        *_WHO,
        ("input", Form.TEXT, "input_preview", "the preview of the input"),
        ("output", Form.TEXT, "output_preview", "the preview of the output"),
        ("feedback_count", Form.NUMBER, "feedback_count", ""),
    ),
)

SPAN_FIELDS = _fields(
    Place.SPAN,
    "span.",
    (
        ("id", Form.HEX, "span_id", "16 hexadecimal digits"),
        ("parent", Form.HEX, "parent_span_id", "16 hexadecimal digits"),
        ("name", Form.TEXT, "name", ""),
        ("kind", Form.TEXT, "kind", "agent, llm, tool, retriever, embedding, chain, guardrail, evaluator or other"),
        ("operation", Form.TEXT, "operation", ""),
        ("status", Form.STATUS, "status", "unset, ok or error"),
        ("started_at", Form.TIME, "started_at", ""),
        ("ended_at", Form.TIME, "ended_at", ""),
        ("duration_ms", Form.DURATION, "duration_ns", "milliseconds, or with a unit: 1.5s"),
        ("provider", Form.TEXT, "provider", ""),
        ("model", Form.TEXT, "model", ""),
        ("tokens", Form.NUMBER, "tokens", "input and output"),
        *_TOKENS,
        ("cost_usd", Form.MONEY, "cost_nano_usd", "US dollars"),
        ("tool", Form.TEXT, "tool_name", "the name of the tool"),
        ("error_type", Form.TEXT, "error_type", ""),
        *_WHO,
    ),
)

FIELDS = TRACE_FIELDS | SPAN_FIELDS

# Fields with a name of the asker's choice.
SCORE = Field("score.<name>", Place.SCORE, Form.NUMBER, "", "the mean score of that name of feedback")
ATTRIBUTE = Field('attr["<key>"]', Place.ATTRIBUTE, Form.ANY, "", "an attribute of a span or its resource; deep")
EVENT = Field("event", Place.EVENT, Form.LIST, "", "the names of a span's events; deep")
CONTENT = Field("content", Place.CONTENT, Form.SUBSTRING, "", "any text that was sent for a span; deep")

DOCUMENTED: tuple[Field, ...] = (*TRACE_FIELDS.values(), SCORE, *SPAN_FIELDS.values(), ATTRIBUTE, EVENT, CONTENT)
"""Every field, in the order in which it is told."""

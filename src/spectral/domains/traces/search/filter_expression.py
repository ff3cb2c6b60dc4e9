"""The filter expression: its grammar, and the tree that a text of it is.

    expression = both { "or" both }              both  = single { "and" single }
    single     = "not" single | "(" expression ")" | term
    term       = field ( "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "has" ) value
               | field [ "not" ] "in" "(" value { "," value } ")"
               | field "exists"
    field      = a name of `filter_fields` | "score." name | "score[" text "]" | "attr[" text "]" | "event" | "content"
    value      = text in quotes | number | number with a unit (ms s m h d) | "now" [ "-" number with a unit ]
               | word | "true" | "false" | "null"

A term about what is not there is false, so `not (…)` of it is true. `span.` is about some span of the trace: two such
terms may be true of two spans. Everything wrong is a 422 that names the position, counted from 1.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from spectral.domains.traces.moments import MAXIMUM_NS, parse_ns
from spectral.domains.traces.search.filter_fields import ATTRIBUTE, CONTENT, DEEP, EVENT, FIELDS, SCORE, Field, Form
from spectral.domains.traces.vocabulary import SpanStatus
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.money import usd_to_nano

MAXIMUM_CHARACTERS = 4_096
MAXIMUM_DEPTH = 32
MAXIMUM_TERMS = 64
MAXIMUM_CHOICES = 100
MAXIMUM_NAME = 256

MILLISECOND = 1_000_000
UNITS = {"ms": MILLISECOND, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9, "d": 86_400 * 10**9}
ESCAPES = {'"': '"', "'": "'", "\\": "\\", "/": "/", "n": "\n", "t": "\t", "r": "\r"}
RESERVED = frozenset({"and", "or", "not", "in", "has", "exists", "null", "true", "false", "now"})

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>-?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)(?P<unit>ms|s|m|h|d)?(?![\w.])
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_][A-Za-z0-9_:-]*)*)
      | (?P<sign><=|>=|!=|[=<>~(),\[\]-])
      | (?P<quote>["'])
    )""",
    re.VERBOSE | re.ASCII,
)


class FilterSyntaxError(ValueError):
    """Something is wrong at `position` (from 0)."""

    def __init__(self, position: int, detail: str) -> None:
        super().__init__(detail)
        self.position = position


class Node:
    """A part of an expression: Term, Not, All or Either."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Term(Node):
    """One comparison. `value`: as the store has it (nanoseconds, nano-USD, bytes); for `in` a tuple of such."""

    field: Field
    operator: str
    value: Any

    @property
    def is_deep(self) -> bool:
        return self.field.place in DEEP


@dataclass(frozen=True, slots=True)
class Not(Node):
    """True where its part is not."""

    part: Node


@dataclass(frozen=True, slots=True)
class All(Node):
    """True where every part is."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either(Node):
    """True where one part at least is."""

    parts: tuple[Node, ...]


def terms_of(node: Node) -> Iterator[Term]:
    """Every comparison in the tree, from left to right."""
    if isinstance(node, Term):
        yield node
    elif isinstance(node, Not):
        yield from terms_of(node.part)
    elif isinstance(node, All | Either):
        for part in node.parts:
            yield from terms_of(part)


def is_deep(node: Node | None) -> bool:
    """Whether what was sent has to be read to know it."""
    return node is not None and any(term.is_deep for term in terms_of(node))


def parse_filter(text: str | None, parameter: str = "filter") -> Node | None:
    """The tree of an expression. Raises ValidationFailedError (422) that names the position and what is wrong."""
    if text is None:
        return None
    try:
        if len(text) > MAXIMUM_CHARACTERS:
            raise FilterSyntaxError(MAXIMUM_CHARACTERS, f"is longer than {MAXIMUM_CHARACTERS} characters")
        return _Parser(text).parse()
    except FilterSyntaxError as error:
        detail = f"position {error.position + 1}: {error}"
        raise ValidationFailedError("The query failed validation", [FieldError(parameter, detail)]) from error


class _Token(NamedTuple):
    """kind: name, text, number, duration, sign or end.  text: of a number, as it was written."""

    kind: str
    value: Any
    position: int
    text: str = ""

    def __str__(self) -> str:
        if self.kind == "end":
            return "the end"
        return f"the text {self.value[:40]!r}" if self.kind == "text" else f"{str(self.value)[:40]!r}"


class _Parser:
    """Recursive descent over the tokens, which are read before."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0
        self._terms = 0
        self._now = int(utc_now().timestamp()) * 10**9

    def parse(self) -> Node:
        node = self._expression()
        if self._here.kind != "end":
            raise self._expected("and, or, or the end")
        return node

    @property
    def _here(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._here
        self._at += 1
        return token

    def _is(self, kind: str, *values: str) -> bool:
        token = self._here
        return token.kind == kind and (token.value.lower() if kind == "name" else token.value) in values

    def _take(self, kind: str, *values: str) -> bool:
        found = self._is(kind, *values)
        self._at += found
        return found

    def _expected(self, what: str) -> FilterSyntaxError:
        return FilterSyntaxError(self._here.position, f"expected {what}, found {self._here}")

    def _expression(self) -> Node:
        parts = [self._both()]
        while self._take("name", "or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self) -> Node:
        parts = [self._single()]
        while self._take("name", "and"):
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _single(self) -> Node:
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise FilterSyntaxError(self._here.position, f"is nested deeper than {MAXIMUM_DEPTH}")
        node: Node
        if self._take("name", "not"):
            node = Not(self._single())
        elif self._take("sign", "("):
            node = self._expression()
            if not self._take("sign", ")"):
                raise self._expected("and, or, or )")
        else:
            node = self._term()
        self._depth -= 1
        return node

    def _term(self) -> Node:
        self._terms += 1
        if self._terms > MAXIMUM_TERMS:
            raise FilterSyntaxError(self._here.position, f"has more than {MAXIMUM_TERMS} comparisons")
        field = self._field()
        start = self._here.position
        if self._take("name", "exists"):
            return self._checked(field, "exists", None, start)
        is_negated = self._take("name", "not")
        if self._take("name", "in"):
            found = self._checked(field, "in", self._choices(field), start)
            return Not(found) if is_negated else found
        if is_negated:
            raise self._expected("in")
        if self._take("name", "has"):
            operator = "has"
        elif self._here.kind == "sign" and self._here.value in {"=", "!=", "<", "<=", ">", ">=", "~"}:
            operator = self._next().value
        else:
            raise self._expected(f"an operator ({', '.join(field.operators)})")
        if self._take("name", "null"):
            return self._compared_to_null(field, operator, start)
        if operator not in field.operators:
            raise _unknown_operator(field, operator, start)
        term = Term(field, "=" if operator in {"has", "!="} else operator, self._value(field, operator))
        return Not(term) if operator == "!=" else term

    def _compared_to_null(self, field: Field, operator: str, start: int) -> Node:
        if operator not in {"=", "!="}:
            raise FilterSyntaxError(start, "null is compared with = or !=")
        term = self._checked(field, "exists", None, start)
        return Not(term) if operator == "=" else term

    def _checked(self, field: Field, operator: str, value: Any, position: int) -> Term:
        if operator not in field.operators:
            raise _unknown_operator(field, operator, position)
        return Term(field, operator, value)

    def _field(self) -> Field:
        token = self._here
        if token.kind != "name" or token.value.lower() in RESERVED:
            raise self._expected("a field, not, or (")
        self._at += 1
        name = token.value
        if name in {"attr", "score"} and self._take("sign", "["):
            key = self._next()
            if key.kind != "text" or not 0 < len(key.value) <= MAXIMUM_NAME:
                raise FilterSyntaxError(key.position, f"expected a name in quotes, found {key}")
            if not self._take("sign", "]"):
                raise self._expected("]")
            return replace(ATTRIBUTE if name == "attr" else SCORE, name=f'{name}["{key.value}"]', column=key.value)
        if name.startswith("score."):
            return replace(SCORE, name=name, column=name.removeprefix("score."))
        if name == EVENT.name:
            return EVENT
        if name == CONTENT.name:
            return CONTENT
        field = FIELDS.get(name)
        if field is None:
            raise FilterSyntaxError(token.position, f"there is no field {name[:64]!r}")
        return field

    def _choices(self, field: Field) -> tuple[Any, ...]:
        if not self._take("sign", "("):
            raise self._expected("(")
        choices = [self._value(field, "in")]
        while self._take("sign", ","):
            choices.append(self._value(field, "in"))
            if len(choices) > MAXIMUM_CHOICES:
                raise FilterSyntaxError(self._here.position, f"has more than {MAXIMUM_CHOICES} values in one list")
        if not self._take("sign", ")"):
            raise self._expected(", or )")
        return tuple(choices)

    def _value(self, field: Field, operator: str) -> Any:
        token = self._here
        if token.kind == "name" and token.value.lower() == "now":
            self._at += 1
            return self._moment(field, token.position)
        if token.kind not in {"text", "number", "duration", "name"} or (
            token.kind == "name" and token.value.lower() in RESERVED - {"true", "false"}
        ):
            raise self._expected("a value")
        self._at += 1
        try:
            return _READERS[Form.TEXT if operator == "~" and field.form is not Form.HEX else field.form](token)
        except ValueError as error:
            raise FilterSyntaxError(token.position, f"{field.name} {error}, found {token}") from error

    def _moment(self, field: Field, position: int) -> int:
        if field.form is not Form.TIME:
            raise FilterSyntaxError(position, f"{field.name} is no time, so it cannot be compared with now")
        token = self._here
        if token.kind == "duration" and token.value.nanoseconds < 0:
            self._at += 1
            return max(0, self._now + int(token.value.nanoseconds))
        if self._take("sign", "-"):
            if self._here.kind != "duration":
                raise self._expected("a number with a unit (ms, s, m, h, d)")
            return max(0, self._now - int(self._next().value.nanoseconds))
        return self._now


class _Duration(NamedTuple):
    text: str
    nanoseconds: int

    def __str__(self) -> str:
        return self.text


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise FilterSyntaxError(start, f"{text[start]!r} means nothing here")
        start, position = match.start(match.lastgroup or 0), match.end()
        if match["number"] is not None:
            start = match.start("number")
            yield _number(match, start)
        elif match["quote"] is not None:
            value, position = _quoted(text, start)
            yield _Token("text", value, start)
        else:
            kind = "name" if match["name"] is not None else "sign"
            yield _Token(kind, match[kind], match.start(kind))
    yield _Token("end", "", len(text))


def _number(match: re.Match[str], start: int) -> _Token:
    text = match["number"]
    value = float(text)
    if abs(value) >= 2**63:
        raise FilterSyntaxError(start, "the number is too large")
    if match["unit"] is not None:
        nanoseconds = value * UNITS[match["unit"]]
        if abs(nanoseconds) > MAXIMUM_NS:
            raise FilterSyntaxError(start, "the duration is too long")
        return _Token("duration", _Duration(text + match["unit"], round(nanoseconds)), start)
    return _Token("number", int(text) if re.fullmatch(r"-?\d+", text, re.ASCII) else value, start, text)


def _quoted(text: str, start: int) -> tuple[str, int]:
    quote, position = text[start], start + 1
    found: list[str] = []
    while position < len(text):
        character = text[position]
        if character == quote:
            value = "".join(found)
            if any(one == "\x00" or "\ud800" <= one <= "\udfff" for one in value):
                raise FilterSyntaxError(start, "text must not hold a null character or half a surrogate pair")
            return value, position + 1
        if character == "\\":
            escape = text[position + 1 : position + 2]
            digits = text[position + 2 : position + 6]
            if escape in ESCAPES and escape:
                found.append(ESCAPES[escape])
            elif escape == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", digits):
                found.append(chr(int(digits, 16)))
                position += 4
            else:
                raise FilterSyntaxError(position, "expected one of \\\" \\' \\\\ \\n \\t \\r, or \\u and four digits")
            position += 2
            continue
        found.append(character)
        position += 1
    raise FilterSyntaxError(start, "the text has no closing quote")


def _unknown_operator(field: Field, operator: str, position: int) -> FilterSyntaxError:
    known = ", ".join(field.operators)
    return FilterSyntaxError(position, f"{operator} does not go with {field.name}; expected one of {known}")


def _read_text(token: _Token) -> str:
    if token.kind in {"text", "name"}:
        return str(token.value)
    if token.kind == "number":
        return token.text
    raise ValueError("takes text")


def _read_number(token: _Token) -> int | float:
    if token.kind != "number":
        raise ValueError("takes a number")
    value: int | float = token.value
    return value


def _read_duration(token: _Token) -> int:
    if token.kind == "duration":
        return int(token.value.nanoseconds)
    if token.kind == "number":
        nanoseconds: float = token.value * MILLISECOND
        if abs(nanoseconds) <= MAXIMUM_NS:
            return round(nanoseconds)
    raise ValueError("takes milliseconds, or a number with a unit (ms, s, m, h, d)")


def _read_money(token: _Token) -> int:
    if token.kind not in {"number", "text"}:
        raise ValueError("takes an amount of US dollars")
    try:
        return int(usd_to_nano(token.value))
    except ValueError as error:
        raise ValueError(f"takes an amount of US dollars that {error}") from error


def _read_status(token: _Token) -> int:
    if token.kind in {"name", "text"} and token.value in SpanStatus.NAMES:
        return SpanStatus.NAMES.index(token.value)
    raise ValueError("takes unset, ok or error")


def _read_time(token: _Token) -> int:
    if token.kind == "text":
        return parse_ns(token.value)
    raise ValueError("takes an RFC 3339 time in quotes, or now, or now-24h")


def _read_hex(token: _Token) -> bytes:
    try:
        return bytes.fromhex(token.value if token.kind in {"text", "name"} else "-")
    except ValueError as error:
        raise ValueError("takes hexadecimal digits in quotes") from error


def _read_any(token: _Token) -> str | int | float | bool:
    if token.kind == "name" and token.value.lower() in {"true", "false"}:
        return bool(token.value.lower() == "true")
    if token.kind == "number":
        return _read_number(token)
    return _read_text(token)


_READERS = {
    Form.TEXT: _read_text,
    Form.LIST: _read_text,
    Form.SUBSTRING: _read_text,
    Form.NUMBER: _read_number,
    Form.DURATION: _read_duration,
    Form.MONEY: _read_money,
    Form.STATUS: _read_status,
    Form.TIME: _read_time,
    Form.HEX: _read_hex,
    Form.ANY: _read_any,
}

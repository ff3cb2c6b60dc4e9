"""What was sent for a span, asked for texts, attributes and events.

A chunk is first searched as the bytes that it is: text stands in them as it was sent, so a chunk without the letters
of what is wanted need not be read. What may fit is read span by span.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from spectral.domains.traces.mapping import any_value
from spectral.domains.traces.search.filter_compiler import COMPARISONS
from spectral.domains.traces.search.filter_expression import All, Either, Node, Not, Term, terms_of
from spectral.domains.traces.search.filter_fields import Place

MAXIMUM_ESCAPES = 3
"""Levels of JSON text inside JSON text that are looked through."""

# Letters that stand for themselves in text, in JSON text, and in JSON text inside JSON text.
_PLAIN = re.compile(r"[ !#-%(-.0-;=?-\[\]-~]+")
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class DeepTerm:
    """One term about what was sent."""

    def __init__(self, term: Term) -> None:
        self._term = term
        wanted = term.value
        self._folded = wanted.casefold() if isinstance(wanted, str) else ""
        self._needles = self._bytes_of_it(term)

    def may_fit(self, lowered: bytes) -> bool:
        """Whether a span of this chunk may fit; `lowered`: the chunk with its ASCII letters in lower case."""
        return all(any(needle in lowered for needle in needles) for needles in self._needles)

    def fits(self, span: Span, resource: Resource | None) -> bool:
        """Whether a span fits."""
        place = self._term.field.place
        if place is Place.CONTENT:
            return any(self._contains(text) for text in texts_of(span))
        if place is Place.EVENT:
            return any(self._compare(event.name) for event in span.events)
        found = _attribute(self._term.field.column, span, resource)
        if found is None:
            return False
        value = any_value(found)
        return any(self._compare(one) for one in value) if isinstance(value, list) else self._compare(value)

    def _compare(self, value: Any) -> bool:
        operator, wanted = self._term.operator, self._term.value
        if operator == "exists":
            return value is not None
        if operator == "~":
            return isinstance(value, str) and self._contains(value)
        if operator == "in":
            return any(_same(value, choice) for choice in wanted)
        if operator == "=":
            return _same(value, wanted)
        return _is_number(value) and _is_number(wanted) and bool(COMPARISONS[operator](value, wanted))

    def _contains(self, text: str) -> bool:
        """Whether the text has the wanted one in it, also as JSON text has it."""
        for _ in range(MAXIMUM_ESCAPES + 1):
            if self._folded in text.casefold():
                return True
            if "\\" not in text:
                return False
            text = _ESCAPE.sub(_unescaped, text)
            if _SURROGATE.search(text):
                text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return False

    def _bytes_of_it(self, term: Term) -> tuple[tuple[bytes, ...], ...]:
        """Of each of these one at least stands in a chunk that has what is wanted."""
        choices = term.value if term.operator == "in" else (term.value,)
        values: tuple[bytes, ...] = (b"",)
        if term.operator in {"=", "~", "in"} and all(isinstance(choice, str) for choice in choices):
            values = tuple(needle for choice in choices for needle in _needles(choice))
        # Names of attributes are as they were sent.
        is_attribute = term.field.place is Place.ATTRIBUTE
        return ((term.field.column.encode().lower(),), values) if is_attribute else (values,)


def _needles(text: str) -> tuple[bytes, ...]:
    """Bytes of which one stands wherever the text stands, in any case and however it was escaped."""
    plain = max(_PLAIN.findall(text), key=len, default="")
    if plain:
        return (plain.lower().encode(),)
    letters = "".join(letter for letter in text if ord(letter) > 127)
    if not letters:
        return (b"",)
    forms = {letters}
    if letters != text or text.upper() != text.lower():
        forms = {letters[0], letters[0].lower(), letters[0].upper()}
    # Only its first unit: JSON text in JSON text puts a backslash more between two.
    escaped = {f"\\u{next(_units(form)):04x}" for form in forms}
    return tuple(form.encode("utf-8", "replace") for form in forms | escaped)


def _units(text: str) -> Iterator[int]:
    encoded = text.encode("utf-16-be", "surrogatepass")
    for index in range(0, len(encoded), 2):
        yield int.from_bytes(encoded[index : index + 2], "big")


def _unescaped(match: re.Match[str]) -> str:
    if match[1] is not None:
        return chr(int(match[1], 16))
    return _ESCAPED.get(match[2], match[2])


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return bool(value == wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _attribute(key: str, span: Span, resource: Resource | None) -> AnyValue | None:
    # Of a repeated key the last counts.
    found = None
    for pair in span.attributes:
        if pair.key == key:
            found = pair.value
    if found is None and resource is not None:
        for pair in resource.attributes:
            if pair.key == key:
                found = pair.value
    return found


def texts_of(span: Span) -> Iterator[str]:
    """Every text of a span: names and values of attributes, events, links, and the message of its status."""
    yield span.name
    yield span.status.message
    yield from _texts_of_pairs(span.attributes)
    for event in span.events:
        yield event.name
        yield from _texts_of_pairs(event.attributes)
    for link in span.links:
        yield from _texts_of_pairs(link.attributes)


def _texts_of_pairs(pairs: Iterable[KeyValue]) -> Iterator[str]:
    for pair in pairs:
        yield pair.key
        yield from _texts_of_value(pair.value)


def _texts_of_value(value: AnyValue) -> Iterator[str]:
    form = value.WhichOneof("value")
    if form == "string_value":
        yield value.string_value
    elif form == "array_value":
        for item in value.array_value.values:
            yield from _texts_of_value(item)
    elif form == "kvlist_value":
        yield from _texts_of_pairs(value.kvlist_value.values)


class DeepPart:
    """A part of an expression that has deep terms in it: decided for one trace from its chunks and its row."""

    def __init__(self, node: Node, number_of: Callable[[Term], int]) -> None:
        """number_of: where a trace's row says whether a term that is not deep holds."""
        self._node = node
        self._number_of = number_of
        self.terms: dict[Term, DeepTerm] = {term: DeepTerm(term) for term in terms_of(node) if term.is_deep}

    def holds(self, matched: dict[Term, set[bytes]], facts: Sequence[Any]) -> bool:
        """Whether it holds, where `matched` has the spans that fit each deep term."""
        return self._holds(self._node, matched, facts)

    def _holds(self, node: Node, matched: dict[Term, set[bytes]], facts: Sequence[Any]) -> bool:
        if isinstance(node, Not):
            return not self._holds(node.part, matched, facts)
        if isinstance(node, All):
            return all(self._holds(part, matched, facts) for part in node.parts)
        if isinstance(node, Either):
            return any(self._holds(part, matched, facts) for part in node.parts)
        if not isinstance(node, Term):
            raise TypeError(node)
        return bool(matched.get(node)) if node.is_deep else bool(facts[self._number_of(node)])


def spans_that_fit(
    message: bytes, terms: dict[Term, DeepTerm], only: frozenset[bytes] | None = None
) -> dict[Term, set[bytes]]:
    """Ids of the spans in one chunk, uncompressed, that fit each term; of the spans in `only` when that is given."""
    lowered = message.lower()
    possible = {term: deep for term, deep in terms.items() if deep.may_fit(lowered)}
    matched: dict[Term, set[bytes]] = {}
    if not possible:
        return matched
    for resource_spans in TracesData.FromString(message).resource_spans:
        resource = resource_spans.resource if resource_spans.HasField("resource") else None
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                if only is not None and span.span_id not in only:
                    continue
                for term, deep in possible.items():
                    if deep.fits(span, resource):
                        matched.setdefault(term, set()).add(span.span_id)
    return matched

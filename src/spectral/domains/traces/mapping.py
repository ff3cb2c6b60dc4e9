"""An OTLP span, its scope and resource → our vocabulary.

Pure: with the same conventions and the same table of prices the same bytes always give the same row.
"""

import base64
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.conventions.base import Convention, text
from spectral.domains.traces.conventions.events import EventContent, content_of_event
from spectral.domains.traces.conventions.gen_ai import AGGREGATING_OPERATIONS
from spectral.domains.traces.conventions.registry import load_conventions
from spectral.domains.traces.conventions.table import (
    AGENT_ID,
    AGENT_VERSION,
    EVENT,
    STRIDE,
    UNFILLED,
    ConventionTable,
    Fill,
    derive,
    fill,
)
from spectral.domains.traces.vocabulary import (
    AGGREGATING,
    KIND_NAMES,
    LIVE,
    Kind,
    MappedSpan,
    Reading,
    SpanRow,
    SpanStatus,
)
from spectral.platform.llm.pricing import Counts, price

MAXIMUM_NAME = 512
DIGEST_BYTES = 16

_INHERITED = frozenset(
    {
        "spectral.agent.id",
        "spectral.agent.version",
        "spectral.mode",
        "spectral.session.id",
        "spectral.user.id",
        "spectral.tags",
        "session.id",
        "user.id",
    }
)
"""Resource attributes that hold for every span of the resource."""

_tuple = tuple.__new__

_NO_PARENT = bytes(8)
"""Some exporters write the absent parent of a root as zeros."""


class SpanMapper:
    """Reads spans with a fixed list of conventions; the earlier one wins where two name the same thing."""

    def __init__(self, conventions: Sequence[Convention] | None = None) -> None:
        self._table = ConventionTable(conventions if conventions is not None else load_conventions())

    def source(self, resource: Resource | None, scope: InstrumentationScope | None) -> "SpanSource":
        """What the spans of one scope of one resource have in common."""
        return SpanSource(resource, scope, self._table)

    def map(self, span: Span, raw: bytes, source: "SpanSource", events: Iterable[EventContent] = ()) -> MappedSpan:
        """The row of a valid span, and what only its trace keeps. `raw`: the span's encoding.

        events: what log records of the span say, in the order of their time.
        """
        reading, exception = self.read(span, source, events)
        cost = reading.cost_nano_usd
        if cost is None and reading.model is not None and reading.kind not in AGGREGATING:
            # What an agent or a chain used is what the calls below it used: a sum has no price of its own.
            cost = price(reading.provider, reading.model, _counts(reading), span.start_time_unix_nano)
        row = _row(span, raw, source, reading, exception, cost)
        return _tuple(MappedSpan, (row, reading.input, reading.output, reading.tags, reading.agent_is_explicit))

    def read(self, span: Span, source: "SpanSource", events: Iterable[EventContent] = ()) -> tuple[Reading, str | None]:
        """All that is understood of a span, and the type of the last exception that it recorded."""
        table = self._table
        entries, strange = table.entries, table.strange
        reading = Reading()
        ranks = source.ranks.copy()
        for fills, value in source.inherited:
            fill(reading, ranks, fills, value)
        seen: dict[str, Any] = {}
        met = 0
        for pair in span.attributes:
            key = pair.key
            entry = entries.get(key)
            if entry is None:
                if key not in strange and table.is_known(key):
                    seen[key] = any_value(pair.value)
                    met |= table.met_by_prefix(key)
                continue
            form = pair.value
            # Most are text or integers: those are not asked which form they have.
            value = form.string_value or form.int_value or any_value(form)
            asking, fills = entry
            for slot, name, parse, rank in fills:
                # Not only smaller: of a repeated key the last counts, and a span's attribute replaces its resource's.
                if rank <= ranks[slot] and (parsed := parse(value)) is not None:
                    setattr(reading, name, parsed)
                    ranks[slot] = rank
            if asking:
                seen[key] = value
                met |= asking
        exception = None
        if events or span.events:
            exception, met = self._read_events(span, events, reading, ranks, seen, met)
        if met:
            seen |= {"otel.span.name": span.name, "otel.scope.name": source.scope_name}
            derive(table.conventions, met, seen, reading)
        _settle(reading, ranks)
        return reading, exception

    def _read_events(
        self,
        span: Span,
        others: Iterable[EventContent],
        reading: Reading,
        ranks: list[int],
        seen: dict[str, Any],
        met: int,
    ) -> tuple[str | None, int]:
        """Take over what GenAI events say about the span; answers the type of the last recorded exception."""
        exception: str | None = None
        said: list[EventContent] = []
        for event in span.events:
            name = event.name
            if name == "exception":
                for pair in event.attributes:
                    if pair.key == "exception.type":
                        exception = text(any_value(pair.value))
            elif name.startswith("gen_ai."):
                said.append(content_of_event(name, attributes_of(event.attributes)))
        said.extend(others)
        received: list[dict[str, Any]] = []
        answered: list[dict[str, Any]] = []
        for found in said:
            received.extend(found.input)
            answered.extend(found.output)
            for key, value in found.attributes.items():
                asking, fills = self._table.entry(key)
                fill(reading, ranks, fills, value, EVENT)
                if asking and key not in seen:
                    seen[key] = value
                    met |= asking
        if reading.input is None and received:
            reading.input = received
        if reading.output is None and answered:
            reading.output = answered
        return exception, met


class SpanSource:
    """Resource and scope of spans: what they say for every span, and the start of every span's digest.

    `inherited`: attributes of the resource with what is done with them.
    """

    __slots__ = ("_hash", "inherited", "ranks", "scope_name", "service")

    def __init__(self, resource: Resource | None, scope: InstrumentationScope | None, table: ConventionTable) -> None:
        self.ranks = table.unfilled()
        self.inherited: list[tuple[tuple[Fill, ...], Any]] = []
        self.service: str | None = None
        self.scope_name = "" if scope is None else scope.name
        encoded_resource = b"" if resource is None else resource.SerializeToString()
        encoded_scope = b"" if scope is None else scope.SerializeToString()
        if resource is not None:
            for pair in resource.attributes:
                if pair.key == "service.name":
                    self.service = text(any_value(pair.value))
                elif pair.key in _INHERITED and pair.key in table.entries:
                    self.inherited.append((table.entries[pair.key][1], any_value(pair.value)))
        self._hash = blake2b(digest_size=DIGEST_BYTES)
        for part in (encoded_resource, encoded_scope):
            self._hash.update(len(part).to_bytes(8, "big"))
            self._hash.update(part)

    def digest(self, raw: bytes) -> bytes:
        """BLAKE2b-128 over resource, scope and the span."""
        copy = self._hash.copy()
        copy.update(raw)
        return copy.digest()


def any_value(value: AnyValue) -> Any:
    """A Python value of an OTLP AnyValue; bytes as base64 text, no value as None."""
    form = value.WhichOneof("value")
    if form == "string_value":
        return value.string_value
    if form == "int_value":
        return value.int_value
    if form == "double_value":
        return value.double_value
    if form == "bool_value":
        return value.bool_value
    if form == "array_value":
        return [any_value(item) for item in value.array_value.values]
    if form == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    if form == "bytes_value":
        return base64.b64encode(value.bytes_value).decode("ascii")
    return None


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes as a dictionary; of a repeated key the last counts."""
    return {pair.key: any_value(pair.value) for pair in pairs}


def _settle(reading: Reading, ranks: list[int]) -> None:
    """What follows from the whole reading, whichever conventions it came from."""
    if reading.kind is None and reading.model is not None:
        reading.kind = Kind.LLM
    if (reading.kind in AGGREGATING) != (reading.operation in AGGREGATING_OPERATIONS):
        # Hourly usage tells by the operation whether tokens repeat those of the calls below.
        reading.operation = None
    if reading.agent_version is not None:
        named, versioned = ranks[AGENT_ID], ranks[AGENT_VERSION]
        if named < UNFILLED and versioned < UNFILLED and named // STRIDE != versioned // STRIDE:
            # The version of an agent that another convention names differently.
            reading.agent_version = None
    # Parts that are greater than the whole were counted beside it, as Anthropic's API counts cached tokens.
    if reading.input_tokens is not None:
        cached = (reading.cache_read_tokens or 0) + (reading.cache_write_tokens or 0)
        if cached > reading.input_tokens:
            reading.input_tokens += cached
    if reading.output_tokens is not None and (reading.reasoning_tokens or 0) > reading.output_tokens:
        reading.output_tokens += reading.reasoning_tokens or 0


def _counts(reading: Reading) -> Counts:
    return (
        reading.input_tokens,
        reading.output_tokens,
        reading.cache_read_tokens,
        reading.cache_write_tokens,
        reading.reasoning_tokens,
        reading.input_audio_tokens,
        reading.output_audio_tokens,
    )


def _row(
    span: Span, raw: bytes, source: SpanSource, reading: Reading, exception: str | None, cost: int | None
) -> SpanRow:
    kind = KIND_NAMES[reading.kind or Kind.OTHER]
    status = span.status.code
    parent = span.parent_span_id
    name = span.name
    if "\x00" in name:
        name = name.replace("\x00", "\ufffd")
    form = span.kind
    # In the order of the fields, and without the constructor: it costs as much as everything else here.
    values = (
        span.trace_id,
        span.span_id,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        parent if parent and parent != _NO_PARENT else None,
        name[:MAXIMUM_NAME],
        kind,
        form if 0 <= form <= 5 else 0,
        status if 0 <= status <= SpanStatus.ERROR else SpanStatus.UNSET,
        reading.operation or kind,
        reading.provider,
        reading.model,
        reading.input_tokens,
        reading.output_tokens,
        reading.cache_read_tokens,
        reading.cache_write_tokens,
        reading.reasoning_tokens,
        reading.audio_tokens,
        cost,
        reading.session_id,
        reading.user_id,
        reading.tool_name,
        # A library's `error.type` may stand on a span that recovered; an exception is an error only with the status.
        (reading.error_type or exception or "error") if status == SpanStatus.ERROR else None,
        reading.agent_id,
        reading.agent_version,
        reading.mode or LIVE,
        source.service,
        len(raw),
        source.digest(raw),
    )
    return _tuple(SpanRow, values)

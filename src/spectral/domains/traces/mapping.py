"""An OTLP span, its scope and resource → our vocabulary. Pure: the same bytes always give the same row."""

import base64
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.conventions.base import Convention, text
from spectral.domains.traces.conventions.gen_ai import INPUT_EVENTS, OUTPUT_EVENTS
from spectral.domains.traces.conventions.registry import load_conventions
from spectral.domains.traces.vocabulary import LIVE, Kind, MappedSpan, Reading, SpanRow, SpanStatus

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


class SpanMapper:
    """Reads spans with a fixed list of conventions; the earlier one wins where two name the same thing."""

    def __init__(self, conventions: Sequence[Convention] | None = None) -> None:
        self._conventions = tuple(conventions) if conventions is not None else load_conventions()
        # For each attribute a bit per convention that reads it: one whose attributes a span lacks is not asked.
        self._readers: dict[str, int] = {}
        for number, convention in enumerate(self._conventions):
            for key in convention.keys:
                self._readers[key] = self._readers.get(key, 0) | 1 << number
        self._prefixes = tuple(prefix for convention in self._conventions for prefix in convention.prefixes)
        self._prefix_readers = sum(1 << number for number, found in enumerate(self._conventions) if found.prefixes)
        self._everyone = (1 << len(self._conventions)) - 1

    def source(self, resource: Resource | None, scope: InstrumentationScope | None) -> "SpanSource":
        """What the spans of one scope of one resource have in common."""
        return SpanSource(resource, scope)

    def map(self, span: Span, raw: bytes, source: "SpanSource") -> MappedSpan:
        """The row of a valid span, and what only its trace keeps. `raw`: the span's encoding."""
        attributes = dict(source.inherited)
        readers, prefixes, prefix_readers = self._readers, self._prefixes, self._prefix_readers
        asked = self._everyone if attributes or span.events else 0
        for pair in span.attributes:
            key = pair.key
            if (bits := readers.get(key)) is not None:
                asked |= bits
            elif key.startswith(prefixes):
                asked |= prefix_readers
            else:
                continue
            attributes[key] = any_value(pair.value)
        exception = self._read_events(span, attributes) if span.events else None
        reading = Reading()
        for number, convention in enumerate(self._conventions):
            if asked & 1 << number:
                convention.read(attributes, reading)
        return MappedSpan(
            _row(span, raw, source, reading, exception),
            reading.input,
            reading.output,
            reading.tags,
            reading.agent_is_explicit,
        )

    def _read_events(self, span: Span, attributes: dict[str, Any]) -> str | None:
        """Take over what GenAI events say about the span; answers the type of the last recorded exception.

        Deprecated instrumentations put each message into a `gen_ai.<role>.message` or `gen_ai.choice` event.
        """
        exception: str | None = None
        for event in span.events:
            name = event.name
            if name == "exception":
                for pair in event.attributes:
                    if pair.key == "exception.type":
                        exception = text(any_value(pair.value))
            elif name.startswith("gen_ai."):
                found = {pair.key: any_value(pair.value) for pair in event.attributes}
                if name.endswith(".message") or name == "gen_ai.choice":
                    side = OUTPUT_EVENTS if name == "gen_ai.choice" else INPUT_EVENTS
                    role = name.removeprefix("gen_ai.").removesuffix(".message")
                    attributes.setdefault(side, []).append(
                        {
                            "role": found.get("role", "assistant" if role == "choice" else role),
                            "content": found.get("content", found.get("message")),
                        }
                    )
                else:
                    for key, value in found.items():
                        if key in self._readers:
                            attributes.setdefault(key, value)
        return exception


class SpanSource:
    """Resource and scope of spans: their inherited attributes, service name, and the start of every span's digest."""

    __slots__ = ("_hash", "inherited", "service")

    def __init__(self, resource: Resource | None, scope: InstrumentationScope | None) -> None:
        self.inherited: dict[str, Any] = {}
        self.service: str | None = None
        encoded_resource = b"" if resource is None else resource.SerializeToString()
        encoded_scope = b"" if scope is None else scope.SerializeToString()
        if resource is not None:
            for pair in resource.attributes:
                if pair.key == "service.name":
                    self.service = text(any_value(pair.value))
                elif pair.key in _INHERITED:
                    self.inherited[pair.key] = any_value(pair.value)
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


def _row(span: Span, raw: bytes, source: SpanSource, reading: Reading, exception: str | None) -> SpanRow:
    kind = reading.kind or Kind.OTHER
    failed = span.status.code == SpanStatus.ERROR
    parent = span.parent_span_id
    name = span.name.replace("\x00", "\ufffd") if "\x00" in span.name else span.name
    return SpanRow(
        trace_id=span.trace_id,
        span_id=span.span_id,
        started_at=span.start_time_unix_nano,
        ended_at=span.end_time_unix_nano,
        parent_span_id=parent if any(parent) else None,
        name=name[:MAXIMUM_NAME],
        kind=str(kind),
        otel_kind=span.kind if 0 <= span.kind <= 5 else 0,
        status=span.status.code if 0 <= span.status.code <= SpanStatus.ERROR else SpanStatus.UNSET,
        operation=reading.operation or str(kind),
        provider=reading.provider,
        model=reading.model,
        input_tokens=reading.input_tokens,
        output_tokens=reading.output_tokens,
        cache_read_tokens=reading.cache_read_tokens,
        cache_write_tokens=reading.cache_write_tokens,
        reasoning_tokens=reading.reasoning_tokens,
        audio_tokens=reading.audio_tokens,
        cost_nano_usd=reading.cost_nano_usd,
        session_id=reading.session_id,
        user_id=reading.user_id,
        tool_name=reading.tool_name,
        # A library's `error.type` may stand on a span that recovered; an exception is an error only with the status.
        error_type=(reading.error_type or exception or "error") if failed else None,
        agent_id=reading.agent_id,
        agent_version=reading.agent_version,
        mode=reading.mode or LIVE,
        service=source.service,
        encoded_length=len(raw),
        digest=source.digest(raw),
    )

"""What was sent for a span, out of its chunk."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from spectral.domains.traces.ingestion.chunks import RawSpan, winners
from spectral.domains.traces.mapping import SpanMapper, attributes_of
from spectral.domains.traces.messages import messages_of, tool_call, tool_calls_of
from spectral.domains.traces.preview import parse_content
from spectral.domains.traces.vocabulary import MappedSpan

CostSource = Literal["reported", "computed"]
"""`reported` by the instrumentation, or `computed` from tokens with the table of `pricing.py`."""


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """An event of a span; `time` in nanoseconds."""

    time: int
    name: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SpanLink:
    """A link of a span."""

    trace_id: bytes
    span_id: bytes
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SpanBody:
    """Everything of a span that its row does not hold.

    `input` and `output`: messages as `messages.py` has them where the content is messages; else JSON text is parsed.
    `tool_calls`: what the model asked for. `cost_source` says where the cost of the row comes from, None for no cost.
    """

    attributes: dict[str, Any]
    events: list[SpanEvent]
    links: list[SpanLink]
    status_message: str
    resource: dict[str, Any]
    scope_name: str
    scope_version: str
    scope_attributes: dict[str, Any]
    input: Any
    output: Any
    tool_calls: list[dict[str, Any]]
    prompt_template: Any
    prompt_variables: Any
    cost_source: CostSource | None


def span_bodies(
    chunks: Iterable[tuple[bytes, int]], wanted: frozenset[bytes], mapper: SpanMapper
) -> dict[bytes, SpanBody]:
    """The bodies of the wanted spans by span id, from the chunks (payload, codec) of their trace."""
    return {
        span_id: _body(mapped, raw, mapper)
        for span_id, (mapped, raw) in winners(chunks, mapper).items()
        if span_id in wanted
    }


def _body(mapped: MappedSpan, raw: RawSpan, mapper: SpanMapper) -> SpanBody:
    span, scope = raw.span, raw.scope
    reading, _ = mapper.read(span, mapper.source(raw.resource, scope))
    received, answered = parse_content(mapped.input), parse_content(mapped.output)
    messages = messages_of(answered)
    instructions = parse_content(reading.instructions)
    calls = [tool_call(call) for call in reading.tool_calls] if reading.tool_calls else tool_calls_of(messages)
    source: CostSource | None = None
    if mapped.row.cost_nano_usd is not None:
        source = "computed" if reading.cost_nano_usd is None else "reported"
    return SpanBody(
        attributes=attributes_of(span.attributes),
        events=[
            SpanEvent(min(event.time_unix_nano, 2**63 - 1), event.name, attributes_of(event.attributes))
            for event in span.events
        ],
        links=[SpanLink(link.trace_id, link.span_id, attributes_of(link.attributes)) for link in span.links],
        status_message=span.status.message,
        resource=attributes_of(raw.resource.attributes) if raw.resource is not None else {},
        scope_name=scope.name if scope is not None else "",
        scope_version=scope.version if scope is not None else "",
        scope_attributes=attributes_of(scope.attributes) if scope is not None else {},
        input=messages_of(received, instructions) or received,
        output=messages or answered,
        tool_calls=calls,
        prompt_template=parse_content(reading.prompt_template),
        prompt_variables=parse_content(reading.prompt_variables),
        cost_source=source,
    )

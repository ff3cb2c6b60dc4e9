"""Message content that comes as log events, and the spans that it belongs to. Pure.

Instrumentations may record the messages of a model call as log records with the call's trace and span id instead of
writing them on the span. Joined to the span they are its events, wherever a span is read.
Source: OpenTelemetry semantic conventions, "Generative AI events".
"""

from collections.abc import Mapping

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.otlp.requests import (
    LOG_RECORDS,
    MAXIMUM_TIME,
    OTHER_LOG,
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
)

CONTENT_EVENTS = (
    "gen_ai.system.message",
    "gen_ai.user.message",
    "gen_ai.assistant.message",
    "gen_ai.tool.message",
    "gen_ai.choice",
    "gen_ai.client.inference.operation.details",
)
"""The names of the events that are stored, in the order in which those of one moment are read."""

_PLACES = {name: place for place, name in enumerate(CONTENT_EVENTS)}
_NAME_ATTRIBUTE = "event.name"

LogEvents = dict[bytes, dict[bytes, Span.Event]]
"""The events of each span of one trace by the event's encoding, so that copies are one."""


def rejected_because(record: LogRecord, earliest: int = 0) -> str | None:
    """The reason for which a log record is not stored, or None."""
    if event_name(record) not in _PLACES:
        return OTHER_LOG
    trace_id, span_id = record.trace_id, record.span_id
    if len(trace_id) != TRACE_ID_BYTES or not any(trace_id) or len(span_id) != SPAN_ID_BYTES or not any(span_id):
        return "event_without_span"
    if not 0 < time_of(record) <= MAXIMUM_TIME:
        return "event_without_time"
    return "older_than_retention" if time_of(record) < earliest else None


def event_name(record: LogRecord) -> str:
    """The name of the event that a log record is; older SDKs have it as an attribute. Empty for other log records."""
    if record.event_name:
        return record.event_name
    for pair in record.attributes:
        if pair.key == _NAME_ATTRIBUTE:
            return pair.value.string_value
    return ""


def time_of(record: LogRecord) -> int:
    """When it happened, or else when it was seen; nanoseconds, 0 where neither is known."""
    return record.time_unix_nano or record.observed_time_unix_nano


def collect_events(logs: LogsData, events: LogEvents) -> None:
    """Add the events of a chunk to those that are known."""
    for _, _, records in LOG_RECORDS.parts(logs):
        for record in records:
            event = span_event(record)
            events.setdefault(record.span_id, {})[event.SerializeToString(deterministic=True)] = event


def span_event(record: LogRecord) -> Span.Event:
    """The log record as an event of its span: the members of its body are attributes, as in the deprecated events."""
    event = Span.Event(time_unix_nano=time_of(record), name=event_name(record))
    event.dropped_attributes_count = record.dropped_attributes_count
    event.attributes.extend(pair for pair in record.attributes if pair.key != _NAME_ATTRIBUTE)
    form = record.body.WhichOneof("value")
    if form == "kvlist_value":
        event.attributes.extend(record.body.kvlist_value.values)
    elif form is not None:
        event.attributes.append(KeyValue(key="content", value=record.body))
    return event


def joined(span: Span, events: Mapping[bytes, Span.Event]) -> Span:
    """A copy of the span with these events behind its own, in the order of their time.

    Events that it has already, because a span that was read is sent again, are not added.
    """
    own = {event.SerializeToString(deterministic=True) for event in span.events}
    added = sorted(
        (event.time_unix_nano, _PLACES.get(event.name, len(_PLACES)), encoded)
        for encoded, event in events.items()
        if encoded not in own
    )
    whole = Span()
    whole.CopyFrom(span)
    whole.events.extend(events[encoded] for _, _, encoded in added)
    return whole

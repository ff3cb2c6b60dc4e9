import itertools
import json
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, SeverityNumber

from spectral.domains.traces.errors import MalformedOtlpError
from spectral.domains.traces.ingestion.chunks import CODEC_ZSTD_LOGS
from spectral.domains.traces.ingestion.log_batch import prepare_events
from spectral.domains.traces.ingestion.log_events import (
    CONTENT_EVENTS,
    LogEvents,
    collect_events,
    joined,
    rejected_because,
)
from spectral.domains.traces.otlp.json_logs import decode_logs_json
from spectral.domains.traces.otlp.requests import LOG_RECORDS, Rejections, decode_signal
from tests.domains.traces.log_samples import conversation, make_logs, make_record
from tests.domains.traces.otlp.test_json_requests import otlp_json
from tests.domains.traces.otlp_samples import MAPPER, SPAN_ID, START, TRACE_ID, make_span


def decode(request: ExportLogsServiceRequest, kind: str) -> tuple[list[LogRecord], Rejections]:
    rejections = Rejections()
    if kind == "json":
        read = decode_logs_json(json.dumps(otlp_json(request)).encode(), rejections)
    else:
        read = decode_signal(request.SerializeToString(), rejections, LOG_RECORDS)
    assert read == request
    return [record for _, _, records in LOG_RECORDS.parts(read) for record in records], rejections


def read_with(*records: LogRecord, **attributes: Any) -> tuple[Any, Any]:
    """Input and output of a span with these events."""
    events: LogEvents = {}
    collect_events(LogsData(resource_logs=make_logs(*records).resource_logs), events)
    span = make_span(attributes=attributes)
    mapped = MAPPER.map(joined(span, events.get(SPAN_ID, {})), b"", MAPPER.source(None, None))
    return mapped.input, mapped.output


@pytest.mark.parametrize("kind", ["protobuf", "json"])
def test_log_records_are_read_from_both_encodings(kind: str) -> None:
    details = make_record(
        "gen_ai.client.inference.operation.details",
        severity="x",
        gen_ai__input__messages=[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
    )
    details.severity_number = SeverityNumber.SEVERITY_NUMBER_DEBUG
    details.severity_text = "DEBUG"
    details.flags = 1
    details.dropped_attributes_count = 2
    records, rejections = decode(make_logs(*conversation(), details, make_record("", "plain")), kind)
    assert len(records) == 5
    assert not rejections.count


def test_a_log_record_that_cannot_be_read_costs_only_itself() -> None:
    body = make_logs(make_record(body="good"), make_record(body="bad!"), make_record(body="fine")).SerializeToString()
    rejections = Rejections()
    request = decode_signal(body.replace(b"bad!", b"\xff\xfe\xfd\xfc"), rejections, LOG_RECORDS)
    assert len(request.resource_logs[0].scope_logs[0].log_records) == 2
    assert rejections.reasons == {"malformed_log_record": 1}
    document = json.loads(json.dumps(otlp_json(make_logs(make_record(), make_record()))))
    document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"] = 7
    rejections = Rejections()
    read = decode_logs_json(json.dumps(document).encode(), rejections)
    assert len(read.resource_logs[0].scope_logs[0].log_records) == 1
    assert rejections.reasons == {"malformed_log_record": 1}
    with pytest.raises(MalformedOtlpError):
        decode_signal(b"\xff\xff", Rejections(), LOG_RECORDS)
    with pytest.raises(MalformedOtlpError):
        decode_logs_json(b'{"resourceLogs": 1}', Rejections())


@pytest.mark.parametrize("name", CONTENT_EVENTS)
def test_content_events_of_a_span_are_taken(name: str) -> None:
    assert rejected_because(make_record(name)) is None
    # As SDKs sent the name before log records had a place for it.
    assert rejected_because(make_record("", event__name=name)) is None
    assert rejected_because(make_record(name), earliest=START + 2) == "older_than_retention"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (make_record(""), "not_a_content_event"),
        (make_record("gen_ai.evaluation.result"), "not_a_content_event"),
        (make_record("", event__name=7), "not_a_content_event"),
        (make_record(trace_id=b""), "event_without_span"),
        (make_record(trace_id=bytes(16)), "event_without_span"),
        (make_record(span_id=b""), "event_without_span"),
        (make_record(span_id=bytes(8)), "event_without_span"),
        (make_record(span_id=b"too long for it"), "event_without_span"),
        (make_record(time=2**63), "event_without_time"),
        (LogRecord(event_name="gen_ai.choice", trace_id=TRACE_ID, span_id=SPAN_ID), "event_without_time"),
    ],
)
def test_other_log_records_say_why_they_are_not(record: LogRecord, reason: str) -> None:
    assert rejected_because(record) == reason


def test_a_request_is_prepared_by_trace_and_counts_whom_it_brings_content_for() -> None:
    other = bytes([7] * 16)
    request = make_logs(*conversation(), make_record("plain log"), *conversation(trace_id=other), make_record(time=3))
    rejections = Rejections()
    prepared = prepare_events(request, rejections, earliest=START)
    assert rejections.reasons == {"not_a_content_event": 1, "older_than_retention": 1}
    assert "only log records that are GenAI content events are stored" in rejections.message
    assert prepared.accepted == 6
    assert prepared.spans_by_scope == {"tests": 2}
    assert set(prepared.traces) == {TRACE_ID, other}
    chunk, span_ids = prepared.traces[TRACE_ID]
    assert (chunk.codec, chunk.span_count, chunk.start_ns) == (CODEC_ZSTD_LOGS, 0, START + 1)
    assert set(span_ids) == {SPAN_ID}


def test_events_are_the_messages_of_their_span() -> None:
    asked, answered = read_with(*conversation())
    assert asked == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "where is it?"}]
    assert answered == [{"role": "assistant", "content": "at home"}]
    details = make_record(
        "gen_ai.client.inference.operation.details",
        gen_ai__input__messages=[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
        gen_ai__output__messages='[{"role":"assistant","parts":[{"type":"text","content":"ho"}]}]',
    )
    asked, answered = read_with(details)
    assert asked == [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
    assert answered == '[{"role":"assistant","parts":[{"type":"text","content":"ho"}]}]'
    assert read_with(make_record("gen_ai.user.message", "plain"))[0] == [{"role": "user", "content": "plain"}]
    own = read_with(*conversation(), **{"gen_ai.input.messages": "own"})
    assert own == ("own", [{"role": "assistant", "content": "at home"}])


def test_events_in_any_order_and_number_are_the_same_messages() -> None:
    records = conversation()
    tied = [make_record("gen_ai.user.message", {"content": str(n)}, time=START + 2) for n in range(3)]
    expected = read_with(*records, *tied)
    for order in itertools.permutations([*records, *tied]):
        assert read_with(*order, records[0]) == expected


def test_a_span_that_was_read_with_its_events_does_not_get_them_twice() -> None:
    events: LogEvents = {}
    collect_events(LogsData(resource_logs=make_logs(*conversation()).resource_logs), events)
    once = joined(make_span(), events[SPAN_ID])
    assert len(once.events) == 3
    assert joined(once, events[SPAN_ID]) == once

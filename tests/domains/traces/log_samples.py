"""Log records for tests, as GenAI instrumentations send them."""

from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from tests.domains.traces.otlp_samples import SPAN_ID, START, TRACE_ID, any_value, pairs

SCOPE = "tests"


def make_record(
    name: str = "gen_ai.user.message",
    body: Any = None,
    *,
    trace_id: bytes = TRACE_ID,
    span_id: bytes = SPAN_ID,
    time: int = START + 1,
    **attributes: Any,
) -> LogRecord:
    """A log record with an event name; attributes are given as `gen_ai__system="openai"`."""
    record = LogRecord(
        time_unix_nano=time,
        observed_time_unix_nano=time + 5,
        event_name=name,
        trace_id=trace_id,
        span_id=span_id,
        attributes=pairs({key.replace("__", "."): value for key, value in attributes.items()}),
    )
    if body is not None:
        record.body.CopyFrom(any_value(body))
    return record


def conversation(span_id: bytes = SPAN_ID, trace_id: bytes = TRACE_ID) -> list[LogRecord]:
    """What an instrumentation of the deprecated events sends for one call."""
    of_call: dict[str, Any] = {"span_id": span_id, "trace_id": trace_id, "gen_ai__system": "openai"}
    answer = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "at home"}}
    return [
        make_record("gen_ai.system.message", {"content": "be brief"}, time=START + 1, **of_call),
        make_record("gen_ai.user.message", {"content": "where is it?"}, time=START + 2, **of_call),
        make_record("gen_ai.choice", answer, time=START + 900, **of_call),
    ]


def make_logs(*records: LogRecord, scope: str = SCOPE) -> ExportLogsServiceRequest:
    """An export request of one resource and one scope."""
    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add()
    resource_logs.resource.attributes.extend(pairs({"service.name": "shop"}))
    scope_logs = resource_logs.scope_logs.add()
    scope_logs.scope.name = scope
    scope_logs.log_records.extend(records)
    return request

"""Export requests for log records in OTLP/JSON → the same messages as protobuf.

Source: OpenTelemetry protocol specification, "JSON Protobuf Encoding".
"""

from typing import Any

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber

from spectral.domains.traces.otlp.json_values import (
    ABSENT,
    ATTRIBUTE_LEVEL,
    UINT32,
    UINT64,
    BadValueError,
    decode_document,
    decode_message,
    enum,
    given,
    hexadecimal,
    integer,
    mapping,
    read_attributes,
    read_resource,
    read_scope,
    read_value,
    string,
)
from spectral.domains.traces.otlp.requests import LOG_RECORDS, Rejections, bound_lists, bound_request

_SEVERITIES = {name: int(number) for name, number in SeverityNumber.items()}


class _ScopeLogs(msgspec.Struct, rename="camel"):
    scope: msgspec.Raw = ABSENT
    log_records: list[msgspec.Raw] | None = None
    schema_url: str | None = None


class _ResourceLogs(msgspec.Struct, rename="camel"):
    resource: msgspec.Raw = ABSENT
    scope_logs: list[_ScopeLogs] | None = None
    schema_url: str | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_logs: list[_ResourceLogs] | None = None


_DECODER = msgspec.json.Decoder(_Request)


def decode_logs_json(body: bytes, rejections: Rejections) -> ExportLogsServiceRequest:
    """The export request. A log record that cannot be read is rejected, not its neighbours.

    Raises MalformedOtlpError when the body is not JSON or its outer structure is not that of an export request.
    """
    request = ExportLogsServiceRequest()
    document = decode_document(_DECODER, body)
    records = (scope.log_records for source in document.resource_logs or () for scope in source.scope_logs or ())
    bound_lists(records, rejections, LOG_RECORDS)
    for resource_logs in document.resource_logs or ():
        _resource_logs(resource_logs, request.resource_logs.add(), rejections)
    bound_request(request, len(body), rejections, LOG_RECORDS)
    return request


def _resource_logs(source: _ResourceLogs, target: ResourceLogs, rejections: Rejections) -> None:
    scopes = source.scope_logs or []
    try:
        if given(source.resource):
            read_resource(decode_message(source.resource, "resource"), target.resource)
    except BadValueError as error:
        for scope in scopes:
            rejections.add("malformed_resource", str(error), len(scope.log_records or ()))
        return
    target.schema_url = source.schema_url or ""
    for scope in scopes:
        _scope_logs(scope, target.scope_logs.add(), rejections)


def _scope_logs(source: _ScopeLogs, target: ScopeLogs, rejections: Rejections) -> None:
    records = source.log_records or []
    try:
        if given(source.scope):
            read_scope(decode_message(source.scope, "scope"), target.scope)
    except BadValueError as error:
        rejections.add("malformed_resource", str(error), len(records))
        return
    target.schema_url = source.schema_url or ""
    for raw in records:
        record = LogRecord()
        try:
            _record(decode_message(raw, "log record"), record)
        except BadValueError as error:
            rejections.add("malformed_log_record", str(error))
        else:
            target.log_records.append(record)


def _record(source: dict[str, Any], target: LogRecord) -> None:
    target.time_unix_nano = integer(source, "timeUnixNano", UINT64)
    target.observed_time_unix_nano = integer(source, "observedTimeUnixNano", UINT64)
    target.severity_number = enum(source, "severityNumber", _SEVERITIES)  # type: ignore[assignment]
    target.severity_text = string(source, "severityText")
    body = source.get("body")
    if body is not None:
        target.body.SetInParent()
        read_value(mapping(body, "body"), target.body, ATTRIBUTE_LEVEL - 1)
    read_attributes(source, target.attributes, ATTRIBUTE_LEVEL)
    target.dropped_attributes_count = integer(source, "droppedAttributesCount", UINT32)
    target.flags = integer(source, "flags", UINT32)
    target.trace_id = hexadecimal(source, "traceId")
    target.span_id = hexadecimal(source, "spanId")
    target.event_name = string(source, "eventName")

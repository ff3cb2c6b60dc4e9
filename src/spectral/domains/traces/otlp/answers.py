"""The answers of OTLP/HTTP: success, partial success, and every failure as `google.rpc.Status`.

All in the content type of the request. Source: OpenTelemetry protocol specification, "OTLP/HTTP Response".
"""

from typing import Any, NamedTuple

import msgspec
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc import code_pb2  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import BadRequest, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from litestar import Request, Response
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from spectral.domains.traces.otlp.requests import JSON, PROTOBUF, Rejections, otlp_content_type
from spectral.platform.shared.errors import SpectralError, ValidationFailedError

OTLP_PREFIX = "/otel"

_CODES = {
    400: code_pb2.INVALID_ARGUMENT,
    401: code_pb2.UNAUTHENTICATED,
    403: code_pb2.PERMISSION_DENIED,
    404: code_pb2.NOT_FOUND,
    405: code_pb2.UNIMPLEMENTED,
    408: code_pb2.DEADLINE_EXCEEDED,
    409: code_pb2.ABORTED,
    413: code_pb2.RESOURCE_EXHAUSTED,
    415: code_pb2.INVALID_ARGUMENT,
    422: code_pb2.INVALID_ARGUMENT,
    429: code_pb2.RESOURCE_EXHAUSTED,
    503: code_pb2.UNAVAILABLE,
}


class ExportAnswer(NamedTuple):
    """The message that answers an export, and its field for how much was rejected."""

    message: type[Message]
    rejected: str


TRACES = ExportAnswer(ExportTraceServiceResponse, "rejected_spans")
LOGS = ExportAnswer(ExportLogsServiceResponse, "rejected_log_records")
METRICS = ExportAnswer(ExportMetricsServiceResponse, "rejected_data_points")


def export_answer(rejections: Rejections, content_type: str, form: ExportAnswer = TRACES) -> bytes:
    """The body of a 200: empty where everything was taken, else how much was rejected and why."""
    answer: Any = form.message()
    if rejections.count:
        setattr(answer.partial_success, form.rejected, rejections.count)
        answer.partial_success.error_message = rejections.message
    encoded: bytes = answer.SerializeToString()
    if content_type == JSON:
        # Of 64-bit integers the JSON mapping of protobuf makes strings.
        return msgspec.json.encode(MessageToDict(answer)) if encoded else b"{}"
    return encoded


def otlp_problem_renderer(request: Request[Any, Any, Any], error: SpectralError) -> Response[bytes]:
    """Any error under `/otel` as `google.rpc.Status`, in the request's content type, JSON where that is none of OTLP's.

    A validation error is a 400 here: OTLP knows no 422.
    """
    content_type = otlp_content_type(request.headers.get("content-type")) or JSON
    status = 400 if error.status == 422 else error.status
    retry_after = error.headers.get("Retry-After")
    violations = _violations(error) if status == 400 else []
    code = _CODES.get(status, code_pb2.INTERNAL if status >= 500 else code_pb2.FAILED_PRECONDITION)
    encode = _protobuf if content_type == PROTOBUF else _json
    return Response(
        content=encode(code, error.detail, violations, retry_after),
        status_code=status,
        media_type=content_type,
        headers=error.headers,
    )


def _violations(error: SpectralError) -> list[tuple[str, str]]:
    if isinstance(error, ValidationFailedError) and error.errors:
        return [(found.pointer, found.detail) for found in error.errors]
    return [("body", error.detail)]


def _protobuf(code: int, message: str, violations: list[tuple[str, str]], retry_after: str | None) -> bytes:
    status = Status(code=code, message=message)
    if violations:
        details = BadRequest()
        for place, description in violations:
            details.field_violations.add(field=place, description=description)
        status.details.add().Pack(details)
    if retry_after is not None:
        retry = RetryInfo()
        retry.retry_delay.seconds = int(retry_after)
        status.details.add().Pack(retry)
    encoded: bytes = status.SerializeToString()
    return encoded


def _json(code: int, message: str, violations: list[tuple[str, str]], retry_after: str | None) -> bytes:
    details: list[dict[str, Any]] = []
    if violations:
        details.append(
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{"field": place, "description": text} for place, text in violations],
            }
        )
    if retry_after is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{retry_after}s"})
    document: dict[str, Any] = {"code": code, "message": message}
    if details:
        document["details"] = details
    return msgspec.json.encode(document)

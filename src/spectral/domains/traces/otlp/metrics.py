"""Export requests for metrics: read as far as it takes to say how many data points were not stored."""

from collections.abc import Iterator
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from spectral.domains.traces.errors import MalformedOtlpError
from spectral.domains.traces.otlp.json_values import decode_document
from spectral.domains.traces.otlp.requests import JSON, Rejections

_FORMS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


class _Points(msgspec.Struct, rename="camel"):
    data_points: list[msgspec.Raw] | None = None


class _Metric(msgspec.Struct, rename="camel"):
    gauge: _Points | None = None
    sum: _Points | None = None
    histogram: _Points | None = None
    exponential_histogram: _Points | None = None
    summary: _Points | None = None


class _ScopeMetrics(msgspec.Struct, rename="camel"):
    metrics: list[_Metric] | None = None


class _ResourceMetrics(msgspec.Struct, rename="camel"):
    scope_metrics: list[_ScopeMetrics] | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_metrics: list[_ResourceMetrics] | None = None


_DECODER = msgspec.json.Decoder(_Request)


def reject_metrics(body: bytes, content_type: str) -> Rejections:
    """Every data point of an export request, rejected. Raises MalformedOtlpError."""
    request: Any
    if content_type == JSON:
        request = decode_document(_DECODER, body)
    else:
        try:
            request = ExportMetricsServiceRequest.FromString(body)
        except DecodeError as error:
            name = ExportMetricsServiceRequest.DESCRIPTOR.name
            raise MalformedOtlpError(f"The body is not an {name} in protobuf") from error
    rejections = Rejections()
    for metric in _metrics(request):
        for form in _FORMS:
            points = getattr(metric, form)
            rejections.add("metrics_not_stored", "", len(points.data_points or ()) if points is not None else 0)
    return rejections


def _metrics(request: Any) -> Iterator[Any]:
    for resource in request.resource_metrics or ():
        for scope in resource.scope_metrics or ():
            yield from scope.metrics or ()

"""OpenTelemetry as any process sets it up: where to is said by OTEL_EXPORTER_OTLP_ENDPOINT and its likes."""

import os

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def set_up_tracing() -> TracerProvider:
    """Spans go to the exporter, if the environment names one."""
    provider = TracerProvider(resource=Resource.create({"service.name": "support-agent"}))
    if "OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=200))
    trace.set_tracer_provider(provider)
    return provider

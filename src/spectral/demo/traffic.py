"""Traces of the demo agent, sent as any instrumented agent sends them: by the OpenTelemetry SDK over OTLP."""

import json
from collections.abc import Iterable
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from spectral.demo.dataset import Ticket


def send_traces(url: str, api_key: str, agent_id: str, answered: Iterable[tuple[Ticket, dict[str, Any]]]) -> int:
    """Export one trace for each ticket and the agent's answer to it; answers how many.

    Spans follow OpenTelemetry's semantic conventions for generative AI. Returns once the server has acknowledged.
    """
    exporter = OTLPSpanExporter(
        endpoint=f"{url}/otel/v1/traces", headers={"authorization": f"Bearer {api_key}"}, timeout=30
    )
    provider = TracerProvider(resource=Resource.create({"service.name": "demo-ticket-agent"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("spectral.demo")
    sent = 0
    for ticket, answer in answered:
        common = {
            "gen_ai.agent.id": agent_id,
            "gen_ai.agent.name": "Ticket triage",
            "gen_ai.conversation.id": ticket.session_id,
            "user.id": ticket.customer_id,
            "spectral.agent.id": agent_id,
            "spectral.agent.version": str(answer["version"]),
        }
        with tracer.start_as_current_span(
            "invoke_agent Ticket triage", attributes={"gen_ai.operation.name": "invoke_agent", **common}
        ) as agent:
            with tracer.start_as_current_span(f"chat {answer['model']}", kind=SpanKind.CLIENT) as call:
                call.set_attributes(
                    {
                        "gen_ai.operation.name": "chat",
                        "gen_ai.provider.name": "spectral-local",
                        "gen_ai.request.model": answer["model"],
                        "gen_ai.usage.input_tokens": answer["input_tokens"],
                        "gen_ai.usage.output_tokens": answer["output_tokens"],
                        "gen_ai.input.messages": _messages("user", ticket.text),
                        "gen_ai.output.messages": _messages("assistant", answer["output"] or ""),
                        **common,
                    }
                )
            if answer["error"]:
                agent.set_status(Status(StatusCode.ERROR, answer["error"]["type"]))
        sent += 1
    provider.shutdown()
    return sent


def _messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])

"""The official OpenTelemetry exporter, configured only through its environment variables, against a real server."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.domains.traces.otlp_samples import PROTOBUF, SECOND, make_request, make_span
from tests.fixtures.servers import ServerProcess
from tests.fixtures.tenants import Tenant, register_tenant

pytestmark = pytest.mark.slow

# What a user's program does: everything about Spectral is in the environment.
PROGRAM = """
import json
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("tests")
with tracer.start_as_current_span("answer", attributes={"spectral.agent.id": "support", "session.id": "s-1"}) as root:
    with tracer.start_as_current_span("chat small", kind=trace.SpanKind.CLIENT) as span:
        span.set_attribute("gen_ai.operation.name", "chat")
        span.set_attribute("gen_ai.provider.name", "openai")
        span.set_attribute("gen_ai.request.model", "small")
        span.set_attribute("gen_ai.usage.input_tokens", 12)
        span.set_attribute("gen_ai.usage.output_tokens", 3)
        span.set_attribute("gen_ai.input.messages", json.dumps([{"role": "user", "content": "hello"}]))
        span.set_attribute("gen_ai.output.messages", json.dumps([{"role": "assistant", "content": "hi"}]))
    try:
        with tracer.start_as_current_span("execute_tool find"):
            raise ValueError("not found")
    except ValueError:
        pass
provider.shutdown()
print(f"{root.get_span_context().trace_id:032x}")
"""


# As the instrumentations do that write what is said into log events: the names and shapes of
# OpenTelemetry's own for OpenAI, by default and with the events of its newer conventions.
EVENTS_PROGRAM = """
import time
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

traces, logs = TracerProvider(), LoggerProvider()
metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
tracer, logger = traces.get_tracer("openai_v2"), logs.get_logger("openai_v2")
tokens = metrics.get_meter("openai_v2").create_histogram("gen_ai.client.token.usage")
CALL = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "small"}


def emit(name, body=None, **attributes):
    logger.emit(event_name=name, body=body, attributes={"gen_ai.system": "openai", **attributes})


with tracer.start_as_current_span("answer") as root:
    with tracer.start_as_current_span("chat small", kind=trace.SpanKind.CLIENT, attributes=CALL):
        emit("gen_ai.system.message", {"content": "be brief"})
        emit("gen_ai.user.message", {"content": "hello"})
        emit("app.ready", "not about a model call")
        call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
        message = {"role": "assistant", "tool_calls": [call]}
        emit("gen_ai.choice", {"index": 0, "finish_reason": "tool_calls", "message": message})
    # The events leave, then their span; those of the second call leave after it.
    logs.force_flush()
    traces.force_flush()
    with tracer.start_as_current_span("chat small", kind=trace.SpanKind.CLIENT, attributes=CALL) as span:
        context = trace.set_span_in_context(span)
    traces.force_flush()
    logger.emit(
        event_name="gen_ai.client.inference.operation.details",
        context=context,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "and now?"}]}],
            "gen_ai.output.messages": [
                {"role": "assistant", "parts": [{"type": "text", "content": "hi"}], "finish_reason": "stop"}
            ],
        },
    )
    tokens.record(3)
for provider in (traces, logs, metrics):
    provider.shutdown()
print(f"{root.get_span_context().trace_id:032x}")
"""


def run_program(source: str, server: ServerProcess, api_key: str, folder: Path, **variables: str) -> str:
    """Run a user's program with everything about Spectral in its environment; answers what it printed."""
    environment = {
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{api_key}",
        "OTEL_SERVICE_NAME": "shop",
        "PATH": str(Path(sys.executable).parent),
    }
    done = subprocess.run(
        [sys.executable, "-c", source],
        env=environment | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Failed to export" not in done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
async def test_spans_of_the_official_exporter_are_listed(
    server: ServerProcess, tmp_path: Path, compression: str
) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        tenant = await register_tenant(client, "exporter")
        variables = {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{server.url}/otel/v1/traces",
            "OTEL_EXPORTER_OTLP_COMPRESSION": compression,
        }
        trace_id = run_program(PROGRAM, server, tenant.api_key, tmp_path, **variables)
        path = f"{tenant.url}/traces"
        listed = (await client.get(path, headers=tenant.client_headers)).json()
        (trace,) = listed["results"]
        assert trace["trace_id"] == trace_id
        assert (trace["name"], trace["span_count"], trace["error_count"]) == ("answer", 3, 1)
        assert (trace["service"], trace["agent_id"], trace["session_id"]) == ("shop", "support", "s-1")
        assert (trace["input_tokens"], trace["output_tokens"], trace["models"]) == (12, 3, ["small"])
        assert (trace["input_preview"], trace["output_preview"]) == ("hello", "hi")
        spans = (await client.get(f"{path}/{trace_id}/spans?include=body", headers=tenant.client_headers)).json()
        by_name = {span["name"]: span for span in spans["results"]}
        assert set(by_name) == {"answer", "chat small", "execute_tool find"}
        failed = by_name["execute_tool find"]
        assert (failed["status"], failed["error_type"]) == ("error", "ValueError")
        assert failed["body"]["events"][0]["attributes"]["exception.message"] == "not found"
        assert failed["parent_span_id"] == by_name["answer"]["span_id"]
        assert by_name["chat small"]["body"]["resource"]["telemetry.sdk.language"] == "python"


async def test_a_process_with_nothing_but_the_environment_block_is_seen_and_so_is_its_agent(
    server: ServerProcess, tmp_path: Path
) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        tenant = await register_tenant(client, "first")
        made = await client.post(f"{tenant.url}/keys", json={"name": "agent"}, headers=tenant.client_headers)
        block = made.json()["environment"]
        assert block["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"{server.url}/otel"
        done = subprocess.run(  # noqa: ASYNC221 - the server is another process
            [sys.executable, "-c", PROGRAM.replace('"spectral.agent.id": "support", ', "")],
            env=block,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        listed = (await client.get(f"{tenant.url}/traces", headers=tenant.client_headers)).json()
        (trace,) = listed["results"]
        assert trace["trace_id"] == done.stdout.strip()
        assert (trace["service"], trace["agent_id"], trace["output_preview"]) == ("my-agent", "my-agent", "hi")
        async with asyncio.timeout(20):
            while not (found := (await agents(client, tenant))["results"]):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        (agent,) = found
        assert (agent["name"], agent["status"], agent["external_key"]) == ("my-agent", "observed", "my-agent")
        health = (await client.get(f"{tenant.url}/health", headers=tenant.client_headers)).json()
        assert health["connection"]["status"] == "receiving"
        assert health["missing_content"] == []


async def agents(client: httpx.AsyncClient, tenant: Tenant) -> dict[str, Any]:
    answer = await client.get(f"{tenant.url}/agents?status=observed", headers=tenant.client_headers)
    return dict(answer.json())


@pytest.mark.parametrize("compression", ["none", "gzip"])
async def test_content_that_official_exporters_send_as_log_events_is_joined(
    server: ServerProcess, tmp_path: Path, compression: str
) -> None:
    """All three signals to one endpoint: other log records and metrics do not disturb."""
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        tenant = await register_tenant(client, "exporter")
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{server.url}/otel", "OTEL_EXPORTER_OTLP_COMPRESSION": compression}
        trace_id = run_program(EVENTS_PROGRAM, server, tenant.api_key, tmp_path, **variables)
        path = f"{tenant.url}/traces/{trace_id}"
        trace = (await client.get(path, headers=tenant.client_headers)).json()
        assert (trace["name"], trace["span_count"]) == ("answer", 3)
        assert (trace["input_preview"], trace["output_preview"]) == ("hello", "hi")
        found = (await client.get(f"{path}/spans?include=body", headers=tenant.client_headers)).json()["results"]
        bodies = [span["body"] for span in found if span["kind"] == "llm"]
        asked = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
        assert bodies[0]["input"] == asked
        assert "find" in str(bodies[0]["output"])
        assert "and now?" in str(bodies[1]["input"])
        stats = (await client.get("/otel/v1/traces/stats", headers=tenant.key_headers)).json()
        assert (stats["accepted_spans"], stats["accepted_log_records"]) == (3, 4)
        assert stats["rejected"] == {"not_a_content_event": 1}


async def test_a_kill_right_after_the_answer_loses_nothing(server: ServerProcess) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        tenant = await register_tenant(client, "durable")
        now = time.time_ns() // SECOND * SECOND
        for number in range(1, 6):
            body = make_request(make_span(trace_id=bytes([number] * 16), start=now, end=now + number))
            answer = await client.post(
                "/otel/v1/traces", content=body.SerializeToString(), headers=PROTOBUF | tenant.key_headers
            )
            assert answer.status_code == 200
    server.kill()
    server.start()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        listed = (await client.get(f"{tenant.url}/traces", headers=tenant.client_headers)).json()
        assert listed["pagination"]["total"] == 5
        assert {trace["trace_id"][:2] for trace in listed["results"]} == {f"{number:02x}" for number in range(1, 6)}

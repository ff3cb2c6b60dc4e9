"""The official OpenTelemetry exporter, configured only through its environment variables, against a real server."""

import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.domains.traces.otlp_samples import PROTOBUF, SECOND, make_request, make_span
from tests.fixtures.servers import ServerProcess
from tests.fixtures.tenants import register_tenant

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


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
async def test_spans_of_the_official_exporter_are_listed(
    server: ServerProcess, tmp_path: Path, compression: str
) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        tenant = await register_tenant(client, "exporter")
        environment = {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{server.url}/otel/v1/traces",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{tenant.api_key}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": compression,
            "OTEL_SERVICE_NAME": "shop",
            "PATH": str(Path(sys.executable).parent),
        }
        done = subprocess.run(  # noqa: ASYNC221 - the server is another process
            [sys.executable, "-c", PROGRAM],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert "Failed to export" not in done.stderr
        trace_id = done.stdout.strip()
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

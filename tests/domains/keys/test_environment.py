"""What a process needs in its environment, and which instrumentation lacks which switch."""

from urllib.parse import unquote

import httpx
import pytest

from spectral.domains.keys.environment import (
    INSTRUMENTATIONS,
    UNKNOWN,
    environment_block,
    environment_of,
    instrumentation_of,
)
from spectral.settings import Settings
from tests.fixtures.tenants import Tenant


async def test_a_new_key_comes_with_its_environment_filled_in(
    client: httpx.AsyncClient, tenant: Tenant, settings: Settings
) -> None:
    for path in ("", f"/{tenant.key_id}/rotate"):
        made = await client.post(
            f"{tenant.url}/keys{path}", json={} if path else {"name": "x"}, headers=tenant.client_headers
        )
        assert made.status_code == 201, made.text
        key = made.json()
        assert key["environment"] == environment_of(settings.address, key["key"])
        assert key["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"{settings.address}/otel"
        header = unquote(key["environment"]["OTEL_EXPORTER_OTLP_HEADERS"])
        assert header == f"authorization=Bearer {key['key']}"
        read = await client.get(made.headers["location"], headers=tenant.client_headers)
        assert "environment" not in read.json()
    reads = await client.post(
        f"{tenant.url}/keys", json={"name": "reads", "scopes": ["read:agents"]}, headers=tenant.client_headers
    )
    assert reads.json()["environment"] is None


def test_the_block_is_an_env_file_that_needs_no_quotes() -> None:
    lines = environment_block(environment_of("https://spectral.example.com/", "sk_live_abc")).splitlines()
    assert lines[:3] == [
        "OTEL_EXPORTER_OTLP_ENDPOINT=https://spectral.example.com/otel",
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20sk_live_abc",
    ]
    assert not any(character in line for line in lines for character in " '\"$#&;|<>")


@pytest.mark.parametrize(
    ("scope", "name", "switch"),
    [
        ("opentelemetry.instrumentation.openai_v2", "OpenTelemetry GenAI", "OTEL_SEMCONV_STABILITY_OPT_IN"),
        ("opentelemetry.instrumentation.genai.openai", "OpenTelemetry GenAI", "OTEL_SEMCONV_STABILITY_OPT_IN"),
        ("opentelemetry.instrumentation.openai.v1", "OpenLLMetry", "TRACELOOP_TRACE_CONTENT"),
        ("@traceloop/instrumentation-openai", "OpenLLMetry", "TRACELOOP_TRACE_CONTENT"),
        ("openinference.instrumentation.anthropic", "OpenInference", "OPENINFERENCE_HIDE_INPUTS"),
        ("ai", "Vercel AI SDK", None),
        ("pydantic-ai", "Pydantic AI", None),
        ("airflow", "unknown", None),
        ("", "unknown", None),
    ],
)
def test_a_scope_leads_to_its_switch(scope: str, name: str, switch: str | None) -> None:
    found = instrumentation_of(scope)
    assert found.name == name
    assert found.hint
    assert (switch in found.environment) if switch else not found.environment


def test_every_switch_of_an_instrumentation_is_in_the_block() -> None:
    block = environment_of("http://localhost:8000")
    for instrumentation in (*INSTRUMENTATIONS, UNKNOWN):
        assert instrumentation.environment.items() <= block.items()

"""Traces from plain JSON, and files of traces: what they become, what is refused, and what is never doubled."""

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar

from spectral.domains.traces.ingestion.ingestor import IngestionOverloadedError, TraceIngestor
from spectral.domains.traces.plain import importing
from spectral.platform.shared.clock import utc_now
from tests.domains.traces.otlp_samples import json_request, json_span
from tests.fixtures.tenants import Tenant

STARTED = "2026-11-20T10:00:00.5Z"
FULL: dict[str, Any] = {
    "name": "answer a question",
    "input": "Where is my order?",
    "output": {"text": "On its way."},
    "model": "made-up-model",
    "provider": "nobody",
    "input_tokens": 112,
    "output_tokens": 9,
    "cache_read_tokens": 100,
    "cost_usd": "0.0042",
    "started_at": STARTED,
    "latency_ms": 840.5,
    "session_id": "s-1",
    "user_id": "u-1",
    "tags": ["shop", "beta"],
    "metadata": {"region": "eu", "retries": 2, "vip": True, "cart": {"items": 3}},
    "agent_id": "support",
    "agent_version": "7",
    "service": "shop",
}


async def post(client: httpx.AsyncClient, tenant: Tenant, body: Any, **headers: str) -> httpx.Response:
    return await client.post(f"{tenant.url}/traces", json=body, headers=tenant.client_headers | headers)


async def read(client: httpx.AsyncClient, tenant: Tenant, path: str) -> dict[str, Any]:
    answer = await client.get(f"{tenant.url}/traces/{path}", headers=tenant.client_headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def total(client: httpx.AsyncClient, tenant: Tenant) -> int:
    answer = await client.get(f"{tenant.url}/traces", headers=tenant.client_headers)
    return int(answer.json()["pagination"]["total"])


async def test_plain_json_becomes_a_trace_like_any_other(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await post(client, tenant, FULL)
    assert answer.status_code == 201, answer.text
    stored = answer.json()
    assert answer.headers["location"] == f"{tenant.url}/traces/{stored['trace_id']}"
    trace = await read(client, tenant, stored["trace_id"])
    expected = {name: FULL[name] for name in ("name", "session_id", "user_id", "agent_id", "agent_version", "service")}
    expected |= {"input_tokens": 112, "output_tokens": 9, "cache_read_tokens": 100, "cost_usd": "0.0042"}
    expected |= {"started_at": "2026-11-20T10:00:00.500000000Z", "duration_ms": 840.5, "models": ["made-up-model"]}
    expected |= {"tags": ["beta", "shop"], "input_preview": "Where is my order?", "status": "unset", "span_count": 1}
    assert {name: trace[name] for name in expected} == expected
    assert "On its way." in trace["output_preview"]
    span = await read(client, tenant, f"{stored['trace_id']}/spans/{stored['span_ids'][0]}?include=body")
    assert (span["kind"], span["provider"]) == ("llm", "nobody")
    attributes = span["body"]["attributes"]
    assert (attributes["metadata.region"], attributes["metadata.vip"]) == ("eu", True)
    assert int(attributes["metadata.retries"]) == 2
    assert json.loads(attributes["metadata.cart"]) == {"items": 3}


async def test_steps_make_a_tree_and_a_failure_is_one(client: httpx.AsyncClient, tenant: Tenant) -> None:
    steps = [
        {"name": "plan", "id": "plan", "started_at": STARTED, "latency_ms": 10, "model": "m", "input_tokens": 3},
        {"tool_name": "search", "parent": "plan", "error": {"message": "no such index", "type": "NotFound"}},
        {"name": "end", "started_at": "2026-11-20T10:00:02Z", "ended_at": "2026-11-20T10:00:03Z"},
    ]
    answer = await post(client, tenant, {"spans": steps, "error": "gave up"})
    assert answer.status_code == 201, answer.text
    stored = answer.json()
    trace = await read(client, tenant, stored["trace_id"])
    # Without times of its own it lasts from its first step to its last.
    assert (trace["started_at"], trace["duration_ms"]) == ("2026-11-20T10:00:00.500000000Z", 2500.0)
    assert (trace["status"], trace["error_count"], trace["input_tokens"]) == ("error", 2, 3)
    listed = await read(client, tenant, f"{stored['trace_id']}/spans?include=body")
    spans = {span["span_id"]: span for span in listed["results"]}
    root, plan, search, end = (spans[span_id] for span_id in stored["span_ids"])
    assert [span["parent_span_id"] for span in (root, plan, search, end)] == [
        None,
        root["span_id"],
        plan["span_id"],
        root["span_id"],
    ]
    assert [span["kind"] for span in (root, plan, search, end)] == ["chain", "llm", "tool", "other"]
    assert (search["error_type"], search["tool_name"]) == ("NotFound", "search")
    assert search["body"]["status_message"] == "no such index"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "needs an input"),
        ({"input": "a", "latency": 3}, "/latency"),
        ({"input": "a", "latency_ms": -1}, "/latency_ms"),
        ({"input": "a", "started_at": "yesterday"}, "/started_at"),
        ({"input": "a", "started_at": STARTED, "ended_at": "2026-11-20T09:00:00Z"}, "before"),
        ({"input": "a", "started_at": STARTED, "ended_at": STARTED, "latency_ms": 1}, "two of"),
        ({"input": "a", "input_tokens": 1.5}, "/input_tokens"),
        ({"input": "a", "cost_usd": -1}, "/cost_usd"),
        ({"input": "a", "trace_id": "0" * 32}, "/trace_id"),
        ({"input": "a", "status": "ok", "error": "x"}, "status"),
        ({"input": "a", "spans": [{"parent": "x"}]}, "no span with the id x"),
        ({"spans": [{"id": "a", "parent": "b"}, {"id": "b", "parent": "a"}]}, "own ancestor"),
        ({"spans": [{"id": "a"}, {"id": "a"}]}, "two spans"),
        ({"spans": [{"kind": "spoon"}]}, "/spans/0/kind"),
        ([], "1 to 100"),
        ([{"input": "a"}] * 101, "1 to 100"),
        ([{}, {"latency_ms": -1}], "/1/latency_ms"),
    ],
)
async def test_what_makes_no_trace_is_refused_and_named(
    client: httpx.AsyncClient, tenant: Tenant, body: Any, named: str
) -> None:
    refused = await post(client, tenant, body)
    assert refused.status_code == 422, refused.text
    assert named in str(refused.json()["errors"])
    assert await total(client, tenant) == 0


async def test_only_who_may_write_writes(client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant) -> None:
    body = {"input": "a", "output": "x" * 300_000}
    url = f"{tenant.url}/traces"
    assert (await client.post(url, json=body)).status_code == 401
    assert (await client.post(url, json=body, headers=other_tenant.client_headers)).status_code == 404
    created = await client.post(url, json=body, headers=tenant.key_headers)
    assert created.status_code == 201, created.text
    half = await client.post(
        url, content=b'{"input": "\\ud800"}', headers=tenant.key_headers | {"content-type": "application/json"}
    )
    assert half.status_code == 400
    assert await total(client, tenant) == 1


async def test_a_list_is_answered_for_each_of_its_traces(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await post(client, tenant, [{"input": "a"}, {"input": "b", "latency_ms": -1}, {"output": "c"}])
    assert answer.status_code == 201, answer.text
    batch = answer.json()
    assert (batch["accepted"], batch["rejected"]) == (2, 1)
    assert [item["trace_id"] is None for item in batch["results"]] == [False, True, False]
    assert batch["results"][1]["errors"][0]["pointer"] == "/latency_ms"
    assert await total(client, tenant) == 2
    assert (await read(client, tenant, batch["results"][2]["trace_id"]))["output_preview"] == "c"


async def test_a_repetition_is_the_same_trace_even_where_its_answer_was_lost(
    client: httpx.AsyncClient, app: Litestar, tenant: Tenant
) -> None:
    body = [{"input": "a", "spans": [{"name": "step"}]}, {"input": "b"}]
    key = {"Idempotency-Key": "once"}
    first = await post(client, tenant, body, **key)
    again = await post(client, tenant, body, **key)
    assert first.json() == again.json()
    # A process that died after the commit left the spans, but no answer.
    plain = app.state.plain_traces
    repeated = await plain.store(tenant.access, body, 10, "once")
    assert repeated.model_dump() == first.json()
    assert await total(client, tenant) == 2
    other = await plain.store(tenant.access, [{"input": "c"}], 10, "once")
    assert other.results[0].trace_id not in first.text
    trace = await read(client, tenant, first.json()["results"][0]["trace_id"])
    assert trace["span_count"] == 2


async def test_masking_and_retention_are_for_everyone(client: httpx.AsyncClient, tenant: Tenant) -> None:
    chosen = {"retention_days": 10, "masking": {"detectors": ["email"]}}
    url = f"{tenant.url}/traces/settings"
    assert (await client.put(url, json=chosen, headers=tenant.client_headers)).status_code == 200
    old = (utc_now() - timedelta(days=11)).isoformat().replace("+00:00", "Z")
    answer = await post(client, tenant, [{"input": "a@b.example"}, {"input": "b", "started_at": old}])
    batch = answer.json()
    assert (batch["accepted"], batch["results"][1]["errors"][0]["pointer"]) == (1, "/started_at")
    trace = await read(client, tenant, batch["results"][0]["trace_id"])
    assert trace["input_preview"] == "[email]"


async def test_an_overloaded_server_says_so(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> None:
        raise IngestionOverloadedError("Too much is waiting to be stored", retry_after_s=1)

    monkeypatch.setattr(TraceIngestor, "take", full)
    monkeypatch.setattr(importing, "FIRST_PAUSE_S", 0.0)
    answer = await post(client, tenant, {"input": "a"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    answer = await import_file(client, tenant, line(1))
    assert answer.status_code == 503
    assert "line 1" in answer.json()["detail"]


# --------------------------------------------------------------------------------------------------------------- import


def line(*numbers: int) -> bytes:
    return json_request(*(json_span(traceId=f"{number:032x}", spanId=f"{number:016x}") for number in numbers)) + b"\n"


async def import_file(client: httpx.AsyncClient, tenant: Tenant, content: Any, **headers: str) -> httpx.Response:
    kind = {"content-type": "application/x-ndjson"} | headers
    return await client.post(f"{tenant.url}/traces/import", content=content, headers=tenant.client_headers | kind)


async def test_a_file_is_imported_and_its_bad_lines_are_named(client: httpx.AsyncClient, tenant: Tenant) -> None:
    bad_span = json_request(json_span(traceId="5" * 32), json_span(spanId="00")) + b"\n"
    content = b"\xef\xbb\xbf" + line(1) + b"\n{\n[]\n" + bad_span + b'{"resourceSpans": []}\n' + line(2, 3).rstrip()
    answer = await import_file(client, tenant, content)
    assert answer.status_code == 200, answer.text
    imported = answer.json()
    assert (imported["lines"], imported["failed_lines"]) == (6, 2)
    assert (imported["accepted_spans"], imported["rejected_spans"]) == (4, 1)
    assert sorted(error["line"] for error in imported["errors"]) == [3, 4, 5]
    assert await total(client, tenant) == 4
    again = await import_file(client, tenant, gzip.compress(content[:200]) + gzip.compress(content[200:]), **GZIP)
    assert again.json() == imported
    assert await total(client, tenant) == 4


GZIP = {"content-encoding": "gzip"}


async def test_what_is_exported_can_be_imported_again(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    stored = (await post(client, tenant, FULL | {"spans": [{"name": "step", "input": "π"}]})).json()
    exported = await client.get(f"{tenant.url}/traces/export", headers=tenant.client_headers)
    assert exported.status_code == 200, exported.text
    answer = await import_file(client, other_tenant, exported.content)
    assert (answer.json()["accepted_spans"], answer.json()["errors"]) == (2, [])
    ours, theirs = [await read(client, each, stored["trace_id"]) for each in (tenant, other_tenant)]
    assert ours == theirs


async def test_lines_are_bounded_and_read_as_they_come(
    client: httpx.AsyncClient, tenant: Tenant, app: Litestar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "GROUP_LINES", 2)
    monkeypatch.setattr(app.state.trace_import, "_line_bytes", 2_000)

    async def pieces() -> AsyncIterator[bytes]:
        content = b"".join(line(number) for number in range(1, 6)) + b"x" * 5_000 + b"\n" + line(6)
        for start in range(0, len(content), 700):
            yield content[start : start + 700]

    imported = (await import_file(client, tenant, pieces())).json()
    assert (imported["accepted_spans"], imported["failed_lines"]) == (6, 1)
    assert imported["errors"] == [{"line": 6, "detail": "has more than 2000 bytes"}]


@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (b"not gzip", "gzip", 400),
        (gzip.compress(b"\n")[:-4], "gzip", 400),
        (zlib.compress(b"\n"), "deflate", 415),
        (gzip.compress(b"\n" * 5_000), "gzip", 413),
    ],
    ids=["broken", "cut", "deflate", "bomb"],
)
async def test_a_file_that_cannot_be_read_is_refused(
    client: httpx.AsyncClient,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    encoding: str,
    status: int,
) -> None:
    monkeypatch.setattr(importing, "MAXIMUM_INFLATED_BYTES", 4_000)
    answer = await import_file(client, tenant, content, **{"content-encoding": encoding})
    assert answer.status_code == status, answer.text

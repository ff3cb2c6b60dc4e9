"""Traces as lines of OTLP/JSON: complete, resumable, and the same again when they are taken in elsewhere."""

import json
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.ingestion.chunks import RawSpan
from spectral.domains.traces.models import USAGE_HOURLY, SpanRecord, Trace
from spectral.domains.traces.otlp.json_requests import decode_json
from spectral.domains.traces.otlp.requests import Rejections
from spectral.domains.traces.otlp.writing import _request
from spectral.domains.traces.search.trace_batches import TraceBatches
from spectral.platform.db.session import Database
from tests.domains.traces.otlp_samples import JSON, PROTOBUF, SECOND, START, make_request, make_span, pairs
from tests.fixtures.tenants import Tenant


def full_span(number: int) -> Span:
    """A span with something in every field."""
    span = make_span(
        bytes([number] * 16),
        bytes([number] * 8),
        parent=bytes([number + 50] * 8) if number % 2 else b"",
        name=f"chat {number} é 🙂",
        start=START + (10 - number) * SECOND,
        end=START + 20 * SECOND,
        status=2 if number == 2 else 0,
        attributes={
            "text": 'say "hi"\n',
            "empty": "",
            "int": -(2**62),
            "double": 0.1,
            "whole": 2.0,
            "flag": False,
            "bytes": b"\x00\xff",
            "list": ["a", 1, None, {"b": [True]}],
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "model-a",
            "gen_ai.usage.input_tokens": number,
            "gen_ai.usage.cost": 0.25,
            "session.id": "s",
            "spectral.tags": ["one"],
            "gen_ai.input.messages": '[{"role":"user","content":"where is it?"}]',
        },
    )
    span.kind = Span.SpanKind.SPAN_KIND_CLIENT
    span.trace_state, span.flags = "a=b", 257
    span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count = 1, 2, 3
    span.events.add(name="exception", time_unix_nano=START, attributes=pairs({"exception.type": "X"}))
    span.links.add(trace_id=bytes([9] * 16), span_id=bytes([9] * 8), trace_state="c=d", flags=1)
    span.status.message = "broken"
    return span


async def export(client: httpx.AsyncClient, tenant: Tenant, *spans: Span, **resource: Any) -> None:
    body = make_request(*spans, resource=resource or None).SerializeToString()
    answer = await client.post("/otel/v1/traces", content=body, headers=PROTOBUF | tenant.key_headers)
    assert answer.status_code == 200, answer.content


async def lines(client: httpx.AsyncClient, tenant: Tenant, **query: Any) -> list[bytes]:
    answer = await client.get(f"{tenant.url}/traces/export", params=query, headers=tenant.client_headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return answer.content.splitlines()


def trace_ids(found: list[bytes]) -> list[int]:
    return [
        bytes.fromhex(json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"])[0] for line in found
    ]


def test_the_lines_are_the_standard_mapping_but_for_ids_and_enums() -> None:
    span = full_span(3)
    (resource_spans,) = _request([RawSpan(span, None, None, "https://a", "https://b")])["resourceSpans"]
    (scope_spans,) = resource_spans["scopeSpans"]
    (ours,) = scope_spans["spans"]
    assert (resource_spans["schemaUrl"], scope_spans["schemaUrl"]) == ("https://a", "https://b")
    theirs = MessageToDict(span, use_integers_for_enums=True)
    theirs |= {"traceId": span.trace_id.hex(), "spanId": span.span_id.hex(), "parentSpanId": span.parent_span_id.hex()}
    theirs["links"][0] |= {"traceId": bytes([9] * 16).hex(), "spanId": bytes([9] * 8).hex()}
    assert json.loads(json.dumps(ours)) == theirs


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.0, 1e308], ids=str)
def test_every_double_comes_back(value: float) -> None:
    span = make_span(attributes={"x": value})
    body = json.dumps(_request([RawSpan(span, None, None, "", "")])).encode()
    again = decode_json(body, Rejections()).resource_spans[0].scope_spans[0].spans[0]
    assert again.SerializeToString() == span.SerializeToString()


async def test_what_is_taken_in_again_is_the_same(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database
) -> None:
    await export(client, tenant, *(full_span(number) for number in range(1, 5)))
    # In a second batch and from another resource; a copy that loses, and a root that came last.
    await export(
        client,
        tenant,
        make_span(bytes([1] * 16), b"another_", start=START + 11 * SECOND, end=START + 12 * SECOND),
        host="b",
    )
    await export(client, tenant, make_span(bytes([2] * 16), bytes([2] * 8), start=START, end=START + SECOND))
    found = await lines(client, tenant)
    assert trace_ids(found) == [4, 3, 2, 1]
    for line in found:
        answer = await client.post("/otel/v1/traces", content=line, headers=JSON | other_tenant.key_headers)
        assert (answer.status_code, answer.content) == (200, b"{}")

    async def rows(tenant: Tenant, table: Any) -> list[Any]:
        columns = [column for column in table.columns if column.name not in {"workspace_id", "chunk_count"}]
        statement = sa.select(*columns).where(table.c.workspace_id == tenant.workspace_id).order_by(*columns[:6])
        async with database.transaction(tenant.access, read_only=True) as session:
            return [tuple(row) for row in await session.execute(statement)]

    for table in (SpanRecord.__table__, Trace.__table__, USAGE_HOURLY):
        ours = await rows(tenant, table)
        assert ours
        assert ours == await rows(other_tenant, table), table
    for number in range(1, 5):
        path = f"traces/{bytes([number] * 16).hex()}/spans?include=body"
        bodies = [
            (await client.get(f"{who.url}/{path}", headers=who.client_headers)).json()["results"]
            for who in (tenant, other_tenant)
        ]
        assert bodies[0] == bodies[1]
    assert sorted(await lines(client, other_tenant)) == sorted(found)


async def test_an_export_is_narrowed_and_goes_on_where_it_broke_off(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spectral.domains.traces.search.trace_batches.BATCH_SPANS", 1)
    await export(client, tenant, *(full_span(number) for number in range(1, 6)))
    assert trace_ids(await lines(client, tenant)) == [5, 4, 3, 2, 1]
    assert trace_ids(await lines(client, tenant, filter="status = error or duration_ms = 11s")) == [2, 1]
    assert trace_ids(await lines(client, tenant, filter='attr["gen_ai.usage.input_tokens"] > 3')) == [5, 4]
    assert trace_ids(await lines(client, tenant, cursor=bytes([4] * 16).hex())) == [3, 2, 1]
    for cursor in ("nonsense", "00" * 16):
        answer = await client.get(f"{tenant.url}/traces/export?cursor={cursor}", headers=tenant.client_headers)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "cursor")

    read = TraceBatches.read

    async def breaking(self: TraceBatches, *arguments: Any, **options: Any) -> Any:
        if arguments[2] is not None:
            raise OSError("no disk any more")
        return await read(self, *arguments, **options)

    monkeypatch.setattr(TraceBatches, "read", breaking)
    whole, last = await lines(client, tenant)
    assert trace_ids([whole]) == [5]
    problem = json.loads(last)["error"]
    assert (problem["status"], problem["instance"]) == (500, f"/api/v1/workspaces/{tenant.workspace_id}/traces/export")
    assert "disk" not in last.decode()
    # A receiver takes the last line for an empty request.
    answer = await client.post("/otel/v1/traces", content=last, headers=JSON | tenant.key_headers)
    assert answer.status_code == 200

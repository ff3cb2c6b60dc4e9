"""Traces over HTTP: OTLP in, spec-correct answers out; lists, details, spans and feedback."""

import gzip
import json
import zlib
from typing import Any

import httpx
import pytest
from google.rpc import code_pb2  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import BadRequest, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from litestar import Litestar
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from spectral.domains.traces.ingestion.ingestor import IngestionLimits
from tests.domains.traces.otlp_samples import (
    JSON,
    PROTOBUF,
    SECOND,
    SPAN_ID,
    START,
    TRACE_ID,
    json_request,
    json_span,
    make_request,
    make_span,
)
from tests.fixtures.tenants import Tenant

PATH = "/otel/v1/traces"
BODY = make_request(make_span()).SerializeToString()


async def export(client: httpx.AsyncClient, tenant: Tenant, *spans: Any) -> None:
    body = make_request(*spans).SerializeToString()
    answer = await client.post(PATH, content=body, headers=PROTOBUF | tenant.key_headers)
    assert answer.status_code == 200, answer.content


def protobuf_status(answer: httpx.Response) -> Status:
    assert answer.headers["content-type"] == "application/x-protobuf"
    return Status.FromString(answer.content)


def json_status(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/json"
    document: dict[str, Any] = answer.json()
    assert {"code", "message"} <= set(document) <= {"code", "message", "details"}
    return document


# ----------------------------------------------------------------------------------------------------------------- OTLP


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY, PROTOBUF),
        (gzip.compress(BODY), PROTOBUF | {"content-encoding": "gzip"}),
        (zlib.compress(BODY), PROTOBUF | {"content-encoding": "deflate"}),
        (json_request(json_span()), JSON),
        (gzip.compress(json_request(json_span())), JSON | {"content-encoding": "gzip"}),
        (json_request(json_span()), {"content-type": "application/json; charset=utf-8"}),
    ],
    ids=["protobuf", "protobuf gzip", "protobuf deflate", "json", "json gzip", "json with charset"],
)
async def test_spans_that_are_acknowledged_are_there(
    client: httpx.AsyncClient, tenant: Tenant, body: bytes, headers: dict[str, str]
) -> None:
    answer = await client.post(PATH, content=body, headers=headers | tenant.key_headers)
    assert answer.status_code == 200
    if headers is PROTOBUF:
        assert answer.headers["content-type"] == "application/x-protobuf"
        assert not ExportTraceServiceResponse.FromString(answer.content).HasField("partial_success")
    trace = (await client.get(f"{tenant.url}/traces/{TRACE_ID.hex()}", headers=tenant.client_headers)).json()
    assert (trace["name"], trace["span_count"], trace["service"]) == ("chat small", 1, "shop")


@pytest.mark.parametrize(("body", "headers"), [(b"", PROTOBUF), (b"{}", JSON), (b'{"resourceSpans":[]}', JSON)])
async def test_an_empty_request_succeeds(
    client: httpx.AsyncClient, tenant: Tenant, body: bytes, headers: dict[str, str]
) -> None:
    answer = await client.post(PATH, content=body, headers=headers | tenant.key_headers)
    assert (answer.status_code, answer.content) == (200, b"" if headers is PROTOBUF else b"{}")


async def test_some_bad_spans_are_a_partial_success(client: httpx.AsyncClient, tenant: Tenant) -> None:
    body = make_request(make_span(), make_span(span_id=b"x"), make_span(start=0)).SerializeToString()
    answer = await client.post(PATH, content=body, headers=PROTOBUF | tenant.key_headers)
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_spans) == (200, 2)
    assert "span_id must be 8 bytes" in partial.error_message
    mixed = json_request(json_span(spanId="zz"), json_span(spanId="00000000000000aa"))
    answer = await client.post(PATH, content=mixed, headers=JSON | tenant.key_headers)
    assert answer.status_code == 200
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"
    assert "hexadecimal" in answer.json()["partialSuccess"]["errorMessage"]
    spans = (await client.get(f"{tenant.url}/traces/{TRACE_ID.hex()}/spans", headers=tenant.client_headers)).json()
    assert {span["span_id"] for span in spans["results"]} == {SPAN_ID.hex(), "00000000000000aa"}
    stats = (await client.get(f"{PATH}/stats", headers=tenant.key_headers)).json()
    assert stats["accepted_spans"] == 2
    assert stats["rejected"] == {"invalid_span_id": 1, "malformed_span": 1, "missing_time": 1}


async def test_bad_data_is_a_status_with_its_details(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.post(PATH, content=b"\xff\xff", headers=PROTOBUF | tenant.key_headers)
    status = protobuf_status(answer)
    assert (answer.status_code, status.code) == (400, code_pb2.INVALID_ARGUMENT)
    details = BadRequest()
    assert status.details[0].Unpack(details)
    assert details.field_violations[0].field == "body"
    answer = await client.post(PATH, content=b"{", headers=JSON | tenant.key_headers)
    document = json_status(answer)
    assert (answer.status_code, document["code"]) == (400, 3)
    assert document["details"][0]["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert document["details"][0]["fieldViolations"][0]["description"] == "The body is not valid JSON"
    broken = gzip.compress(BODY)[:-4]
    headers = PROTOBUF | {"content-encoding": "gzip"} | tenant.key_headers
    assert (await client.post(PATH, content=broken, headers=headers)).status_code == 400
    stats = (await client.get(f"{PATH}/stats", headers=tenant.key_headers)).json()
    assert stats["rejected"] == {"malformed_otlp": 3}


@pytest.mark.parametrize("kind", ["application/x-protobuf", "application/json"])
async def test_who_may_not_is_told_in_their_own_protocol(client: httpx.AsyncClient, tenant: Tenant, kind: str) -> None:
    def read(answer: httpx.Response) -> int:
        if kind == "application/json":
            return int(json_status(answer)["code"])
        return int(protobuf_status(answer).code)

    headers = {"content-type": kind}
    anonymous = await client.post(PATH, content=b"", headers=headers)
    assert (anonymous.status_code, read(anonymous)) == (401, code_pb2.UNAUTHENTICATED)
    wrong = await client.post(PATH, content=b"", headers=headers | {"Authorization": "Bearer sk_live_wrong"})
    assert (wrong.status_code, read(wrong)) == (401, code_pb2.UNAUTHENTICATED)
    narrow = await client.post(
        f"{tenant.url}/keys", json={"name": "reader", "scopes": ["read:agents"]}, headers=tenant.client_headers
    )
    key = {"Authorization": f"Bearer {narrow.json()['key']}"}
    forbidden = await client.post(PATH, content=b"", headers=headers | key)
    assert (forbidden.status_code, read(forbidden)) == (403, code_pb2.PERMISSION_DENIED)
    method = await client.put(PATH, content=b"", headers=headers | tenant.key_headers)
    assert (method.status_code, read(method)) == (405, code_pb2.UNIMPLEMENTED)
    assert "POST" in method.headers["allow"]
    nowhere = await client.post("/otel/v1/profiles", content=b"", headers=headers | tenant.key_headers)
    assert (nowhere.status_code, read(nowhere)) == (404, code_pb2.NOT_FOUND)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-ndjson", ""])
async def test_other_content_types_are_a_415(client: httpx.AsyncClient, tenant: Tenant, kind: str) -> None:
    answer = await client.post(PATH, content=BODY, headers={"content-type": kind} | tenant.key_headers)
    assert (answer.status_code, json_status(answer)["code"]) == (415, 3)
    encoded = PROTOBUF | {"content-encoding": "br"} | tenant.key_headers
    assert (await client.post(PATH, content=BODY, headers=encoded)).status_code == 415


@pytest.mark.databases("sqlite")
async def test_a_body_over_the_limit_is_a_413(client: httpx.AsyncClient, tenant: Tenant, app: Litestar) -> None:
    app.state["trace_ingestor"]._limits = IngestionLimits(body_bytes=100_000)
    bomb = gzip.compress(bytes(1_000_000))
    answer = await client.post(PATH, content=bomb, headers=PROTOBUF | {"content-encoding": "gzip"} | tenant.key_headers)
    assert (answer.status_code, protobuf_status(answer).code) == (413, code_pb2.RESOURCE_EXHAUSTED)
    answer = await client.post(PATH, content=bytes(100_001), headers=JSON | tenant.key_headers)
    assert (answer.status_code, json_status(answer)["code"]) == (413, code_pb2.RESOURCE_EXHAUSTED)


@pytest.mark.databases("sqlite")
async def test_a_body_may_be_larger_than_those_of_other_routes(client: httpx.AsyncClient, tenant: Tenant) -> None:
    span = make_span(attributes={"gen_ai.prompt": "x" * 11 * 1024 * 1024})
    await export(client, tenant, span)


@pytest.mark.databases("sqlite")
async def test_overload_is_a_503_that_says_when_to_come_back(
    client: httpx.AsyncClient, tenant: Tenant, app: Litestar
) -> None:
    app.state["trace_ingestor"]._limits = IngestionLimits(pending_requests=0)
    answer = await client.post(PATH, content=BODY, headers=PROTOBUF | tenant.key_headers)
    status = protobuf_status(answer)
    assert (answer.status_code, status.code, answer.headers["retry-after"]) == (503, code_pb2.UNAVAILABLE, "1")
    retry = RetryInfo()
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 1
    answer = await client.post(PATH, content=b"{}", headers=JSON | tenant.key_headers)
    assert json_status(answer)["details"][0]["retryDelay"] == "1s"


async def test_a_person_names_the_workspace_in_a_header(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    send = PROTOBUF | tenant.client_headers
    unnamed = await client.post(PATH, content=BODY, headers=send)
    assert unnamed.status_code == 400
    theirs = await client.post(PATH, content=BODY, headers=send | {"X-Workspace-Id": str(other_tenant.workspace_id)})
    assert theirs.status_code == 404
    ours = await client.post(PATH, content=BODY, headers=send | {"X-Workspace-Id": str(tenant.workspace_id)})
    assert ours.status_code == 200
    key = await client.post(
        PATH,
        content=BODY,
        headers=PROTOBUF | tenant.key_headers | {"X-Workspace-Id": str(other_tenant.workspace_id)},
    )
    assert key.status_code == 404
    for who, total in ((tenant, 1), (other_tenant, 0)):
        listed = (await client.get(f"{who.url}/traces", headers=who.client_headers)).json()
        assert listed["pagination"]["total"] == total


# -------------------------------------------------------------------------------------------------------------- reading


async def test_the_same_trace_in_two_workspaces_is_two_traces(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    await export(client, tenant, make_span(name="ours"))
    await export(client, other_tenant, make_span(name="theirs"), make_span(span_id=b"another_", parent=SPAN_ID))
    path = f"traces/{TRACE_ID.hex()}"
    for who, name, count in ((tenant, "ours", 1), (other_tenant, "theirs", 2)):
        trace = (await client.get(f"{who.url}/{path}", headers=who.client_headers)).json()
        assert (trace["name"], trace["span_count"]) == (name, count)
        spans = (await client.get(f"{who.url}/{path}/spans?include=body", headers=who.client_headers)).json()
        assert len(spans["results"]) == count
        await client.post(f"{who.url}/{path}/feedback", json={"label": name}, headers=who.client_headers)
        feedback = (await client.get(f"{who.url}/{path}/feedback", headers=who.client_headers)).json()
        assert [found["label"] for found in feedback["results"]] == [name]
    for suffix in ("", "/spans", f"/spans/{SPAN_ID.hex()}", "/feedback"):
        answer = await client.get(f"{tenant.url}/{path}{suffix}", headers=other_tenant.client_headers)
        assert answer.status_code == 404
    foreign = await client.get(f"{tenant.url}/{path}/spans/{b'another_'.hex()}", headers=tenant.client_headers)
    assert foreign.status_code == 404


async def test_a_trace_shows_what_was_understood(client: httpx.AsyncClient, tenant: Tenant) -> None:
    root = make_span(
        name="answer a question",
        start=START + 123_456_789,
        end=START + 2 * SECOND,
        attributes={"spectral.agent.id": "a-1", "spectral.agent.version": 3, "session.id": "s-1", "user.id": "u-1"},
    )
    call = make_span(
        span_id=b"llmcall_",
        parent=SPAN_ID,
        start=START + 200_000_000,
        end=START + SECOND,
        status=2,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.output_tokens": 3,
            "gen_ai.usage.cost": 0.0042,
            "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"where is it?"}]}]',
            "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"at home"}]}]',
            "error.type": "timeout",
            "custom": "kept",
        },
    )
    await export(client, tenant, call)
    await export(client, tenant, root)
    trace = (await client.get(f"{tenant.url}/traces/{TRACE_ID.hex()}", headers=tenant.client_headers)).json()
    assert trace == {
        "trace_id": TRACE_ID.hex(),
        "name": "answer a question",
        "status": "unset",
        "started_at": "2025-11-21T12:00:00.123456789Z",
        "ended_at": "2025-11-21T12:00:02.000000000Z",
        "duration_ms": 1876.543211,
        "root_span_id": SPAN_ID.hex(),
        "span_count": 2,
        "error_count": 1,
        "error_type": "timeout",
        "input_tokens": 12,
        "output_tokens": 3,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "cost_usd": "0.0042",
        "unpriced_spans": 0,
        "models": ["gpt-4o"],
        "tags": [],
        "session_id": "s-1",
        "user_id": "u-1",
        "agent_id": "a-1",
        "agent_version": "3",
        "mode": "live",
        "service": "shop",
        "input_preview": "where is it?",
        "output_preview": "at home",
        "feedback_count": 0,
        "scores": {},
    }
    path = f"{tenant.url}/traces/{TRACE_ID.hex()}/spans"
    spans = (await client.get(path, headers=tenant.client_headers)).json()["results"]
    assert [(span["name"], span["kind"], span["body"]) for span in spans] == [
        ("answer a question", "other", None),
        ("chat small", "llm", None),
    ]
    span = (await client.get(f"{path}/{b'llmcall_'.hex()}", headers=tenant.client_headers)).json()
    assert (span["status"], span["cost_usd"], span["duration_ms"]) == ("error", "0.0042", 800.0)
    assert span["body"]["attributes"]["custom"] == "kept"
    assert span["body"]["output"] == [{"role": "assistant", "content": "at home"}]
    assert (span["body"]["tool_calls"], span["body"]["cost_source"]) == ([], "reported")
    included = (await client.get(path, params={"include": "body"}, headers=tenant.client_headers)).json()["results"]
    assert included[1]["body"] == span["body"]


async def fill(client: httpx.AsyncClient, tenant: Tenant) -> list[str]:
    """Ten traces, a minute apart; answers their ids, oldest first."""
    spans = [
        make_span(
            trace_id=bytes([number + 1] * 16),
            name=f"Trace {number} 100%" if number == 7 else f"trace {number}",
            start=START + 60 * number * SECOND,
            end=START + 60 * number * SECOND + (10 - number) * SECOND,
            status=2 if number % 3 == 0 else 1,
            attributes={
                "spectral.agent.id": "even" if number % 2 == 0 else "odd",
                "session.id": f"session {number // 5}",
                "user.id": f"user {number % 4}",
                "gen_ai.usage.input_tokens": number,
            }
            | ({"gen_ai.usage.cost": number / 100} if number % 2 else {})
            | ({"spectral.mode": "evaluation"} if number == 4 else {}),
        )
        for number in range(10)
    ]
    await export(client, tenant, *spans)
    return [span.trace_id.hex() for span in spans]


async def test_traces_are_filtered_and_sorted(client: httpx.AsyncClient, tenant: Tenant) -> None:
    ids = await fill(client, tenant)

    async def found(**query: Any) -> list[int]:
        answer = await client.get(f"{tenant.url}/traces", params=query, headers=tenant.client_headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["pagination"]["total"] == len(answer.json()["results"])
        return [ids.index(trace["trace_id"]) for trace in answer.json()["results"]]

    assert await found() == list(range(9, -1, -1))
    assert await found(sort="started_at") == list(range(10))
    assert await found(sort="duration_ms") == list(range(9, -1, -1))
    assert (await found(sort="-cost_usd"))[:5] == [9, 7, 5, 3, 1]
    assert (await found(sort="-tokens"))[:2] == [9, 8]
    assert await found(status="error") == [9, 6, 3, 0]
    assert await found(has_error="false", agent_id="even") == [8, 4, 2]
    assert await found(agent_id="odd", status="error") == [9, 3]
    assert await found(session_id="session 1", user_id="user 1") == [9, 5]
    assert await found(mode="evaluation") == [4]
    assert await found(name="TRACE 7") == [7]
    assert await found(name="100%") == [7]
    assert await found(name="%") == [7]
    assert await found(min_duration_ms="8000") == [2, 1, 0]
    assert await found(**{"from": "2025-11-21T12:08:00Z"}) == [9, 8]
    assert await found(**{"from": "2025-11-21T12:01:00Z", "to": "2025-11-21T12:03:00.000000000Z"}) == [2, 1]
    assert await found(service="shop", agent_version="1") == []


@pytest.mark.parametrize("sort", ["-started_at", "started_at", "-cost_usd", "cost_usd", "error_count", "-tokens"])
async def test_pages_follow_each_other_by_cursor_or_offset(
    client: httpx.AsyncClient, tenant: Tenant, sort: str
) -> None:
    await fill(client, tenant)
    whole = (await client.get(f"{tenant.url}/traces?sort={sort}", headers=tenant.client_headers)).json()["results"]
    by_cursor: list[Any] = []
    cursor: dict[str, Any] = {}
    for _ in range(4):
        page = (
            await client.get(
                f"{tenant.url}/traces", params={"sort": sort, "limit": 3, **cursor}, headers=tenant.client_headers
            )
        ).json()
        by_cursor += page["results"]
        assert page["pagination"]["total"] == 10
        cursor = {"cursor": page["pagination"]["next_cursor"]}
    assert cursor == {"cursor": None}
    assert by_cursor == whole
    offset = await client.get(f"{tenant.url}/traces?sort={sort}&limit=4&offset=5", headers=tenant.client_headers)
    assert offset.json()["results"] == whole[5:9]


async def test_spans_are_paged_in_the_order_of_their_start(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await export(
        client, tenant, *(make_span(span_id=bytes([9 - number] * 8), start=START + number // 2) for number in range(9))
    )
    found: list[str] = []
    cursor: dict[str, Any] = {}
    for _ in range(3):
        page = (
            await client.get(
                f"{tenant.url}/traces/{TRACE_ID.hex()}/spans",
                params={"limit": 4, **cursor},
                headers=tenant.client_headers,
            )
        ).json()
        found += [span["span_id"][:2] for span in page["results"]]
        cursor = {"cursor": page["pagination"]["next_cursor"]}
    assert found == ["08", "09", "06", "07", "04", "05", "02", "03", "01"]
    assert cursor == {"cursor": None}


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("sort=name", "sort"),
        ("limit=101", "limit"),
        ("limit=0", "limit"),
        ("offset=-1", "offset"),
        ("cursor=nonsense", "cursor"),
        ("cursor=WyItc3RhcnRlZF9hdCIsMSwiIl0&offset=1", "offset"),
        ("status=broken", "status"),
        ("has_error=perhaps", "has_error"),
        ("from=yesterday", "from"),
        ("to=2025-11-21", "to"),
        ("min_duration_ms=-1", "min_duration_ms"),
        ("min_duration_ms=nan", "min_duration_ms"),
        (f"name={'x' * 600}", "name"),
    ],
)
async def test_a_bad_query_is_a_422_that_names_its_parameter(
    client: httpx.AsyncClient, tenant: Tenant, query: str, pointer: str
) -> None:
    answer = await client.get(f"{tenant.url}/traces?{query}", headers=tenant.client_headers)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("identifier", ["unknown", "5b8e", "00" * 16, "zz" * 16, "5b8efff7 98038103d269b633813fc60c"])
async def test_what_is_not_there_is_a_404(client: httpx.AsyncClient, tenant: Tenant, identifier: str) -> None:
    await export(client, tenant, make_span())
    for suffix in ("", "/spans", f"/spans/{SPAN_ID.hex()}", "/feedback"):
        answer = await client.get(f"{tenant.url}/traces/{identifier}{suffix}", headers=tenant.client_headers)
        assert answer.status_code == 404, suffix
        assert answer.headers["content-type"] == "application/problem+json"
    for suffix in ("00" * 8, "zz", "12345678"):
        answer = await client.get(f"{tenant.url}/traces/{TRACE_ID.hex()}/spans/{suffix}", headers=tenant.client_headers)
        assert answer.status_code == 404


async def test_an_api_key_writes_traces_and_does_not_read_them(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await export(client, tenant, make_span())
    for suffix in ("", f"/{TRACE_ID.hex()}", f"/{TRACE_ID.hex()}/spans", f"/{TRACE_ID.hex()}/feedback"):
        assert (await client.get(f"{tenant.url}/traces{suffix}", headers=tenant.key_headers)).status_code == 403
        assert (await client.get(f"{tenant.url}/traces{suffix}")).status_code == 401
    assert (await client.get(f"{PATH}/stats", headers=tenant.key_headers)).status_code == 200
    anonymous = await client.get(f"{PATH}/stats")
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, code_pb2.UNAUTHENTICATED)


# ------------------------------------------------------------------------------------------------------------- feedback


async def test_feedback_is_given_counted_and_withdrawn(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await export(client, tenant, make_span())
    path = f"{tenant.url}/traces/{TRACE_ID.hex()}"

    async def give(headers: dict[str, str], **body: Any) -> dict[str, Any]:
        answer = await client.post(f"{path}/feedback", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        given: dict[str, Any] = answer.json()
        assert answer.headers["location"] == f"{path}/feedback/{given['id']}"
        return given

    first = await give(tenant.client_headers, name="helpful", score=1, comment="just right")
    await give(tenant.key_headers, name="helpful", score=0.5, span_id=SPAN_ID.hex().upper())
    await give(tenant.client_headers, label="polite")
    assert (first["span_id"], first["created_by"]) == (None, f"user:{tenant.user_id}")
    trace = (await client.get(path, headers=tenant.client_headers)).json()
    assert (trace["feedback_count"], trace["scores"]) == (3, {"helpful": 0.75})
    # Further spans leave the feedback alone.
    await export(client, tenant, make_span(span_id=b"another_"))
    listed = (await client.get(f"{path}/feedback", headers=tenant.client_headers)).json()
    assert [found["label"] for found in listed["results"]] == ["polite", None, None]
    assert listed["results"][1]["span_id"] == SPAN_ID.hex()
    assert listed["results"][1]["created_by"] == f"key:{tenant.key_id}"
    gone = await client.delete(f"{path}/feedback/{first['id']}", headers=tenant.client_headers)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await client.delete(f"{path}/feedback/{first['id']}", headers=tenant.client_headers)).status_code == 404
    trace = (await client.get(path, headers=tenant.client_headers)).json()
    assert (trace["feedback_count"], trace["scores"], trace["span_count"]) == (2, {"helpful": 0.5}, 2)
    assert (await client.delete(f"{path}/feedback", headers=tenant.client_headers)).status_code == 204
    trace = (await client.get(path, headers=tenant.client_headers)).json()
    assert (trace["feedback_count"], trace["scores"]) == (0, {})


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"name": "only a name"}, 422),
        ({"score": "high"}, 422),
        ({"score": 1, "stars": 5}, 422),
        ({"label": ""}, 422),
        ({"label": "x" * 201}, 422),
        ({"score": 1, "name": "with space"}, 422),
        ({"score": 1, "span_id": "xyz"}, 422),
        ({"score": 1, "span_id": "00000000000000ff"}, 404),
        ({"comment": "a\x00b"}, 400),
        ([], 422),
        ("score", 422),
    ],
)
async def test_bad_feedback_changes_nothing(client: httpx.AsyncClient, tenant: Tenant, body: Any, status: int) -> None:
    await export(client, tenant, make_span())
    path = f"{tenant.url}/traces/{TRACE_ID.hex()}"
    answer = await client.post(f"{path}/feedback", json=body, headers=tenant.client_headers)
    assert answer.status_code == status, answer.text
    raw = await client.post(f"{path}/feedback", content=b'{"score": NaN}', headers=JSON | tenant.client_headers)
    assert raw.status_code in {400, 422}
    unknown = await client.post(
        f"{tenant.url}/traces/{'11' * 16}/feedback", json={"score": 1}, headers=tenant.key_headers
    )
    assert unknown.status_code == 404
    listed = (await client.get(f"{path}/feedback", headers=tenant.client_headers)).json()
    assert listed["pagination"]["total"] == 0


async def test_nobody_else_gives_or_withdraws_feedback(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    await export(client, tenant, make_span())
    await export(client, other_tenant, make_span())
    path = f"{tenant.url}/traces/{TRACE_ID.hex()}/feedback"
    given = (await client.post(path, json={"score": 1}, headers=tenant.client_headers)).json()
    for headers, status in ((other_tenant.client_headers, 404), (other_tenant.key_headers, 404), ({}, 401)):
        assert (await client.post(path, json={"score": 1}, headers=headers)).status_code == status
        assert (await client.delete(path, headers=headers)).status_code == status
        assert (await client.delete(f"{path}/{given['id']}", headers=headers)).status_code == status
    stranger = f"{other_tenant.url}/traces/{TRACE_ID.hex()}/feedback/{given['id']}"
    assert (await client.delete(stranger, headers=other_tenant.client_headers)).status_code == 404
    listed = (await client.get(path, headers=tenant.client_headers)).json()
    assert [found["id"] for found in listed["results"]] == [given["id"]]


@pytest.mark.databases("sqlite")
async def test_feedback_with_an_idempotency_key_is_given_once(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await export(client, tenant, make_span())
    path = f"{tenant.url}/traces/{TRACE_ID.hex()}/feedback"
    headers = tenant.client_headers | {"Idempotency-Key": "once"}
    answers = [await client.post(path, json={"score": 1}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert json.loads(answers[0].content) == json.loads(answers[1].content)
    assert (await client.get(path, headers=tenant.client_headers)).json()["pagination"]["total"] == 1

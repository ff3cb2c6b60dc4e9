"""Content that comes as log events over HTTP, the log records that are not stored, and metrics, which never are."""

import gzip
import json
import random
from typing import Any

import httpx
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from litestar import Litestar
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spectral.domains.traces.ingestion.ingestor import IngestionLimits
from tests.domains.traces.log_samples import conversation, make_logs, make_record
from tests.domains.traces.otlp.test_json_requests import otlp_json
from tests.domains.traces.otlp_samples import JSON, PROTOBUF, SECOND, SPAN_ID, START, TRACE_ID, make_request, make_span
from tests.fixtures.tenants import Tenant

TRACES, LOGS, METRICS = "/otel/v1/traces", "/otel/v1/logs", "/otel/v1/metrics"
CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "small", "gen_ai.usage.input_tokens": 12}
SECOND_CALL = b"second__"


async def post(
    client: httpx.AsyncClient, tenant: Tenant, message: ExportTraceServiceRequest | ExportLogsServiceRequest
) -> httpx.Response:
    path = TRACES if isinstance(message, ExportTraceServiceRequest) else LOGS
    body = message.SerializeToString()
    answer = await client.post(path, content=body, headers=PROTOBUF | tenant.key_headers)
    assert answer.status_code == 200, answer.content
    return answer


async def told(client: httpx.AsyncClient, tenant: Tenant, trace_id: bytes = TRACE_ID) -> dict[str, Any]:
    """All that is shown of a trace."""
    path = f"{tenant.url}/traces/{trace_id.hex()}"
    trace = await client.get(path, headers=tenant.client_headers)
    assert trace.status_code == 200, trace.text
    spans = await client.get(f"{path}/spans", params={"include": "body"}, headers=tenant.client_headers)
    return {"trace": trace.json(), "spans": spans.json()["results"]}


def messages() -> list[ExportTraceServiceRequest | ExportLogsServiceRequest]:
    """A trace of a root and two model calls with their content in log events, in many requests, some of it twice."""
    root = make_span(name="answer", span_id=b"root____", end=START + 9 * SECOND)
    first = make_span(parent=b"root____", attributes=CALL)
    second = make_span(span_id=SECOND_CALL, parent=b"root____", start=START + SECOND, end=START + 2 * SECOND)
    second.attributes.extend(first.attributes)
    longer = make_span(span_id=SECOND_CALL, parent=b"root____", start=START + SECOND, end=START + 3 * SECOND)
    longer.attributes.extend(first.attributes)
    events = conversation()
    others = conversation(SECOND_CALL)
    return [
        make_request(root),
        make_request(first),
        make_request(second),
        make_request(longer, first),
        make_logs(*events),
        make_logs(events[1], others[0]),
        make_logs(*others[1:]),
        make_logs(*others[1:]),
    ]


async def test_content_is_joined_to_its_span_in_any_order(client: httpx.AsyncClient, tenant: Tenant) -> None:
    """Spans before or after their events, events twice or batched differently: the same is shown."""
    shown = []
    for order in range(5):
        trace_id = bytes([order + 1] * 16)
        sent = messages()
        random.Random(order).shuffle(sent)  # noqa: S311 - an order that is the same every time
        if order == 0:
            sent = messages()
        for message in sent:
            moved: Any = type(message)()
            moved.ParseFromString(message.SerializeToString().replace(TRACE_ID, trace_id))
            await post(client, tenant, moved)
        found = await told(client, tenant, trace_id)
        shown.append(json.loads(json.dumps(found).replace(trace_id.hex(), TRACE_ID.hex())))
    assert all(found == shown[0] for found in shown)
    trace = shown[0]["trace"]
    assert (trace["name"], trace["span_count"], trace["input_tokens"]) == ("answer", 3, 24)
    assert (trace["input_preview"], trace["output_preview"]) == ("where is it?", "at home")
    calls = [span for span in shown[0]["spans"] if span["kind"] == "llm"]
    assert len(calls) == 2
    for call in calls:
        assert [event["name"] for event in call["body"]["events"]] == [
            "gen_ai.system.message",
            "gen_ai.user.message",
            "gen_ai.choice",
        ]
        assert call["body"]["output"] == [{"role": "assistant", "content": "at home"}]
    listed = (await client.get(f"{tenant.url}/traces", headers=tenant.client_headers)).json()
    assert listed["pagination"]["total"] == 5


async def test_events_without_their_span_are_kept_and_not_shown(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    await post(client, tenant, make_logs(*conversation()))
    path = f"{tenant.url}/traces"
    listed = (await client.get(path, headers=tenant.client_headers)).json()
    assert (listed["results"], listed["pagination"]["total"]) == ([], 0)
    assert (await client.get(f"{path}/{TRACE_ID.hex()}", headers=tenant.client_headers)).status_code == 404
    # The same ids elsewhere are another span.
    await post(client, other_tenant, make_request(make_span(attributes=CALL)))
    assert (await told(client, other_tenant))["trace"]["input_preview"] is None
    await post(client, tenant, make_request(make_span(attributes=CALL)))
    assert (await told(client, tenant))["trace"]["input_preview"] == "where is it?"
    # Only once it is shown is there something to delete.
    deleted = await client.delete(f"{path}/{TRACE_ID.hex()}", headers=tenant.client_headers)
    assert deleted.is_success, deleted.text
    await post(client, tenant, make_request(make_span(attributes=CALL)))
    assert (await told(client, tenant))["trace"]["input_preview"] is None


async def test_other_log_records_are_a_partial_success_that_says_what_is_taken(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    plain = make_record("", "user logged in")
    request = make_logs(plain, make_record("session.start"), *conversation(), make_record(span_id=b""))
    answer = await post(client, tenant, request)
    assert answer.headers["content-type"] == "application/x-protobuf"
    partial = ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_log_records == 3
    assert "2 × only log records that are GenAI content events are stored" in partial.error_message
    assert "1 × a content event must have the trace_id and span_id" in partial.error_message
    document = json.dumps(otlp_json(make_logs(plain))).encode()
    answer = await client.post(LOGS, content=document, headers=JSON | tenant.key_headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["partialSuccess"]["rejectedLogRecords"] == "1"
    stats = (await client.get(f"{TRACES}/stats", headers=tenant.key_headers)).json()
    assert stats["rejected"] == {"event_without_span": 1, "not_a_content_event": 3}
    assert (stats["accepted_spans"], stats["accepted_log_records"]) == (0, 3)


@pytest.mark.databases("sqlite")
async def test_the_logs_endpoint_has_the_answers_of_the_traces_endpoint(
    client: httpx.AsyncClient, tenant: Tenant, app: Litestar
) -> None:
    for empty, headers in ((b"", PROTOBUF), (b"{}", JSON), (gzip.compress(b""), PROTOBUF)):
        encoding = {"content-encoding": "gzip"} if empty not in {b"", b"{}"} else {}
        answer = await client.post(LOGS, content=empty, headers=headers | encoding | tenant.key_headers)
        assert (answer.status_code, answer.content) == (200, b"{}" if headers is JSON else b"")
    body = make_logs(*conversation()).SerializeToString()
    good = PROTOBUF | tenant.key_headers

    async def refused(status: int, content: bytes, headers: dict[str, str], path: str) -> None:
        answer = await client.post(path, content=content, headers=headers)
        assert answer.status_code == status
        assert Status.FromString(answer.content).message
        assert ("retry-after" in answer.headers) == (status == 503)

    for path in (LOGS, METRICS):
        await refused(400, b"\xff\xff", good, path)
        await refused(401, body, PROTOBUF, path)
        await refused(415, body, good | {"content-encoding": "br"}, path)
        assert (await client.get(path, headers=good)).status_code == 405
        wrong = await client.post(path, content=b"[", headers=JSON | tenant.key_headers)
        assert (wrong.status_code, wrong.json()["code"]) == (400, 3)
        assert (await client.post(path, content=b"", headers={"content-type": "text/plain"} | good)).status_code != 500
    ingestor = app.state["trace_ingestor"]
    ingestor._limits = IngestionLimits(body_bytes=1_000)
    bomb = gzip.compress(bytes(100_000))
    for path in (LOGS, METRICS):
        await refused(413, bytes(1_001), good, path)
        await refused(413, bomb, good | {"content-encoding": "gzip"}, path)
    ingestor._limits = IngestionLimits(pending_requests=0)
    for path in (LOGS, METRICS):
        await refused(503, body, good, path)


@pytest.mark.databases("sqlite")
async def test_metrics_are_a_partial_success_that_says_so(client: httpx.AsyncClient, tenant: Tenant) -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="a").gauge.data_points.add(as_int=1)
    metrics.add(name="b").sum.data_points.add(as_double=1.5)
    for _ in range(3):
        metrics.add(name="c").histogram.data_points.add(count=1)
    metrics.add(name="d").exponential_histogram.data_points.add(count=1)
    metrics.add(name="e").summary.data_points.add(count=1)
    metrics.add(name="nothing")
    answer = await client.post(METRICS, content=request.SerializeToString(), headers=PROTOBUF | tenant.key_headers)
    partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_data_points) == (200, 7)
    assert "metrics are not stored" in partial.error_message
    document = gzip.compress(json.dumps(otlp_json(request)).encode())
    headers = JSON | {"content-encoding": "gzip"} | tenant.key_headers
    answer = await client.post(METRICS, content=document, headers=headers)
    assert answer.json()["partialSuccess"]["rejectedDataPoints"] == "7"
    for empty, kind in ((b"", PROTOBUF), (b"{}", JSON)):
        answer = await client.post(METRICS, content=empty, headers=kind | tenant.key_headers)
        assert (answer.status_code, answer.content) == (200, empty)


async def test_masking_holds_for_log_events(client: httpx.AsyncClient, tenant: Tenant) -> None:
    settings = {"masking": {"detectors": ["email"]}}
    changed = await client.put(f"{tenant.url}/traces/settings", json=settings, headers=tenant.client_headers)
    assert changed.status_code == 200, changed.text
    record = make_record("gen_ai.user.message", {"content": "write to ann@example.com"})
    await post(client, tenant, make_logs(record))
    await post(client, tenant, make_request(make_span(attributes=CALL)))
    found = await told(client, tenant)
    assert "ann@example.com" not in json.dumps(found)
    assert found["trace"]["input_preview"].startswith("write to ")


async def test_what_hostile_log_records_say_can_be_read_again(client: httpx.AsyncClient, tenant: Tenant) -> None:
    deep: Any = "x"
    for _ in range(29):
        deep = {"k": deep}
    content: list[Any] = ["a\x00b", "", [], {}, deep, 1.5, float("nan"), "y" * 1_000_000, [None, {"role": None}], b"\0"]
    records = [
        *(make_record("gen_ai.user.message", {"content": item}, time=START + n) for n, item in enumerate(content)),
        make_record("gen_ai.choice", "[" * 10_000),
        make_record("gen_ai.choice", {"message": {"content": '{"a": "\\ud800"}'}, "index": {}}),
        make_record("gen_ai.client.inference.operation.details", gen_ai__input__messages=['{"\\ud800": 1}', None]),
        make_record(
            "gen_ai.client.inference.operation.details", gen_ai__output__messages='["\\ud800"]', time=START + 8
        ),
    ]
    await post(client, tenant, make_logs(*records))
    await post(client, tenant, make_request(make_span(attributes=CALL), make_span(span_id=SECOND_CALL)))
    spans = {span["span_id"]: span for span in (await told(client, tenant))["spans"]}
    assert len(spans[SPAN_ID.hex()]["body"]["events"]) == len(records)
    assert not spans[SECOND_CALL.hex()]["body"]["events"]

"""OTLP/HTTP from outside: what the specification demands of a server, and what hostile senders get.

`clauses.toml` says which clause of the specification each of these tests proves.
"""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from google.rpc import code_pb2  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import BadRequest, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from litestar import Litestar
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from spectral.domains.traces.ingestion.ingestor import IngestionLimits
from spectral.settings import Settings
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
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import Tenant, register_tenant

PATH = "/otel/v1/traces"
KINDS = {"protobuf": PROTOBUF, "json": JSON}
BODIES = {"protobuf": make_request(make_span()).SerializeToString(), "json": json_request(json_span())}
ENCODINGS: dict[str, tuple[dict[str, str], Callable[[bytes], bytes]]] = {
    "none": ({}, bytes),
    "identity": ({"content-encoding": "identity"}, bytes),
    "gzip": ({"content-encoding": "gzip"}, gzip.compress),
    "deflate": ({"content-encoding": "deflate"}, zlib.compress),
}
RETRYABLE = {429, 502, 503, 504}


class Answer:
    """An answer to an export, whichever encoding it is in."""

    def __init__(self, answer: httpx.Response, kind: str) -> None:
        assert answer.headers["content-type"] == KINDS[kind]["content-type"]
        assert "content-encoding" not in answer.headers
        self.status = answer.status_code
        self.headers = answer.headers
        self.kind = kind
        self.content = answer.content

    @property
    def partial_success(self) -> tuple[int, str] | None:
        """(rejected spans, why); None where everything was taken."""
        if self.kind == "json":
            found = json.loads(self.content)
            assert found.keys() <= {"partialSuccess"}
            partial = found.get("partialSuccess")
            return None if partial is None else (int(partial["rejectedSpans"]), partial["errorMessage"])
        read = ExportTraceServiceResponse.FromString(self.content)
        partial = read.partial_success
        return (partial.rejected_spans, partial.error_message) if read.HasField("partial_success") else None

    @property
    def error(self) -> tuple[int, str, list[str], int | None]:
        """Code, message, the places of bad data, and after how many seconds to come back."""
        if self.kind == "json":
            found = json.loads(self.content)
            assert {"code", "message"} <= found.keys() <= {"code", "message", "details"}
            places, delay = [], None
            for detail in found.get("details", []):
                kind = detail["@type"].removeprefix("type.googleapis.com/google.rpc.")
                if kind == "BadRequest":
                    places = [violation["field"] for violation in detail["fieldViolations"]]
                else:
                    assert kind == "RetryInfo"
                    delay = int(detail["retryDelay"].removesuffix("s"))
            return found["code"], found["message"], places, delay
        status = Status.FromString(self.content)
        places, delay = [], None
        for detail in status.details:
            if detail.Is(BadRequest.DESCRIPTOR):
                bad = BadRequest()
                detail.Unpack(bad)
                places = [violation.field for violation in bad.field_violations]
            else:
                retry = RetryInfo()
                assert detail.Unpack(retry)
                delay = retry.retry_delay.seconds
        return status.code, status.message, places, delay


async def send(
    client: httpx.AsyncClient, tenant: Tenant, kind: str, body: Any = None, headers: dict[str, str] | None = None
) -> Answer:
    given = KINDS[kind] | tenant.key_headers | (headers or {})
    content = BODIES[kind] if body is None else body
    return Answer(await client.post(PATH, content=content, headers=given), kind)


async def spans_of(client: httpx.AsyncClient, tenant: Tenant, trace_id: str = TRACE_ID.hex()) -> dict[str, Any]:
    path = f"{tenant.url}/traces/{trace_id}/spans"
    answer = await client.get(path, params={"include": "body", "limit": 100}, headers=tenant.client_headers)
    assert answer.status_code == 200, answer.text
    # As strict as any reader of JSON may be.
    found = json.loads(answer.content, parse_constant=pytest.fail)
    return {span["span_id"]: span for span in found["results"]}


# ------------------------------------------------------------------------------------------------------------- success


async def test_both_encodings_with_every_compression_are_taken_by_one_path(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    for number, (kind, (name, (headers, compress))) in enumerate(
        [(kind, encoding) for kind in KINDS for encoding in ENCODINGS.items()], start=1
    ):
        trace_id = bytes([number] * 16)
        body = (
            make_request(make_span(trace_id, name=name)).SerializeToString()
            if kind == "protobuf"
            else json_request(json_span(traceId=trace_id.hex(), name=name))
        )
        answer = await send(client, tenant, kind, compress(body), headers)
        assert (answer.status, answer.partial_success) == (200, None), (kind, name)
        empty = await send(client, tenant, kind, compress(b"" if kind == "protobuf" else b"{}"), headers)
        assert (empty.status, empty.partial_success) == (200, None), (kind, name)
        (span,) = (await spans_of(client, tenant, trace_id.hex())).values()
        assert span["name"] == name


@pytest.mark.databases("sqlite")
async def test_envelopes_without_spans_succeed(client: httpx.AsyncClient, tenant: Tenant) -> None:
    no_spans = make_request()
    no_scopes = ExportTraceServiceRequest()
    no_scopes.resource_spans.add().resource.SetInParent()
    for message in (no_spans, no_scopes, ExportTraceServiceRequest()):
        assert (await send(client, tenant, "protobuf", message.SerializeToString())).partial_success is None
    for document in ("{}", '{"resourceSpans":[]}', '{"resourceSpans":[{}]}', '{"resourceSpans":[{"scopeSpans":[{}]}]}'):
        answer = await send(client, tenant, "json", document.encode())
        assert (answer.status, answer.partial_success) == (200, None)


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("kind", KINDS)
async def test_each_bad_span_is_rejected_and_counted_and_its_neighbours_are_stored(
    client: httpx.AsyncClient, tenant: Tenant, kind: str
) -> None:
    bad: dict[str, dict[str, Any]] = {
        "trace_id": {"traceId": "00" * 16},
        "span_id must": {"spanId": "ab"},
        "parent_span_id": {"parentSpanId": "ab"},
        "start_time_unix_nano": {"startTimeUnixNano": 0},
        "before start_time": {"endTimeUnixNano": START - 1},
    }
    if kind == "json":
        body = json_request(
            json_span(), *(json_span(**members) for members in bad.values()), json_span(spanId="ff" * 8)
        )
    else:
        body = make_request(
            make_span(),
            make_span(trace_id=bytes(16)),
            make_span(span_id=b"\xab"),
            make_span(parent=b"\xab"),
            make_span(start=0),
            make_span(end=START - 1),
            make_span(span_id=b"\xff" * 8),
        ).SerializeToString()
    answer = await send(client, tenant, kind, body)
    assert answer.status == 200
    assert answer.partial_success is not None
    count, message = answer.partial_success
    assert count == len(bad)
    assert all(place in message for place in bad), message
    assert set(await spans_of(client, tenant)) == {SPAN_ID.hex(), "ff" * 8}
    stats = (await client.get(f"{PATH}/stats", headers=tenant.key_headers)).json()
    assert (stats["accepted_spans"], sum(stats["rejected"].values())) == (2, len(bad))


# ------------------------------------------------------------------------------------------------------------- failure


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("kind", KINDS)
async def test_every_refusal_is_a_status_in_the_encoding_of_the_request(
    client: httpx.AsyncClient, tenant: Tenant, app: Litestar, kind: str
) -> None:
    created = await client.post(
        f"{tenant.url}/keys", json={"name": "reader", "scopes": ["read:agents"]}, headers=tenant.client_headers
    )
    reader = {"Authorization": f"Bearer {created.json()['key']}"}
    headers = KINDS[kind] | tenant.key_headers

    async def refused(status: int, code: int, answering: Any, *places: str) -> Answer:
        answer = Answer(await answering, kind)
        found, message, named, delay = answer.error
        assert (answer.status, found, named) == (status, code, list(places))
        assert message
        # Only these invite a retry, and say when.
        assert (delay is not None) == (status in RETRYABLE)
        assert ("retry-after" in answer.headers) == (status in RETRYABLE)
        return answer

    broken = BODIES[kind][:-1]
    await refused(400, code_pb2.INVALID_ARGUMENT, client.post(PATH, content=broken, headers=headers), "body")
    gzipped = headers | {"content-encoding": "gzip"}
    await refused(400, code_pb2.INVALID_ARGUMENT, client.post(PATH, content=b"no gzip", headers=gzipped), "body")
    wrong = KINDS[kind] | {"Authorization": "Bearer sk_live_wrong"}
    for who in (KINDS[kind], wrong):
        await refused(401, code_pb2.UNAUTHENTICATED, client.post(PATH, content=BODIES[kind], headers=who))
    await refused(403, code_pb2.PERMISSION_DENIED, client.post(PATH, content=BODIES[kind], headers=headers | reader))
    await refused(404, code_pb2.NOT_FOUND, client.post("/otel/v1/nothing", content=BODIES[kind], headers=headers))
    for method in ("PUT", "DELETE", "PATCH", "GET"):
        refusal = await refused(405, code_pb2.UNIMPLEMENTED, client.request(method, PATH, headers=headers))
        assert "POST" in refusal.headers["allow"]
    brotli = headers | {"content-encoding": "br"}
    await refused(415, code_pb2.INVALID_ARGUMENT, client.post(PATH, content=BODIES[kind], headers=brotli))
    ingestor = app.state["trace_ingestor"]
    ingestor._limits = IngestionLimits(body_bytes=100_000)
    await refused(413, code_pb2.RESOURCE_EXHAUSTED, client.post(PATH, content=bytes(100_001), headers=headers))
    bomb = gzip.compress(bytes(1_000_000))
    assert len(bomb) < 2_000
    await refused(413, code_pb2.RESOURCE_EXHAUSTED, client.post(PATH, content=bomb, headers=gzipped))
    ingestor._limits = IngestionLimits(pending_requests=0)
    await refused(503, code_pb2.UNAVAILABLE, client.post(PATH, content=BODIES[kind], headers=headers))
    assert (await client.get(f"{tenant.url}/traces", headers=tenant.client_headers)).json()["results"] == []


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("kind", KINDS)
async def test_too_many_requests_and_late_bodies_are_statuses_too(
    settings: Settings, create_app: Callable[[Settings], Litestar], kind: str
) -> None:
    async def late() -> AsyncIterator[bytes]:
        yield BODIES[kind][:5]
        await asyncio.sleep(20)

    limits = {"request_body_timeout_s": 0.2, "rate_limit_per_credential": 3}
    async with in_process(create_app(settings.model_copy(update=limits))) as client:
        tenant = await register_tenant(client, "ours")
        answer = await send(client, tenant, kind, late())
        assert (answer.status, answer.error[0], answer.error[3]) == (408, code_pb2.DEADLINE_EXCEEDED, None)
        answers = [await send(client, tenant, kind) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        code, _, _, delay = answers[-1].error
        assert code == code_pb2.RESOURCE_EXHAUSTED
        assert delay == int(answers[-1].headers["retry-after"]) > 0


@pytest.mark.databases("sqlite")
async def test_a_request_in_another_content_type_is_refused_in_json(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for kind in ("text/plain", "application/grpc", "application/x-protobuf2", ""):
        answer = await client.post(PATH, content=b"", headers={"content-type": kind} | tenant.key_headers)
        assert (answer.status_code, Answer(answer, "json").error[0]) == (415, code_pb2.INVALID_ARGUMENT)


# ------------------------------------------------------------------------------------------------------- JSON and spans


async def test_every_field_of_a_span_is_kept(client: httpx.AsyncClient, tenant: Tenant) -> None:
    link = {"traceId": "AB" * 16, "spanId": "cd" * 8, "traceState": "a=b", "flags": 1}
    attribute = [{"key": "k", "value": {"stringValue": "v"}}]
    whole = json_span(
        parentSpanId="0123456789ABCDEF",
        traceState="vendor=1",
        flags=0x301,
        status={"code": 2, "message": "broken"},
        attributes=attribute,
        droppedAttributesCount=1,
        events=[{"timeUnixNano": str(START + 1), "name": "seen", "attributes": attribute}],
        droppedEventsCount=2,
        links=[link | {"attributes": attribute}],
        droppedLinksCount=3,
    )
    assert (await send(client, tenant, "json", json_request(whole))).partial_success is None
    span = (await spans_of(client, tenant))[SPAN_ID.hex()]
    assert span["trace_id"] == TRACE_ID.hex()
    assert span["parent_span_id"] == "0123456789abcdef"
    assert (span["status"], span["duration_ms"]) == ("error", 1000.0)
    body = span["body"]
    assert body["status_message"] == "broken"
    assert body["attributes"] == {"k": "v"}
    assert [(event["name"], event["attributes"]) for event in body["events"]] == [("seen", {"k": "v"})]
    assert [(found["trace_id"], found["span_id"], found["attributes"]) for found in body["links"]] == [
        ("ab" * 16, "cd" * 8, {"k": "v"})
    ]
    assert (body["resource"]["service.name"], body["scope_name"]) == ("shop", "tests")


async def test_unknown_fields_change_nothing_in_either_encoding(client: httpx.AsyncClient, tenant: Tenant) -> None:
    # Field 999 of a request, of a resource's spans and of a span: a varint, and text.
    unknown = b"\xb8\x3e\x07\xba\x3e\x03new"
    request = make_request(make_span(name="protobuf"))
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.MergeFromString(unknown)
    request.resource_spans[0].MergeFromString(unknown)
    assert (await send(client, tenant, "protobuf", request.SerializeToString() + unknown)).partial_success is None
    document = json.loads(json_request(json_span(spanId="ab" * 8, name="json", new={"deep": [{}, 1e3]}, trace_id="no")))
    document["new"] = [[None]]
    document["resourceSpans"][0] |= {"new": 1, "resource_spans": []}
    document["resourceSpans"][0]["scopeSpans"][0]["new"] = "text"
    answer = await send(client, tenant, "json", json.dumps(document).encode())
    assert (answer.status, answer.partial_success) == (200, None)
    assert {span["name"] for span in (await spans_of(client, tenant)).values()} == {"protobuf", "json"}


async def test_original_field_names_are_not_read_from_json(client: httpx.AsyncClient, tenant: Tenant) -> None:
    assert (await send(client, tenant, "json", b'{"resource_spans": [7]}')).partial_success is None
    snake = {"trace_id": TRACE_ID.hex(), "span_id": SPAN_ID.hex(), "startTimeUnixNano": START, "endTimeUnixNano": START}
    answer = await send(client, tenant, "json", json_request(snake))
    assert answer.partial_success is not None
    assert answer.partial_success[0] == 1


async def test_copies_and_late_spans_end_in_one_trace(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    root = make_span(name="root", attributes={"session.id": "s"})
    child = make_span(span_id=b"child___", parent=SPAN_ID, name="child")
    much_later = make_span(span_id=b"later___", parent=b"child___", name="later", start=START + 60 * SECOND)
    much_later.end_time_unix_nano = START + 61 * SECOND
    shared = [make_request(much_later), make_request(child, child), make_request(root, child), make_request(much_later)]
    for request in shared:
        assert (await send(client, tenant, "protobuf", request.SerializeToString())).partial_success is None
    assert (await send(client, other_tenant, "protobuf", shared[0].SerializeToString())).partial_success is None
    for who, names in ((tenant, ["root", "child", "later"]), (other_tenant, ["later"])):
        trace = (await client.get(f"{who.url}/traces/{TRACE_ID.hex()}", headers=who.client_headers)).json()
        assert (trace["name"], trace["span_count"]) == (names[0], len(names))
        assert {span["name"] for span in (await spans_of(client, who)).values()} == set(names)
    stats = (await client.get(f"{PATH}/stats", headers=tenant.key_headers)).json()
    assert (stats["accepted_spans"], stats["duplicate_spans"]) == (6, 3)


@pytest.mark.databases("sqlite")
async def test_requests_at_the_same_time_are_all_answered(client: httpx.AsyncClient, tenant: Tenant) -> None:
    bodies = [make_request(make_span(span_id=bytes([n + 1] * 8))).SerializeToString() for n in range(16)]
    answers = await asyncio.gather(*(send(client, tenant, "protobuf", body) for body in bodies))
    assert {(answer.status, answer.partial_success) for answer in answers} == {(200, None)}
    assert len(await spans_of(client, tenant)) == 16


# ------------------------------------------------------------------------------------------------------------- hostile


def attribute(key: str, **value: Any) -> dict[str, Any]:
    return {"key": key, "value": value}


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(depth):
        value = {"kvlistValue": {"values": [{"key": "k", "value": value}]}}
    return value


NUL, HALF = "a\x00b", "a\ud800b"
OTHER_FORMS: tuple[dict[str, Any], ...] = (
    {"bytesValue": "AP8="},
    {"arrayValue": {"values": [{}]}},
    {"boolValue": True},
)
STORED: dict[str, dict[str, Any]] = {
    "NUL everywhere": {
        "name": NUL,
        "traceState": NUL,
        "status": {"code": 2, "message": NUL},
        "attributes": [
            attribute(NUL, stringValue=NUL),
            attribute("session.id", stringValue=NUL),
            attribute("user.id", stringValue="\x00"),
            attribute("spectral.agent.id", stringValue=NUL),
            attribute("spectral.tags", arrayValue={"values": [{"stringValue": NUL}]}),
            attribute("gen_ai.operation.name", stringValue=NUL),
            attribute("gen_ai.provider.name", stringValue=NUL),
            attribute("gen_ai.request.model", stringValue=NUL),
            attribute("gen_ai.tool.name", stringValue=NUL),
            attribute("error.type", stringValue=NUL),
            attribute("gen_ai.input.messages", stringValue=json.dumps([{"role": "user", "content": NUL}])),
            attribute("gen_ai.output.messages", stringValue=NUL),
        ],
        "events": [{"name": NUL, "attributes": [attribute("exception.type", stringValue=NUL)]}],
    },
    "half a surrogate pair": {
        "name": HALF,
        "attributes": [
            attribute(HALF, stringValue=HALF),
            attribute("session.id", stringValue=HALF),
            attribute("spectral.tags", stringValue='["\\ud800", "x"]'),
            attribute("gen_ai.input.messages", stringValue='[{"role": "user", "content": "\\ud800"}]'),
            attribute("gen_ai.output.messages", stringValue='{"\\ud800": "\\udfff"}'),
        ],
    },
    "numbers at their edges": {
        "kind": 99,
        "flags": 2**32 - 1,
        "startTimeUnixNano": 1,
        "endTimeUnixNano": 2**63 - 1,
        "attributes": [
            attribute("nan", doubleValue="NaN"),
            attribute("inf", doubleValue="-Infinity"),
            attribute("small", doubleValue=5e-324),
            attribute("int", intValue=str(-(2**63))),
            attribute("gen_ai.usage.input_tokens", intValue=str(2**63 - 1)),
            attribute("gen_ai.usage.output_tokens", doubleValue="NaN"),
            attribute("gen_ai.usage.cost", doubleValue="Infinity"),
            attribute("llm.token_count.total", doubleValue=1e308),
        ],
        "events": [{"timeUnixNano": str(2**64 - 1), "name": "late"}],
        "droppedAttributesCount": 2**32 - 1,
    },
    "repeated attributes": {"attributes": [attribute("a", intValue=1), attribute("a", stringValue="2"), attribute("")]},
    "deepest": {"attributes": [attribute("a", **nested(31)), attribute("gen_ai.input.messages", **nested(31))]},
    "JSON in text that is deeper than a reader": {
        "attributes": [attribute(key, stringValue="[" * 100_000) for key in ("gen_ai.prompt", "gen_ai.output.messages")]
    },
    "a long name": {"name": "n" * 1_000_000},
    "a long key": {"attributes": [attribute("k" * 1_000_000, boolValue=True)]},
    "long text in short columns": {
        "attributes": [
            attribute(key, stringValue="\U0001f600" * 100_000)
            for key in ("session.id", "user.id", "gen_ai.request.model", "spectral.agent.id", "gen_ai.tool.name")
        ]
    },
    "other forms than expected": {
        "attributes": [
            attribute(key, **form)
            for form in OTHER_FORMS
            for key in ("session.id", "gen_ai.request.model", "gen_ai.usage.input_tokens", "gen_ai.input.messages")
        ]
    },
    "many events": {"events": [{"name": "e"}] * 20_000},
    "many attributes": {"attributes": [attribute("a", boolValue=True)] * 50_000},
}


async def test_whatever_is_taken_can_be_read_again(client: httpx.AsyncClient, tenant: Tenant) -> None:
    ids = {}
    for number, (name, members) in enumerate(STORED.items(), start=1):
        ids[name] = bytes([number] * 16).hex()
        neighbour = json_span(traceId=ids[name], spanId="ff" * 8, name="neighbour")
        document = json_request(json_span(**({"traceId": ids[name]} | members)), neighbour)
        answer = await send(client, tenant, "json", gzip.compress(document, 1), {"content-encoding": "gzip"})
        assert (answer.status, answer.partial_success) == (200, None), name
    listed = await client.get(f"{tenant.url}/traces", params={"limit": 100}, headers=tenant.client_headers)
    assert {trace["trace_id"] for trace in listed.json()["results"]} == set(ids.values())
    for name, trace_id in ids.items():
        assert len(await spans_of(client, tenant, trace_id)) == 2, name
    long = (await spans_of(client, tenant, ids["a long name"]))[SPAN_ID.hex()]
    assert long["name"] == "n" * 512


@pytest.mark.databases("sqlite")
async def test_whatever_is_not_taken_costs_nobody_else(client: httpx.AsyncClient, tenant: Tenant) -> None:
    span = json_request(json_span(name="MARK"), json_span(spanId="ff" * 8, name="neighbour"))
    alone = [
        b'"\xff\xfe"',
        b"9" * 5_000,
        b"1e999",
        b'[{"a": 1}]',
        b'{"a": ' * 20 + b"1" + b"}" * 20,
    ]
    for bad in alone:
        answer = await send(client, tenant, "json", span.replace(b'"MARK"', bad))
        assert answer.status == 200, bad[:20]
        assert answer.partial_success is not None
        assert answer.partial_success[0] == 1
    whole = [
        span.replace(b'"MARK"', b"NaN"),
        span.replace(b'"MARK"', b"01"),
        span.replace(b'"MARK"', b"[" * 200_000),
        b"[" * 200_000,
        b'{"resourceSpans":' * 20_000,
        span[:-1] + b',"x":tru}',
        b"\xff\xfe" + span,
        json.dumps({"resourceSpans": "text"}).encode(),
    ]
    for bad in whole:
        assert (await send(client, tenant, "json", bad)).status == 400, bad[:20]
    for bad in (b"\x0a" * 10_000, b"\xff" * 10_000, b"\x08\x96\x01" + b"\x0b" * 500, b"\x0a\xff\xff\xff\xff\x0f"):
        assert (await send(client, tenant, "protobuf", bad)).status == 400, bad[:20]
    assert set(await spans_of(client, tenant)) == {"ff" * 8}

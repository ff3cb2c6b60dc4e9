"""Traffic whose every span can be recognised, and whether a store holds exactly that: rows, bodies, rollups, hours."""

import asyncio
import gzip
import hashlib
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import sqlalchemy as sa
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.models import USAGE_HOURLY, SpanRecord, Trace
from spectral.platform.db.session import Database
from tests.domains.traces.otlp_samples import SECOND, make_request, make_span
from tests.fixtures.exporters import Export, Receipts
from tests.fixtures.tenants import Tenant

SPANS_A_TRACE = 8
SPANS_A_REQUEST = 12
TRACES_AT_ONCE = 6
MARKER = "tests.marker"
READERS = 6

PROTOBUF = (("Content-Type", "application/x-protobuf"),)
GZIP = (*PROTOBUF, ("Content-Encoding", "gzip"))
JSON = (("Content-Type", "application/json"),)


def marker(span_id: bytes, size: int = 600) -> str:
    """Text that belongs to this span alone, does not compress well and is not only ASCII."""
    return "né‑" + hashlib.shake_128(span_id).hexdigest(size // 2)


def encode(spans: Iterable[Span], headers: tuple[tuple[str, str], ...] = PROTOBUF) -> Export:
    """The request of these spans, encoded as its headers say."""
    request = make_request(*spans)
    identities = tuple(
        (span.trace_id.hex(), span.span_id.hex()) for span in request.resource_spans[0].scope_spans[0].spans
    )
    if headers == JSON:
        return Export(as_json(request), identities, headers)
    body = request.SerializeToString()
    return Export(gzip.compress(body, 1) if headers == GZIP else body, identities, headers)


def as_json(request: ExportTraceServiceRequest) -> bytes:
    """OTLP/JSON: the JSON mapping of protobuf, but with hexadecimal ids."""
    document = MessageToDict(request, use_integers_for_enums=True)
    spans = (
        pair
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for pair in scope_spans.spans
    )
    texts = (
        text
        for resource_spans in document["resourceSpans"]
        for scope_spans in resource_spans["scopeSpans"]
        for text in scope_spans["spans"]
    )
    for span, text in zip(spans, texts, strict=True):
        text["traceId"], text["spanId"] = span.trace_id.hex(), span.span_id.hex()
        if span.parent_span_id:
            text["parentSpanId"] = span.parent_span_id.hex()
        for link, written in zip(span.links, text.get("links", ()), strict=True):
            written["traceId"], written["spanId"] = link.trace_id.hex(), link.span_id.hex()
    return json.dumps(document).encode()


class Traffic:
    """Traces whose spans travel in several requests, mixed with others' and often before their parents.

    Every span is in one request only, so what was acknowledged and lost cannot come back with another request.
    """

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(f"traffic {seed}")  # noqa: S311 - the same traffic every time
        self.sent: dict[str, dict[str, Span]] = defaultdict(dict)

    def exports(self, *, marked: int = 600) -> Iterator[Export]:
        """Requests without end. What is taken from here counts as sent."""
        waiting: list[Span] = []
        encodings = (PROTOBUF, PROTOBUF, GZIP, JSON)
        for number in range(10**9):
            while len(waiting) < SPANS_A_TRACE * TRACES_AT_ONCE:
                waiting += self._trace(marked)
            self.dice.shuffle(waiting)
            spans, waiting = waiting[:SPANS_A_REQUEST], waiting[SPANS_A_REQUEST:]
            for span in spans:
                self.sent[span.trace_id.hex()][span.span_id.hex()] = span
            yield encode(spans, encodings[number % len(encodings)])

    @property
    def spans(self) -> int:
        """How many were sent."""
        return sum(map(len, self.sent.values()))

    def _trace(self, marked: int) -> list[Span]:
        trace_id, root = self.dice.randbytes(16), self.dice.randbytes(8)
        # Some of yesterday: on PostgreSQL another partition.
        begun = time.time_ns() - self.dice.randrange(20 * 3600) * SECOND
        spans = []
        for number in range(SPANS_A_TRACE):
            span_id = self.dice.randbytes(8) if number else root
            start = begun + number * 10**8
            model = {"gen_ai.request.model": f"model-{self.dice.randrange(3)}", "gen_ai.operation.name": "chat"}
            spans.append(
                make_span(
                    trace_id,
                    span_id,
                    parent=root if number else b"",
                    name=f"step {number}" if number else f"answer {trace_id.hex()[:6]}",
                    start=start,
                    end=start + self.dice.randrange(5 * SECOND),
                    status=self.dice.choice([0, 0, 1, 2]),
                    attributes={
                        MARKER: marker(span_id, marked),
                        "gen_ai.usage.input_tokens": self.dice.randrange(1, 1000),
                        "session.id": f"session {trace_id.hex()[:2]}",
                        **(model if number else {"gen_ai.operation.name": "invoke_agent"}),
                    },
                )
            )
        return spans


class Inspection:
    """Compares what a workspace holds with what was sent to it."""

    def __init__(self, url: str, tenant: Tenant, database: Database) -> None:
        self.url = url
        self.tenant = tenant
        self.database = database

    async def require_all(self, traffic: Traffic, receipts: Receipts) -> None:
        """Everything was acknowledged once, and everything is there once: nothing less and nothing more."""
        acknowledged = Counter(receipts.read())
        assert set(acknowledged.values()) <= {1}
        wanted = {(trace_id, span_id) for trace_id, spans in traffic.sent.items() for span_id in spans}
        assert set(acknowledged) == wanted
        await self.require_stored(traffic, wanted)

    async def require_stored(self, traffic: Traffic, acknowledged: set[tuple[str, str]]) -> None:
        """The acknowledged ones are there with their contents; whatever else is there was sent, and is counted."""
        async with httpx.AsyncClient(base_url=self.url, timeout=60, headers=self._headers) as client:
            listed = await self._traces(client)
            gate = asyncio.Semaphore(READERS)

            async def read(trace_id: str) -> None:
                async with gate:
                    await self._require_trace(client, traffic.sent[trace_id], listed[trace_id], acknowledged)

            missing = {trace_id for trace_id, _ in acknowledged} - set(listed)
            assert not missing, f"{len(missing)} acknowledged traces are lost: {sorted(missing)[:5]}"
            assert set(listed) <= set(traffic.sent)
            await asyncio.gather(*map(read, listed))
        await self._require_sums()

    async def _traces(self, client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        cursor: dict[str, str] = {}
        while True:
            answer = await client.get(f"{self.tenant.url}/traces", params={"limit": "100"} | cursor)
            page = answer.raise_for_status().json()
            fresh = {trace["trace_id"]: trace for trace in page["results"]}
            assert len(fresh) == len(page["results"])
            assert not set(fresh) & set(found)
            found |= fresh
            if page["pagination"]["next_cursor"] is None:
                return found
            cursor = {"cursor": page["pagination"]["next_cursor"]}

    async def _require_trace(
        self,
        client: httpx.AsyncClient,
        sent: dict[str, Span],
        trace: dict[str, Any],
        acknowledged: set[tuple[str, str]],
    ) -> None:
        trace_id = trace["trace_id"]
        answer = await client.get(
            f"{self.tenant.url}/traces/{trace_id}/spans", params={"include": "body", "limit": "100"}
        )
        stored = answer.raise_for_status().json()["results"]
        identities = [span["span_id"] for span in stored]
        lost = [span_id for span_id in sent if (trace_id, span_id) in acknowledged and span_id not in identities]
        assert not lost, f"acknowledged spans of {trace_id} are lost: {lost}"
        assert len(identities) == len(set(identities))
        assert set(identities) <= set(sent)
        for span in stored:
            original = {item.key: item.value for item in sent[span["span_id"]].attributes}
            assert span["body"]["attributes"][MARKER] == original[MARKER].string_value
            assert span["body"]["resource"] == {"service.name": "shop"}
        there = [sent[span_id] for span_id in identities]
        calls = [span for span in there if span.parent_span_id]
        assert trace["span_count"] == len(there)
        assert trace["error_count"] == sum(span.status.code == 2 for span in there)
        # The root is an agent, which repeats the usage of its calls: alone, it is all that is known.
        assert trace["input_tokens"] == sum(map(_input_tokens, calls or there))
        assert trace["session_id"] == f"session {trace_id[:2]}"
        first = min(there, key=lambda span: (bool(span.parent_span_id), span.start_time_unix_nano, span.span_id))
        assert (trace["name"], trace["root_span_id"]) == (first.name, first.span_id.hex())

    async def _require_sums(self) -> None:
        """No row without its rollup and no rollup without its rows, also where the API does not look."""
        workspace = self.tenant.workspace_id
        async with self.database.transaction(self.tenant.access, read_only=True) as session:
            spans = sa.select(
                SpanRecord.trace_id,
                sa.func.count(),
                sa.func.min(SpanRecord.started_at),
                sa.func.max(SpanRecord.ended_at),
            ).where(SpanRecord.workspace_id == workspace)
            rollups = sa.select(Trace.trace_id, Trace.span_count, Trace.started_at, Trace.ended_at).where(
                Trace.workspace_id == workspace
            )
            rows = {tuple(row) for row in await session.execute(spans.group_by(SpanRecord.trace_id))}
            assert rows == {tuple(row) for row in await session.execute(rollups)}
            sums = [sa.func.sum(USAGE_HOURLY.c[name]) for name in ("span_count", "input_tokens")]
            hours = await session.execute(sa.select(*sums).where(USAGE_HOURLY.c.workspace_id == workspace))
            columns = (sa.func.count(), sa.func.sum(SpanRecord.input_tokens))
            found = await session.execute(sa.select(*columns).where(SpanRecord.workspace_id == workspace))
            assert [int(total or 0) for total in hours.one()] == [int(total or 0) for total in found.one()]

    @property
    def _headers(self) -> dict[str, str]:
        return self.tenant.client_headers


def _input_tokens(span: Span) -> int:
    return next(item.value.int_value for item in span.attributes if item.key == "gen_ai.usage.input_tokens")

"""The same spans are the same traces: in any order, any batches, any encoding, again and again, in copies that differ.

Everything that can be read afterwards is compared with what one request with all spans leaves behind: every column of
every row, what the API answers, and the contents of the spans.
"""

import asyncio
import gzip
import itertools
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.ingestion.merging import ChunkMerger
from spectral.domains.traces.ingestion.rollup import HOUR_NS
from spectral.domains.traces.models import SpanChunk
from spectral.platform.db.session import Database
from tests.domains.traces.otlp_samples import MAPPER, SECOND, make_span, pairs
from tests.domains.traces.traffic import GZIP, JSON, PROTOBUF, as_json
from tests.fixtures.tenants import Tenant

DAY_NS = 24 * HOUR_NS
NOON = time.time_ns() // DAY_NS * DAY_NS + 12 * HOUR_NS
# On PostgreSQL: today's partition, yesterday's, and the default one.
STARTS = (NOON, NOON + 1, NOON + HOUR_NS, NOON - DAY_NS, NOON - 400 * DAY_NS)
TRACES = (b"a" * 16, b"b" * 16)
SPANS = (b"1" * 8, b"2" * 8, b"3" * 8)
# How many chunks a trace lies in is what batches decide.
BY_BATCHES = {"workspace_id", "chunk_count"}


@dataclass(frozen=True)
class Copy:
    """A span as an instrumentation sent it, once: of copies of one span each may say something else."""

    span: Span
    service: str

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()


def requested(copies: Iterable[Copy]) -> ExportTraceServiceRequest:
    """One request of these, in this order."""
    request = ExportTraceServiceRequest()
    for service, together in itertools.groupby(copies, key=lambda copy: copy.service):
        resource_spans = request.resource_spans.add()
        resource_spans.resource.attributes.extend(pairs({"service.name": service}))
        scope_spans = resource_spans.scope_spans.add()
        scope_spans.scope.name = "tests"
        scope_spans.spans.extend(copy.span for copy in together)
    return request


@dataclass
class Workspace:
    """One workspace as its owner reads it and as its rows are."""

    client: httpx.AsyncClient
    database: Database
    tenant: Tenant

    @classmethod
    async def made(cls, client: httpx.AsyncClient, database: Database, tenant: Tenant) -> "Workspace":
        answer = await client.post(
            "/api/v1/workspaces", json={"name": f"order {uuid.uuid4()}"}, headers=tenant.client_headers
        )
        workspace_id = uuid.UUID(answer.raise_for_status().json()["id"])
        return cls(client, database, replace(tenant, workspace_id=workspace_id))

    @property
    def headers(self) -> dict[str, str]:
        return self.tenant.client_headers | {"X-Workspace-Id": str(self.tenant.workspace_id)}

    async def take(self, copies: Sequence[Copy], encoding: tuple[tuple[str, str], ...] = PROTOBUF) -> None:
        """Acknowledge one request with these."""
        request = requested(copies)
        body = as_json(request) if encoding == JSON else request.SerializeToString()
        answer = await self.client.post(
            "/otel/v1/traces",
            content=gzip.compress(body, 1) if encoding == GZIP else body,
            headers=self.headers | dict(encoding),
        )
        assert (answer.status_code, answer.content) == (200, b"{}" if encoding == JSON else b""), answer.content

    async def give_score(self, trace_id: str) -> None:
        """Somebody's opinion on a trace that is there."""
        answer = await self.client.post(
            f"{self.tenant.url}/traces/{trace_id}/feedback", json={"name": "good", "score": 0.5}, headers=self.headers
        )
        assert answer.status_code == 201, answer.text

    async def merge_chunks(self) -> None:
        """What the engine does to traces that were not heard of for a while."""
        merger = ChunkMerger(self.database, self.database, MAPPER)
        for trace_id in TRACES:
            await merger.merge_trace(self.tenant.access, trace_id)

    async def everything(self) -> dict[str, Any]:
        """All that there is to read: rows without those columns that batches decide, and the API's answers."""
        found: dict[str, Any] = {table: await self._rows(table) for table in ("span", "trace", "usage_hourly")}
        listed = (await self._get("traces", limit="100"))["results"]
        found["listed"] = {trace["trace_id"]: trace for trace in listed}
        for trace_id in found["listed"]:
            found[trace_id] = await self._get(f"traces/{trace_id}/spans", include="body", limit="100")
        return found

    async def _get(self, path: str, **query: str) -> Any:
        answer = await self.client.get(f"{self.tenant.url}/{path}", params=query, headers=self.headers)
        return answer.raise_for_status().json()

    async def _rows(self, table: str) -> list[dict[str, Any]]:
        # Not by the models: a column that they do not know counts as well.
        query = sa.text(f"SELECT * FROM {table} WHERE workspace_id = :workspace").bindparams(  # noqa: S608
            sa.bindparam("workspace", self.tenant.workspace_id, sa.Uuid())
        )
        async with self.database.transaction(self.tenant.access, read_only=True) as session:
            rows = (await session.execute(query)).mappings().all()
        plain = ({name: value for name, value in row.items() if name not in BY_BATCHES} for row in rows)
        return sorted(plain, key=repr)

    async def chunks_are_counted(self) -> bool:
        """Whether every trace knows how many chunks it lies in."""
        mine = SpanChunk.workspace_id == self.tenant.workspace_id
        statement = sa.select(SpanChunk.trace_id, sa.func.count()).where(mine).group_by(SpanChunk.trace_id)
        counted = sa.text("SELECT trace_id, chunk_count FROM trace WHERE workspace_id = :workspace").bindparams(
            sa.bindparam("workspace", self.tenant.workspace_id, sa.Uuid())
        )
        async with self.database.transaction(self.tenant.access, read_only=True) as session:
            stored = {tuple(row) for row in await session.execute(statement)}
            return stored == {tuple(row) for row in await session.execute(counted)}


# ------------------------------------------------------------------------------------------------------ what is sent

ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "gen_ai.request.model": st.sampled_from(["small", "large"]),
        "gen_ai.operation.name": st.sampled_from(["chat", "invoke_agent", "execute_tool"]),
        "gen_ai.usage.input_tokens": st.integers(0, 100),
        "gen_ai.usage.cost": st.sampled_from([0.1, 0.2]),
        "gen_ai.input.messages": st.sampled_from(["question", "another question"]),
        "gen_ai.output.messages": st.sampled_from(["reply", "another reply"]),
        "spectral.agent.id": st.sampled_from(["agent", "another agent"]),
        "spectral.mode": st.just("evaluation"),
        "session.id": st.sampled_from(["session", "another session"]),
        "user.id": st.sampled_from(["user", "another user"]),
        "spectral.tags": st.sampled_from([["x"], ["y", "z"]]),
        "unknown": st.sampled_from([True, 2**53, 0.5, b"\x00\xff", "né", {"deep": [1, "two"]}]),
    },
)


@st.composite
def copies(draw: st.DrawFn) -> Copy:
    """One copy of one of few spans, so that copies meet."""
    start = draw(st.sampled_from(STARTS))
    span = make_span(
        draw(st.sampled_from(TRACES)),
        draw(st.sampled_from(SPANS)),
        parent=draw(st.sampled_from([b"", SPANS[0]])),
        name=draw(st.sampled_from(["root", "chat", "step"])),
        start=start,
        # Often the same end: then length and digest decide between copies.
        end=draw(st.sampled_from([start, NOON + 2 * HOUR_NS, NOON + 2 * HOUR_NS, NOON + 3 * HOUR_NS])),
        status=draw(st.sampled_from([0, 1, 2])),
        attributes=draw(ATTRIBUTES),
    )
    if draw(st.booleans()):
        event = span.events.add(time_unix_nano=start, name="exception")
        event.attributes.extend(pairs({"exception.type": draw(st.sampled_from(["A", "B"]))}))
        span.links.add(trace_id=TRACES[1], span_id=SPANS[2])
    return Copy(span, draw(st.sampled_from(["shop", "bakery"])))


@dataclass(frozen=True)
class Delivery:
    """One request to one of two workspaces. Those of one `moment` are under way together."""

    workspace: int
    moment: int
    encoding: tuple[tuple[str, str], ...]
    copies: tuple[Copy, ...]


@st.composite
def deliveries(draw: st.DrawFn, workspace: int, sent: Sequence[Copy]) -> list[Delivery]:
    """All of these and some of them again, in another order, cut into requests."""
    again = draw(st.lists(st.sampled_from(sent), max_size=4))
    shuffled = draw(st.permutations([*sent, *again]))
    places = draw(st.lists(st.integers(0, len(shuffled)), max_size=5))
    edges = [0, *sorted(places), len(shuffled)]
    return [
        Delivery(
            workspace,
            draw(st.integers(0, 2)),
            draw(st.sampled_from([PROTOBUF, GZIP, JSON])),
            tuple(shuffled[first:last]),
        )
        for first, last in itertools.pairwise(edges)
        if first < last
    ]


@given(data=st.data())
@settings(max_examples=30)
async def test_any_order_batches_encoding_and_repetition_leaves_the_same(
    client: httpx.AsyncClient, database: Database, tenant: Tenant, data: st.DataObject
) -> None:
    # Both workspaces send the same ids, and not the same spans under them.
    sent = [data.draw(st.lists(copies(), min_size=1, max_size=10)) for _ in range(2)]
    expected = [await Workspace.made(client, database, tenant) for _ in sent]
    ours = [await Workspace.made(client, database, tenant) for _ in sent]
    await asyncio.gather(*(workspace.take(each) for workspace, each in zip(expected, sent, strict=True)))
    plan = [delivery for number, each in enumerate(sent) for delivery in data.draw(deliveries(number, each))]
    scored = [data.draw(st.sampled_from(each)).trace_id for each in sent]
    for workspace, trace_id in zip(expected, scored, strict=True):
        await workspace.give_score(trace_id)
    merged = data.draw(st.sets(st.integers(0, 2)))
    missing = set(range(len(sent)))
    for moment, together in itertools.groupby(sorted(plan, key=lambda each: each.moment), key=lambda each: each.moment):
        now = list(together)
        # Together they are one group, so one transaction writes for both workspaces.
        takes = [ours[each.workspace].take(each.copies, each.encoding) for each in now]
        # Chunks may be merged meanwhile, and spans come after it.
        merges = [workspace.merge_chunks() for workspace in ours] if moment in merged else []
        await asyncio.gather(*takes, *merges)
        there = {each.workspace for each in now if scored[each.workspace] in {copy.trace_id for copy in each.copies}}
        for number in there & missing:
            await ours[number].give_score(scored[number])
        missing -= there
    for workspace, reference in zip(ours, expected, strict=True):
        assert await workspace.everything() == await reference.everything()
        assert await workspace.chunks_are_counted()


async def test_a_span_whose_copies_start_on_other_days_is_one_span_on_the_winners_day(
    client: httpx.AsyncClient, database: Database, tenant: Tenant
) -> None:
    root = Copy(make_span(TRACES[0], SPANS[0], name="root", start=NOON, end=NOON + SECOND), "shop")
    moved = [
        Copy(
            make_span(
                TRACES[0],
                SPANS[1],
                parent=SPANS[0],
                name=f"copy {number}",
                start=start,
                # The greatest end wins, so the winner is not the one that starts last.
                end=NOON + 2 * DAY_NS + (number + 1) * SECOND,
                gen_ai__request__model=f"model {number}",
                gen_ai__usage__input_tokens=10 ** (number + 1),
            ),
            "shop",
        )
        for number, start in enumerate((NOON - 400 * DAY_NS, NOON + HOUR_NS, NOON - DAY_NS))
    ]
    expected = await Workspace.made(client, database, tenant)
    await expected.take([root, *moved])
    reference = await expected.everything()
    assert {row["name"]: row["started_at"] for row in reference["span"]} == {"root": NOON, "copy 2": NOON - DAY_NS}
    assert [trace["input_tokens"] for trace in reference["listed"].values()] == [1000]
    # Hours in which nothing is left have no row.
    assert sorted(row["hour"] for row in reference["usage_hourly"]) == [NOON - DAY_NS, NOON]
    for order in itertools.permutations([root, *moved]):
        workspace = await Workspace.made(client, database, tenant)
        for copy in order:
            await workspace.take([copy])
        assert await workspace.everything() == reference


async def test_parents_may_come_last_and_traces_between_each_other(
    client: httpx.AsyncClient, database: Database, tenant: Tenant
) -> None:
    spans = [
        Copy(
            make_span(
                bytes([trace]) * 16,
                bytes([number]) * 8,
                parent=bytes([number - 1]) * 8 if number > 1 else b"",
                name=f"depth {number}",
                start=NOON + number,
                end=NOON + SECOND - number,
                gen_ai__operation__name="invoke_agent" if number == 1 else "chat",
                gen_ai__usage__input_tokens=number,
                gen_ai__input__messages=f"said at depth {number}",
            ),
            "shop",
        )
        for number in range(1, 41)
        for trace in range(1, 6)
    ]
    expected, ours = [await Workspace.made(client, database, tenant) for _ in range(2)]
    await expected.take(spans)
    backwards = spans[::-1]
    for first in range(0, len(backwards), 27):
        # Two requests of one group share traces and spans.
        part = backwards[first : first + 27]
        await asyncio.gather(ours.take(part[:20], JSON), ours.take(part[5:], GZIP))
    found = await ours.everything()
    assert found == await expected.everything()
    assert [trace["span_count"] for trace in found["listed"].values()] == [40] * 5
    assert {trace["name"] for trace in found["listed"].values()} == {"depth 1"}
    assert await ours.chunks_are_counted()

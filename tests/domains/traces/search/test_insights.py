"""What traces come to: facets, sessions, users and usage; and a trace as a tree."""

import random
from collections import Counter
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.models import SpanRecord, Trace
from spectral.domains.traces.search.facets import FacetReader
from spectral.domains.traces.search.trace_filter import TraceFilter
from spectral.platform.db.session import Database
from tests.domains.traces.otlp_samples import PROTOBUF, SECOND, START, make_request, make_span
from tests.fixtures.tenants import Tenant

HOUR = 3_600 * SECOND
WINDOW = {"from": "2025-11-21T12:00:00Z", "to": "2025-11-21T16:00:00Z"}


async def get(client: httpx.AsyncClient, tenant: Tenant, path: str, **query: Any) -> Any:
    answer = await client.get(f"{tenant.url}/traces{path}", params=query, headers=tenant.client_headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def fill(client: httpx.AsyncClient, tenant: Tenant) -> None:
    """Six traces, an hour apart in pairs: an agent that repeats the tokens of the model call below it."""
    spans = []
    for number in range(6):
        trace_id, start = bytes([number + 1] * 16), START + number // 2 * HOUR + number * SECOND
        usage = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}
        common: dict[str, Any] = {"spectral.agent.id": "shop", "spectral.agent.version": str(number % 2)}
        who = {"session.id": f"s{number // 3}", "user.id": f"u{number % 2}", "spectral.tags": ["all", f"t{number % 3}"]}
        spans += [
            make_span(
                trace_id,
                bytes([number + 1] * 8),
                name="agent",
                start=start,
                end=start + 2 * SECOND,
                attributes={"gen_ai.operation.name": "invoke_agent"} | usage | common | who,
            ),
            make_span(
                trace_id,
                bytes([number + 101] * 8),
                parent=bytes([number + 1] * 8),
                name="chat",
                start=start,
                end=start + SECOND,
                status=2 if number == 5 else 0,
                attributes={
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": "model-a" if number < 4 else "model-b",
                    "error.type": "timeout",
                }
                | usage
                | common
                | ({"gen_ai.usage.cost": 0.5} if number < 3 else {}),
            ),
        ]
    body = make_request(*spans).SerializeToString()
    answer = await client.post("/otel/v1/traces", content=body, headers=PROTOBUF | tenant.key_headers)
    assert answer.status_code == 200
    path = f"{tenant.url}/traces/{bytes([1] * 16).hex()}/feedback"
    given = await client.post(path, json={"name": "helpful", "score": 0.5}, headers=tenant.client_headers)
    assert given.status_code == 201


def values(facet: Any) -> dict[str, int]:
    assert facet["distinct"] == len(facet["values"])
    return {found["value"]: found["count"] for found in facet["values"]}


async def test_facets_count_the_traces_that_have_a_value(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(client, tenant)
    await fill(client, other_tenant)
    found = await get(client, tenant, "/filters")
    assert (found["traces"], found["is_sampled"], found["span_traces"]) == (6, False, 6)
    facets = found["facets"]
    assert values(facets["agent_version"]) == {"0": 3, "1": 3}
    assert values(facets["model"]) == {"model-a": 4, "model-b": 2}
    assert values(facets["tag"]) == {"all": 6, "t0": 2, "t1": 2, "t2": 2}
    assert values(facets["status"]) == {"unset": 6}
    assert values(facets["error_type"]) == {"timeout": 1}
    assert values(facets["kind"]) == {"agent": 6, "llm": 6}
    assert values(facets["operation"]) == {"chat": 6, "invoke_agent": 6}
    assert values(facets["provider"]) == {"openai": 6}
    assert values(facets["tool_name"]) == {}
    assert values(facets["session_id"]) == {"s0": 3, "s1": 3}
    assert found["scores"] == {"helpful": {"traces": 1, "mean": 0.5}}
    by_name = {field["name"]: field for field in found["fields"]}
    assert by_name["duration_ms"]["operators"] == ["=", "!=", "<", "<=", ">", ">=", "in", "exists"]
    assert by_name['attr["<key>"]']["is_deep"]
    narrowed = await get(client, tenant, "/filters", filter='model = "model-b" and attr["x"] = 1')
    assert (narrowed["traces"], values(narrowed["facets"]["agent_version"])) == (2, {"0": 1, "1": 1})
    assert values((await get(client, tenant, "/filters", q="nothing"))["facets"]["model"]) == {}
    monkeypatch.setattr("spectral.domains.traces.search.facets.SAMPLED_TRACES", 2)
    newest = await get(client, tenant, "/filters")
    assert (newest["traces"], newest["is_sampled"], values(newest["facets"]["model"])) == (2, True, {"model-b": 2})


async def test_facets_are_what_counting_row_by_row_comes_to(
    client: httpx.AsyncClient,
    tenant: Tenant,
    other_tenant: Tenant,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dice = random.Random(7)  # noqa: S311
    values = ["", "a", 'say "b"', "c\\d\n", "Ä 東京", "e,f", "0", "7.0", "null"]
    for one in (tenant, other_tenant):
        spans = []
        for number in range(1, 61):
            # Many start at the same time, so that their ids decide which are the newest.
            trace_id, start = bytes([number] * 16), START + number // 7 * SECOND
            for place in range(dice.randrange(1, 5)):
                attributes: dict[str, Any] = {"spectral.tags": dice.choices(values, k=dice.randrange(4))}
                for key in (
                    "spectral.agent.id",
                    "spectral.agent.version",
                    "session.id",
                    "user.id",
                    "error.type",
                    "gen_ai.operation.name",
                    "gen_ai.provider.name",
                    "gen_ai.request.model",
                    "gen_ai.tool.name",
                ):
                    if dice.random() < 0.6:
                        attributes[key] = dice.choice(values)
                span_id, root = bytes([number, place, *[1] * 6]), bytes([number, 0, *[1] * 6])
                spans.append(
                    make_span(
                        trace_id,
                        span_id,
                        parent=root if place else b"",
                        start=start,
                        end=start + SECOND,
                        status=dice.randrange(3),
                        attributes=attributes,
                    )
                )
        body = make_request(*spans).SerializeToString()
        answer = await client.post("/otel/v1/traces", content=body, headers=PROTOBUF | one.key_headers)
        assert answer.status_code == 200
        for number in range(1, 61, 5):
            path = f"{one.url}/traces/{bytes([number] * 16).hex()}/feedback"
            for name in dice.sample(["good", "so-so", "x.y"], k=2):
                given = await client.post(
                    path, json={"name": name, "score": dice.choice([0, 0.25, 1])}, headers=one.client_headers
                )
                assert given.status_code == 201
    for sampled, for_spans in ((40, 10), (60, 60), (59, 1), (10_000, 1_000)):
        monkeypatch.setattr("spectral.domains.traces.search.facets.SAMPLED_TRACES", sampled)
        monkeypatch.setattr("spectral.domains.traces.search.facets.SAMPLED_FOR_SPANS", for_spans)
        for wanted in (TraceFilter(), TraceFilter(agent_id="a"), TraceFilter(agent_id="nobody")):
            async with database.transaction(tenant.access, read_only=True) as session:
                found = await FacetReader(session, tenant.access).read(wanted)
                expected = await counted(session, tenant, wanted, sampled, for_spans)
            assert (found.traces, found.is_sampled, found.span_traces) == expected[0]
            assert {name: (dict(facet.values), facet.distinct) for name, facet in found.facets.items()} == {
                name: (dict(one), len(one)) for name, one in expected[1].items()
            }
            assert {name: pytest.approx(score) for name, score in found.scores.items()} == expected[2]


async def counted(
    session: AsyncSession, tenant: Tenant, wanted: TraceFilter, sampled: int, for_spans: int
) -> tuple[tuple[int, bool, int], dict[str, Counter[Any]], dict[str, tuple[int, float]]]:
    """The same from whole rows: how much was looked at, the values by facet, the scores."""
    traces = [
        trace
        for trace in await session.scalars(sa.select(Trace).where(Trace.workspace_id == tenant.workspace_id))
        if wanted.agent_id is None or trace.agent_id == wanted.agent_id
    ]
    traces.sort(key=lambda trace: (trace.started_at, trace.trace_id), reverse=True)
    newest = traces[:sampled]
    near = {trace.trace_id for trace in newest[:for_spans]}
    rows = await session.scalars(sa.select(SpanRecord).where(SpanRecord.workspace_id == tenant.workspace_id))
    spans = [span for span in rows if span.trace_id in near]
    facets: dict[str, Counter[Any]] = {"status": Counter(("unset", "ok", "error")[trace.status] for trace in newest)}
    for name in ("agent_id", "agent_version", "mode", "service", "error_type", "user_id", "session_id"):
        facets[name] = Counter(value for trace in newest if (value := getattr(trace, name)) is not None)
    facets["model"] = Counter(model for trace in newest for model in trace.models)
    facets["tag"] = Counter(tag for trace in newest for tag in trace.tags)
    for name in ("kind", "operation", "provider", "tool_name"):
        pairs = {(span.trace_id, value) for span in spans if (value := getattr(span, name)) is not None}
        facets[name] = Counter(value for _, value in pairs)
    scores: dict[str, list[float]] = {}
    for trace in newest:
        for name, score in trace.scores.items():
            scores.setdefault(name, []).append(score)
    means = {name: (len(found), sum(found) / len(found)) for name, found in scores.items()}
    return (len(newest), len(traces) > sampled, len(near)), facets, means


async def test_sessions_and_users_are_listed_with_what_they_came_to(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    await fill(client, tenant)
    await fill(client, other_tenant)
    sessions = await get(client, tenant, "/sessions")
    assert sessions["pagination"]["total"] == 2
    last, first = sessions["results"]
    assert (last["session_id"], last["traces"], last["failed_traces"], last["users"]) == ("s1", 3, 1, 2)
    assert (last["cost_usd"], last["unpriced_spans"], last["scores"]) == (None, 3, {})
    assert first == {
        "session_id": "s0",
        "users": 2,
        "traces": 3,
        "failed_traces": 0,
        "spans": 6,
        "first_seen_at": "2025-11-21T12:00:00.000000000Z",
        "last_seen_at": "2025-11-21T13:00:02.000000000Z",
        "input_tokens": 300,
        "output_tokens": 30,
        "cost_usd": "1.5",
        "unpriced_spans": 0,
        "mean_duration_ms": 2000.0,
        "scores": {"helpful": 0.5},
    }
    by_cost = await get(client, tenant, "/sessions", sort="-cost_usd", limit=1)
    assert [found["session_id"] for found in by_cost["results"]] == ["s0"]
    cursor = by_cost["pagination"]["next_cursor"]
    after = await get(client, tenant, "/sessions", sort="-cost_usd", limit=1, cursor=cursor)
    assert [found["session_id"] for found in after["results"]] == ["s1"]
    assert after["pagination"]["next_cursor"] is None
    users = await get(client, tenant, "/users", sort="traces", filter="agent_version = 1", limit=5)
    assert [(found["user_id"], found["traces"], found["sessions"]) for found in users["results"]] == [("u1", 3, 2)]
    for query in ("sort=name", "cursor=nonsense", f"sort=-cost_usd&cursor={cursor}&offset=1", f"cursor={cursor}"):
        answer = await client.get(f"{tenant.url}/traces/sessions?{query}", headers=tenant.client_headers)
        assert answer.status_code == 422, query


async def test_usage_counts_model_calls_once(client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant) -> None:
    await fill(client, tenant)
    await fill(client, other_tenant)
    found = await get(client, tenant, "/usage", **WINDOW)
    (series,) = found["series"]
    assert [bucket["start"] for bucket in series["buckets"]] == [
        f"2025-11-21T{hour}:00:00.000000000Z" for hour in (12, 13, 14)
    ]
    assert [bucket["counts"]["input_tokens"] for bucket in series["buckets"]] == [200, 200, 200]
    total = series["total"]
    assert (total["spans"], total["errors"], total["traces"], total["failed_traces"]) == (12, 1, 6, 0)
    assert (total["input_tokens"], total["output_tokens"]) == (600, 60)
    assert (total["cost_usd"], total["unpriced_spans"]) == ("1.5", 3)
    assert total["mean_ms"] == 1500.0
    # Half of the spans lasted a second, half two; bounds of the histogram lie √2 apart.
    assert 700 < total["p50_ms"] <= 1450
    assert 1400 < total["p95_ms"] <= total["p99_ms"] < 2900

    by_model = await get(client, tenant, "/usage", bucket="day", group_by="model,operation", **WINDOW)
    groups = [(one["group"], one["total"]["spans"], one["total"]["cost_usd"]) for one in by_model["series"]]
    assert groups == [
        ({"model": "model-a", "operation": "chat"}, 4, "1.5"),
        ({"model": None, "operation": "invoke_agent"}, 6, None),
        ({"model": "model-b", "operation": "chat"}, 2, None),
    ]
    assert [bucket["start"] for bucket in by_model["series"][0]["buckets"]] == ["2025-11-21T00:00:00.000000000Z"]
    narrowed = await get(client, tenant, "/usage", agent_version="1", operation="chat", **WINDOW)
    assert narrowed["series"][0]["total"]["spans"] == 3
    assert (await get(client, tenant, "/usage"))["series"] == []
    for query in ("group_by=user_id", "from=2025-11-21T12:00:00Z&to=2025-11-21T12:00:00Z", "from=1990-01-01T00:00:00Z"):
        answer = await client.get(f"{tenant.url}/traces/usage?{query}", headers=tenant.client_headers)
        assert answer.status_code == 422, query


async def test_a_trace_is_read_as_a_tree(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c, d, e, f = (bytes([number] * 8) for number in range(1, 7))
    spans = [
        make_span(span_id=a, name="a", start=START, end=START + 5 * SECOND, attributes={"gen_ai.usage.cost": 0.25}),
        make_span(span_id=b, parent=a, name="b", start=START + 2 * SECOND, end=START + 3 * SECOND),
        make_span(span_id=c, parent=a, name="c", start=START + SECOND, end=START + 2 * SECOND, status=2),
        make_span(span_id=d, parent=c, name="d", start=START + SECOND, end=START + SECOND),
        # A parent that is not there, and a span that is its own.
        make_span(span_id=e, parent=b"missing_", name="e", start=START + 3 * SECOND, end=START + 4 * SECOND),
        make_span(span_id=f, parent=f, name="f", start=START + 4 * SECOND, end=START + 4 * SECOND),
    ]
    body = make_request(*spans).SerializeToString()
    await client.post("/otel/v1/traces", content=body, headers=PROTOBUF | tenant.key_headers)
    path = f"/{spans[0].trace_id.hex()}/tree"
    tree = await get(client, tenant, path)
    assert [(span["name"], span["depth"], span.get("is_orphan", False)) for span in tree["spans"]] == [
        ("a", 0, False),
        ("c", 1, False),
        ("d", 2, False),
        ("b", 1, False),
        ("e", 0, True),
        ("f", 0, True),
    ]
    assert (tree["span_count"], tree["is_cut"], tree["duration_ms"]) == (6, False, 5000.0)
    assert tree["spans"][1] == {
        "span_id": c.hex(),
        "parent_span_id": a.hex(),
        "name": "c",
        "kind": "other",
        "operation": "other",
        "status": "error",
        "offset_ms": 1000.0,
        "duration_ms": 1000.0,
        "depth": 1,
        "error_type": "error",
        "service": "shop",
    }
    assert tree["spans"][0]["cost_usd"] == "0.25"
    monkeypatch.setattr("spectral.domains.traces.service.MAXIMUM_ROWS", 2)
    cut = await get(client, tenant, path)
    assert (len(cut["spans"]), cut["is_cut"]) == (2, True)
    missing = await client.get(f"{tenant.url}/traces/{'11' * 16}/tree", headers=tenant.client_headers)
    assert missing.status_code == 404

"""From stored spans to observed agents: at once, and again from what was counted."""

import time
from typing import Any
from uuid import UUID

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces import observing
from spectral.domains.traces.observing import AgentObserver
from spectral.platform.db.session import Database
from tests.domains.traces.otlp_samples import PROTOBUF, SECOND, make_request, make_span
from tests.fixtures.tenants import Tenant


async def names(client: httpx.AsyncClient, tenant: Tenant) -> set[str]:
    answer = await client.get(f"{tenant.url}/agents?status=observed&limit=100", headers=tenant.client_headers)
    return {agent["name"] for agent in answer.json()["results"]}


async def send(client: httpx.AsyncClient, tenant: Tenant, **agents: str) -> None:
    """A span of now for each agent, named by the attribute whose name is given with `__` for the dots."""
    now = time.time_ns() // SECOND * SECOND
    spans = [
        make_span(trace_id=bytes([number] * 16), start=now, end=now + 1, attributes={key.replace("__", "."): agent})
        for number, (key, agent) in enumerate(agents.items(), 1)
    ]
    answer = await client.post(
        "/otel/v1/traces", content=make_request(*spans).SerializeToString(), headers=PROTOBUF | tenant.key_headers
    )
    assert answer.status_code == 200, answer.text


async def test_a_listener_writes_what_it_was_told_and_only_once(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database, identity: Database
) -> None:
    observer = AgentObserver(database, identity)
    for _ in range(3):
        observer.stored(tenant.access, frozenset({"support", "sales"}))
    observer.stored(other_tenant.access, frozenset({"support"}))
    await observer.settle()
    assert await names(client, tenant) == {"support", "sales"}
    assert await names(client, other_tenant) == {"support"}
    observer.stored(tenant.access, frozenset({"support"}))
    assert observer._pending == {}
    # Another process knows nothing of it, and changes nothing.
    second = AgentObserver(database, identity)
    second.stored(tenant.access, frozenset({"support"}))
    await second.settle()
    assert await names(client, tenant) == {"support", "sales"}
    await observer.stop()
    observer.stored(tenant.access, frozenset({"late"}))
    await observer.settle()
    assert "late" not in await names(client, tenant)


async def test_what_a_listener_holds_is_bounded(
    tenant: Tenant, database: Database, identity: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "REMEMBERED", 50)
    monkeypatch.setattr(observing, "PENDING_A_WORKSPACE", 10)
    observer = AgentObserver(database, identity)
    observer.stored(tenant.access, frozenset(f"agent-{number}" for number in range(1_000)))
    assert [len(agents) for _, agents in observer._pending.values()] == [10]
    assert len(observer._noted) == 10
    await observer.settle()
    for number in range(100):
        observer._noted[UUID(int=number), "x"] = 0.0
    observer.stored(tenant.access, frozenset({"one"}))
    assert len(observer._noted) == 50
    await observer.stop()


async def test_a_write_that_failed_is_tried_with_the_next_span(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, identity: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = AgentObserver(database, identity)

    def away(*_: object, **__: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(database, "transaction", away)
        observer.stored(tenant.access, frozenset({"support"}))
        await observer.settle()
    assert await names(client, tenant) == set()
    observer.stored(tenant.access, frozenset({"support"}))
    await observer.settle()
    assert await names(client, tenant) == {"support"}


async def test_agents_of_stored_spans_are_found_again_after_a_crash(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database, identity: Database
) -> None:
    await send(client, tenant, spectral__agent__id="support", gen_ai__agent__name="sales")
    await send(client, other_tenant, gen_ai__agent__id="theirs")
    # A process that has seen none of it, as after a crash right after the commit.
    for _ in range(2):
        await AgentObserver(database, identity).reconcile()
    assert await names(client, tenant) == {"support", "sales"}
    assert await names(client, other_tenant) == {"theirs"}


async def test_a_service_stands_for_an_agent_that_no_span_of_a_trace_names(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database, identity: Database
) -> None:
    now = time.time_ns() // SECOND * SECOND

    def spans(number: int, *, root: dict[str, Any], child: dict[str, Any]) -> tuple[Span, Span]:
        trace_id, root_id, child_id = bytes([number] * 16), bytes([number] * 8), bytes([99, number] * 4)
        return (
            make_span(trace_id, root_id, start=now, end=now + 9, attributes=root),
            make_span(trace_id, child_id, parent=root_id, start=now + 1, end=now + 5, attributes=child),
        )

    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}
    traces: list[tuple[str | None, tuple[Span, Span]]] = [
        ("shop", spans(1, root={}, child=call)),
        ("named", spans(2, root={}, child=call | {"gen_ai.agent.name": "refunds"})),
        ("plain", spans(3, root={"http.request.method": "GET"}, child={"db.system.name": "sqlite"})),
        ("unknown_service:python", spans(4, root={}, child=call)),
        ("tests", spans(5, root={"spectral.mode": "evaluation"}, child=call)),
        (None, spans(6, root={}, child=call)),
        ("spectral", spans(8, root={}, child=call)),
        ("apart", spans(7, root={}, child=call)),
    ]

    async def export(service: str | None, *spans: Span) -> None:
        resource = {} if service is None else {"service.name": service}
        body = make_request(*spans, resource=resource).SerializeToString()
        answer = await client.post("/otel/v1/traces", content=body, headers=PROTOBUF | tenant.key_headers)
        assert answer.status_code == 200

    for service, (root, child) in traces:
        # The parts of the last one come apart, the child first, as they do from a server that takes long.
        for part in [(child,), (root,)] if service == "apart" else [(root, child)]:
            await export(service, *part)
    await AgentObserver(database, identity).reconcile()
    listed = (await client.get(f"{tenant.url}/traces?limit=50", headers=tenant.client_headers)).json()["results"]
    assert {trace["trace_id"][:2]: trace["agent_id"] for trace in listed} == {
        "01": "shop", "02": "refunds", "03": None, "04": None, "05": None, "06": None, "07": "apart", "08": None
    }  # fmt: skip
    assert await names(client, tenant) == {"shop", "refunds", "apart"}
    assert await names(client, other_tenant) == set()

    # Whoever names the agent late is believed, and the service is none.
    late = make_span(bytes([1] * 16), bytes([5] * 8), parent=bytes([1] * 8), spectral__agent__id="returns")
    await export("shop", late)
    found = await client.get(f"{tenant.url}/traces/{'01' * 16}", headers=tenant.client_headers)
    assert found.json()["agent_id"] == "returns"

"""Traces that arrive, and the work that they make, for tests of evaluation on arrival."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.arrival_scoring import RubricScorer, ScoredTrace, TraceCase
from spectral.domains.evaluations.arrivals import arrival_handler
from spectral.domains.evaluations.models import TraceScore
from spectral.domains.evaluations.online_repository import TraceScoreRepository
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.traces.models import TraceArrival
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.context import WorkContext
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from spectral.platform.shared.clock import utc_now
from tests.domains.traces.otlp_samples import MAPPER, PROTOBUF, make_request, make_span
from tests.fixtures.tenants import Tenant

DOOR = ModelDoor([LocalProvider()])
POLITE = {"dimensions": [{"name": "polite", "scorer": "contains", "options": {"values": ["please"]}}]}


def trace_id(number: int) -> bytes:
    """The id of the trace of this number."""
    return number.to_bytes(16, "big")


async def online(client: httpx.AsyncClient, tenant: Tenant, **changes: Any) -> dict[str, Any]:
    """An online evaluation with a rubric of its own; settled at once unless `changes` says otherwise."""
    name = changes.pop("name", "manners")
    spec = changes.pop("rubric", POLITE)
    rubric = await client.post(
        f"{tenant.url}/evaluations/rubrics", json={"name": f"rubric of {name}", **spec}, headers=tenant.client_headers
    )
    assert rubric.status_code == 201, rubric.text
    body = {"name": name, "rubric_id": rubric.json()["id"], "settle_s": 0} | changes
    made = await client.post(f"{tenant.url}/evaluations/online", json=body, headers=tenant.client_headers)
    assert made.status_code == 201, made.text
    return dict(made.json())


async def send(client: httpx.AsyncClient, tenant: Tenant, numbers: Sequence[int], **attributes: Any) -> None:
    """A trace of one model call for each number; the even ones answer politely."""
    spans = [
        make_span(
            trace_id=trace_id(number),
            span_id=number.to_bytes(8, "big"),
            name=f"call {number}",
            attributes={
                "gen_ai.operation.name": "chat",
                "input.value": "hello",
                "output.value": f"{'please ' * (number % 2 == 0)}come in, {'x' * 600}",
            }
            | attributes,
        )
        for number in numbers
    ]
    body = make_request(*spans).SerializeToString()
    answer = await client.post("/otel/v1/traces", content=body, headers=PROTOBUF | tenant.key_headers)
    assert answer.status_code == 200, answer.text


async def arrive(database: Database, tenant: Tenant, numbers: Sequence[int], age_s: float = 60.0) -> None:
    """These traces got their last spans so long ago, as ingestion would have noted."""
    moment = utc_now() - timedelta(seconds=age_s)
    rows = [
        {"workspace_id": tenant.workspace_id, "trace_id": trace_id(number), "seen_at": moment} for number in numbers
    ]
    async with database.transaction(tenant.access) as session:
        mine = TraceArrival.workspace_id == tenant.workspace_id
        await session.execute(
            sa.delete(TraceArrival).where(mine, TraceArrival.trace_id.in_([trace_id(number) for number in numbers]))
        )
        await session.execute(sa.insert(TraceArrival), rows)


async def waiting(database: Database, tenant: Tenant) -> int:
    """How many traces nobody has looked at."""
    async with database.transaction(tenant.access, read_only=True) as session:
        counted = sa.select(sa.func.count()).select_from(TraceArrival)
        statement = counted.where(TraceArrival.workspace_id == tenant.workspace_id)
        return int((await session.execute(statement)).scalar_one())


async def figures(client: httpx.AsyncClient, tenant: Tenant, online_id: str | UUID) -> dict[str, Any]:
    """The figures of an online evaluation."""
    answer = await client.get(f"{tenant.url}/evaluations/online/{online_id}", headers=tenant.client_headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["figures"])


@dataclass
class Context:
    """What the engine gives to a handler, for work that no engine started."""

    database: Database
    access: WorkspaceAccess
    key: UUID = field(default_factory=uuid4)

    async def fence(self, session: AsyncSession) -> None:
        """It is ours."""

    async def raise_if_cancelled(self) -> None:
        """It goes on."""


@dataclass
class PaidScorer:
    """Scores as the rubric says, for a price; dies with the call of the number `dies_at`."""

    price: int = 10
    calls: list[bytes] = field(default_factory=list)
    dies_at: int | None = None

    def ceiling(self, rubric: RubricSpec) -> int | None:
        del rubric
        return self.price

    async def score(self, rubric: RubricSpec, case: TraceCase, *, access: WorkspaceAccess, subject: str) -> ScoredTrace:
        self.calls.append(str(case.output).encode())
        if len(self.calls) == self.dies_at:
            raise Killed
        scored = await RubricScorer(DOOR).score(rubric, case, access=access, subject=subject)
        return ScoredTrace(scored.score, scored.missing_reason, self.price - 1)


class Killed(BaseException):
    """The process is gone."""


async def work(database: Database, tenant: Tenant, scorer: Any = None) -> None:
    """One execution of the workspace's work."""
    handler = arrival_handler(MAPPER, scorer or RubricScorer(DOOR))
    access = WorkspaceAccess.for_system(tenant.workspace_id, tenant.account_id, "test")
    await handler(cast("WorkContext", Context(database, access)))


async def scores(database: Database, tenant: Tenant) -> list[TraceScore]:
    """Every score of the workspace, in the order of the traces."""
    async with database.transaction(tenant.access, read_only=True) as session:
        return await TraceScoreRepository(session, tenant.access).find_all(order_by=(TraceScore.trace_id,))

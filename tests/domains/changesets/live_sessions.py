"""Live sessions of an agent, traced and scored, for tests of what follows a promotion."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx

from spectral.client.arms import place_of
from spectral.domains.changesets.guarding_models import PromotionGuard
from spectral.domains.changesets.guarding_service import GuardService
from spectral.domains.changesets.guarding_work import advance_guard
from spectral.domains.evaluations.models import TraceScore
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from tests.domains.evaluations.arriving import online
from tests.domains.traces.otlp_samples import PROTOBUF, SECOND, make_request, make_span
from tests.fixtures.tenants import Tenant


@dataclass
class Live:
    """What one agent's users do. online_id: of the evaluation that scores it, None where nothing does."""

    client: httpx.AsyncClient
    tenant: Tenant
    database: Database
    agent_id: UUID
    online_id: UUID | None = None
    traces: dict[str, bytes] = field(default_factory=dict)

    async def evaluate_online(self) -> None:
        """From now on an evaluation scores the agent's traces."""
        self.online_id = UUID((await online(self.client, self.tenant, name=f"live-{uuid4().hex[:8]}"))["id"])

    async def config(self) -> dict[str, Any]:
        """What the agent fetches."""
        answer = await self.client.get(
            f"{self.tenant.url}/agents/{self.agent_id}/config", headers=self.tenant.key_headers
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def version_of(self, sessions: Sequence[str]) -> list[int]:
        """Which version answers each of these sessions, as a client of ours decides it."""
        config = await self.config()
        arms = config["arms"] or [{"version": config["version"], "weight": 1.0}]
        weights = [arm["weight"] for arm in arms]
        return [arms[place_of(weights, config["salt"] or "", session)]["version"] for session in sessions]

    async def happen(
        self, answered: Sequence[tuple[str, int, float]], *, mode: str | None = None, age_s: float = 0.0
    ) -> None:
        """Sessions are traced, and scored where an evaluation does that: the session, its version and its score."""
        started = int((utc_now().timestamp() - age_s) * SECOND)
        spans, rows = [], []
        for session, version, score in answered:
            trace_id = uuid4().bytes
            self.traces[session] = trace_id
            attributes = {"spectral.agent.id": str(self.agent_id), "spectral.agent.version": str(version)}
            attributes |= {"session.id": session} | ({} if mode is None else {"spectral.mode": mode})
            spans.append(make_span(trace_id, trace_id[:8], start=started, end=started + SECOND, attributes=attributes))
            rows.append(self._scored(trace_id, score))
        body = make_request(*spans).SerializeToString()
        sent = await self.client.post("/otel/v1/traces", content=body, headers=PROTOBUF | self.tenant.key_headers)
        assert sent.status_code == 200, sent.text
        if self.online_id is not None:
            async with self.database.transaction(self.tenant.access) as session_:
                session_.add_all(rows)

    def _scored(self, trace_id: bytes, score: float) -> TraceScore:
        now = utc_now()
        return TraceScore(
            workspace_id=self.tenant.workspace_id,
            trace_id=trace_id,
            online_evaluation_id=self.online_id or uuid4(),
            name="live",
            rubric_id=uuid4(),
            rubric_version=1,
            state="scored",
            day=now.date(),
            span_count=1,
            total=score,
            passed=score > 0,
            dimensions={},
            scored_at=now,
        )

    async def use(self, names: Sequence[str], *, good: set[int], **options: Any) -> None:
        """These sessions take place; the versions in `good` answer them well, every other one badly."""
        versions = await self.version_of(names)
        scores = [1.0 if version in good else 0.0 for version in versions]
        await self.happen(list(zip(names, versions, scores, strict=True)), **options)

    async def think(self, session: str, score: float, headers: dict[str, str]) -> None:
        """Somebody gives feedback on a session."""
        path = f"{self.tenant.url}/traces/{self.traces[session].hex()}/feedback"
        answer = await self.client.post(path, json={"score": score}, headers=headers)
        assert answer.status_code == 201, answer.text

    async def advance(self, changeset_id: UUID) -> PromotionGuard:
        """The guard of the change set, after it was advanced as the schedule does it."""
        access = WorkspaceAccess.for_system(self.tenant.workspace_id, self.tenant.account_id, "guard")
        await advance_guard(self.database, access, changeset_id)
        async with self.database.transaction(access, read_only=True) as session:
            return await GuardService(session, access).read_guard(changeset_id)


def named(prefix: str, count: int) -> list[str]:
    """Ids of sessions."""
    return [f"{prefix}-{number}" for number in range(count)]

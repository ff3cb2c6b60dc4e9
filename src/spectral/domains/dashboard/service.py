"""Overviews over what the other domains hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.service import AccountService
from spectral.domains.agents.observed import LIMIT as OBSERVED_AGENTS_LIMIT
from spectral.domains.agents.observed import ObservedAgentService
from spectral.domains.agents.service import AgentService
from spectral.domains.changesets.exhaustion import exhausted_among
from spectral.domains.changesets.guarding_models import PromotionGuard
from spectral.domains.changesets.guarding_service import GuardService
from spectral.domains.evaluations.spending import evaluation_spending
from spectral.domains.keys.environment import PLACEHOLDER, endpoint_of, environment_of, instrumentation_of
from spectral.domains.keys.figures import count_active_keys, newest_sending_key
from spectral.domains.samples.holdouts import latest_holdouts
from spectral.domains.scans.models import Scan, ScanFiring, ScanSchedule
from spectral.domains.scans.service import ScanService
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.receiving import ModelCalls, Receiving, read_receiving
from spectral.domains.traces.service import TraceService
from spectral.domains.workspaces.models import Workspace
from spectral.domains.workspaces.service import WorkspaceService
from spectral.domains.workspaces.support import SupportService
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.pagination import Page

USAGE_WINDOW = timedelta(days=30)
FAILURE_WINDOW = timedelta(days=7)
SILENCE = timedelta(hours=24)
LISTED_FAILURES = 20
CONTENT_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a workspace holds, and what happened in it lately. Costs in nano-USD."""

    members: int = 0
    agents: int = 0
    api_keys_active: int = 0
    traces: int = 0
    spans: int = 0
    received_spans: int = 0
    received_bytes: int = 0
    scans: int = 0
    own_model_cost_usd: int = 0
    own_unpriced_calls: int = 0
    observed_model_cost_usd: int = 0
    observed_unpriced_calls: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Figures)))


@dataclass(frozen=True, slots=True)
class AccountUsage:
    """One page of an account's workspaces with their figures, and these added up."""

    since: datetime
    members: int
    workspaces: Sequence[tuple[Workspace, Figures]]
    total: Figures
    workspace_count: int


class UsageService:
    """What an account uses.

    A transaction sees one workspace's data at a time, so each workspace of the page is counted in one of its own.
    """

    def __init__(self, session: AsyncSession, database: Database, mapper: SpanMapper) -> None:
        self._session = session
        self._database = database
        self._mapper = mapper

    async def read_usage(self, principal: Principal, page: Page) -> AccountUsage:
        """Raises AccountNotChosenError."""
        accounts = AccountService(self._session)
        account = await accounts.read_chosen_account(principal)
        _, people = await accounts.list_members(principal, Page(limit=1))
        workspaces, count = await WorkspaceService(self._session).list_of_account(account.id, page)
        since = utc_now() - USAGE_WINDOW
        counted = []
        for workspace in workspaces:
            # Whoever administrates the account holds every scope in each of its workspaces.
            access = WorkspaceAccess.for_system(workspace.id, account.id, f"usage for {principal.actor}")
            async with self._database.transaction(access, read_only=True) as session:
                counted.append((workspace, await self._figures(session, access, since)))
        total = sum((figures for _, figures in counted), Figures())
        return AccountUsage(since, people, counted, total, count)

    async def _figures(self, session: AsyncSession, access: WorkspaceAccess, since: datetime) -> Figures:
        agents, scans = AgentService(session, access), ScanService(session, access)
        volume = await TraceService(session, access, self._mapper).read_volume(since)
        own = (
            await evaluation_spending(session, access, since)
            + await scans.spending_since(since)
            + await agents.spending_since(since)
        )
        return Figures(
            members=await WorkspaceService(session).count_members(access),
            agents=await agents.count_agents(),
            api_keys_active=await count_active_keys(session, access),
            traces=volume.traces,
            spans=volume.spans,
            received_spans=volume.received_spans,
            received_bytes=volume.received_bytes,
            scans=await scans.count_since(since),
            own_model_cost_usd=own.known_nano_usd,
            own_unpriced_calls=own.unpriced_calls,
            observed_model_cost_usd=volume.spending.known_nano_usd,
            observed_unpriced_calls=volume.spending.unpriced_calls,
        )


@dataclass(frozen=True, slots=True)
class StaleHoldout:
    """The newest holdout of a set that can be asked nothing more; reason: `retired` or `exhausted`."""

    set_id: UUID
    holdout_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Connection:
    """How processes send their traces here, and whether any did in the last 31 days.

    environment: the variables that a process needs; the key in them is not whole.
    """

    endpoint: str
    environment: dict[str, str]
    status: str
    first_seen_at: datetime | None
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class MissingContent:
    """An instrumentation most of whose model calls came without content in the last day, and what switches it on."""

    scope: str
    instrumentation: str
    model_calls: int
    without_content: int
    environment: dict[str, str]
    hint: str


@dataclass(frozen=True, slots=True)
class WorkspaceHealth:
    """How a workspace is."""

    connection: Connection
    missing_content: Sequence[MissingContent]
    observed_agents: int
    last_trace_seen_at: datetime | None
    ingestion_errors: dict[str, int]
    failing_scans: Sequence[Scan]
    refused_schedules: Sequence[tuple[ScanSchedule, ScanFiring]]
    stale_holdouts: Sequence[StaleHoldout]
    open_support_grants: int
    is_silent: bool
    guard_alerts: Sequence[PromotionGuard] = ()

    @property
    def reasons(self) -> list[str]:
        """What needs attention, in a fixed order."""
        found = {
            "no_recent_traces": self.is_silent,
            "ingestion_errors": bool(self.ingestion_errors),
            "failing_scans": bool(self.failing_scans),
            "refused_schedules": bool(self.refused_schedules),
            "stale_holdouts": bool(self.stale_holdouts),
            "guard_alerts": bool(self.guard_alerts),
            "missing_content": bool(self.missing_content),
            "observed_agents_limit": self.observed_agents >= OBSERVED_AGENTS_LIMIT,
        }
        return [reason for reason, holds in found.items() if holds]

    @property
    def status(self) -> str:
        return "attention" if self.reasons else "ok"


class HealthService:
    """How one workspace is, in the caller's transaction. address: of this server, as users see it."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, mapper: SpanMapper, address: str) -> None:
        self._session = session
        self._access = access
        self._address = address
        self._traces = TraceService(session, access, mapper)

    async def read_health(self) -> WorkspaceHealth:
        """A workspace that sent traces in the last month and none for a day is silent; a new one is not."""
        now = utc_now()
        receiving = await read_receiving(self._session, self._access, now - CONTENT_WINDOW)
        seen = receiving.last_seen_at
        scans = ScanService(self._session, self._access)
        return WorkspaceHealth(
            connection=await self._connection(receiving),
            missing_content=missing_content(receiving.calls),
            observed_agents=await ObservedAgentService(self._session, self._access).count(),
            last_trace_seen_at=seen,
            ingestion_errors=(await self._traces.read_statistics()).mistakes,
            failing_scans=await scans.failed_since(now - FAILURE_WINDOW, LISTED_FAILURES),
            refused_schedules=await scans.refused_since(now - FAILURE_WINDOW, LISTED_FAILURES),
            stale_holdouts=await self._stale_holdouts(),
            open_support_grants=await SupportService(self._session).count_open(self._access),
            is_silent=seen is not None and seen < now - SILENCE,
            guard_alerts=await GuardService(self._session, self._access).list_alerts(),
        )

    async def _connection(self, receiving: Receiving) -> Connection:
        key = await newest_sending_key(self._session, self._access)
        shown = PLACEHOLDER if key is None else f"{key.prefix}…{key.last_four}"
        return Connection(
            endpoint=endpoint_of(self._address),
            environment=environment_of(self._address, shown),
            status="waiting" if receiving.last_seen_at is None else "receiving",
            first_seen_at=receiving.first_seen_at,
            last_seen_at=receiving.last_seen_at,
        )

    async def _stale_holdouts(self) -> list[StaleHoldout]:
        latest = await latest_holdouts(self._session, self._access)
        current = [holdout.id for holdout in latest if holdout.retired_at is None]
        exhausted = await exhausted_among(self._session, self._access, current)
        return [
            StaleHoldout(holdout.set_id, holdout.id, "retired" if holdout.retired_at else "exhausted")
            for holdout in latest
            if holdout.retired_at is not None or holdout.id in exhausted
        ]


def missing_content(calls: Mapping[str, ModelCalls]) -> list[MissingContent]:
    """The scopes at least half of whose model calls came without content: single ones may have failed or be empty."""
    found = []
    for scope, counted in calls.items():
        if counted.without_content and 2 * counted.without_content >= counted.total:
            source = instrumentation_of(scope)
            found.append(
                MissingContent(
                    scope,
                    source.name,
                    counted.total,
                    counted.without_content,
                    dict(source.environment),
                    source.hint,
                )
            )
    return found

"""Scans as people and pipelines read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.measurement import cost_by_model
from spectral.domains.scans.models import Scan, ScanCandidate, ScanEvent, ScanFiring, ScanPhase, ScanSchedule
from spectral.domains.scans.repository import (
    ScanCandidateRepository,
    ScanEventRepository,
    ScanFiringRepository,
    ScanPhaseRepository,
    ScanQuestionRepository,
    ScanRepository,
)
from spectral.domains.scans.states import FINAL, PHASES, Phase, ScanStatus
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.money import Spending
from spectral.platform.shared.pagination import Page

MAXIMUM_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class CostLine:
    """What one model cost for one purpose; `cost_nano_usd` None where a call's price is unknown.

    reserved_nano_usd: kept for calls whose cost never became known.
    """

    model: str
    purpose: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int | None
    reserved_nano_usd: int


@dataclass(frozen=True, slots=True)
class ScanCost:
    """What a scan and its look at the holdout have spent; the total is None where any part is unknown."""

    lines: tuple[CostLine, ...]
    evaluations: int

    @property
    def total_nano_usd(self) -> int | None:
        known = [line.cost_nano_usd for line in self.lines if line.cost_nano_usd is not None]
        return sum(known) if len(known) == len(self.lines) else None


@dataclass(frozen=True, slots=True)
class ScanView:
    """A scan with its phases, its candidates and what it has spent."""

    scan: Scan
    phases: list[ScanPhase]
    candidates: list[ScanCandidate]
    cost: ScanCost

    @property
    def finished(self) -> int:
        """How many of the seven phases have finished."""
        return sum(phase.result is not None for phase in self.phases)

    def result_of(self, phase: Phase) -> dict[str, Any] | None:
        """What a phase ended with; None before."""
        return next((row.result for row in self.phases if row.name == phase), None)

    @property
    def results(self) -> dict[str, Any] | None:
        """The scan's outcome in one place; None until it has completed."""
        safety, evaluated = self.result_of(Phase.SAFETY), self.result_of(Phase.EVALUATE)
        if self.scan.status != ScanStatus.COMPLETED or safety is None or evaluated is None:
            return None
        winner = next((one for one in evaluated["results"] if one["ordinal"] == evaluated["winner"]), None)
        detected = self.result_of(Phase.DETECT) or {}
        return {
            "outcome": self.scan.outcome,
            "champion": evaluated["champion"],
            "winner": winner,
            "failures": detected.get("failures"),
            "clusters": (self.result_of(Phase.DIAGNOSE) or {}).get("clusters"),
            "validation": safety.get("validation"),
        }


class ScanService:
    """The scans of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._scans = ScanRepository(session, access)
        self._events = ScanEventRepository(session, access)

    async def list_scans(
        self, page: Page, *, agent_id: UUID | None = None, status: ScanStatus | None = None
    ) -> tuple[Sequence[Scan], int]:
        """One page of the scans, newest first."""
        statement = self._scans.select()
        if agent_id is not None:
            statement = statement.where(Scan.agent_id == agent_id)
        if status is not None:
            statement = statement.where(Scan.status == status.value)
        return await self._scans.page(statement, page)

    async def read_scan(self, scan_id: UUID) -> Scan:
        """Raises NotFoundError."""
        return await self._scans.get(scan_id)

    async def count_since(self, since: datetime) -> int:
        """How many scans were started since that moment."""
        return await self._scans.count(Scan.created_at >= since)

    async def failed_since(self, since: datetime, limit: int) -> list[Scan]:
        """The latest scans that failed since that moment, newest first."""
        failed = self._scans.select(Scan.status == ScanStatus.FAILED.value, Scan.finished_at >= since)
        return list((await self._session.scalars(failed.order_by(Scan.finished_at.desc()).limit(limit))).all())

    async def refused_since(self, since: datetime, limit: int) -> list[tuple[ScanSchedule, ScanFiring]]:
        """The schedules whose last scan was refused since that moment, each with what came of that; newest first."""
        return await ScanFiringRepository(self._session, self._access).refused_since(since, limit)

    async def spending_since(self, since: datetime) -> Spending:
        """What the scans have asked their reflection models for since that moment."""
        return await ScanQuestionRepository(self._session, self._access).spending_since(since)

    async def committed_since(self, since: datetime) -> int:
        """Nano-USD that scans started by schedules since that moment have spent, or may still spend.

        A scan that has not ended counts with its whole budget, and one without a budget or with a call of unknown
        cost with what is known of it.
        """
        committed = 0
        for scan_id in await ScanFiringRepository(self._session, self._access).scans_since(since):
            scan, cost = await self.read_cost(scan_id)
            known = sum((line.cost_nano_usd or 0) + line.reserved_nano_usd for line in cost.lines)
            committed += known if scan.status in FINAL else max(known, scan.max_cost_nano_usd or 0)
        return committed

    async def view_scan(self, scan_id: UUID) -> ScanView:
        """Raises NotFoundError."""
        scan = await self._scans.get(scan_id)
        phases = await ScanPhaseRepository(self._session, self._access).of_scan(scan_id)
        candidates = await ScanCandidateRepository(self._session, self._access).of_scan(scan_id)
        return ScanView(scan, phases, candidates, await self._cost(scan, phases))

    async def read_cost(self, scan_id: UUID) -> tuple[Scan, ScanCost]:
        """Raises NotFoundError."""
        scan = await self._scans.get(scan_id)
        phases = await ScanPhaseRepository(self._session, self._access).of_scan(scan_id)
        return scan, await self._cost(scan, phases)

    async def list_events(self, scan_id: UUID, *, after: int, offset: int, limit: int) -> tuple[list[ScanEvent], int]:
        """At most `limit` events with a higher number than `after`, and how many the scan has. Raises NotFoundError."""
        scan = await self._scans.get(scan_id)
        # Numbers have no gaps, so skipping is adding.
        return await self._events.after(scan_id, after + offset, limit), scan.last_seq

    async def _cost(self, scan: Scan, phases: Sequence[ScanPhase]) -> ScanCost:
        safety = next((row.result for row in phases if row.name == Phase.SAFETY and row.result is not None), {})
        validation = (safety or {}).get("validation_id")
        lines: list[CostLine] = []
        for subject in (scan.id, None if validation is None else UUID(validation)):
            if subject is None:
                continue
            for spent in await cost_by_model(self._session, self._access, subject):
                purpose = spent.purpose if subject == scan.id else "validation"
                cost = None if spent.unpriced_calls else spent.cost_nano_usd
                lines.append(
                    CostLine(
                        spent.model,
                        purpose,
                        spent.calls,
                        spent.input_tokens,
                        spent.output_tokens,
                        cost,
                        spent.reserved_nano_usd,
                    )
                )
        evaluations = sum(line.calls for line in lines)
        lines += [
            CostLine(
                asked.model,
                asked.purpose,
                asked.calls,
                asked.input_tokens,
                asked.output_tokens,
                asked.cost_nano_usd,
                0,
            )
            for asked in await ScanQuestionRepository(self._session, self._access).costs(scan.id)
        ]
        return ScanCost(tuple(lines), evaluations)


def has_ended(scan: Scan) -> bool:
    """Whether nothing will happen in this scan any more."""
    return scan.status in FINAL


def phase_count() -> int:
    """How many phases a scan has."""
    return len(PHASES)

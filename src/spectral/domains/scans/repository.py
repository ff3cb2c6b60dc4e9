"""Queries over scans and what belongs to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa

from spectral.domains.scans.models import Scan, ScanCandidate, ScanEvent, ScanPhase, ScanQuestion
from spectral.platform.db.repository import PricedRepository, WorkspaceRepository
from spectral.platform.shared.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that has no number yet."""

    type: str
    data: dict[str, Any]
    phase: str | None = None


class ScanRepository(WorkspaceRepository[Scan]):
    """The scans of one workspace."""

    model: ClassVar[type[Scan]] = Scan
    kind = "Scan"

    async def lock(self, scan_id: UUID) -> Scan:
        """The scan, held against other writers until the transaction ends. Raises NotFoundError."""
        scan = (await self.session.scalars(self.select(Scan.id == scan_id).with_for_update())).one_or_none()
        if scan is None:
            raise NotFoundError(self.kind, scan_id)
        return scan

    async def append_events(self, scan_id: UUID, events: Sequence[NewEvent]) -> None:
        """Add events with the next numbers. The scan's row is the counter, so that commit order is event order."""
        if not events:
            return
        counted = (
            self.update(Scan.id == scan_id)
            .values(last_seq=Scan.last_seq + len(events))
            .returning(Scan.last_seq)
            .execution_options(synchronize_session=False)
        )
        last = (await self.session.execute(counted)).scalar_one()
        for seq, event in enumerate(events, start=last - len(events) + 1):
            self.session.add(
                ScanEvent(
                    workspace_id=self.access.workspace_id,
                    scan_id=scan_id,
                    seq=seq,
                    type=event.type,
                    phase=event.phase,
                    data=event.data,
                )
            )
        await self.session.flush()


class ScanPhaseRepository(WorkspaceRepository[ScanPhase]):
    """The phases of one workspace's scans."""

    model: ClassVar[type[ScanPhase]] = ScanPhase
    kind = "Scan phase"

    async def of_scan(self, scan_id: UUID) -> list[ScanPhase]:
        """The phases that have begun, in their order."""
        return await self.find_all(ScanPhase.scan_id == scan_id, order_by=(ScanPhase.ordinal,))


class ScanCandidateRepository(WorkspaceRepository[ScanCandidate]):
    """The candidates of one workspace's scans."""

    model: ClassVar[type[ScanCandidate]] = ScanCandidate
    kind = "Scan candidate"

    async def of_scan(self, scan_id: UUID) -> list[ScanCandidate]:
        """In the order in which they were proposed."""
        return await self.find_all(ScanCandidate.scan_id == scan_id, order_by=(ScanCandidate.ordinal,))


class ScanEventRepository(WorkspaceRepository[ScanEvent]):
    """The events of one workspace's scans."""

    model: ClassVar[type[ScanEvent]] = ScanEvent
    kind = "Scan event"

    async def after(self, scan_id: UUID, seq: int, limit: int) -> list[ScanEvent]:
        """At most `limit` events with a higher number, in their order."""
        statement = self.select(ScanEvent.scan_id == scan_id, ScanEvent.seq > seq)
        return list((await self.session.scalars(statement.order_by(ScanEvent.seq).limit(limit))).all())


@dataclass(frozen=True, slots=True)
class QuestionCost:
    """What a scan's questions to one model for one purpose cost; None where a price is unknown."""

    model: str
    purpose: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int | None


class ScanQuestionRepository(PricedRepository[ScanQuestion]):
    """What one workspace's scans asked their reflection models."""

    model: ClassVar[type[ScanQuestion]] = ScanQuestion
    kind = "Scan question"

    async def answered(self, scan_id: UUID, purpose: str, prompt_hash: str, ordinal: int) -> ScanQuestion | None:
        """The answer that is in the journal already."""
        return await self.find(
            ScanQuestion.scan_id == scan_id,
            ScanQuestion.purpose == purpose,
            ScanQuestion.prompt_hash == prompt_hash,
            ScanQuestion.ordinal == ordinal,
        )

    async def costs(self, scan_id: UUID) -> list[QuestionCost]:
        """By model and purpose."""
        calls, priced = sa.func.count(ScanQuestion.id), sa.func.count(ScanQuestion.cost_nano_usd)
        statement = (
            sa.select(
                ScanQuestion.model,
                ScanQuestion.purpose,
                calls,
                sa.func.sum(ScanQuestion.input_tokens),
                sa.func.sum(ScanQuestion.output_tokens),
                sa.case((calls == priced, sa.func.sum(ScanQuestion.cost_nano_usd)), else_=None),
            )
            .where(self._mine, ScanQuestion.scan_id == scan_id)
            .group_by(ScanQuestion.model, ScanQuestion.purpose)
            .order_by(ScanQuestion.model, ScanQuestion.purpose)
        )
        rows = (await self.session.execute(statement)).all()
        return [
            QuestionCost(model, purpose, int(n), int(sent), int(got), None if cost is None else int(cost))
            for model, purpose, n, sent, got, cost in rows
        ]

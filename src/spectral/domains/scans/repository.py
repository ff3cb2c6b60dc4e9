"""Queries over scans and what belongs to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from spectral.domains.scans.models import (
    Scan,
    ScanCandidate,
    ScanEvent,
    ScanFiring,
    ScanPhase,
    ScanQuestion,
    ScanSchedule,
)
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
        """The scan as it is now, held against other writers until the transaction ends. Raises NotFoundError."""
        held = self.select(Scan.id == scan_id).with_for_update().execution_options(populate_existing=True)
        scan = (await self.session.scalars(held)).one_or_none()
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


class ScanScheduleRepository(WorkspaceRepository[ScanSchedule]):
    """The schedules of one workspace."""

    model: ClassVar[type[ScanSchedule]] = ScanSchedule
    kind = "Schedule"

    async def find_locked(self, schedule_id: UUID) -> ScanSchedule | None:
        """The schedule as it is now, held until the transaction ends; None where it was deleted."""
        held = self.select(ScanSchedule.id == schedule_id).with_for_update().execution_options(populate_existing=True)
        return (await self.session.scalars(held)).one_or_none()

    async def lock(self, schedule_id: UUID) -> ScanSchedule:
        """As `find_locked`. Raises NotFoundError."""
        schedule = await self.find_locked(schedule_id)
        if schedule is None:
            raise NotFoundError(self.kind, schedule_id)
        return schedule


class ScanFiringRepository(WorkspaceRepository[ScanFiring]):
    """What came of one workspace's schedules."""

    model: ClassVar[type[ScanFiring]] = ScanFiring
    kind = "Firing"

    async def latest(self, schedule_ids: Sequence[UUID]) -> dict[UUID, ScanFiring]:
        """The last one of each of these schedules."""
        last = (
            sa.select(ScanFiring.schedule_id, sa.func.max(ScanFiring.due_at).label("due_at"))
            .where(self._mine, ScanFiring.schedule_id.in_(schedule_ids))
            .group_by(ScanFiring.schedule_id)
            .subquery()
        )
        statement = self.select().join(
            last, sa.and_(ScanFiring.schedule_id == last.c.schedule_id, ScanFiring.due_at == last.c.due_at)
        )
        return {firing.schedule_id: firing for firing in await self.session.scalars(statement)}

    async def refused_since(self, since: datetime, limit: int) -> list[tuple[ScanSchedule, ScanFiring]]:
        """The enabled schedules that were refused at their last time, if that was since that moment; newest first."""
        later = aliased(ScanFiring)
        # tenancy: the schedule and its firings are of one workspace, which the firing's is compared with.
        overtaken = sa.exists().where(
            later.workspace_id == ScanFiring.workspace_id,
            later.schedule_id == ScanFiring.schedule_id,
            later.due_at > ScanFiring.due_at,
        )
        statement = (
            sa.select(ScanSchedule, ScanFiring)
            .join(
                ScanSchedule,
                sa.and_(
                    ScanSchedule.workspace_id == ScanFiring.workspace_id, ScanSchedule.id == ScanFiring.schedule_id
                ),
            )
            .where(self._mine, ScanFiring.outcome == "refused", ScanFiring.created_at >= since, ~overtaken)
            .where(ScanSchedule.enabled)
            .order_by(ScanFiring.due_at.desc())
            .limit(limit)
        )
        return [(schedule, firing) for schedule, firing in (await self.session.execute(statement)).all()]

    async def last_started(self, schedule_id: UUID) -> ScanFiring | None:
        """The last one that started a scan."""
        started = self.select(ScanFiring.schedule_id == schedule_id, ScanFiring.outcome == "started")
        return (await self.session.scalars(started.order_by(ScanFiring.due_at.desc()).limit(1))).first()

    async def scans_since(self, since: datetime) -> list[UUID]:
        """The scans that schedules have started since that moment."""
        statement = sa.select(ScanFiring.scan_id).where(
            self._mine, ScanFiring.outcome == "started", ScanFiring.created_at >= since
        )
        return [scan_id for scan_id in await self.session.scalars(statement) if scan_id is not None]

    async def forget_old(self, schedule_id: UUID, kept: int) -> None:
        """Only the last `kept` firings of the schedule, and the last that started a scan, stay."""
        oldest = (
            sa.select(ScanFiring.due_at)
            .where(self._mine, ScanFiring.schedule_id == schedule_id)
            .order_by(ScanFiring.due_at.desc())
            .offset(kept - 1)
            .limit(1)
        )
        last = await self.last_started(schedule_id)
        before = (await self.session.scalars(oldest)).first()
        if before is not None:
            old = self.delete(ScanFiring.schedule_id == schedule_id, ScanFiring.due_at < before)
            await self.execute(old if last is None else old.where(ScanFiring.id != last.id))

"""Queries over live guards and the sessions that they have counted, of one workspace."""

from collections.abc import Collection, Sequence
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from spectral.domains.changesets.guarding_models import GuardObservation, PromotionGuard
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.shared.errors import NotFoundError

RUNNING = "running"
ALERTING = "alerting"
OPEN = (RUNNING, ALERTING)


class GuardRepository(WorkspaceRepository[PromotionGuard]):
    """Live guards."""

    model: ClassVar[type[PromotionGuard]] = PromotionGuard
    kind = "Guard"

    async def of_changeset(self, changeset_id: UUID) -> PromotionGuard | None:
        """The guard of a change set, None where it has none."""
        return await self.find(PromotionGuard.changeset_id == changeset_id)

    async def lock_of(self, changeset_id: UUID) -> PromotionGuard:
        """The guard of a change set as it is now, held until the transaction ends. Raises NotFoundError."""
        statement = self.select(PromotionGuard.changeset_id == changeset_id).with_for_update()
        row = (await self.session.scalars(statement.execution_options(populate_existing=True))).one_or_none()
        if row is None:
            raise NotFoundError(self.kind)
        return row

    async def open_in(self, agent_id: UUID, environment: str) -> list[PromotionGuard]:
        """Those of an agent's environment that run or wait for somebody, held until the transaction ends."""
        statement = self.select(
            PromotionGuard.agent_id == agent_id,
            PromotionGuard.environment == environment,
            PromotionGuard.state.in_(OPEN),
        )
        ordered = statement.order_by(PromotionGuard.id).with_for_update().execution_options(populate_existing=True)
        return list((await self.session.scalars(ordered)).all())

    async def alerting(self, limit: int) -> list[PromotionGuard]:
        """Those that wait for somebody to decide, the longest waiting first."""
        statement = self.select(PromotionGuard.state == ALERTING)
        ordered = statement.order_by(PromotionGuard.alerted_at, PromotionGuard.id).limit(limit)
        return list((await self.session.scalars(ordered)).all())


class ObservationRepository(WorkspaceRepository[GuardObservation]):
    """The sessions that guards have counted."""

    model: ClassVar[type[GuardObservation]] = GuardObservation
    kind = "Observation"

    async def known(self, guard_id: UUID, units: Collection[bytes]) -> set[bytes]:
        """Those of these sessions that the guard has counted."""
        statement = sa.select(GuardObservation.unit).where(
            self._mine, GuardObservation.guard_id == guard_id, GuardObservation.unit.in_(units)
        )
        return set(await self.session.scalars(statement))

    def add_all(self, rows: Sequence[GuardObservation]) -> None:
        """Put new rows into this workspace; they are written at the next flush."""
        for row in rows:
            self.add(row)

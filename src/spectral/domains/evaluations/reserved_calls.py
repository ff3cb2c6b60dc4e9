"""Calls of models that are no execution of an agent: what each may cost is a row before it is made.

A row that stays belongs to a call whose cost never became known (in flight at a crash, or failed at its provider); it
counts as spent for ever, as those of executions do.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.models import EvaluationReservation
from spectral.domains.evaluations.repository import ReservationRepository
from spectral.platform.access.principal import WorkspaceAccess


@dataclass(frozen=True, slots=True)
class PaidCall:
    """Which call it is. digest: SHA-256, in hex, of what is sent.  ordinal: how often that was sent before, and one."""

    subject_kind: str
    subject_id: UUID
    digest: str
    call_id: UUID
    ordinal: int
    purpose: str
    model: str


class ReservedCalls:
    """The reserved calls of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._reservations = ReservationRepository(session, access)

    async def note(self, call: PaidCall, ceiling_nano_usd: int | None) -> UUID:
        """It may be made now, and cost so much at most; None where nobody knows. Answers the id of the row."""
        row = self._reservations.add(
            EvaluationReservation(
                subject_kind=call.subject_kind,
                subject_id=call.subject_id,
                config_hash=call.digest,
                item_id=call.call_id,
                repeat=call.ordinal,
                purpose=call.purpose,
                model=call.model,
                evaluations=0,
                cost_nano_usd=ceiling_nano_usd,
            )
        )
        await self._reservations.flush()
        return row.id

    async def raise_by(self, reservation_id: UUID, cost_nano_usd: int) -> None:
        """One more attempt may cost this much."""
        await self._reservations.raise_by(reservation_id, cost_nano_usd)

    async def close(self, reservation_id: UUID, kept_nano_usd: int) -> None:
        """The answer is recorded: only what attempts may have cost without saying so stays reserved."""
        await self._reservations.close(reservation_id, kept_nano_usd)

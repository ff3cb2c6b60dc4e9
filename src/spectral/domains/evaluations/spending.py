"""What a workspace's evaluations cost, whatever they were for."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.online_repository import TraceScoreRepository
from spectral.domains.evaluations.repository import JudgementRepository, ReservationRepository, ResultRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.money import Spending


async def evaluation_spending(session: AsyncSession, access: WorkspaceAccess, since: datetime) -> Spending:
    """Since that moment, with what is reserved for calls that have not told their cost."""
    recorded = await ResultRepository(session, access).spending_since(since)
    recorded += await TraceScoreRepository(session, access).spending_since(since)
    recorded += await JudgementRepository(session, access).spending_since(since)
    return recorded + await ReservationRepository(session, access).spending_since(since)

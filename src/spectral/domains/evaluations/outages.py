"""A provider that was away: what it did not answer may be asked again, as if it had not been asked."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.models import EvaluationResult
from spectral.domains.evaluations.repository import ResultRepository
from spectral.platform.access.principal import WorkspaceAccess

PROVIDER = "provider"
"""The reason of a missing item that was never answered."""


async def forget_unanswered(
    session: AsyncSession, access: WorkspaceAccess, subject_id: UUID, config_hash: str, since: datetime
) -> int:
    """Executions of a config that were not answered since that moment leave the journal; answers how many.

    One that cost something stays, and what was kept for calls of unknown cost stays in the budget: nothing is spent
    twice without being counted twice. Only for results that nobody has seen yet.
    """
    results = ResultRepository(session, access)
    return await results.execute(
        results.delete(
            EvaluationResult.subject_id == subject_id,
            EvaluationResult.config_hash == config_hash,
            EvaluationResult.missing_reason == PROVIDER,
            EvaluationResult.created_at >= since,
            sa.func.coalesce(EvaluationResult.cost_nano_usd, 0) == 0,
        )
    )

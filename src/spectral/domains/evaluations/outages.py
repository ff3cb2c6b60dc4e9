"""A provider that was away: what it did not answer may be asked again, as if it had not been asked."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.judgements import ASKED
from spectral.domains.evaluations.models import EvaluationResult
from spectral.domains.evaluations.repository import JudgementRepository, ResultRepository
from spectral.platform.access.principal import WorkspaceAccess

PROVIDER = "provider"
"""The reason of a missing item that was never answered."""
SCORER = "scorer"
"""The reason of a missing item whose answer nobody could score."""
UNSCORED = "unscored"
"""Why an item is missing whose answer is recorded, and whose models have not been heard yet."""


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


async def forget_unjudged(
    session: AsyncSession,
    access: WorkspaceAccess,
    subject_id: UUID,
    config_hash: str,
    keys: Sequence[tuple[UUID, int]],
    digests: Sequence[str],
) -> None:
    """Answers whose judge was away, by item and repeat, wait for it again; the answers themselves stay.

    digests: of the questions that it did not answer; what they may have cost stays spent.
    """
    await ResultRepository(session, access).unscore(subject_id, config_hash, keys, UNSCORED)
    await JudgementRepository(session, access).ask_again(subject_id, digests, ASKED)

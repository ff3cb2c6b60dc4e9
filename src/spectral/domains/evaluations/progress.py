"""How a search came along, read from the journal: which configurations were tried, in which order, and how they did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.models import EvaluationResult
from spectral.platform.access.principal import WorkspaceAccess


@dataclass(frozen=True, slots=True)
class TriedConfig:
    """A configuration that a subject executed. items: different ones; score: mean rubric total of what was measured.

    executions: all of them, so that their sum is what had been spent.
    """

    config_hash: str
    items: int
    executions: int
    score: float | None
    first_at: datetime


async def tried_configs(
    session: AsyncSession, access: WorkspaceAccess, subject_id: UUID, item_ids: Sequence[UUID]
) -> list[TriedConfig]:
    """What the subject has executed on these items, in the order in which it began. item_ids: at most some thousand."""
    first_at = sa.func.min(EvaluationResult.created_at, type_=EvaluationResult.created_at.type)
    statement = (
        sa.select(
            EvaluationResult.config_hash,
            sa.func.count(sa.distinct(EvaluationResult.item_id)),
            sa.func.count(EvaluationResult.id),
            sa.func.avg(EvaluationResult.total),
            first_at,
        )
        .where(
            EvaluationResult.workspace_id == access.workspace_id,
            EvaluationResult.subject_id == subject_id,
            EvaluationResult.item_id.in_(item_ids),
        )
        .group_by(EvaluationResult.config_hash)
        .order_by(first_at, EvaluationResult.config_hash)
    )
    rows = (await session.execute(statement)).all()
    return [
        TriedConfig(name, int(items), int(executions), None if score is None else float(score), moment)
        for name, items, executions, score, moment in rows
    ]

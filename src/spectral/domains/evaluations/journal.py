"""What a subject has recorded, for whoever shows or compares it later."""

from collections.abc import Sequence
from dataclasses import fields
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.measurement import Measured
from spectral.domains.evaluations.models import EvaluationResult
from spectral.domains.evaluations.repository import ResultRepository
from spectral.domains.evaluations.scoring import DimensionScore
from spectral.platform.access.principal import WorkspaceAccess

ITEMS_AT_ONCE = 500


async def recorded(
    session: AsyncSession,
    access: WorkspaceAccess,
    subject_id: UUID,
    config_hashes: Sequence[str],
    item_ids: Sequence[UUID],
) -> list[Measured]:
    """What the subject's journal has of these configs on these items: by config, item and repeat.

    The group of an item is not in the journal.
    """
    results = ResultRepository(session, access)
    found: list[EvaluationResult] = []
    for start in range(0, len(item_ids), ITEMS_AT_ONCE):
        found += await results.find_all(
            EvaluationResult.subject_id == subject_id,
            EvaluationResult.config_hash.in_(config_hashes),
            EvaluationResult.item_id.in_(item_ids[start : start + ITEMS_AT_ONCE]),
            order_by=(EvaluationResult.config_hash, EvaluationResult.item_id, EvaluationResult.repeat),
        )
    return [_measured(row) for row in found]


def _measured(row: EvaluationResult) -> Measured:
    names = (each.name for each in fields(Measured) if each.name not in {"dimensions", "group_key"})
    dimensions = {name: DimensionScore(**score) for name, score in row.dimensions.items()}
    return Measured(dimensions=dimensions, **{name: getattr(row, name) for name in names})

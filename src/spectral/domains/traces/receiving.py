"""Whether a workspace's traces come in, and whether they say what was said."""

from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.models import TraceIngestion
from spectral.platform.access.principal import WorkspaceAccess


@dataclass(frozen=True, slots=True)
class ModelCalls:
    """Spans of model calls of one instrumentation scope, and how many of them came without content."""

    total: int
    without_content: int


@dataclass(frozen=True, slots=True)
class Receiving:
    """When spans first and last came in, as far back as the statistics are kept (31 days).

    calls: the model calls since some moment, by the name of their instrumentation scope.
    """

    first_seen_at: datetime | None
    last_seen_at: datetime | None
    calls: dict[str, ModelCalls] = field(default_factory=dict)


async def read_receiving(session: AsyncSession, access: WorkspaceAccess, calls_since: datetime) -> Receiving:
    """What came in. `calls_since`: how far back model calls are counted."""
    workspace_id = access.workspace_id
    came = sa.select(
        sa.func.min(TraceIngestion.minute, type_=TraceIngestion.minute.type),
        sa.func.max(TraceIngestion.last_seen_at, type_=TraceIngestion.last_seen_at.type),
    ).where(TraceIngestion.workspace_id == workspace_id, TraceIngestion.accepted_spans > 0)
    first, last = (await session.execute(came)).one()
    counted: dict[str, list[int]] = {}
    minutes = sa.select(TraceIngestion.content).where(
        TraceIngestion.workspace_id == workspace_id, TraceIngestion.minute >= calls_since
    )
    for content in await session.scalars(minutes):
        for scope, (total, without) in (content or {}).items():
            sums = counted.setdefault(scope, [0, 0])
            sums[0] += total
            sums[1] += without
    # Log events lower the second number in the minute in which they come, which may be a later one.
    calls = {scope: ModelCalls(total, max(0, without)) for scope, (total, without) in sorted(counted.items())}
    return Receiving(first, last, calls)

"""What online evaluations made of live sessions, for whoever compares versions of an agent."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.models import OnlineEvaluation, TraceScore
from spectral.domains.evaluations.online_repository import SCORED, OnlineEvaluationRepository
from spectral.domains.traces.live_sessions import LiveTraces, SessionScore
from spectral.domains.traces.models import Trace
from spectral.domains.traces.vocabulary import LIVE
from spectral.platform.access.principal import WorkspaceAccess

LONGEST_SCORING = timedelta(days=1)
"""What was claimed for scoring earlier than this before a moment has its score by then, or none that counts."""


async def evaluation_of(
    session: AsyncSession, access: WorkspaceAccess, agents: Collection[str], rubric_id: UUID
) -> OnlineEvaluation | None:
    """The online evaluation that scores an agent's live traces in all its versions: by this rubric if there is one.

    agents: what spans call the agent.
    """
    enabled = await OnlineEvaluationRepository(session, access).enabled()
    fitting = [
        each
        for each in enabled
        if (each.agent_id is None or each.agent_id in agents)
        and each.agent_version is None
        and each.mode in {None, LIVE}
        and each.trace_name is None
    ]
    return min(fitting, key=lambda each: (each.rubric_id != rubric_id, each.created_at, each.id), default=None)


async def evaluation_scores(
    session: AsyncSession,
    access: WorkspaceAccess,
    online_id: UUID,
    wanted: LiveTraces,
    *,
    after: tuple[datetime, Any] | None,
    limit: int,
    newest_first: bool = False,
) -> Sequence[SessionScore]:
    """Total scores in the order in which they came, or the newest ones first.

    after: `at` and `key` of the last one that is known.
    """
    order = (TraceScore.scored_at, TraceScore.id)
    statement = (
        sa.select(*order, Trace.trace_id, Trace.session_id, Trace.agent_version, TraceScore.total)
        .join(Trace, sa.and_(Trace.workspace_id == TraceScore.workspace_id, Trace.trace_id == TraceScore.trace_id))
        .where(
            TraceScore.workspace_id == access.workspace_id,
            TraceScore.online_evaluation_id == online_id,
            TraceScore.state == SCORED,
            TraceScore.total.between(0, 1),
            TraceScore.scored_at.is_not(None),
            *wanted.conditions(),
        )
        .order_by(*(column.desc() for column in order) if newest_first else order)
        .limit(limit)
    )
    if after is not None:
        at, key = after
        statement = statement.where(
            # The index knows when a score was claimed.
            TraceScore.created_at > at - LONGEST_SCORING,
            sa.or_(TraceScore.scored_at > at, sa.and_(TraceScore.scored_at == at, TraceScore.id > key)),
        )
    return [SessionScore(*row) for row in await session.execute(statement)]

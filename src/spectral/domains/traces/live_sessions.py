"""Live traces of randomised sessions, and what people thought of them, for whoever compares versions of an agent."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.models import Trace, TraceFeedback
from spectral.domains.traces.vocabulary import LIVE
from spectral.platform.access.principal import WorkspaceAccess

FEEDBACK = "feedback"
"""The name of the feedback that counts, which is the one that it has unless its sender chooses another."""


@dataclass(frozen=True, slots=True)
class LiveTraces:
    """Which traces are meant: live ones, with a session, of an agent that spans call by one of these names.

    versions: what their spans call the version.  since_ns, until_ns: when they began, in nanoseconds since 1970.
    """

    agents: Collection[str]
    versions: Collection[str]
    since_ns: int | None = None
    until_ns: int | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """What their rows fulfil."""
        found = [
            Trace.mode == LIVE,
            Trace.session_id.is_not(None),
            Trace.agent_id.in_(self.agents),
            Trace.agent_version.in_(self.versions),
        ]
        if self.since_ns is not None:
            found.append(Trace.started_at >= self.since_ns)
        if self.until_ns is not None:
            found.append(Trace.started_at < self.until_ns)
        return found


@dataclass(frozen=True, slots=True)
class SessionScore:
    """One score of a session's trace. at, key: in the order of which scores come."""

    at: datetime
    key: Any
    trace_id: bytes
    session_id: str
    version: str
    score: float


async def feedback_scores(
    session: AsyncSession,
    access: WorkspaceAccess,
    wanted: LiveTraces,
    trusted: Collection[str],
    *,
    after: tuple[datetime, Any] | None,
    limit: int,
) -> Sequence[SessionScore]:
    """Scores from 0 to 1 that people gave, or keys whose names are in `trusted`, in the order in which they came.

    after: `at` and `key` of the last one that is known.
    """
    by_people = sa.or_(sa.not_(TraceFeedback.created_by.startswith("key:")), TraceFeedback.created_by.in_(trusted))
    statement = (
        sa.select(
            TraceFeedback.created_at,
            TraceFeedback.id,
            Trace.trace_id,
            Trace.session_id,
            Trace.agent_version,
            TraceFeedback.score,
        )
        .join(
            Trace,
            sa.and_(Trace.workspace_id == TraceFeedback.workspace_id, Trace.trace_id == TraceFeedback.trace_id),
        )
        .where(
            TraceFeedback.workspace_id == access.workspace_id,
            TraceFeedback.name == FEEDBACK,
            TraceFeedback.score.between(0, 1),
            by_people,
            *wanted.conditions(),
        )
        .order_by(TraceFeedback.created_at, TraceFeedback.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(
            sa.or_(
                TraceFeedback.created_at > after[0],
                sa.and_(TraceFeedback.created_at == after[0], TraceFeedback.id > after[1]),
            )
        )
    return [SessionScore(*row) for row in await session.execute(statement)]

"""What happened in a workspace, as people and their tools may want to know it: rows first, then whoever listens."""

from enum import StrEnum
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.base import Base, WorkspaceOwned
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.logs import masked
from spectral.platform.shared.ids import new_id
from spectral.platform.webhooks.outgoing import deliver_event


class EventType(StrEnum):
    """Every type of event, `resource.verb`; targets subscribe to these."""

    AGENT_PROMOTED = "agent.promoted"
    CHANGESET_ACCEPTED = "changeset.accepted"
    CHANGESET_APPLIED = "changeset.applied"
    CHANGESET_PROPOSED = "changeset.proposed"
    CHANGESET_REJECTED = "changeset.rejected"
    CHANGESET_ROLLED_BACK = "changeset.rolled_back"
    CHANGESET_VALIDATED = "changeset.validated"
    EXPERIMENT_FINISHED = "experiment.finished"
    GUARD_ALERTED = "guard.alerted"
    GUARD_RELEASED = "guard.released"
    GUARD_ROLLED_BACK = "guard.rolled_back"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    SCAN_FINISHED = "scan.finished"
    SCAN_PHASE_STARTED = "scan.phase_started"
    SCAN_SCHEDULE_REFUSED = "scan.schedule_refused"
    WEBHOOK_PING = "webhook.ping"
    WORKFLOW_INTERRUPT_REQUESTED = "workflow.interrupt_requested"
    WORKFLOW_RUN_FINISHED = "workflow.run_finished"
    WORKSPACE_MEMBER_CHANGED = "workspace.member_changed"


TYPES = {kind.value: kind for kind in EventType}
"""By their words, for services whose audit actions are the same words."""


class DomainEvent(WorkspaceOwned, Base):
    """One thing that happened. subject: `kind:id`; data: small, ids and states, never content of traces or secrets."""

    __tablename__ = "domain_event"
    __table_args__ = (sa.Index(None, "workspace_id", "created_at"),)

    type: Mapped[str] = mapped_column(sa.String(64))
    subject: Mapped[str] = mapped_column(sa.String(200))
    data: Mapped[dict[str, Any]]


class DomainEventRepository(WorkspaceRepository[DomainEvent]):
    """The events of one workspace."""

    model: ClassVar[type[DomainEvent]] = DomainEvent
    kind = "Event"


async def emit(
    session: AsyncSession, access: WorkspaceAccess, type: EventType, *, subject: str, data: dict[str, Any] | None = None
) -> None:
    """The event is a row of the caller's transaction, and so is its delivery to every target that wants it.

    The session must be bound to the workspace of `access`.  subject: `kind:id`.
    """
    event = await note_event(session, access, type, subject=subject, data=data)
    await deliver_event(session, access, event.id, event.type)


async def note_event(
    session: AsyncSession, access: WorkspaceAccess, type: EventType, *, subject: str, data: dict[str, Any] | None = None
) -> DomainEvent:
    """As `emit`, but nobody is told."""
    events = DomainEventRepository(session, access)
    event = events.add(DomainEvent(id=new_id(), type=type.value, subject=subject, data=masked(data or {})))
    await events.flush()
    return event

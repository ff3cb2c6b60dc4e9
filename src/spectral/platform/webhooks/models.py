"""Where events are told, and how that went."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime, WorkspaceOwned, tenant_fk
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.secret_box import sealed

PURPOSE = "webhook"


class WebhookKind(StrEnum):
    """How a target is told: a signed POST, a POST that Slack and its likes understand, or a mail."""

    HTTP = "http"
    SLACK = "slack"
    EMAIL = "email"


class DeliveryState(StrEnum):
    """Where a delivery stands; only the first is not final.

    failed: every attempt was used up, or the target is gone.  refused: the target's address may not be called.
    cancelled: the webhook was switched off before its turn came.
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class Webhook(WorkspaceOwned, Base):
    """One target of a workspace's events.

    target_sealed: URL or mail address, sealed, because a Slack URL is a secret by itself.  events: types, or "*".
    secret_sealed: signs, of `http` only; for a while after a rotation the former one signs as well.
    failing_since: when a delivery was first given up since the last success.
    """

    __tablename__ = "webhook"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "name"),
        sa.CheckConstraint("kind IN ('http', 'slack', 'email')", name="kind"),
    )

    name: Mapped[str] = mapped_column(sa.String(200))
    kind: Mapped[str] = mapped_column(sa.String(16))
    target_sealed: Mapped[str] = mapped_column(sa.Text, info=sealed(PURPOSE))
    events: Mapped[list[Any]]
    enabled: Mapped[bool] = mapped_column(sa.Boolean)
    secret_sealed: Mapped[str | None] = mapped_column(sa.Text, info=sealed(PURPOSE))
    former_secret_sealed: Mapped[str | None] = mapped_column(sa.Text, info=sealed(PURPOSE))
    former_secret_until: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    failing_since: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    disabled_reason: Mapped[str | None] = mapped_column(sa.String(200))
    created_by: Mapped[str] = mapped_column(sa.String(100))
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class WebhookDelivery(WorkspaceOwned, Base):
    """One event for one target, until it is through or given up. attempts: how many have been recorded."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        tenant_fk("webhook_id", "webhook", ondelete="CASCADE"),
        tenant_fk("event_id", "domain_event", ondelete="CASCADE"),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed', 'refused', 'cancelled')", name="state"),
        sa.Index(None, "workspace_id", "webhook_id", "created_at"),
        sa.Index(None, "workspace_id", "event_id"),
    )

    webhook_id: Mapped[UUID]
    event_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(sa.String(16), default=DeliveryState.PENDING)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class WebhookAttempt(WorkspaceOwned, Base):
    """One try of a delivery. error: the class of what went wrong; response_snippet: the answer's first kilobyte."""

    __tablename__ = "webhook_attempt"
    __table_args__ = (
        tenant_fk("delivery_id", "webhook_delivery", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "delivery_id", "number"),
    )

    delivery_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(sa.Integer)
    duration_ms: Mapped[int] = mapped_column(sa.Integer)
    status_code: Mapped[int | None] = mapped_column(sa.Integer)
    error: Mapped[str | None] = mapped_column(sa.String(64))
    response_snippet: Mapped[str | None] = mapped_column(sa.Text)

"""Deliveries begin in the transaction of their event, so neither is ever without the other."""

from datetime import timedelta
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.engine.context import WorkItem
from spectral.platform.engine.outbox import leave_work
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from spectral.platform.webhooks.models import WebhookDelivery
from spectral.platform.webhooks.repository import WebhookRepository

DELIVER = "webhook.deliver"
EVERYTHING = "*"


async def deliver_event(session: AsyncSession, access: WorkspaceAccess, event_id: UUID, event_type: str) -> None:
    """Every enabled target of the workspace that wants this type of event will be told of it."""
    for webhook in await WebhookRepository(session, access).enabled():
        if EVERYTHING in webhook.events or event_type in webhook.events:
            await begin_delivery(session, access, webhook.id, event_id)


async def begin_delivery(
    session: AsyncSession, access: WorkspaceAccess, webhook_id: UUID, event_id: UUID
) -> WebhookDelivery:
    """A delivery whose first attempt is due once the transaction has committed."""
    delivery = WebhookDelivery(
        workspace_id=access.workspace_id,
        id=new_id(),
        webhook_id=webhook_id,
        event_id=event_id,
        attempts=0,
        next_attempt_at=utc_now(),
    )
    session.add(delivery)
    await session.flush()
    await leave_attempt(session, access, delivery, 0.0)
    return delivery


async def leave_attempt(
    session: AsyncSession, access: WorkspaceAccess, delivery: WebhookDelivery, delay_s: float
) -> None:
    """The next attempt is engine work of its own, whose key follows from the delivery and the attempt's number."""
    number = delivery.attempts + 1
    delivery.next_attempt_at = utc_now() + timedelta(seconds=delay_s)
    await leave_work(
        session,
        WorkItem(
            kind=DELIVER,
            workspace_id=access.workspace_id,
            account_id=access.account_id,
            key=uuid5(delivery.id, str(number)),
            payload={"delivery_id": str(delivery.id), "number": number},
            delay_s=delay_s,
        ),
    )

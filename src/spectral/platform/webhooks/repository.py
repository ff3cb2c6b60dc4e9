"""Queries over a workspace's webhooks and their deliveries."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.webhooks.models import Webhook, WebhookAttempt, WebhookDelivery


class WebhookRepository(WorkspaceRepository[Webhook]):
    """The targets of one workspace."""

    model: ClassVar[type[Webhook]] = Webhook
    kind = "Webhook"

    async def enabled(self) -> list[Webhook]:
        return await self.find_all(Webhook.enabled.is_(True))

    async def lock(self, webhook_id: UUID) -> Webhook | None:
        """The webhook, held until the commit; None when it is gone."""
        return (await self.session.scalars(self.select(Webhook.id == webhook_id).with_for_update())).one_or_none()


class DeliveryRepository(WorkspaceRepository[WebhookDelivery]):
    """The deliveries of one workspace."""

    model: ClassVar[type[WebhookDelivery]] = WebhookDelivery
    kind = "Delivery"

    def of_webhook(self, webhook_id: UUID) -> sa.Select[tuple[WebhookDelivery]]:
        return self.select(WebhookDelivery.webhook_id == webhook_id)

    async def lock(self, delivery_id: UUID) -> WebhookDelivery | None:
        """The delivery, held until the commit; None when it is gone."""
        statement = self.select(WebhookDelivery.id == delivery_id).with_for_update()
        return (await self.session.scalars(statement)).one_or_none()

    async def forget_before(self, webhook_id: UUID, moment: datetime) -> int:
        """Ended deliveries of this target from before that moment are gone."""
        return await self.execute(
            self.delete(
                WebhookDelivery.webhook_id == webhook_id,
                WebhookDelivery.created_at < moment,
                WebhookDelivery.finished_at.is_not(None),
            ).execution_options(synchronize_session=False)
        )


class AttemptRepository(WorkspaceRepository[WebhookAttempt]):
    """The attempts of one workspace's deliveries."""

    model: ClassVar[type[WebhookAttempt]] = WebhookAttempt
    kind = "Attempt"

    async def of_deliveries(self, delivery_ids: Sequence[UUID]) -> dict[UUID, list[WebhookAttempt]]:
        """The attempts of each of these deliveries, in order."""
        found: dict[UUID, list[WebhookAttempt]] = {identifier: [] for identifier in delivery_ids}
        for attempt in await self.find_all(
            WebhookAttempt.delivery_id.in_(delivery_ids), order_by=(WebhookAttempt.number,)
        ):
            found[attempt.delivery_id].append(attempt)
        return found

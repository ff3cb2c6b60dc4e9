"""HTTP of events and webhooks: `/api/v1/workspaces/{workspace_id}/events` and `…/webhooks`."""

from typing import Annotated
from uuid import UUID

import httpx
from litestar import Controller, Response, delete, get, patch, post
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.events import EventType
from spectral.platform.shared.pagination import Collection, Page
from spectral.platform.shared.secret_box import SecretBox
from spectral.platform.webhooks.models import DeliveryState, Webhook, WebhookKind
from spectral.platform.webhooks.schemas import (
    AttemptOut,
    DeliveryList,
    DeliveryOut,
    EventList,
    EventOut,
    WebhookCreated,
    WebhookIn,
    WebhookOut,
    WebhookPatch,
    WebhookSecret,
)
from spectral.platform.webhooks.service import DeliveryView, TargetRules, WebhookService
from spectral.settings import Environment, Settings

PATH = "/api/v1/workspaces/{workspace_id:uuid}"

CursorText = Annotated[
    str | None, QueryParameter(max_length=512, description="`next_cursor` of the page before; not with offset")
]


def provide_webhook_service(
    session: AsyncSession, access: WorkspaceAccess, webhook_box: SecretBox, settings: Settings
) -> WebhookService:
    rules = TargetRules(settings.environment is Environment.PRODUCTION, settings.outbound_allowed_networks)
    return WebhookService(session, access, webhook_box, rules)


def webhook_out(webhook: Webhook, target: str) -> WebhookOut:
    return WebhookOut.model_validate(_members(webhook, target))


def delivery_out(view: DeliveryView) -> DeliveryOut:
    return DeliveryOut(
        id=view.delivery.id,
        event_id=view.delivery.event_id,
        event_type=view.event_type,
        state=DeliveryState(view.delivery.state),
        attempts=[AttemptOut.model_validate(attempt) for attempt in view.attempts],
        next_attempt_at=view.delivery.next_attempt_at,
        created_at=view.delivery.created_at,
        finished_at=view.delivery.finished_at,
    )


def _members(webhook: Webhook, target: str) -> dict[str, object]:
    shown = target
    if webhook.kind == WebhookKind.SLACK:
        parsed = httpx.URL(target)
        shown = f"{parsed.scheme}://{parsed.netloc.decode()}/…"
    is_mail = webhook.kind == WebhookKind.EMAIL
    members = {name: getattr(webhook, name) for name in WebhookOut.model_fields if hasattr(webhook, name)}
    status = "active" if webhook.failing_since is None else "failing"
    return members | {
        "url": None if is_mail else shown,
        "email": target if is_mail else None,
        "status": status if webhook.enabled else "disabled",
    }


class EventController(Controller):
    """What happened in a workspace."""

    path = f"{PATH}/events"
    tags = ("Events",)
    dependencies = {"service": Provide(provide_webhook_service, sync_to_thread=False)}  # noqa: RUF012

    @get(operation_id="listEvents", summary="List events", guards=[requires(Scope.READ_WORKSPACE)])
    async def list_events(
        self,
        service: WebhookService,
        page: Page,
        cursor: CursorText = None,
        event_type: Annotated[EventType | None, QueryParameter(name="type")] = None,
        subject: Annotated[str | None, QueryParameter(max_length=200)] = None,
    ) -> EventList:
        listing = await service.list_events(page, cursor, event_type, subject)
        results = [EventOut.model_validate(row[0]) for row in listing.rows]
        return EventList(results=results, pagination=listing.pagination)


class WebhookController(Controller):
    """Where a workspace's events are told."""

    path = f"{PATH}/webhooks"
    tags = ("Webhooks",)
    guards = (requires(Scope.ADMIN_WORKSPACE),)
    dependencies = {"service": Provide(provide_webhook_service, sync_to_thread=False)}  # noqa: RUF012

    @get(operation_id="listWebhooks", summary="List the webhooks")
    async def list_webhooks(self, service: WebhookService, page: Page) -> Collection[WebhookOut]:
        webhooks, total = await service.list_webhooks(page)
        return Collection.of([webhook_out(one, service.read_target(one)) for one in webhooks], total, page)

    @post(
        operation_id="createWebhook",
        summary="Create a webhook",
        description="`http` gets a POST signed as Standard Webhooks describes (docs/webhooks.md), `slack` one that "
        "Slack and its likes understand, `email` a mail.",
        opt={"secret_answer": True},
    )
    async def create_webhook(
        self, service: WebhookService, data: WebhookIn, workspace_id: UUID
    ) -> Response[WebhookCreated]:
        webhook, secret = await service.create_webhook(
            name=data.name, kind=data.kind, target=data.target, events=data.events, enabled=data.enabled
        )
        return Response(
            WebhookCreated.model_validate(_members(webhook, data.target) | {"secret": secret}),
            status_code=201,
            headers={
                "Location": f"/api/v1/workspaces/{workspace_id}/webhooks/{webhook.id}",
                "Cache-Control": "no-store",
            },
        )

    @get("/{webhook_id:uuid}", operation_id="readWebhook", summary="Read a webhook")
    async def read_webhook(self, service: WebhookService, webhook_id: UUID) -> WebhookOut:
        webhook = await service.read_webhook(webhook_id)
        return webhook_out(webhook, service.read_target(webhook))

    @patch("/{webhook_id:uuid}", operation_id="updateWebhook", summary="Change a webhook")
    async def update_webhook(self, service: WebhookService, webhook_id: UUID, data: WebhookPatch) -> WebhookOut:
        webhook = await service.update_webhook(webhook_id, data.model_dump(exclude_unset=True))
        return webhook_out(webhook, service.read_target(webhook))

    @delete("/{webhook_id:uuid}", operation_id="deleteWebhook", summary="Delete a webhook and its deliveries")
    async def delete_webhook(self, service: WebhookService, webhook_id: UUID) -> None:
        await service.delete_webhook(webhook_id)

    @post(
        "/{webhook_id:uuid}/rotate-secret",
        operation_id="rotateWebhookSecret",
        summary="Make a new signing secret",
        description="For 24 hours requests carry a signature by the former secret as well.",
        status_code=200,
        opt={"secret_answer": True},
    )
    async def rotate_secret(self, service: WebhookService, webhook_id: UUID) -> Response[WebhookSecret]:
        secret = await service.rotate_secret(webhook_id)
        return Response(WebhookSecret(secret=secret), headers={"Cache-Control": "no-store"})

    # --------------------------------------------------------------------------------------------------- deliveries

    @post(
        "/{webhook_id:uuid}/test",
        operation_id="testWebhook",
        summary="Send a `webhook.ping`",
        status_code=202,
        opt={"idempotent": True},
    )
    async def test_webhook(self, service: WebhookService, webhook_id: UUID) -> DeliveryOut:
        return delivery_out(await service.send_test(webhook_id))

    @get(
        "/{webhook_id:uuid}/deliveries",
        operation_id="listWebhookDeliveries",
        summary="List what was sent, and how that went",
        description="Ended deliveries are kept for thirty days.",
    )
    async def list_deliveries(
        self, service: WebhookService, webhook_id: UUID, page: Page, cursor: CursorText = None
    ) -> DeliveryList:
        views, pagination = await service.list_deliveries(webhook_id, page, cursor)
        return DeliveryList(results=[delivery_out(view) for view in views], pagination=pagination)

    @post(
        "/{webhook_id:uuid}/deliveries/{delivery_id:uuid}/redeliver",
        operation_id="redeliverWebhook",
        summary="Send an event once more",
        status_code=202,
        opt={"idempotent": True},
    )
    async def redeliver(self, service: WebhookService, webhook_id: UUID, delivery_id: UUID) -> DeliveryOut:
        return delivery_out(await service.redeliver(webhook_id, delivery_id))

"""The targets of a workspace's events: kept, tried out, and what became of their deliveries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.keyset import Listing, list_newest_first
from spectral.platform.events import DomainEvent, DomainEventRepository, EventType, note_event
from spectral.platform.outbound import Network
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.cursors import CursorPagination
from spectral.platform.shared.errors import (
    BusinessRuleViolationError,
    ConflictError,
    FieldError,
    NotFoundError,
    ValidationFailedError,
)
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.pagination import Page
from spectral.platform.shared.secret_box import SecretBox
from spectral.platform.webhooks.models import Webhook, WebhookAttempt, WebhookDelivery, WebhookKind
from spectral.platform.webhooks.outgoing import begin_delivery
from spectral.platform.webhooks.repository import AttemptRepository, DeliveryRepository, WebhookRepository
from spectral.platform.webhooks.signing import new_secret
from spectral.platform.webhooks.targets import check_url

MAXIMUM_WEBHOOKS = 50
FORMER_SECRET_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class TargetRules:
    """Which URLs may be targets in this installation."""

    https_only: bool
    allowed: Sequence[Network]


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery with the type of its event and its attempts."""

    delivery: WebhookDelivery
    event_type: str
    attempts: list[WebhookAttempt]


class WebhookService:
    """The webhooks of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, box: SecretBox, rules: TargetRules) -> None:
        self._session = session
        self._access = access
        self._box = box
        self._rules = rules
        self._webhooks = WebhookRepository(session, access)
        self._deliveries = DeliveryRepository(session, access)
        self._events = DomainEventRepository(session, access)

    async def create_webhook(
        self, *, name: str, kind: WebhookKind, target: str, events: Sequence[str], enabled: bool
    ) -> tuple[Webhook, str | None]:
        """A new target, and its secret if it has one.

        Raises ValidationFailedError for a URL that cannot be called, ConflictError for a name that is taken, and
        BusinessRuleViolationError for the fifty-first.
        """
        if await self._webhooks.count() >= MAXIMUM_WEBHOOKS:
            raise BusinessRuleViolationError(f"A workspace has at most {MAXIMUM_WEBHOOKS} webhooks")
        secret = new_secret() if kind is WebhookKind.HTTP else None
        webhook = self._webhooks.add(
            Webhook(
                id=new_id(),
                name=name,
                kind=kind.value,
                target_sealed=self._sealed_target(kind, target),
                events=sorted(set(events)),
                enabled=enabled,
                secret_sealed=self._box.seal(secret) if secret else None,
                created_by=self._access.actor,
            )
        )
        await self._flush(name)
        await self._audit(webhook, "webhook.created", {"name": name, "kind": kind.value, "events": webhook.events})
        return webhook, secret

    async def list_webhooks(self, page: Page) -> tuple[Sequence[Webhook], int]:
        """One page, newest first."""
        return await self._webhooks.page(self._webhooks.select(), page)

    async def read_webhook(self, webhook_id: UUID) -> Webhook:
        """Raises NotFoundError."""
        return await self._webhooks.get(webhook_id)

    def read_target(self, webhook: Webhook) -> str:
        """The URL or mail address."""
        return self._box.open(webhook.target_sealed)

    async def update_webhook(self, webhook_id: UUID, changes: Mapping[str, Any]) -> Webhook:
        """changes: by the names of `WebhookPatch`; only what is to change.

        Raises NotFoundError, ConflictError for a name that is taken, ValidationFailedError for a wrong target.
        """
        webhook = await self._webhooks.get(webhook_id)
        targets = {name: changes[name] for name in ("url", "email") if changes.get(name) is not None}
        for name, target in targets.items():
            if (name == "email") != (webhook.kind == WebhookKind.EMAIL):
                wrong = [FieldError(f"/{name}", f"a target of the kind {webhook.kind} has none")]
                raise ValidationFailedError("The request failed validation", wrong)
            webhook.target_sealed = self._sealed_target(WebhookKind(webhook.kind), target)
        if changes.get("name") is not None:
            webhook.name = changes["name"]
        if changes.get("events") is not None:
            webhook.events = sorted(set(changes["events"]))
        if changes.get("enabled") is not None:
            webhook.enabled = changes["enabled"]
            webhook.disabled_reason = None
            webhook.failing_since = None
        webhook.updated_at = utc_now()
        await self._flush(webhook.name)
        shown = {name: value for name, value in changes.items() if value is not None and name not in targets}
        await self._audit(webhook, "webhook.updated", shown | {"target_changed": bool(targets)})
        return webhook

    async def delete_webhook(self, webhook_id: UUID) -> None:
        """The target and its deliveries are gone. Raises NotFoundError."""
        webhook = await self._webhooks.get(webhook_id)
        await self._audit(webhook, "webhook.deleted", {"name": webhook.name})
        await self._webhooks.remove(webhook)

    async def rotate_secret(self, webhook_id: UUID) -> str:
        """A new secret; the former one signs as well for 24 hours.

        Raises NotFoundError, BusinessRuleViolationError for a kind that carries no signature.
        """
        webhook = await self._webhooks.get(webhook_id)
        if webhook.secret_sealed is None:
            raise BusinessRuleViolationError(f"A target of the kind {webhook.kind} carries no signature")
        secret = new_secret()
        webhook.former_secret_sealed = webhook.secret_sealed
        webhook.former_secret_until = utc_now() + FORMER_SECRET_LIFETIME
        webhook.secret_sealed = self._box.seal(secret)
        webhook.updated_at = utc_now()
        await self._webhooks.flush()
        await self._audit(webhook, "webhook.secret_rotated", {"name": webhook.name})
        return secret

    # --------------------------------------------------------------------------------------------------- deliveries

    async def send_test(self, webhook_id: UUID) -> DeliveryView:
        """An event `webhook.ping` for this target alone. Raises NotFoundError, and as `redeliver`."""
        webhook = await self._enabled(webhook_id)
        event = await note_event(
            self._session,
            self._access,
            EventType.WEBHOOK_PING,
            subject=f"webhook:{webhook.id}",
            data={"name": webhook.name, "sent_by": self._access.actor},
        )
        delivery = await begin_delivery(self._session, self._access, webhook.id, event.id)
        return DeliveryView(delivery, event.type, [])

    async def list_deliveries(
        self, webhook_id: UUID, page: Page, cursor: str | None
    ) -> tuple[list[DeliveryView], CursorPagination]:
        """The target's deliveries of the last thirty days and what is still open, newest first.

        Raises NotFoundError, ValidationFailedError for a bad cursor.
        """
        await self._webhooks.get(webhook_id)
        statement = self._deliveries.of_webhook(webhook_id)
        listing = await list_newest_first(self._session, statement, WebhookDelivery, page, cursor)
        return await self._views([row[0] for row in listing.rows]), listing.pagination

    async def redeliver(self, webhook_id: UUID, delivery_id: UUID) -> DeliveryView:
        """The same event once more, as a delivery of its own with the same `webhook-id`.

        Raises NotFoundError, BusinessRuleViolationError for a target that is switched off.
        """
        webhook = await self._enabled(webhook_id)
        former = await self._deliveries.get(delivery_id)
        if former.webhook_id != webhook.id:
            raise NotFoundError("Delivery", delivery_id)
        delivery = await begin_delivery(self._session, self._access, webhook.id, former.event_id)
        return (await self._views([delivery]))[0]

    # ------------------------------------------------------------------------------------------------------- events

    async def list_events(
        self, page: Page, cursor: str | None, event_type: EventType | None, subject: str | None
    ) -> Listing:
        """What happened in the workspace, newest first. Raises ValidationFailedError for a bad cursor."""
        statement = self._events.select()
        if event_type is not None:
            statement = statement.where(DomainEvent.type == event_type.value)
        if subject is not None:
            statement = statement.where(DomainEvent.subject == subject)
        return await list_newest_first(self._session, statement, DomainEvent, page, cursor)

    async def _views(self, deliveries: Sequence[WebhookDelivery]) -> list[DeliveryView]:
        attempts = await AttemptRepository(self._session, self._access).of_deliveries([one.id for one in deliveries])
        events = await self._events.find_all(DomainEvent.id.in_({one.event_id for one in deliveries}))
        types = {event.id: event.type for event in events}
        return [DeliveryView(one, types[one.event_id], attempts[one.id]) for one in deliveries]

    async def _enabled(self, webhook_id: UUID) -> Webhook:
        webhook = await self._webhooks.get(webhook_id)
        if not webhook.enabled:
            raise BusinessRuleViolationError("The webhook is switched off")
        return webhook

    def _sealed_target(self, kind: WebhookKind, target: str) -> str:
        if kind is not WebhookKind.EMAIL:
            check_url(target, https_only=self._rules.https_only, allowed=self._rules.allowed)
        return self._box.seal(target)

    async def _flush(self, name: str) -> None:
        taken = ConflictError(f"A webhook named {name} exists already")
        await self._webhooks.flush({"uq_webhook_workspace_id_name": taken})

    async def _audit(self, webhook: Webhook, action: str, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"webhook:{webhook.id}",
            detail=detail,
        )

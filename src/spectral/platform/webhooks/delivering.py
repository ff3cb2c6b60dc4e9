"""One attempt to tell one target of one event: sent at least once, recorded, and tried again while that may help."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from uuid import UUID

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform import audit
from spectral.platform.engine.context import WorkContext
from spectral.platform.events import DomainEvent, DomainEventRepository
from spectral.platform.logs import masked
from spectral.platform.mail.outbox import post_mail
from spectral.platform.outbound import OutboundRefusedError
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.secret_box import SealBrokenError, SecretBox
from spectral.platform.webhooks.messages import http_body, mail_of, slack_body
from spectral.platform.webhooks.models import (
    DeliveryState,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookKind,
)
from spectral.platform.webhooks.outgoing import leave_attempt
from spectral.platform.webhooks.repository import AttemptRepository, DeliveryRepository, WebhookRepository
from spectral.platform.webhooks.signing import signed_headers

MAX_PER_WORKSPACE = 4
ATTEMPT_LIMIT_S = 30.0
SNIPPET_BYTES = 1024
DELIVERIES_KEPT = timedelta(days=30)
GONE = "the target answered 410 Gone"
FAILED = (DeliveryState.FAILED, DeliveryState.REFUSED)


class Verdict(Enum):
    """What an attempt means for its delivery."""

    DELIVERED = "delivered"
    AGAIN = "again"
    REFUSED = "refused"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. error: a class name; snippet: the answer's first kilobyte, masked."""

    verdict: Verdict
    status_code: int | None = None
    error: str | None = None
    snippet: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be told to whom."""

    webhook: Webhook
    event: DomainEvent
    number: int


class WebhookDeliverer:
    """The handler of `webhook.deliver`; one piece of work is one attempt.

    A process that dies between the attempt and its record leaves work that another repeats, under the same
    `webhook-id`.  intervals_s: how long to wait after the first failed attempt, the second, and so on.
    """

    def __init__(
        self, client: httpx.AsyncClient, box: SecretBox, mail_box: SecretBox, intervals_s: Sequence[float]
    ) -> None:
        self._client = client
        self._box = box
        self._mail_box = mail_box
        self._intervals_s = tuple(intervals_s)

    async def deliver(self, context: WorkContext) -> None:
        """Attempt once, record, and leave the next attempt to the engine where there is to be one."""
        delivery_id, number = UUID(context.payload["delivery_id"]), int(context.payload["number"])
        task = await self._read(context, delivery_id, number)
        if task is None:
            return
        started = time.monotonic()
        outcome = await self._attempt(task) if task.webhook.enabled else None
        duration_ms = round((time.monotonic() - started) * 1000)
        async with context.database.transaction(context.access) as session:
            await context.fence(session)
            await self._record(session, context, delivery_id, task, outcome, duration_ms)

    async def _read(self, context: WorkContext, delivery_id: UUID, number: int) -> Task | None:
        """What is to be sent; None when it is gone, or was recorded by an execution that could not end its work."""
        async with context.database.transaction(context.access, read_only=True) as session:
            delivery = await DeliveryRepository(session, context.access).find(WebhookDelivery.id == delivery_id)
            if delivery is None or delivery.state != DeliveryState.PENDING or delivery.attempts >= number:
                return None
            webhook = await WebhookRepository(session, context.access).get(delivery.webhook_id)
            event = await DomainEventRepository(session, context.access).get(delivery.event_id)
        return Task(webhook, event, number)

    # ------------------------------------------------------------------------------------------------- the attempt

    async def _attempt(self, task: Task) -> Outcome:
        try:
            target = self._box.open(task.webhook.target_sealed)
            if task.webhook.kind == WebhookKind.EMAIL:
                # Mail is posted in the transaction that records the attempt.
                return Outcome(Verdict.DELIVERED)
            request = self._request(task, target)
        except (SealBrokenError, httpx.InvalidURL) as error:
            return Outcome(Verdict.REFUSED, error=type(error).__name__)
        try:
            async with asyncio.timeout(ATTEMPT_LIMIT_S):
                return await self._send(request)
        except (OutboundRefusedError, httpx.UnsupportedProtocol) as error:
            return Outcome(Verdict.REFUSED, error=type(error).__name__)
        except (httpx.HTTPError, TimeoutError) as error:
            return Outcome(Verdict.AGAIN, error=type(error).__name__)

    def _request(self, task: Task, url: str) -> httpx.Request:
        headers = {"Content-Type": "application/json"}
        if task.webhook.kind == WebhookKind.SLACK:
            body = slack_body(task.event)
        else:
            body = http_body(task.event)
            headers |= signed_headers(self._keys(task.webhook), str(task.event.id), int(time.time()), body)
        return self._client.build_request("POST", url, content=body, headers=headers)

    def _keys(self, webhook: Webhook) -> list[str]:
        sealed = [webhook.secret_sealed]
        if webhook.former_secret_until is not None and webhook.former_secret_until > utc_now():
            sealed.append(webhook.former_secret_sealed)
        return [self._box.open(one) for one in sealed if one is not None]

    async def _send(self, request: httpx.Request) -> Outcome:
        response = await self._client.send(request, stream=True)
        try:
            snippet = await _snippet(response)
        finally:
            await response.aclose()
        if response.is_success:
            verdict = Verdict.DELIVERED
        else:
            verdict = Verdict.GONE if response.status_code == httpx.codes.GONE else Verdict.AGAIN
        return Outcome(verdict, status_code=response.status_code, snippet=snippet)

    # -------------------------------------------------------------------------------------------------- its record

    async def _record(
        self,
        session: AsyncSession,
        context: WorkContext,
        delivery_id: UUID,
        task: Task,
        outcome: Outcome | None,
        duration_ms: int,
    ) -> None:
        """outcome: None for a target that is switched off."""
        # In the order in which a deletion locks them.
        webhook = await WebhookRepository(session, context.access).lock(task.webhook.id)
        delivery = await DeliveryRepository(session, context.access).lock(delivery_id)
        if webhook is None or delivery is None or delivery.attempts >= task.number:
            return
        if outcome is None:
            _end(delivery, DeliveryState.CANCELLED)
            return
        attempt = WebhookAttempt(
            id=new_id(),
            delivery_id=delivery.id,
            number=task.number,
            duration_ms=duration_ms,
            status_code=outcome.status_code,
            error=outcome.error,
            response_snippet=outcome.snippet,
        )
        AttemptRepository(session, context.access).add(attempt)
        delivery.attempts = task.number
        if webhook.kind == WebhookKind.EMAIL and outcome.verdict is Verdict.DELIVERED:
            subject, text = mail_of(task.event)
            await post_mail(
                session, self._mail_box, to=self._box.open(webhook.target_sealed), subject=subject, text=text
            )
        if outcome.verdict is Verdict.AGAIN and task.number <= len(self._intervals_s):
            await leave_attempt(session, context.access, delivery, self._intervals_s[task.number - 1])
            return
        _end(delivery, _final_state(outcome.verdict))
        if delivery.state in FAILED:
            webhook.failing_since = webhook.failing_since or utc_now()
        else:
            webhook.failing_since = None
        if outcome.verdict is Verdict.GONE:
            await _switch_off(session, context, webhook)
        await session.flush()
        await DeliveryRepository(session, context.access).forget_before(webhook.id, utc_now() - DELIVERIES_KEPT)


def _final_state(verdict: Verdict) -> DeliveryState:
    if verdict is Verdict.DELIVERED:
        return DeliveryState.DELIVERED
    return DeliveryState.REFUSED if verdict is Verdict.REFUSED else DeliveryState.FAILED


def _end(delivery: WebhookDelivery, state: DeliveryState) -> None:
    delivery.state = state
    delivery.next_attempt_at = None
    delivery.finished_at = utc_now()


async def _switch_off(session: AsyncSession, context: WorkContext, webhook: Webhook) -> None:
    webhook.enabled = False
    webhook.disabled_reason = GONE
    await audit.record(
        session,
        account_id=context.account_id,
        workspace_id=context.workspace_id,
        actor=context.access.actor,
        action="webhook.disabled",
        subject=f"webhook:{webhook.id}",
        detail={"name": webhook.name, "reason": GONE},
    )


async def _snippet(response: httpx.Response) -> str:
    """The first kilobyte of the answer as text that any database holds; the rest is not read."""
    read = b""
    async for part in response.aiter_raw():
        read += part
        if len(read) >= SNIPPET_BYTES:
            break
    text = read[:SNIPPET_BYTES].decode("utf-8", "replace").replace("\x00", "")
    shown = masked(text)
    assert isinstance(shown, str)  # noqa: S101 - text stays text
    return shown

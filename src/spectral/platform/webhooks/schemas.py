"""The wire shapes of events, webhooks and their deliveries."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, EmailStr, Field, StringConstraints, model_validator

from spectral.platform.events import EventType
from spectral.platform.shared.cursors import CursorPagination
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut
from spectral.platform.webhooks.models import DeliveryState, WebhookKind

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Email = Annotated[EmailStr, Field(max_length=320)]
Subscriptions = Annotated[
    list[EventType | Literal["*"]],
    Field(min_length=1, max_length=50, description='Types of events, or "*" for all, later ones included.'),
]


class EventOut(WireOut):
    """Something that happened in the workspace."""

    id: UUID
    type: str
    subject: str
    data: dict[str, Any]
    created_at: Timestamp


class EventList(BaseModel):
    """One page of events, newest first."""

    results: list[EventOut]
    pagination: CursorPagination


class WebhookIn(WireIn):
    """A target: `url` for http and slack, `email` for email."""

    name: Name
    kind: WebhookKind
    url: Url | None = None
    email: Email | None = None
    events: Subscriptions
    enabled: bool = True

    @model_validator(mode="after")
    def one_target(self) -> Self:
        wanted, other = ("email", "url") if self.kind is WebhookKind.EMAIL else ("url", "email")
        if getattr(self, wanted) is None or getattr(self, other) is not None:
            message = f"a target of the kind {self.kind.value} has {wanted} and no {other}"
            raise ValueError(message)
        return self

    @property
    def target(self) -> str:
        return str(self.url or self.email)


class WebhookPatch(WireIn):
    """What is left out stays. The kind cannot be changed. `enabled` true also clears what switched it off."""

    name: Name | None = None
    url: Url | None = None
    email: Email | None = None
    events: Subscriptions | None = None
    enabled: bool | None = None


class WebhookOut(WireOut):
    """A target. Of a Slack URL only the host is shown: whoever has the whole may write to the channel.

    status: failing since a delivery was given up, until the next success.
    """

    id: UUID
    name: str
    kind: WebhookKind
    url: str | None
    email: str | None
    events: list[str]
    enabled: bool
    status: Literal["active", "failing", "disabled"]
    failing_since: Timestamp | None
    disabled_reason: str | None
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp


class WebhookCreated(WebhookOut):
    """A target with its signing secret, which is shown this once; null for slack and email: they are not signed."""

    secret: str | None = Field(examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD…"])


class WebhookSecret(WireOut):
    """A new signing secret, shown this once. For 24 hours requests are signed with the former one as well."""

    secret: str


class AttemptOut(WireOut):
    """One try. error: the class of what went wrong; response_snippet: the answer's first kilobyte."""

    number: int
    created_at: Timestamp
    duration_ms: int
    status_code: int | None
    error: str | None
    response_snippet: str | None


class DeliveryOut(WireOut):
    """One event for one target, with every attempt so far."""

    id: UUID
    event_id: UUID
    event_type: str
    state: DeliveryState
    attempts: list[AttemptOut]
    next_attempt_at: Timestamp | None
    created_at: Timestamp
    finished_at: Timestamp | None


class DeliveryList(BaseModel):
    """One page of a target's deliveries, newest first."""

    results: list[DeliveryOut]
    pagination: CursorPagination

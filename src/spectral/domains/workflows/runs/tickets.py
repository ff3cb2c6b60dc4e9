"""Tickets for browsers, which cannot put a header on a WebSocket: each opens one, once, within a minute."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.models import RunTicket
from spectral.domains.workflows.runs.reading import RunReading
from spectral.platform.access.authentication import Authenticator, Identity, Target
from spectral.platform.access.principal import Principal, PrincipalKind, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.db.session import Database, bind_workspace
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotAuthenticatedError
from spectral.platform.shared.tokens import opaque_token, token_hash

LIFETIME = timedelta(seconds=60)
PREFIX = "wt_"
MAXIMUM_CHARACTERS = 200
INVALID = "The ticket is not valid, has been used or has expired"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a caller is given once; only a digest of it is kept."""

    text: str
    run_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Admission:
    """What a ticket opens: one run, to whom it was given, with the rights that they have now."""

    run_id: UUID
    principal: Principal
    access: WorkspaceAccess

    @property
    def identity(self) -> Identity:
        return Identity.of(self.principal)


class RunTicketRepository(WorkspaceRepository[RunTicket]):
    """The tickets of one workspace that were not used yet."""

    model: ClassVar[type[RunTicket]] = RunTicket
    kind = "Ticket"


class RunTicketService:
    """Gives out tickets, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._access = access
        self._reading = RunReading(session, access)
        self._tickets = RunTicketRepository(session, access)

    async def issue_ticket(self, name: str, principal: Principal) -> Ticket:
        """A ticket of this caller for this run. Raises NotFoundError."""
        run = await self._reading.find_run(name)
        now = utc_now()
        # Those that nobody came with; each workspace sweeps its own.
        await self._tickets.execute(self._tickets.delete(RunTicket.expires_at <= now))
        text = _text_of(self._access.workspace_id)
        expires_at = now + LIFETIME
        identity = Identity.of(principal)
        self._tickets.add(
            RunTicket(run_id=run.id, digest=token_hash(text), principal=_document(identity), expires_at=expires_at)
        )
        await self._tickets.flush()
        return Ticket(text, run.id, expires_at)


async def redeem_ticket(database: Database, authenticator: Authenticator, text: str) -> Admission:
    """What the ticket opens; it is used up, whatever comes of it.

    Raises NotAuthenticatedError for a ticket that is none, or whose bearer has lost the credential that it was given
    for; NotFoundError and ForbiddenError where they have lost the workspace or the right to read.
    """
    workspace_id = _workspace_of(text)
    async with database.transaction() as session:
        # Nobody has proved anything yet: the transaction sees the tickets of the workspace that the text names.
        await bind_workspace(session, workspace_id)
        taken = await session.execute(
            sa.delete(RunTicket)
            .where(RunTicket.workspace_id == workspace_id, RunTicket.digest == token_hash(text))
            .returning(RunTicket.run_id, RunTicket.principal, RunTicket.expires_at)
            .execution_options(synchronize_session=False)
        )
        found = taken.one_or_none()
    if found is None or found.expires_at <= utc_now():
        raise NotAuthenticatedError(INVALID)
    identity = _identity(found.principal)
    principal = await authenticator.present(identity, Target(workspace_id, None))
    access = principal.access_to(workspace_id)
    access.require(Scope.READ_WORKSPACE)
    return Admission(found.run_id, principal, access)


def _text_of(workspace_id: UUID) -> str:
    named = base64.urlsafe_b64encode(workspace_id.bytes).rstrip(b"=").decode()
    return f"{PREFIX}{named}.{opaque_token()}"


def _workspace_of(text: str) -> UUID:
    named, dot, _ = text.removeprefix(PREFIX).partition(".")
    if len(text) > MAXIMUM_CHARACTERS or not text.startswith(PREFIX) or not dot:
        raise NotAuthenticatedError(INVALID)
    try:
        return UUID(bytes=base64.b64decode(named + "==", altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise NotAuthenticatedError(INVALID) from error


def _document(identity: Identity) -> dict[str, Any]:
    return {
        "kind": identity.kind.value,
        "credential_id": str(identity.credential_id),
        "user_id": None if identity.user_id is None else str(identity.user_id),
    }


def _identity(document: dict[str, Any]) -> Identity:
    user_id = document["user_id"]
    return Identity(
        PrincipalKind(document["kind"]), UUID(document["credential_id"]), None if user_id is None else UUID(user_id)
    )

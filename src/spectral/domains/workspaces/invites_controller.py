"""HTTP of invites into an account: `/api/v1/account/invites`. An invite names workspaces, so it is of this domain."""

from datetime import timedelta
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workspaces.invites import InviteService, InviteTerms, status_of
from spectral.domains.workspaces.joining import accept_invite
from spectral.domains.workspaces.models import Invite
from spectral.domains.workspaces.people_schemas import (
    AcceptInviteIn,
    EnteredWorkspace,
    InviteCreated,
    InviteIn,
    InviteOut,
    JoinedOut,
)
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import people_only, requires
from spectral.platform.access.principal import Principal
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.pagination import Collection, Page
from spectral.platform.shared.secret_box import SecretBox
from spectral.settings import Settings

PATH = "/api/v1/account/invites"


def provide_invite_service(session: AsyncSession, mail_box: SecretBox, settings: Settings) -> InviteService:
    terms = InviteTerms(timedelta(seconds=settings.invite_lifetime_s), settings.invites_per_day)
    return InviteService(session, mail_box, settings.address.rstrip("/"), terms)


def _members(invite: Invite) -> dict[str, object]:
    members = {name: getattr(invite, name) for name in InviteOut.model_fields if name != "status"}
    return members | {"status": status_of(invite, utc_now())}


class InviteController(Controller):
    """Invites into the caller's account."""

    path = PATH
    tags = ("Accounts",)
    dependencies = {"service": Provide(provide_invite_service, sync_to_thread=False)}  # noqa: RUF012

    @post(
        operation_id="createInvite",
        summary="Invite somebody into the account",
        description="The link is mailed; the token in it is answered this once too.",
        guards=[requires(Scope.ADMIN_ACCOUNT)],
        opt={"secret_answer": True, "problems": (404,)},
    )
    async def create_invite(
        self, service: InviteService, request: Request[Principal, None, State], data: InviteIn
    ) -> Response[InviteCreated]:
        workspaces = [(entry.workspace_id, entry.role) for entry in data.workspaces]
        invite, token = await service.create_invite(request.user, data.email, data.role, workspaces)
        return Response(
            InviteCreated.model_validate(_members(invite) | {"token": token}),
            status_code=201,
            headers={"Location": f"{PATH}/{invite.id}", "Cache-Control": "no-store"},
        )

    @get(
        operation_id="listInvites",
        summary="List the invites into the account",
        guards=[requires(Scope.ADMIN_ACCOUNT)],
    )
    async def list_invites(
        self, service: InviteService, request: Request[Principal, None, State], page: Page
    ) -> Collection[InviteOut]:
        invites, total = await service.list_invites(request.user, page)
        return Collection.of([InviteOut.model_validate(_members(invite)) for invite in invites], total, page)

    @get(
        "/{invite_id:uuid}",
        operation_id="readInvite",
        summary="Read an invite",
        guards=[requires(Scope.ADMIN_ACCOUNT)],
    )
    async def read_invite(
        self, service: InviteService, request: Request[Principal, None, State], invite_id: UUID
    ) -> InviteOut:
        return InviteOut.model_validate(_members(await service.read_invite(request.user, invite_id)))

    @delete(
        "/{invite_id:uuid}",
        operation_id="revokeInvite",
        summary="Take an invite back",
        guards=[requires(Scope.ADMIN_ACCOUNT)],
    )
    async def revoke_invite(
        self, service: InviteService, request: Request[Principal, None, State], invite_id: UUID
    ) -> None:
        await service.revoke_invite(request.user, invite_id)

    @post(
        "/accept",
        operation_id="acceptInvite",
        summary="Accept an invite",
        description="For whoever is signed in with the e-mail address that was invited.",
        status_code=200,
        guards=[people_only],
    )
    async def accept_invite(
        self,
        identity: Database,
        authenticator: Authenticator,
        request: Request[Principal, None, State],
        data: AcceptInviteIn,
    ) -> JoinedOut:
        joined = await accept_invite(identity, data.token, request.user.user_id or UUID(int=0))
        authenticator.forget()
        return JoinedOut(
            account_id=joined.account.id,
            name=joined.account.name,
            role=joined.role,
            workspaces=[EnteredWorkspace(workspace_id=found, role=role) for found, role in joined.workspaces],
        )

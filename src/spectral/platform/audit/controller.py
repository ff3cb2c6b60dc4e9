"""HTTP of the audit log: `/api/v1/account/audit-log`."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.params import QueryParameter
from litestar.response import Stream
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal
from spectral.platform.access.scopes import Scope
from spectral.platform.access.signing import TokenSigner
from spectral.platform.audit import AuditEntry, AuditSeal
from spectral.platform.audit.reading import AuditExport, AuditFilter, AuditLog
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.cursors import CursorPagination
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.moments import query_moment
from spectral.platform.shared.pagination import Page
from spectral.platform.shared.wire import Timestamp, WireOut, rfc3339

AUDIENCE = "spectral-audit"
HEAD = "audit-head"
HEAD_LIFETIME_S = 3600

Text = Annotated[str | None, QueryParameter(max_length=200)]
CursorText = Annotated[
    str | None, QueryParameter(max_length=512, description="`next_cursor` of the page before; not with offset")
]
Since = Annotated[str | None, QueryParameter(max_length=64, description="RFC 3339; then or later")]
Until = Annotated[str | None, QueryParameter(max_length=64, description="RFC 3339; before")]


class AuditEntryOut(WireOut):
    """One fact. `seq`, `prev`, `hash` and `sealed_at` are null for the few seconds until it is sealed."""

    id: UUID
    account_id: UUID
    workspace_id: UUID | None
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    created_at: Timestamp
    credential_id: UUID | None
    address: str | None
    request_id: str | None
    seq: int | None
    prev: str | None
    hash: str | None
    sealed_at: Timestamp | None


class AuditEntryList(BaseModel):
    """One page of the log, newest first."""

    results: list[AuditEntryOut]
    pagination: CursorPagination


class AuditHeadOut(WireOut):
    """The last link of the chain; `signature` says the same as a JWT (EdDSA), by a key of `/.well-known/jwks.json`."""

    account_id: UUID
    seq: int
    hash: str
    sealed_at: Timestamp
    signature: str


def entry_out(entry: AuditEntry, seal: AuditSeal | None) -> AuditEntryOut:
    members = {name: getattr(entry, name) for name in AuditEntry.__table__.columns.keys()}  # noqa: SIM118
    sealed = {name: getattr(seal, name, None) for name in ("seq", "prev", "hash", "sealed_at")}
    return AuditEntryOut.model_validate(members | sealed)


def account_of(request: Request[Principal, None, State]) -> UUID:
    """The account that the guard has found the caller to administer."""
    account_id = request.user.account_id
    assert account_id is not None  # noqa: S101 - without an account there is no `admin:account`
    return account_id


def provide_audit_log(request: Request[Principal, None, State], session: AsyncSession) -> AuditLog:
    return AuditLog(session, account_of(request))


class AuditController(Controller):
    """The account's audit log: append-only, one hash chain."""

    path = "/api/v1/account/audit-log"
    tags = ("Accounts",)
    guards = (requires(Scope.ADMIN_ACCOUNT),)

    @get(
        operation_id="listAuditEntries",
        summary="List the audit log",
        dependencies={"audit_log": Provide(provide_audit_log, sync_to_thread=False)},
    )
    async def list_entries(
        self,
        audit_log: AuditLog,
        page: Page,
        cursor: CursorText = None,
        actor: Annotated[
            str | None, QueryParameter(max_length=100, description="`user:…`, `key:…`, `system:…`")
        ] = None,
        action: Annotated[
            str | None, QueryParameter(max_length=100, description="how it begins: `agent.promoted` or `agent.`")
        ] = None,
        subject: Text = None,
        of_workspace: Annotated[UUID | None, QueryParameter(name="workspace_id")] = None,
        since: Since = None,
        until: Until = None,
    ) -> AuditEntryList:
        wanted = AuditFilter(
            actor, action, subject, of_workspace, query_moment("since", since), query_moment("until", until)
        )
        listing = await audit_log.list_entries(wanted, page, cursor)
        return AuditEntryList(
            results=[entry_out(entry, seal) for entry, seal in listing.rows], pagination=listing.pagination
        )

    @get(
        "/export",
        operation_id="exportAuditLog",
        summary="Download the sealed audit log as JSON Lines",
        description="In the order of the chain. `since` and `until` choose by `sealed_at`, so the lines of an export "
        "follow each other without a gap. docs/audit-log.md says how to verify them offline.",
    )
    async def export_log(
        self, database: Database, request: Request[Principal, None, State], since: Since = None, until: Until = None
    ) -> Stream:
        account_id = account_of(request)
        lines = AuditExport(database).stream(
            account_id, since=query_moment("since", since), until=query_moment("until", until)
        )
        return Stream(
            lines,
            media_type="application/x-ndjson",
            headers={"Content-Disposition": f'attachment; filename="audit-log-{account_id}.jsonl"'},
        )

    @get(
        "/head",
        operation_id="readAuditHead",
        summary="Read the signed head of the audit log",
        opt={"may_be_missing": True},
        dependencies={"audit_log": Provide(provide_audit_log, sync_to_thread=False)},
    )
    async def read_head(self, audit_log: AuditLog, signer: TokenSigner) -> AuditHeadOut:
        await signer.ready()
        head = await audit_log.read_head()
        signature = signer.sign(
            audience=AUDIENCE,
            kind=HEAD,
            issued_at=int(utc_now().timestamp()),
            lifetime_s=HEAD_LIFETIME_S,
            claims={
                "sub": str(head.account_id),
                "jti": str(new_id()),
                "seq": head.seq,
                "hash": head.hash,
                "sealed_at": rfc3339(head.sealed_at),
            },
        )
        return AuditHeadOut(
            account_id=head.account_id,
            seq=head.seq,
            hash=head.hash,
            sealed_at=head.sealed_at,
            signature=signature,
        )

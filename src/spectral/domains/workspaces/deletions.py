"""Asking for the end of a workspace or an account, and how far that is; the work itself is `erasure.py`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import Account, Deletion
from spectral.domains.workspaces.closing import accounts_being_deleted, close_account, workspaces_being_deleted
from spectral.domains.workspaces.erasure import KIND, erased_tables
from spectral.domains.workspaces.errors import DeletionNotConfirmedError
from spectral.domains.workspaces.models import Workspace
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database, after_commit, bind_workspace
from spectral.platform.engine.context import WorkItem
from spectral.platform.engine.engine import Engine
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import InvalidTransitionError, NotFoundError
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.pagination import Page

WORKSPACE = "workspace"
ACCOUNT = "account"
DELETING = "account.deletions"
DELETING_INTERVAL_S = 15.0
RETRY_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Progress:
    """A deletion and how far it is; of an account, what its workspaces' deletions add up to."""

    id: UUID
    parent_id: UUID | None
    account_id: UUID
    kind: str
    subject_id: UUID
    name: str
    state: str
    requested_by: str
    tables_done: int
    tables_total: int
    rows_deleted: int
    created_at: datetime
    finished_at: datetime | None


class DeletionService:
    """Starts deletions, in the caller's transaction, which must be bound to the account."""

    def __init__(self, session: AsyncSession, identity: Database, engine: Engine) -> None:
        self._session = session
        self._identity = identity
        self._engine = engine

    async def delete_workspace(self, access: WorkspaceAccess) -> Progress:
        """Nobody can enter the workspace any more, its name is free, and its deletion is under way after the commit.

        Raises NotFoundError, also where it is being deleted already.
        """
        # Locked, so that of two requests at once one finds it gone.
        found = sa.select(Workspace).where(Workspace.id == access.workspace_id, Workspace.deleting_at.is_(None))
        workspace = (await self._session.scalars(found.with_for_update())).one_or_none()
        if workspace is None:
            raise NotFoundError("Workspace", access.workspace_id)
        return progress_of(await self.begin(workspace, access.actor, None))

    async def delete_account(self, account_id: UUID, confirm: str | None, actor: str) -> Progress:
        """The account and its workspaces give no rights any more; their deletion is under way after the commit.

        confirm: the account's name.  Raises NotFoundError, InvalidTransitionError, DeletionNotConfirmedError.
        """
        found = sa.select(Account).where(Account.id == account_id).with_for_update()
        account = (await self._session.scalars(found)).one_or_none()
        if account is None:
            raise NotFoundError("Account", account_id)
        if account.deleting_at is not None:
            raise InvalidTransitionError("The account is being deleted already")
        if confirm != account.name:
            raise DeletionNotConfirmedError
        account.deleting_at = utc_now()
        deletion = Deletion(
            id=new_id(),
            account_id=account_id,
            kind=ACCOUNT,
            subject_id=account_id,
            name=account.name,
            requested_by=actor,
            state="running",
            tables_done=0,
            tables_total=0,
            rows_deleted=0,
            created_at=account.deleting_at,
        )
        self._session.add(deletion)
        await self._session.flush()
        await audit.record(
            self._session,
            account_id=account_id,
            actor=actor,
            action="account.deletion_requested",
            subject=f"account:{account_id}",
            detail={"name": account.name, "deletion_id": str(deletion.id)},
        )
        children = await self.begin_all(account_id, actor, deletion.id)
        if not children:

            async def close() -> None:
                await close_account(self._identity, account_id)

            # The schedule does it where this process dies before.
            after_commit(self._session, close)
        return progress_of(deletion, children)

    async def begin_all(self, account_id: UUID, actor: str, parent_id: UUID) -> list[Deletion]:
        """Every workspace of the account that is not being deleted is, from the commit on."""
        found = sa.select(Workspace).where(Workspace.account_id == account_id, Workspace.deleting_at.is_(None))
        workspaces = (await self._session.scalars(found.order_by(Workspace.id).with_for_update())).all()
        return [await self.begin(workspace, actor, parent_id) for workspace in workspaces]

    async def begin(self, workspace: Workspace, actor: str, parent_id: UUID | None) -> Deletion:
        """The deletion of this workspace, which the caller has locked. Binds the transaction to the workspace."""
        await bind_workspace(self._session, workspace.id)
        deletion = Deletion(
            id=new_id(),
            account_id=workspace.account_id,
            parent_id=parent_id,
            kind=WORKSPACE,
            subject_id=workspace.id,
            name=workspace.name,
            requested_by=actor,
            state="pending",
            tables_done=0,
            tables_total=len(erased_tables()),
            rows_deleted=0,
            created_at=utc_now(),
        )
        workspace.deleting_at = deletion.created_at
        # Names are unique in an account; this one is free for a new workspace at once.
        workspace.name = f"being deleted: {workspace.id}"
        self._session.add(deletion)
        await self._session.flush()
        await self._engine.cancel_all(self._session, workspace.id)
        await self._engine.enqueue(self._session, WorkItem(KIND, workspace.id, workspace.account_id, deletion.id))
        await audit.record(
            self._session,
            account_id=workspace.account_id,
            workspace_id=workspace.id,
            actor=actor,
            action="workspace.deletion_requested",
            subject=f"workspace:{workspace.id}",
            detail={"name": deletion.name, "deletion_id": str(deletion.id)},
        )
        return deletion


class DeletionLog:
    """Deletions of one account, or with None of every account, for the authentication role's transactions."""

    def __init__(self, session: AsyncSession, account_id: UUID | None) -> None:
        self._session = session
        self._mine = sa.true() if account_id is None else Deletion.account_id == account_id

    async def list_deletions(self, page: Page) -> tuple[list[Progress], int]:
        """One page, newest first, and how many there are."""
        counted = sa.select(sa.func.count()).select_from(Deletion).where(self._mine)
        total = (await self._session.execute(counted)).scalar_one()
        rows = (
            await self._session.scalars(
                sa.select(Deletion)
                .where(self._mine)
                .order_by(Deletion.created_at.desc(), Deletion.id.desc())
                .limit(page.limit)
                .offset(page.offset)
            )
        ).all()
        return await self._with_children(rows), total

    async def read_deletion(self, deletion_id: UUID) -> Progress:
        """Raises NotFoundError."""
        found = sa.select(Deletion).where(self._mine, Deletion.id == deletion_id)
        row = (await self._session.scalars(found)).one_or_none()
        if row is None:
            raise NotFoundError("Deletion", deletion_id)
        return (await self._with_children([row]))[0]

    async def _with_children(self, rows: Sequence[Deletion]) -> list[Progress]:
        parents = [row.id for row in rows if row.kind == ACCOUNT]
        children: dict[UUID, list[Deletion]] = {}
        if parents:
            found = sa.select(Deletion).where(self._mine, Deletion.parent_id.in_(parents))
            for child in (await self._session.scalars(found)).all():
                if child.parent_id is not None:
                    children.setdefault(child.parent_id, []).append(child)
        return [progress_of(row, children.get(row.id, ())) for row in rows]


async def go_on_deleting(database: Database, identity: Database, engine: Engine) -> None:
    """Accounts whose last workspace is gone are closed; workspaces that came in at the last moment are deleted too.

    So are those whose deletion failed five minutes ago: whoever was told that it is under way must not wait for ever.
    Runs at intervals: a process may die between a workspace's end and its account's.
    """
    for deletion in await workspaces_being_deleted(identity):
        access = WorkspaceAccess.for_system(deletion.subject_id, deletion.account_id, KIND)
        async with database.transaction(access) as session:
            await engine.retry(session, deletion.subject_id, deletion.id, utc_now() - RETRY_AFTER)
    for deletion in await accounts_being_deleted(identity):
        if await close_account(identity, deletion.account_id):
            continue
        async with database.transaction(account_id=deletion.account_id) as session:
            service = DeletionService(session, identity, engine)
            await service.begin_all(deletion.account_id, deletion.requested_by, deletion.id)


def progress_of(deletion: Deletion, children: Iterable[Deletion] = ()) -> Progress:
    """How far a deletion is, with those of the account's workspaces."""
    parts = [deletion, *children]
    return Progress(
        id=deletion.id,
        parent_id=deletion.parent_id,
        account_id=deletion.account_id,
        kind=deletion.kind,
        subject_id=deletion.subject_id,
        name=deletion.name,
        state=deletion.state,
        requested_by=deletion.requested_by,
        tables_done=sum(part.tables_done for part in parts),
        tables_total=sum(part.tables_total for part in parts),
        rows_deleted=sum(part.rows_deleted for part in parts),
        created_at=deletion.created_at,
        finished_at=deletion.finished_at,
    )

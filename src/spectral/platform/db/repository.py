"""The base of every repository of workspace-owned rows: no statement without its workspace."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.base import ExecutableOption

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.base import WorkspaceOwned
from spectral.platform.db.constraints import translating
from spectral.platform.shared.errors import NotFoundError, SpectralError
from spectral.platform.shared.money import Spending
from spectral.platform.shared.pagination import Page

M = TypeVar("M", bound=WorkspaceOwned)
Condition = sa.ColumnElement[bool]


class WorkspaceRepository(Generic[M]):
    """Rows of one model in one workspace. Cannot be built without a `WorkspaceAccess`.

    Builds statements and may flush for an id; does not decide, authorise or commit.
    """

    model: ClassVar[type[Any]]
    kind: ClassVar[str]

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self.session = session
        self.access = access

    @property
    def _mine(self) -> Condition:
        return cast("Condition", self.model.workspace_id == self.access.workspace_id)

    def select(self, *where: Condition) -> sa.Select[tuple[M]]:
        """A SELECT of this workspace's rows."""
        return sa.select(self.model).where(self._mine, *where)

    def update(self, *where: Condition) -> sa.Update:
        """An UPDATE of this workspace's rows; `where` narrows it further."""
        return sa.update(self.model).where(self._mine, *where)

    def delete(self, *where: Condition) -> sa.Delete:
        """A DELETE of this workspace's rows; `where` narrows it further."""
        return sa.delete(self.model).where(self._mine, *where)

    async def get(self, identifier: UUID, *options: ExecutableOption) -> M:
        """The row with this id. Raises NotFoundError, also for another workspace's row."""
        statement = self.select(cast("Condition", self.model.id == identifier)).options(*options)
        row = (await self.session.scalars(statement)).one_or_none()
        if row is None:
            raise NotFoundError(self.kind, identifier)
        return row

    async def find(self, *where: Condition) -> M | None:
        """The one row that fits, or None."""
        return (await self.session.scalars(self.select(*where))).one_or_none()

    async def find_all(self, *where: Condition, order_by: Sequence[Any] = ()) -> list[M]:
        """Every row that fits, in the given order, else oldest first."""
        order = order_by or (self.model.created_at, self.model.id)
        return list((await self.session.scalars(self.select(*where).order_by(*order))).all())

    async def count(self, *where: Condition) -> int:
        """How many rows fit."""
        statement = sa.select(sa.func.count()).select_from(self.model).where(self._mine, *where)
        return int((await self.session.execute(statement)).scalar_one())

    async def page(
        self, statement: sa.Select[tuple[M]], page: Page, *, order_by: Sequence[Any] = ()
    ) -> tuple[list[M], int]:
        """One page of `statement` (built by `select`) and how many rows it has in all; newest first by default."""
        order = order_by or (self.model.created_at.desc(), self.model.id.desc())
        rows = (await self.session.scalars(statement.order_by(*order).limit(page.limit).offset(page.offset))).all()
        # A page that is not full is the last one, so what it ends with is counted already.
        if len(rows) < page.limit and (rows or not page.offset):
            return list(rows), page.offset + len(rows)
        counted = sa.select(sa.func.count()).select_from(statement.order_by(None).subquery())
        return list(rows), int((await self.session.execute(counted)).scalar_one())

    def add(self, row: M) -> M:
        """Put a new row into this workspace; it is written at the next flush."""
        row.workspace_id = self.access.workspace_id
        self.session.add(row)
        return row

    async def flush(self, errors: Mapping[str, SpectralError] | None = None) -> None:
        """Write what is pending; a violated constraint that `errors` names is raised as that error."""
        async with translating(errors or {}):
            await self.session.flush()

    async def remove(self, row: M, errors: Mapping[str, SpectralError] | None = None) -> None:
        """Delete one row of this workspace now; a violated constraint that `errors` names is raised as that error."""
        async with translating(errors or {}):
            await self.session.execute(self.delete(cast("Condition", self.model.id == row.id)))
        self.session.expunge(row)

    async def execute(self, statement: sa.Update | sa.Delete) -> int:
        """Run a bound UPDATE or DELETE; answers how many rows it touched."""
        result = cast("CursorResult[Any]", await self.session.execute(statement))
        return result.rowcount


class PricedRepository(WorkspaceRepository[M]):
    """Rows that cost something: their `cost_nano_usd` is null where it is not known."""

    async def spending_since(self, since: datetime) -> Spending:
        """What the rows made since that moment cost, and how many of them did not tell."""
        known = sa.func.coalesce(sa.func.sum(self.model.cost_nano_usd), 0)
        unknown = sa.func.count(self.model.id) - sa.func.count(self.model.cost_nano_usd)
        counted = sa.select(known, unknown).where(self._mine, self.model.created_at >= since)
        row = (await self.session.execute(counted)).one()
        return Spending(int(row[0]), int(row[1]))

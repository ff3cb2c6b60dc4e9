"""The declarative base, the column types and what every tenant table has in common."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from advanced_alchemy.types import DateTimeUTC
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id

NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

UtcTime = DateTimeUTC
"""A timezone-aware UTC moment; a naive one is refused."""

Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON document: JSONB on PostgreSQL."""


class NanoUsdColumn(sa.types.TypeDecorator[int]):
    """Nano-USD as BIGINT; refuses everything but integers (`Numeric` is a float on SQLite)."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> int | None:
        del dialect
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            message = f"money is an integer of nano-USD, not {type(value).__name__}"
            raise TypeError(message)
        return value


class Base(DeclarativeBase):
    """The declarative base of every table."""

    metadata = sa.MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcTime(timezone=True),
        UUID: sa.Uuid(as_uuid=True),
        dict[str, Any]: Json,
        list[Any]: Json,
    }


class WorkspaceOwned:
    """A row that belongs to one workspace: `(workspace_id, id)` is its primary key.

    Reached only through a `WorkspaceRepository`. References between such tables are composite, made by `tenant_fk`.
    """

    @declared_attr
    @classmethod
    def workspace_id(cls) -> Mapped[UUID]:
        return mapped_column(
            sa.Uuid(as_uuid=True), sa.ForeignKey("workspace.id", ondelete="CASCADE"), primary_key=True, sort_order=-2
        )

    id: Mapped[UUID] = mapped_column(sa.Uuid(as_uuid=True), primary_key=True, default=new_id, sort_order=-1)
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


def tenant_fk(column: str, table: str, *, ondelete: str) -> sa.ForeignKeyConstraint:
    """A reference inside one workspace: `(workspace_id, column)` → `table(workspace_id, id)`.

    ondelete: CASCADE or RESTRICT. SET NULL would null the workspace and is refused with ValueError.
    """
    if ondelete not in {"CASCADE", "RESTRICT"}:
        message = f"a tenant reference is CASCADE or RESTRICT, not {ondelete}"
        raise ValueError(message)
    return sa.ForeignKeyConstraint(
        ["workspace_id", column], [f"{table}.workspace_id", f"{table}.id"], ondelete=ondelete
    )

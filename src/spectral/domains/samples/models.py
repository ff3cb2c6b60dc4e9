"""The tables of sample sets. A frozen item and its holdout's digest are never changed."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, Json, UtcTime, WorkspaceOwned, tenant_fk
from spectral.platform.shared.clock import utc_now


class SampleSet(WorkspaceOwned, Base):
    """A set of samples. `version` counts the changes of its content, from 1 when it is empty.

    seed, shares and group_by decide where items go and never change: items that were placed by other rules could leak.
    """

    __tablename__ = "sample_set"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "name"),)

    name: Mapped[str] = mapped_column(sa.String(200))
    description: Mapped[str | None] = mapped_column(sa.String(2000))
    version: Mapped[int] = mapped_column(default=1)
    seed: Mapped[int] = mapped_column(sa.BigInteger)
    shares: Mapped[dict[str, Any]]
    group_by: Mapped[list[Any]]
    created_by: Mapped[str] = mapped_column(sa.String(100))
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class Holdout(WorkspaceOwned, Base):
    """The frozen items of a set: current until it is retired, and a set has at most one that is current.

    digest: SHA-256 over the canonical items. looks: how often a validation has measured on it.
    """

    __tablename__ = "holdout"
    __table_args__ = (
        tenant_fk("set_id", "sample_set", ondelete="CASCADE"),
        sa.Index(
            "uq_holdout_current",
            "workspace_id",
            "set_id",
            unique=True,
            sqlite_where=sa.text("retired_at IS NULL"),
            postgresql_where=sa.text("retired_at IS NULL"),
        ),
    )

    set_id: Mapped[UUID]
    digest: Mapped[str] = mapped_column(sa.String(64))
    size: Mapped[int]
    looks: Mapped[int] = mapped_column(default=0)
    frozen_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    frozen_by: Mapped[str] = mapped_column(sa.String(100))
    retired_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    retired_reason: Mapped[str | None] = mapped_column(sa.String(500))


class SampleItem(WorkspaceOwned, Base):
    """One sample. Its split and group were decided when it came and stay; with a `holdout_id` it is frozen.

    links: what tied it to its group. fingerprint: SHA-256 of the canonical input, unique in the set. expected_hash:
    SHA-256 of the canonical expected answer. signature: MinHash of the input's text, None for a short one.
    """

    __tablename__ = "sample_item"
    __table_args__ = (
        tenant_fk("set_id", "sample_set", ondelete="CASCADE"),
        tenant_fk("holdout_id", "holdout", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "set_id", "fingerprint"),
        sa.CheckConstraint("split IN ('reflect', 'select', 'holdout')", name="split"),
        sa.CheckConstraint("holdout_id IS NULL OR split = 'holdout'", name="frozen"),
        sa.Index(None, "workspace_id", "set_id", "split"),
        sa.Index(None, "workspace_id", "set_id", "created_at"),
        sa.Index(None, "workspace_id", "holdout_id"),
    )

    set_id: Mapped[UUID]
    holdout_id: Mapped[UUID | None]
    split: Mapped[str] = mapped_column(sa.String(10))
    group_key: Mapped[str] = mapped_column(sa.String(300))
    links: Mapped[list[Any]]
    input: Mapped[Any] = mapped_column(Json, nullable=False)
    expected: Mapped[Any] = mapped_column(Json, nullable=True)
    # `metadata` is SQLAlchemy's own name on a mapped class.
    details: Mapped[dict[str, Any]] = mapped_column("metadata", Json)
    source_trace_id: Mapped[str | None] = mapped_column(sa.String(32))
    fingerprint: Mapped[str] = mapped_column(sa.String(64))
    expected_hash: Mapped[str] = mapped_column(sa.String(64))
    signature: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)

    @property
    def frozen(self) -> bool:
        """Whether it belongs to a holdout, current or retired."""
        return self.holdout_id is not None


class SampleBand(Base):
    """Items by what near-duplicates of theirs share with them: a band of the signature, with set and expected answer.

    band: see `near_duplicates.bands_of`.  At most `near_duplicates.CROWD` items have one band.
    """

    __tablename__ = "sample_band"
    __table_args__ = (
        tenant_fk("item_id", "sample_item", ondelete="CASCADE"),
        sa.Index(None, "workspace_id", "item_id"),
    )

    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspace.id", ondelete="CASCADE"), primary_key=True)
    band: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    item_id: Mapped[UUID] = mapped_column(primary_key=True)


class SampleLink(Base):
    """Where the items of a session or user are. It stays when they are deleted: what comes later goes there too."""

    __tablename__ = "sample_link"
    __table_args__ = (
        tenant_fk("set_id", "sample_set", ondelete="CASCADE"),
        sa.Index(None, "workspace_id", "set_id", "group_key"),
    )

    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspace.id", ondelete="CASCADE"), primary_key=True)
    set_id: Mapped[UUID] = mapped_column(primary_key=True)
    link: Mapped[str] = mapped_column(sa.String(300), primary_key=True)
    group_key: Mapped[str] = mapped_column(sa.String(300))
    split: Mapped[str] = mapped_column(sa.String(10))

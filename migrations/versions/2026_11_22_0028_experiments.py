"""Experiments by hand, and by what samples that arrive find those that are there.

Revision ID: 0028
Revises: 0027
"""

import hashlib
from collections import Counter
from typing import Any

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, NanoUsdColumn, UtcTime
from spectral.platform.db.policies import enable_row_security

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
STATUSES = "status IN ('waiting', 'queued', 'running', 'completed', 'failed', 'cancelled')"
ITEMS_AT_ONCE = 1_000
CROWD = 32
EXPERIMENT = (
    "status",
    "execution",
    "margin",
    "max_evaluations",
    "max_cost_nano_usd",
    "cost_nano_usd",
    "failure",
    "items_digest",
    "item_ids",
    "started_at",
    "finished_at",
)


def upgrade() -> None:
    with op.batch_alter_table("experiment") as table:
        # What is there was recorded by scans when it was done.
        table.add_column(sa.Column("status", sa.String(16), nullable=False, server_default="completed"))
        table.add_column(sa.Column("execution", sa.String(16), nullable=False, server_default="native"))
        table.add_column(sa.Column("margin", sa.Double))
        table.add_column(sa.Column("max_evaluations", sa.Integer))
        table.add_column(sa.Column("max_cost_nano_usd", NanoUsdColumn))
        table.add_column(sa.Column("cost_nano_usd", NanoUsdColumn))
        table.add_column(sa.Column("failure", Json))
        table.add_column(sa.Column("items_digest", sa.String(64)))
        table.add_column(sa.Column("item_ids", Json))
        table.add_column(sa.Column("started_at", MOMENT))
        table.add_column(sa.Column("finished_at", MOMENT))
        table.create_check_constraint(op.f("ck_experiment_status"), STATUSES)
    op.add_column("experiment_arm", sa.Column("config", Json))
    op.add_column("validation", sa.Column("execution", sa.String(16), nullable=False, server_default="native"))
    op.create_table(
        "experiment_output",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("experiment_id", UUID, nullable=False),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("item_id", UUID, nullable=False),
        sa.Column("repeat", sa.Integer, nullable=False),
        sa.Column("output", sa.Text),
        sa.Column("error_type", sa.String(200)),
        sa.Column("error_message", sa.String(1000)),
        sa.Column("missing", sa.Boolean, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_nano_usd", NanoUsdColumn),
        sa.Column("latency_ms", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_experiment_output"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name="fk_experiment_output_workspace_id"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "experiment_id"],
            ["experiment.workspace_id", "experiment.id"],
            ondelete="CASCADE",
            name="fk_experiment_output_workspace_id_experiment_id",
        ),
        sa.UniqueConstraint(
            "workspace_id", "experiment_id", "config_hash", "item_id", "repeat", name="uq_experiment_output_once"
        ),
    )
    _create_sample_index()
    _index_samples()
    enable_row_security(op, "experiment_output", "sample_band", "sample_link")


def _create_sample_index() -> None:
    op.create_table(
        "sample_band",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("band", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("item_id", UUID, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "band", "item_id", name="pk_sample_band"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name="fk_sample_band_workspace_id"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "item_id"],
            ["sample_item.workspace_id", "sample_item.id"],
            ondelete="CASCADE",
            name="fk_sample_band_workspace_id_item_id",
        ),
    )
    op.create_index("ix_sample_band_workspace_id_item_id", "sample_band", ["workspace_id", "item_id"])
    op.create_table(
        "sample_link",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("set_id", UUID, nullable=False),
        sa.Column("link", sa.String(300), nullable=False),
        sa.Column("group_key", sa.String(300), nullable=False),
        sa.Column("split", sa.String(10), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "set_id", "link", name="pk_sample_link"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name="fk_sample_link_workspace_id"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "set_id"],
            ["sample_set.workspace_id", "sample_set.id"],
            ondelete="CASCADE",
            name="fk_sample_link_workspace_id_set_id",
        ),
    )
    columns = ["workspace_id", "set_id", "group_key"]
    op.create_index("ix_sample_link_workspace_id_set_id_group_key", "sample_link", columns)


def _index_samples() -> None:
    """What is in sets already is found as well."""
    connection = op.get_bind()
    secured = connection.dialect.name == "postgresql"
    if secured:  # the owner looks across workspaces, this once
        op.execute("ALTER TABLE sample_item NO FORCE ROW LEVEL SECURITY")
    item = sa.table(
        "sample_item",
        sa.column("workspace_id", UUID),
        sa.column("id", UUID),
        sa.column("set_id", UUID),
        sa.column("expected_hash", sa.String),
        sa.column("signature", sa.LargeBinary),
        sa.column("group_key", sa.String),
        sa.column("split", sa.String),
        sa.column("links", Json),
    )
    band = sa.table(
        "sample_band", sa.column("workspace_id", UUID), sa.column("band", sa.BigInteger), sa.column("item_id", UUID)
    )
    names = ("workspace_id", "set_id", "link", "group_key", "split")
    link = sa.table("sample_link", *(sa.column(name, UUID if name.endswith("_id") else sa.String) for name in names))
    key = sa.tuple_(item.c.workspace_id, item.c.id)
    after: sa.Row[Any] | None = None
    crowds: Counter[tuple[object, int]] = Counter()
    homes: dict[tuple[object, object, str], tuple[str, str]] = {}
    while True:
        statement = sa.select(*item.c).order_by(item.c.workspace_id, item.c.id).limit(ITEMS_AT_ONCE)
        if after is not None:
            last = sa.tuple_(sa.literal(after.workspace_id, UUID), sa.literal(after.id, UUID))
            statement = statement.where(key > last)
        rows = connection.execute(statement).all()
        if not rows:
            break
        bands = []
        for row in rows:
            for text in row.links:
                place, home = (row.workspace_id, row.set_id, text), (row.group_key, row.split)
                homes[place] = min(homes.get(place, home), home)
            for number in _bands(row):
                crowds[row.workspace_id, number] += 1
                if crowds[row.workspace_id, number] <= CROWD:
                    bands.append({"workspace_id": row.workspace_id, "band": number, "item_id": row.id})
        if bands:
            connection.execute(sa.insert(band), bands)
        after = rows[-1]
    links = [dict(zip(names, (*place, *home), strict=True)) for place, home in homes.items()]
    if links:
        connection.execute(sa.insert(link), links)
    if secured:
        op.execute("ALTER TABLE sample_item FORCE ROW LEVEL SECURITY")


def _bands(row: sa.Row[Any]) -> list[int]:
    """As `near_duplicates.bands_of` was at this revision."""
    if row.signature is None:
        return []
    start = row.set_id.bytes + row.expected_hash.encode()
    parts = [row.signature[place : place + 32] for place in range(0, 512, 32)]
    digests = [
        hashlib.blake2b(start + bytes([number]) + part, digest_size=8).digest() for number, part in enumerate(parts)
    ]
    return [int.from_bytes(digest, "big", signed=True) for digest in digests]


def downgrade() -> None:
    op.drop_table("sample_link")
    op.drop_table("sample_band")
    op.drop_table("experiment_output")
    op.drop_column("validation", "execution")
    op.drop_column("experiment_arm", "config")
    with op.batch_alter_table("experiment") as table:
        table.drop_constraint(op.f("ck_experiment_status"), type_="check")
        for column in reversed(EXPERIMENT):
            table.drop_column(column)

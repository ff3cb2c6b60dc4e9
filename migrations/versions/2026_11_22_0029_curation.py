"""Failure clusters: curation that survives later scans.

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, UtcTime
from spectral.platform.db.policies import enable_row_security

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
FILLED = ("failure_cluster", "failure_cluster_sighting", "failure_cluster_member")


def upgrade() -> None:
    with op.batch_alter_table("failure_cluster") as table:
        for column in ("merged_into", "split_from"):
            table.add_column(sa.Column(column, UUID))
            table.create_foreign_key(
                f"fk_failure_cluster_workspace_id_{column}",
                "failure_cluster",
                ["workspace_id", column],
                ["workspace_id", "id"],
                ondelete="CASCADE",
            )
    with op.batch_alter_table("failure_cluster_sighting") as table:
        table.add_column(sa.Column("agent_id", UUID))
        table.alter_column("cluster_id", existing_type=UUID, nullable=True)
        table.create_foreign_key(
            "fk_failure_cluster_sighting_workspace_id_agent_id",
            "agent",
            ["workspace_id", "agent_id"],
            ["workspace_id", "id"],
            ondelete="CASCADE",
        )
    with op.batch_alter_table("failure_cluster_member") as table:
        table.add_column(sa.Column("example", sa.Boolean))
        table.add_column(sa.Column("terms", Json))
    with op.batch_alter_table("changeset_cluster") as table:
        table.add_column(sa.Column("fixed_items", Json))
        table.add_column(sa.Column("broken_items", Json))
    _fill()
    with op.batch_alter_table("failure_cluster_sighting") as table:
        table.alter_column("agent_id", existing_type=UUID, nullable=False)
    with op.batch_alter_table("failure_cluster_member") as table:
        table.alter_column("example", existing_type=sa.Boolean, nullable=False)
        table.alter_column("terms", existing_type=Json, nullable=False)
    op.create_index(
        "ix_failure_cluster_sighting_workspace_id_agent_id_created_at",
        "failure_cluster_sighting",
        ["workspace_id", "agent_id", "created_at"],
    )
    op.create_table(
        "failure_cluster_rule",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("agent_id", UUID, nullable=False),
        sa.Column("item_id", UUID, nullable=False),
        sa.Column("cluster_id", UUID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.CheckConstraint("kind IN ('belongs', 'apart')", name="ck_failure_cluster_rule_kind"),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_failure_cluster_rule"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name="fk_failure_cluster_rule_workspace_id"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "agent_id"],
            ["agent.workspace_id", "agent.id"],
            ondelete="CASCADE",
            name="fk_failure_cluster_rule_workspace_id_agent_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "cluster_id"],
            ["failure_cluster.workspace_id", "failure_cluster.id"],
            ondelete="CASCADE",
            name="fk_failure_cluster_rule_workspace_id_cluster_id",
        ),
        sa.UniqueConstraint(
            "workspace_id", "item_id", "cluster_id", name="uq_failure_cluster_rule_workspace_id_item_id_cluster_id"
        ),
    )
    for column in ("agent_id", "cluster_id"):
        name = f"ix_failure_cluster_rule_workspace_id_{column}"
        op.create_index(name, "failure_cluster_rule", ["workspace_id", column])
    enable_row_security(op, "failure_cluster_rule")


def _fill() -> None:
    """What the rows that are there already have in the new columns."""
    # The policies bind the tables' owner too, who sees every workspace only without.
    postgresql = op.get_bind().dialect.name == "postgresql"
    for table in FILLED if postgresql else ():
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(
        "UPDATE failure_cluster_sighting SET agent_id = (SELECT agent_id FROM failure_cluster "
        "WHERE failure_cluster.workspace_id = failure_cluster_sighting.workspace_id "
        "AND failure_cluster.id = failure_cluster_sighting.cluster_id)"
    )
    op.execute("UPDATE failure_cluster_member SET example = (text IS NOT NULL), terms = '{}'")
    for table in FILLED if postgresql else ():
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.drop_table("failure_cluster_rule")
    op.drop_index("ix_failure_cluster_sighting_workspace_id_agent_id_created_at", "failure_cluster_sighting")
    _forget()
    with op.batch_alter_table("changeset_cluster") as table:
        table.drop_column("broken_items")
        table.drop_column("fixed_items")
    with op.batch_alter_table("failure_cluster_member") as table:
        table.drop_column("terms")
        table.drop_column("example")
    with op.batch_alter_table("failure_cluster_sighting") as table:
        table.drop_constraint("fk_failure_cluster_sighting_workspace_id_agent_id", type_="foreignkey")
        table.alter_column("cluster_id", existing_type=UUID, nullable=False)
        table.drop_column("agent_id")
    with op.batch_alter_table("failure_cluster") as table:
        for column in ("split_from", "merged_into"):
            table.drop_constraint(f"fk_failure_cluster_workspace_id_{column}", type_="foreignkey")
            table.drop_column(column)


def _forget() -> None:
    """What resembles nothing had no row before; a foreign key takes its members and links along on PostgreSQL."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    tables = ("changeset_cluster", "failure_cluster_member", "failure_cluster_sighting")
    for table in tables if postgresql else ():
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    unclustered = "(SELECT id FROM failure_cluster_sighting WHERE cluster_id IS NULL)"
    op.execute(f"DELETE FROM changeset_cluster WHERE sighting_id IN {unclustered}")  # noqa: S608 - no input
    op.execute(f"DELETE FROM failure_cluster_member WHERE sighting_id IN {unclustered}")  # noqa: S608 - no input
    op.execute("DELETE FROM failure_cluster_sighting WHERE cluster_id IS NULL")
    for table in tables if postgresql else ():
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")

"""changesets: proposals, failure clusters, experiments, holdout ledgers, validations

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from spectral.platform.db.policies import enable_row_security

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
TABLES = (
    "experiment",
    "experiment_arm",
    "changeset",
    "failure_cluster",
    "failure_cluster_sighting",
    "failure_cluster_member",
    "changeset_cluster",
    "holdout_ledger",
    "validation",
)


def owned(table: str, *parts: sa.schema.SchemaItem) -> None:
    """A table of workspace-owned rows."""
    op.create_table(
        table,
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        *parts,
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f(f"pk_{table}")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name=op.f(f"fk_{table}_workspace_id")
        ),
    )


def refers(table: str, column: str, parent: str, ondelete: str) -> sa.ForeignKeyConstraint:
    """A reference inside the workspace."""
    return sa.ForeignKeyConstraint(
        ["workspace_id", column],
        [f"{parent}.workspace_id", f"{parent}.id"],
        ondelete=ondelete,
        name=op.f(f"fk_{table}_workspace_id_{column}"),
    )


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    """No two rows of a workspace agree in these columns."""
    return sa.UniqueConstraint("workspace_id", *columns, name=op.f(f"uq_{table}_workspace_id_{'_'.join(columns)}"))


def index(table: str, *columns: str) -> None:
    """An index within the workspace."""
    op.create_index(op.f(f"ix_{table}_workspace_id_{'_'.join(columns)}"), table, ["workspace_id", *columns])


def upgrade() -> None:
    create_experiments()
    create_changesets()
    create_clusters()
    create_validations()
    enable_row_security(op, *TABLES)


def create_experiments() -> None:
    owned(
        "experiment",
        sa.Column("scan_id", UUID),
        sa.Column("agent_id", UUID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("sample_set_id", UUID, nullable=False),
        sa.Column("sample_set_version", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("rubric_id", UUID, nullable=False),
        sa.Column("rubric_version", sa.Integer(), nullable=False),
        sa.Column("objective", JSON, nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.CheckConstraint("split IN ('reflect', 'select')", name=op.f("ck_experiment_split")),
        refers("experiment", "agent_id", "agent", "RESTRICT"),
        refers("experiment", "sample_set_id", "sample_set", "RESTRICT"),
        refers("experiment", "rubric_id", "rubric", "RESTRICT"),
        unique("experiment", "scan_id", "name"),
    )
    for column in ("created_at", "agent_id", "sample_set_id", "rubric_id"):
        index("experiment", column)
    owned(
        "experiment_arm",
        sa.Column("experiment_id", UUID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer()),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("changes", JSON, nullable=False),
        sa.Column("summary", JSON, nullable=False),
        sa.Column("effect", JSON),
        sa.Column("frontier", sa.Boolean(), nullable=False),
        refers("experiment_arm", "experiment_id", "experiment", "CASCADE"),
        unique("experiment_arm", "experiment_id", "position"),
    )


def create_changesets() -> None:
    owned(
        "changeset",
        sa.Column("scan_id", UUID),
        sa.Column("agent_id", UUID, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("base_version", sa.Integer(), nullable=False),
        sa.Column("candidate_version", sa.Integer(), nullable=False),
        sa.Column("base_config_hash", sa.String(64), nullable=False),
        sa.Column("candidate_config_hash", sa.String(64), nullable=False),
        sa.Column("target_environment", sa.String(32), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("diff", JSON, nullable=False),
        sa.Column("sample_set_id", UUID, nullable=False),
        sa.Column("rubric_id", UUID, nullable=False),
        sa.Column("rubric_version", sa.Integer(), nullable=False),
        sa.Column("objective_id", UUID, nullable=False),
        sa.Column("objective", JSON, nullable=False),
        sa.Column("experiment_id", UUID),
        sa.Column("execution", sa.String(16), nullable=False),
        sa.Column("search_cost_nano_usd", sa.BigInteger()),
        sa.Column("previous_version", sa.Integer()),
        sa.Column("override_reason", sa.String(2000)),
        sa.Column("accepted_at", MOMENT),
        sa.Column("accepted_by", sa.String(100)),
        sa.Column("applied_at", MOMENT),
        sa.Column("closed_at", MOMENT),
        sa.Column("closed_by", sa.String(100)),
        sa.Column("closed_reason", sa.String(2000)),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "state IN ('proposed', 'validating', 'validated', 'refuted', 'inconclusive', 'accepted', 'applied', "
            "'rolled_back', 'rejected', 'superseded')",
            name=op.f("ck_changeset_state"),
        ),
        refers("changeset", "agent_id", "agent", "RESTRICT"),
        refers("changeset", "sample_set_id", "sample_set", "RESTRICT"),
        refers("changeset", "rubric_id", "rubric", "RESTRICT"),
        refers("changeset", "objective_id", "objective", "RESTRICT"),
        refers("changeset", "experiment_id", "experiment", "RESTRICT"),
        unique("changeset", "scan_id", "candidate_version"),
    )
    index("changeset", "created_at")
    index("changeset", "agent_id", "state")
    for column in ("sample_set_id", "rubric_id", "objective_id", "experiment_id"):
        index("changeset", column)


def create_clusters() -> None:
    owned(
        "failure_cluster",
        sa.Column("agent_id", UUID, nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("label_curated", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("note", sa.String(4000)),
        sa.Column("centroid", JSON, nullable=False),
        sa.Column("first_scan_id", UUID, nullable=False),
        sa.Column("last_scan_id", UUID, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "status IN ('open', 'investigating', 'resolved', 'muted')", name=op.f("ck_failure_cluster_status")
        ),
        refers("failure_cluster", "agent_id", "agent", "CASCADE"),
    )
    index("failure_cluster", "agent_id")
    owned(
        "failure_cluster_sighting",
        sa.Column("cluster_id", UUID, nullable=False),
        sa.Column("scan_id", UUID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("stability", sa.Double()),
        refers("failure_cluster_sighting", "cluster_id", "failure_cluster", "CASCADE"),
        unique("failure_cluster_sighting", "scan_id", "cluster_id"),
    )
    index("failure_cluster_sighting", "cluster_id")
    owned(
        "failure_cluster_member",
        sa.Column("sighting_id", UUID, nullable=False),
        sa.Column("item_id", UUID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text()),
        refers("failure_cluster_member", "sighting_id", "failure_cluster_sighting", "CASCADE"),
        unique("failure_cluster_member", "sighting_id", "item_id"),
    )
    owned(
        "changeset_cluster",
        sa.Column("changeset_id", UUID, nullable=False),
        sa.Column("sighting_id", UUID, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("fixed", sa.Integer(), nullable=False),
        sa.Column("broke", sa.Integer(), nullable=False),
        refers("changeset_cluster", "changeset_id", "changeset", "CASCADE"),
        refers("changeset_cluster", "sighting_id", "failure_cluster_sighting", "CASCADE"),
        unique("changeset_cluster", "changeset_id", "sighting_id"),
    )
    index("changeset_cluster", "sighting_id")


def create_validations() -> None:
    owned(
        "holdout_ledger",
        sa.Column("holdout_id", UUID, nullable=False),
        sa.Column("plan", JSON, nullable=False),
        sa.Column("looks_taken", sa.Integer(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        refers("holdout_ledger", "holdout_id", "holdout", "CASCADE"),
        unique("holdout_ledger", "holdout_id"),
    )
    owned(
        "validation",
        sa.Column("changeset_id", UUID, nullable=False),
        sa.Column("holdout_id", UUID, nullable=False),
        sa.Column("holdout_digest", sa.String(64), nullable=False),
        sa.Column("look", sa.Integer(), nullable=False),
        sa.Column("looks_planned", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("alpha", sa.Double(), nullable=False),
        sa.Column("minimum_effect", sa.Double(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("max_cost_nano_usd", sa.BigInteger()),
        sa.Column("work_id", UUID, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(16)),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("n_more", sa.Integer()),
        sa.Column("evidence", JSON),
        sa.Column("cost_nano_usd", sa.BigInteger()),
        sa.Column("failure", JSON),
        sa.Column("requested_by", sa.String(100), nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'completed', 'failed', 'cancelled')", name=op.f("ck_validation_status")
        ),
        refers("validation", "changeset_id", "changeset", "CASCADE"),
        refers("validation", "holdout_id", "holdout", "CASCADE"),
        unique("validation", "holdout_id", "look"),
    )
    index("validation", "changeset_id", "created_at")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)

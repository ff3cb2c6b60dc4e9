"""Service accounts, and keys that were rotated.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import UtcTime
from spectral.platform.db.policies import WORKSPACE, disable_identity_security, enable_identity_security

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)


def upgrade() -> None:
    # Which pepper hashed the keys that exist is not known before they are used again.
    op.add_column("api_key", sa.Column("pepper_id", sa.String(8)))
    op.add_column("api_key", sa.Column("rotated_from", UUID))
    op.add_column("api_key", sa.Column("rotated_to", UUID))
    op.create_table(
        "service_account",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("approve", sa.Boolean, nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("pepper_id", sa.String(8)),
        sa.Column("prefix", sa.String(20), nullable=False),
        sa.Column("last_four", sa.String(4), nullable=False),
        sa.Column("created_by", UUID),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.Column("last_used_at", MOMENT),
        sa.Column("rotated_from", UUID),
        sa.Column("rotated_to", UUID),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_service_account"),
        sa.UniqueConstraint("key_hash", name="uq_service_account_key_hash"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name="fk_service_account_workspace_id"
        ),
    )
    enable_identity_security(op, {"service_account": f"workspace_id = {WORKSPACE}"})


def downgrade() -> None:
    disable_identity_security(op, "service_account")
    op.drop_table("service_account")
    for column in ("rotated_to", "rotated_from", "pepper_id"):
        op.drop_column("api_key", column)

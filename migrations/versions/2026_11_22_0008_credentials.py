"""Credentials leave the person's row; sessions say how they began; identity tables have policies.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import UtcTime
from spectral.platform.db.policies import disable_identity_security, enable_identity_security

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "user_credential",
        sa.Column("user_id", UUID, nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_user_credential"),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], ondelete="CASCADE", name="fk_user_credential_user_id"),
    )
    op.execute(
        "INSERT INTO user_credential (user_id, password_hash, changed_at) "
        "SELECT id, password_hash, created_at FROM app_user"
    )
    with op.batch_alter_table("app_user") as table:
        table.drop_column("password_hash")
        table.add_column(sa.Column("email_verified_at", MOMENT))
        table.add_column(sa.Column("second_factor_at", MOMENT))
    op.add_column("account", sa.Column("sso_provider", sa.String(50)))
    op.add_column("account", sa.Column("second_factor_required_at", MOMENT))
    op.add_column("account", sa.Column("deleting_at", MOMENT))
    op.add_column("workspace", sa.Column("deleting_at", MOMENT))
    op.add_column("user_session", sa.Column("address", sa.String(45)))
    op.add_column("user_session", sa.Column("stepped_up_at", MOMENT))
    op.add_column("user_session", sa.Column("method", sa.String(60)))
    op.add_column("user_session", sa.Column("last_seen_at", MOMENT))
    op.execute("UPDATE user_session SET method = 'password', last_seen_at = created_at")
    with op.batch_alter_table("user_session") as table:
        table.alter_column("method", existing_type=sa.String(60), nullable=False)
        table.alter_column("last_seen_at", existing_type=MOMENT, nullable=False)
    op.create_table(
        "support_grant",
        sa.Column("id", UUID, nullable=False),
        sa.Column("account_id", UUID, nullable=False),
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("user_id", UUID, nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_support_grant"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE", name="fk_support_grant_account_id"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name="fk_support_grant_workspace_id"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], ondelete="CASCADE", name="fk_support_grant_user_id"),
    )
    op.create_index("ix_support_grant_workspace_id_user_id", "support_grant", ["workspace_id", "user_id"])
    enable_identity_security(op)


def downgrade() -> None:
    disable_identity_security(op)
    op.drop_table("support_grant")
    for column in ("last_seen_at", "method", "stepped_up_at", "address"):
        op.drop_column("user_session", column)
    op.drop_column("workspace", "deleting_at")
    op.drop_column("account", "deleting_at")
    op.drop_column("account", "second_factor_required_at")
    op.drop_column("account", "sso_provider")
    op.add_column("app_user", sa.Column("password_hash", sa.String(200)))
    op.execute(
        "UPDATE app_user SET password_hash = COALESCE("
        "(SELECT password_hash FROM user_credential WHERE user_id = app_user.id), '')"
    )
    with op.batch_alter_table("app_user") as table:
        table.alter_column("password_hash", existing_type=sa.String(200), nullable=False)
        table.drop_column("second_factor_at")
        table.drop_column("email_verified_at")
    op.drop_table("user_credential")

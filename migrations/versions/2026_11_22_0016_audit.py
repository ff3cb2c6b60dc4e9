"""The audit log outlives its account, is only added to, and is sealed.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import UtcTime
from spectral.platform.db.policies import enable_row_security

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
APPEND_ONLY = ("audit_entry", "audit_seal")
COLUMNS = (("credential_id", UUID), ("address", sa.String(45)), ("request_id", sa.String(64)))


def upgrade() -> None:
    with op.batch_alter_table("audit_entry") as table:
        table.drop_constraint("fk_audit_entry_account_id", type_="foreignkey")
        for name, kind in COLUMNS:
            table.add_column(sa.Column(name, kind))
    op.create_index("ix_audit_entry_created_at", "audit_entry", ["created_at"])
    op.create_table(
        "audit_seal",
        sa.Column("account_id", UUID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", UUID, nullable=False),
        sa.Column("prev", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("sealed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "seq", name="pk_audit_seal"),
        sa.UniqueConstraint("entry_id", name="uq_audit_seal_entry_id"),
    )
    enable_row_security(op, "audit_seal", column="account_id")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = '42501'; END $$"
        )
        for table_name in APPEND_ONLY:
            op.execute(
                f"CREATE TRIGGER {table_name}_unchanged BEFORE UPDATE OR DELETE ON {table_name} "
                "FOR EACH ROW EXECUTE FUNCTION audit_is_only_added_to()"
            )
        return
    for table_name in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table_name}_no_{verb.lower()} BEFORE {verb} ON {table_name} "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"
            )


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    op.drop_table("audit_seal")
    if is_postgresql:
        op.execute("DROP TRIGGER audit_entry_unchanged ON audit_entry")
        op.execute("DROP FUNCTION audit_is_only_added_to()")
        # A forced owner sees no rows; the entries of deleted accounts must go before the reference comes back.
        op.execute("ALTER TABLE audit_entry NO FORCE ROW LEVEL SECURITY")
    else:
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER audit_entry_no_{verb}")
    op.execute("DELETE FROM audit_entry WHERE account_id NOT IN (SELECT id FROM account)")
    if is_postgresql:
        op.execute("ALTER TABLE audit_entry FORCE ROW LEVEL SECURITY")
    op.drop_index("ix_audit_entry_created_at", "audit_entry")
    with op.batch_alter_table("audit_entry") as table:
        for name, _kind in COLUMNS:
            table.drop_column(name)
        table.create_foreign_key("fk_audit_entry_account_id", "account", ["account_id"], ["id"], ondelete="CASCADE")

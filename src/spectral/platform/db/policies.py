"""Row-level security on PostgreSQL: the second net under the workspace-bound repositories."""

from typing import Any, Protocol

WORKSPACE_SETTING = "spectral.workspace"
ACCOUNT_SETTING = "spectral.account"


class MigrationOperations(Protocol):
    """What a revision uses of `alembic.op`."""

    def get_bind(self) -> Any: ...

    def execute(self, sqltext: str) -> None: ...


def enable_row_security(op: MigrationOperations, *tables: str, column: str = "workspace_id") -> None:
    """Every listed table shows and takes only rows of the transaction's workspace; nothing on SQLite.

    `column` = "account_id" binds to the transaction's account instead. FORCE binds the tables' owner too. A
    transaction without the setting sees nothing and writes nothing.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    setting = ACCOUNT_SETTING if column == "account_id" else WORKSPACE_SETTING
    condition = f"{column} = NULLIF(current_setting('{setting}', true), '')::uuid"
    for table in tables:
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        op.execute(f'CREATE POLICY "{table}_tenant" ON "{table}" USING ({condition}) WITH CHECK ({condition})')

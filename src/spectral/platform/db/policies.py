"""Row-level security on PostgreSQL: the second net under the workspace-bound repositories."""

from typing import Any, Protocol

WORKSPACE_SETTING = "spectral.workspace"
ACCOUNT_SETTING = "spectral.account"
OWNER_SETTING = "spectral.owner"
ENGINE_SETTING = "spectral.engine"


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


def enable_engine_reading(op: MigrationOperations, *tables: str) -> None:
    """Schedules may look for work in the listed tables across workspaces, and only read; nothing on SQLite.

    In transactions marked as the engine's (`engine.discovery`); policies of one table add up.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in tables:
        condition = f"current_setting('{ENGINE_SETTING}', true) = 'on'"
        op.execute(f'CREATE POLICY "{table}_engine" ON "{table}" FOR SELECT USING ({condition})')


WORKSPACE = f"NULLIF(current_setting('{WORKSPACE_SETTING}', true), '')::uuid"
ACCOUNT = f"NULLIF(current_setting('{ACCOUNT_SETTING}', true), '')::uuid"

IDENTITY_CONDITIONS: dict[str, str] = {
    "account": f"id = {ACCOUNT}",
    "account_member": f"account_id = {ACCOUNT}",
    "workspace": f"account_id = {ACCOUNT}",
    "support_grant": f"account_id = {ACCOUNT}",
    # Inner queries are filtered by the policies of their own tables.
    "workspace_member": "workspace_id IN (SELECT id FROM workspace)",
    "app_user": "id IN (SELECT user_id FROM account_member)",
    "api_key": f"workspace_id = {WORKSPACE}",
}
"""Tables that the application's role sees its own account's rows of, and the authentication role all of."""


def enable_identity_security(op: MigrationOperations, conditions: dict[str, str] | None = None) -> None:
    """The listed tables (0008's by default) show the application's role only its own; nothing on SQLite.

    Not forced: the owner must see them to migrate and to back up. What the authentication role sees is granted by
    `roles.grant_roles`, because roles belong to the cluster and not to a migration.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, condition in (conditions or IDENTITY_CONDITIONS).items():
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        op.execute(f'CREATE POLICY "{table}_tenant" ON "{table}" USING ({condition}) WITH CHECK ({condition})')


def disable_identity_security(op: MigrationOperations, *tables: str) -> None:
    """The former state of these tables (0008's by default); nothing on SQLite."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in tables or IDENTITY_CONDITIONS:
        op.execute(f'DROP POLICY IF EXISTS "{table}_authentication" ON "{table}"')
        op.execute(f'DROP POLICY "{table}_tenant" ON "{table}"')
        op.execute(f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY')

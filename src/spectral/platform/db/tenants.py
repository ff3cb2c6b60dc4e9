"""Every row of an installation, as the role that owns the tables: it is bound by the policies like everybody else.

For what belongs to no request: backup, and sealing again under another secret key.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from spectral.platform.db.policies import ACCOUNT_SETTING, OWNER_SETTING, WORKSPACE_SETTING

FORCED = """
SELECT c.relname,
       EXISTS (SELECT 1 FROM pg_policies p WHERE p.schemaname = 'public' AND p.tablename = c.relname
                  AND p.policyname = c.relname || '_owner') AS owner,
       EXISTS (SELECT 1 FROM pg_policies p WHERE p.schemaname = 'public' AND p.tablename = c.relname
                  AND p.policyname = c.relname || '_tenant' AND p.qual LIKE '%' || :account || '%') AS account
  FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relforcerowsecurity
"""


class OwnerNeededError(Exception):
    """The database was opened as a role that does not own the tables."""

    def __init__(self) -> None:
        super().__init__(
            "this needs the role that owns the tables: SPECTRAL_MIGRATION_DATABASE_URL must name it (on a machine "
            "that administers the installation)"
        )


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a table: those that a transaction sees once it is bound to them. Without a setting: all."""

    setting: str | None = None
    value: str = ""
    column: str | None = None

    def bind(self, connection: sa.Connection) -> None:
        """From here to the end of the transaction, or to the next part, the rows can be seen and written."""
        if self.setting is not None:
            connection.execute(
                sa.text("SELECT set_config(:setting, :value, true)"), {"setting": self.setting, "value": self.value}
            )

    def rows(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """The same rows once more as a condition: some roles are bound by no policy."""
        return sa.true() if self.column is None else table.c[self.column] == UUID(self.value)


class Parts:
    """Which parts a database's tables have, as of the transaction in which this was built."""

    def __init__(self, connection: sa.Connection) -> None:
        """Raises OwnerNeededError."""
        self._accounts: list[UUID] = []
        self._workspaces: list[UUID] = []
        self._forced: dict[str, tuple[bool, bool]] = {}
        if connection.dialect.name != "postgresql":
            return
        owner = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('public.account')"
        if connection.execute(sa.text(owner)).scalar() is not True:
            raise OwnerNeededError
        for row in connection.execute(sa.text(FORCED), {"account": ACCOUNT_SETTING}):
            self._forced[row.relname] = (row.owner, row.account)
        self._accounts = _ids(connection, "account")
        self._workspaces = _ids(connection, "workspace")

    @property
    def forced(self) -> list[str]:
        """The tables whose policies bind the owner too."""
        return sorted(self._forced)

    def of(self, table: sa.Table) -> Iterator[Part]:
        """The table's rows, part by part; tenants in the order of their ids."""
        if table.name not in self._forced:
            yield Part()
            return
        whole, by_account = self._forced[table.name]
        if whole:
            yield Part(OWNER_SETTING, "on")
        elif by_account:
            yield from (Part(ACCOUNT_SETTING, str(found), "account_id") for found in self._accounts)
        else:
            yield from (Part(WORKSPACE_SETTING, str(found), "workspace_id") for found in self._workspaces)


def _ids(connection: sa.Connection, table: str) -> list[UUID]:
    identifier = sa.column("id", sa.Uuid(as_uuid=True))
    return list(connection.execute(sa.select(identifier).select_from(sa.table(table)).order_by(identifier)).scalars())

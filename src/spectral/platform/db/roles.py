"""Which PostgreSQL role may touch which table. Roles are made once per cluster; every migration grants again.

owner: owns the tables and migrates. application: a tenant's rows, bound by the policies. authentication: who people
are and what they show to prove it, before there is a tenant to be bound to. ingestion: writes spans and nothing else.
"""

import sqlalchemy as sa

from spectral.platform.db.policies import OWNER_SETTING
from spectral.settings import Settings

APPEND_ONLY = ("audit_entry", "audit_seal")
"""What may only be added to: nobody edits the past."""

CREDENTIALS = (
    "signing_key",
    "user_credential",
    "user_session",
    "refresh_token",
    "rate_window",
    "external_identity",
    "sign_in_attempt",
    "mail_message",
    "password_reset",
    "second_factor",
    "recovery_code",
    "stray_sign_in",
)
"""Only the authentication role reads and writes these."""

IDENTITY = (
    "account",
    "app_user",
    "account_member",
    "workspace",
    "workspace_member",
    "support_grant",
    "invite",
    "api_key",
    "service_account",
    "deletion",
)
"""The authentication role reads and writes all rows of these, the application's its own account's."""

INSERT_ONLY_FOR_APPLICATION = ("mail_message",)
"""Credentials that the application's role may add to without ever reading them."""

READ_ONLY_FOR_APPLICATION = ("app_user", "audit_seal")
"""What the application's role reads of its own account and does not write."""

CROSS_ACCOUNT = ("audit_entry", "audit_seal")
"""Tables of accounts that the authentication role may read and add to across accounts."""

INGESTION: dict[str, str] = {
    "span": "SELECT, INSERT, DELETE",
    "span_chunk": "SELECT, INSERT",
    "trace": "SELECT, INSERT, UPDATE",
    "trace_arrival": "SELECT, INSERT, UPDATE",
    "trace_ingestion": "SELECT, INSERT, UPDATE, DELETE",
    "trace_settings": "SELECT",
    "usage_hourly": "SELECT, INSERT, UPDATE, DELETE",
}
"""What the ingestion role may do; it reads nothing else at all. No policy binds it where that could be granted."""

PARTITION_FUNCTION = "spectral_make_span_partitions(date, date)"
DROPPING_FUNCTION = "spectral_drop_span_partition(integer)"

SEARCHED = ("trace",)
SEARCH_FUNCTION = "spectral_search_traces(text, integer)"


def grant_roles(connection: sa.Connection, settings: Settings) -> None:
    """Every role that exists has what it needs and no more; the connection is the owner's. Safe to repeat."""
    application, identity = settings.application_role, settings.identity_role
    owner = connection.execute(sa.text("SELECT current_user")).scalar_one()
    for statement in _owner_policies(connection, owner):
        connection.exec_driver_sql(statement)
    connection.commit()
    for role in {application, identity}:
        if role == owner or not _exists(connection, role):
            return
    for statement in _application_grants(connection, application):
        connection.exec_driver_sql(statement)
    for statement in _search_policies(connection, owner):
        connection.exec_driver_sql(statement)
    for statement in _identity_grants(connection, application, identity):
        connection.exec_driver_sql(statement)
    ingestion = settings.ingestion_role
    if ingestion not in {owner, application, identity} and _exists(connection, ingestion):
        for statement in _ingestion_grants(connection, ingestion):
            connection.exec_driver_sql(statement)
    connection.commit()


def _owner_policies(connection: sa.Connection, owner: str) -> list[str]:
    """Rows that outlive their account are in no account's part, so a backup reads these tables as a whole.

    Only the owner, and only in a transaction that says so.
    """
    condition = f"current_setting('{OWNER_SETTING}', true) = 'on'"
    return [
        f'CREATE POLICY "{table}_owner" ON "{table}" FOR SELECT TO CURRENT_USER USING ({condition})'
        for table in CROSS_ACCOUNT
        if _is_table(connection, table) and not _has_policy(connection, table, f"{table}_owner", owner)
    ]


def _search_policies(connection: sa.Connection, owner: str) -> list[str]:
    """The function that searches words runs as the owner: under a policy with a condition no index of words is used.

    It binds itself to the transaction's workspace. Only where the owner does not serve, so nobody who does sees more.
    """
    return [
        f'CREATE POLICY "{table}_owner" ON "{table}" FOR SELECT TO CURRENT_USER USING (true)'
        for table in SEARCHED
        if _is_function(connection, SEARCH_FUNCTION) and not _has_policy(connection, table, f"{table}_owner", owner)
    ]


def _is_function(connection: sa.Connection, signature: str) -> bool:
    found = sa.text("SELECT to_regprocedure('public.' || :signature) IS NOT NULL")
    return bool(connection.execute(found, {"signature": signature}).scalar_one())


def _is_table(connection: sa.Connection, table: str) -> bool:
    found = sa.text("SELECT to_regclass('public.' || quote_ident(:table)) IS NOT NULL")
    return bool(connection.execute(found, {"table": table}).scalar_one())


def _application_grants(connection: sa.Connection, role: str) -> list[str]:
    quoted = _quoted(connection, role)
    return [
        f"GRANT USAGE ON SCHEMA public TO {quoted}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {quoted}",
        f"REVOKE ALL ON FUNCTION {PARTITION_FUNCTION} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {PARTITION_FUNCTION} TO {quoted}",
        f"REVOKE ALL ON FUNCTION {DROPPING_FUNCTION} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {DROPPING_FUNCTION} TO {quoted}",
        f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {quoted}",
        *(f"REVOKE UPDATE, DELETE ON {table} FROM {quoted}" for table in APPEND_ONLY),
    ]


def _identity_grants(connection: sa.Connection, application: str, identity: str) -> list[str]:
    statements = []
    quoted = _quoted(connection, identity)
    if identity != application:
        served = _quoted(connection, application)
        statements += [f"REVOKE ALL ON {table} FROM {served}" for table in CREDENTIALS]
        statements += [f"GRANT INSERT ON {table} TO {served}" for table in INSERT_ONLY_FOR_APPLICATION]
        statements += [f"REVOKE INSERT, UPDATE, DELETE ON {table} FROM {served}" for table in READ_ONLY_FOR_APPLICATION]
        statements.append(f"GRANT USAGE ON SCHEMA public TO {quoted}")
        statements.append(f"GRANT SELECT ON alembic_version TO {quoted}")
        statements += [f"GRANT SELECT, INSERT ON {table} TO {quoted}" for table in CROSS_ACCOUNT]
    statements += [
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {quoted}" for table in (*CREDENTIALS, *IDENTITY)
    ]
    for table in (*IDENTITY, *CROSS_ACCOUNT):
        name = f"{table}_authentication"
        if not _has_policy(connection, table, name, identity):
            statements.append(f'DROP POLICY IF EXISTS "{name}" ON "{table}"')
            statements.append(f'CREATE POLICY "{name}" ON "{table}" TO {quoted} USING (true) WITH CHECK (true)')
    return statements


def _ingestion_grants(connection: sa.Connection, ingestion: str) -> list[str]:
    quoted = _quoted(connection, ingestion)
    return [
        f"GRANT USAGE ON SCHEMA public TO {quoted}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {quoted}",
        *(f"GRANT {rights} ON {table} TO {quoted}" for table, rights in INGESTION.items()),
        f"GRANT EXECUTE ON FUNCTION {PARTITION_FUNCTION} TO {quoted}",
    ]


def _has_policy(connection: sa.Connection, table: str, name: str, role: str) -> bool:
    found = sa.text("SELECT 1 FROM pg_policies WHERE tablename = :table AND policyname = :name AND :role = ANY(roles)")
    return connection.execute(found, {"table": table, "name": name, "role": role}).scalar() is not None


def _exists(connection: sa.Connection, role: str) -> bool:
    found = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role")
    return connection.execute(found, {"role": role}).scalar() is not None


def _quoted(connection: sa.Connection, role: str) -> str:
    return connection.dialect.identifier_preparer.quote(role)

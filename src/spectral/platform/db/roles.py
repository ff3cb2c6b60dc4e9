"""Which PostgreSQL role may touch which table. Roles are made once per cluster; every migration grants again.

owner: owns the tables and migrates. application: a tenant's rows, bound by the policies. authentication: who people
are and what they show to prove it, before there is a tenant to be bound to. ingestion: writes spans and nothing else.
"""

import sqlalchemy as sa

from spectral.settings import Settings

APPEND_ONLY = ("audit_entry",)
"""What may only be added to: nobody edits the past."""

CREDENTIALS = (
    "user_credential",
    "user_session",
    "refresh_token",
    "rate_window",
    "external_identity",
    "sign_in_attempt",
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
)
"""The authentication role reads and writes all rows of these, the application's its own account's."""

READ_ONLY_FOR_APPLICATION = ("app_user",)
"""Identity tables that the application's role does not write."""

CROSS_ACCOUNT = ("audit_entry",)
"""Tables of accounts that the authentication role may read and add to across accounts."""

INGESTION: dict[str, str] = {
    "span": "SELECT, INSERT, DELETE",
    "span_chunk": "SELECT, INSERT",
    "trace": "SELECT, INSERT, UPDATE",
    "trace_ingestion": "SELECT, INSERT, UPDATE",
    "usage_hourly": "SELECT, INSERT, UPDATE, DELETE",
}
"""What the ingestion role may do, bound by the same policies as the application's; it reads nothing else at all."""

PARTITION_FUNCTION = "spectral_make_span_partitions(date, date)"


def grant_roles(connection: sa.Connection, settings: Settings) -> None:
    """Every role that exists has what it needs and no more; the connection is the owner's. Safe to repeat."""
    application, identity = settings.application_role, settings.identity_role
    owner = connection.execute(sa.text("SELECT current_user")).scalar_one()
    for role in {application, identity}:
        if role == owner or not _exists(connection, role):
            return
    for statement in _application_grants(connection, application):
        connection.exec_driver_sql(statement)
    for statement in _identity_grants(connection, application, identity):
        connection.exec_driver_sql(statement)
    ingestion = settings.ingestion_role
    if ingestion not in {owner, application, identity} and _exists(connection, ingestion):
        for statement in _ingestion_grants(connection, ingestion):
            connection.exec_driver_sql(statement)
    connection.commit()


def _application_grants(connection: sa.Connection, role: str) -> list[str]:
    quoted = _quoted(connection, role)
    return [
        f"GRANT USAGE ON SCHEMA public TO {quoted}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {quoted}",
        f"REVOKE ALL ON FUNCTION {PARTITION_FUNCTION} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {PARTITION_FUNCTION} TO {quoted}",
        f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {quoted}",
        *(f"REVOKE UPDATE, DELETE ON {table} FROM {quoted}" for table in APPEND_ONLY),
    ]


def _identity_grants(connection: sa.Connection, application: str, identity: str) -> list[str]:
    statements = []
    quoted = _quoted(connection, identity)
    if identity != application:
        served = _quoted(connection, application)
        statements += [f"REVOKE ALL ON {table} FROM {served}" for table in CREDENTIALS]
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

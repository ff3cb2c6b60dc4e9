"""The login roles of an installation on PostgreSQL: made by an administrator, once per cluster, safe to repeat."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

PASSWORD_BYTES = 24
ATTRIBUTES = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION")
BOUND = sql.SQL("NOBYPASSRLS")
UNBOUND = sql.SQL("BYPASSRLS")


@dataclass(frozen=True, slots=True)
class RoleNames:
    """Who owns the tables, who serves requests, who reads credentials, who writes spans."""

    owner: str
    application: str
    authentication: str
    ingestion: str

    @property
    def all(self) -> tuple[str, ...]:
        return (self.owner, self.application, self.authentication, self.ingestion)


def make_roles(
    admin: psycopg.Connection[tuple[object, ...]],
    names: RoleNames,
    *,
    passwords: Mapping[str, str] | None = None,
    renew: bool = False,
) -> dict[str, str]:
    """Every role exists and can do no more than log in; answers the passwords that were set, by role.

    admin: a connection in autocommit that may create roles.  passwords: instead of random ones.  renew: roles that
    exist get a new password too; otherwise they keep theirs. What they may touch is granted by each migration.

    All are bound by row-level security but the one that writes spans, because COPY is refused to a role that is. It
    reaches the span tables only, with statements that name the workspace. Where the administrator may not give that, it
    is bound like the others and inserts rows instead of copying them.
    """
    made = {}
    for name in names.all:
        exists = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is not None
        role = sql.Identifier(name)
        if not exists:
            admin.execute(sql.SQL("CREATE ROLE {}").format(role))
        admin.execute(sql.SQL("ALTER ROLE {} {}").format(role, ATTRIBUTES))
        _bind(admin, role, unbound=name == names.ingestion)
        if not exists or renew or passwords:
            made[name] = passwords[name] if passwords else secrets.token_urlsafe(PASSWORD_BYTES)
            # Unprepared: the password must not stay in the server's list of prepared statements.
            admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(made[name])), prepare=False)
    return made


def _bind(admin: psycopg.Connection[tuple[object, ...]], role: sql.Identifier, *, unbound: bool) -> None:
    if unbound:
        try:
            admin.execute(sql.SQL("ALTER ROLE {} {}").format(role, UNBOUND))
        except psycopg.errors.InsufficientPrivilege:
            # Nobody gives what they do not have: the administrator of a hosted database, for one.
            pass
        else:
            return
    admin.execute(sql.SQL("ALTER ROLE {} {}").format(role, BOUND))


def make_database(admin: psycopg.Connection[tuple[object, ...]], database: str, names: RoleNames) -> bool:
    """The owner's database exists and lets in the installation's roles only; answers whether it was made now."""
    exists = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone() is not None
    name, owner = sql.Identifier(database), sql.Identifier(names.owner)
    if not exists:
        # An administrator that is no superuser may hand a database only to a role that it is a member of.
        admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(owner))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    for role in names.all:
        admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(role)))
    admin.execute(sql.SQL("GRANT CREATE, TEMPORARY ON DATABASE {} TO {}").format(name, owner))
    return not exists

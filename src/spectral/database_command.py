"""`spectral database`: what an administrator of PostgreSQL does once."""

import os
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import click
import psycopg

from spectral.platform.db.role_setup import RoleNames, make_database, make_roles

VARIABLES = {
    "owner": "SPECTRAL_MIGRATION_DATABASE_URL",
    "application": "SPECTRAL_DATABASE_URL",
    "authentication": "SPECTRAL_AUTHENTICATION_DATABASE_URL",
    "ingestion": "SPECTRAL_INGESTION_DATABASE_URL",
}


@click.group()
def database() -> None:
    """PostgreSQL: the roles of an installation."""


@database.command()
@click.option(
    "--admin-url",
    required=True,
    envvar="SPECTRAL_ADMIN_DATABASE_URL",
    help="postgresql://… of somebody who may create roles and databases.",
)
@click.option("--database", "database_name", default="spectral", show_default=True)
@click.option("--owner", default="spectral_owner", show_default=True)
@click.option("--application", default="spectral_app", show_default=True)
@click.option("--authentication", default="spectral_auth", show_default=True)
@click.option("--ingestion", default="spectral_ingest", show_default=True)
@click.option("--new-passwords", is_flag=True, help="Also for roles that exist.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this new file, mode 0600.")
def roles(
    admin_url: str,
    database_name: str,
    owner: str,
    application: str,
    authentication: str,
    ingestion: str,
    new_passwords: bool,  # noqa: FBT001 - a flag of the command line
    output: Path | None,
) -> None:
    """Make the four roles and the database, and print the settings. Safe to repeat.

    Roles that exist keep their passwords, and their lines are left out.
    """
    names = RoleNames(owner, application, authentication, ingestion)
    if len(set(names.all)) < len(names.all):
        raise click.UsageError("every role needs a name of its own")
    # Before anything is changed: a password that cannot be written would be lost.
    descriptor = None if output is None else _new_file(output)
    try:
        with psycopg.connect(admin_url.replace("+asyncpg", ""), autocommit=True) as admin:
            passwords = make_roles(admin, names, renew=new_passwords)
            make_database(admin, database_name, names)
    except psycopg.Error as error:
        if output is not None and descriptor is not None:
            os.close(descriptor)
            output.unlink()
        click.echo(f"spectral: {str(error).strip().splitlines()[0]}", err=True)
        sys.exit(1)
    lines = "".join(
        f"{variable}={_url(admin_url, role, passwords[role], database_name)}\n"
        for member, variable in VARIABLES.items()
        if (role := getattr(names, member)) in passwords
    )
    if descriptor is None:
        click.echo(lines, nl=False)
    else:
        with os.fdopen(descriptor, "w") as file:
            file.write(lines)
    click.echo("The roles are there. Now: spectral migrate", err=True)


def _new_file(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        click.echo(f"spectral: {path}: {error.strerror}", err=True)
        sys.exit(1)


def _url(admin_url: str, role: str, password: str, database_name: str) -> str:
    parts = urlsplit(admin_url)
    query = f"?{parts.query}" if parts.query else ""
    return f"postgresql+asyncpg://{role}:{quote(password)}@{parts.hostname}:{parts.port or 5432}/{database_name}{query}"

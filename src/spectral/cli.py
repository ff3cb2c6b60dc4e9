"""The `spectral` command."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from granian.constants import Interfaces
from granian.server.embed import Server
from rich.console import Console

from spectral import __version__
from spectral.app import create_app
from spectral.demo.command import demo
from spectral.doctor import examine
from spectral.domains.accounts.service import AccountService
from spectral.domains.auth.passwords import Passwords
from spectral.domains.auth.service import AuthService, Lifetimes
from spectral.domains.keys.service import ApiKeyService, Peppers
from spectral.domains.workspaces.service import WorkspaceService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.migrations import head_revision, migrate
from spectral.platform.db.session import Database
from spectral.platform.docs.document import openapi_document
from spectral.platform.logs import configure_logs
from spectral.platform.shared.errors import SpectralError
from spectral.platform.shared.tokens import TokenSigner
from spectral.settings import Environment, Settings, SettingsError, load_settings

DEVELOPMENT_NOTICE = (
    "spectral: development mode: secrets are in {data_dir}, short passwords are accepted; "
    "set SPECTRAL_ENVIRONMENT=production for anything but this machine"
)

# What asks DBAPI drivers or the operating system may fail in many ways; these become one line, everything else a bug.
EXPECTED = (SettingsError, SpectralError, OSError)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="spectral")
def main() -> None:
    """Spectral makes a team's AI agents measurably better."""


@main.command()
@click.option("--host", help="Address to listen on (SPECTRAL_HOST).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (SPECTRAL_PORT).")
def serve(host: str | None, port: int | None) -> None:
    """Serve the API; unless SPECTRAL_ENGINE_EXECUTES=false, also do the engine's work."""
    settings = settings_or_exit()
    if settings.environment is Environment.DEVELOPMENT:
        click.echo(DEVELOPMENT_NOTICE.format(data_dir=settings.data_dir), err=True)
        if settings.uses_sqlite:
            # One file, one person: nobody should have to know about migrations to try this.
            migrate(settings)
    configure_logs(settings.log_format, settings.log_level)

    async def listen() -> None:
        # One process, one loop, also the engine's; whoever needs more cores starts more processes.
        server = Server(
            create_app(settings),
            address=host or settings.host,
            port=port or settings.port,
            interface=Interfaces.ASGI,
            websockets=False,
            log_enabled=False,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        await server.serve()

    run(listen)


@main.command()
def worker() -> None:
    """Do the engine's work without serving the API."""
    settings = settings_or_exit().model_copy(update={"engine_executes": True})

    async def work() -> None:
        app = create_app(settings)
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        async with app.lifespan():
            await stopped.wait()

    run(work)


@main.command(name="migrate")
def migrate_command() -> None:
    """Bring the database's schema to this build's revision."""
    settings = settings_or_exit()
    with one_line_errors():
        migrate(settings)
    click.echo(f"The schema is at {head_revision()}.")


@main.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
def openapi(output: Path | None) -> None:
    """Print the OpenAPI document, keys sorted."""
    settings = settings_or_exit().model_copy(update={"engine_executes": False})
    document = json.dumps(openapi_document(create_app(settings)), indent=2, sort_keys=True) + "\n"
    if output is None:
        click.echo(document, nl=False)
    else:
        output.write_text(document, encoding="utf-8")


@main.command()
def doctor() -> None:
    """Check settings, database, migrations and engine, and say what to do. Exits 1 when something is wrong."""
    console = Console()
    healthy = asyncio.run(examine(settings_or_exit(), console))
    sys.exit(0 if healthy else 1)


@main.group()
def user() -> None:
    """People."""


@user.command(name="create")
@click.argument("email")
@click.option("--account", default="Default", show_default=True, help="Name of the new account that they own.")
@click.password_option(help="Asked for when left out.")
def create_user(email: str, account: str, password: str) -> None:
    """Open an account with this person as its owner."""
    settings = settings_or_exit()

    async def create() -> None:
        async with opened(settings.identity_url) as database:
            lifetimes = Lifetimes(settings.access_token_lifetime_s, settings.refresh_token_lifetime_s)
            signer = TokenSigner(settings.secrets, settings.token_issuer)
            auth = AuthService(database, signer, Passwords(settings.password_minimum), lifetimes)
            signed_in = await auth.register(email, password, account, "spectral command")
            click.echo(f"user {signed_in.user_id}\naccount {signed_in.account_id}\nworkspace {signed_in.workspace_id}")

    run(create)


@user.command(name="promote-operations")
@click.argument("email")
def promote_operations(email: str) -> None:
    """Make a registered person operations staff: they lose their own workspaces and see the installation."""
    settings = settings_or_exit()

    async def promote() -> None:
        async with opened(settings.identity_url) as database, database.transaction() as session:
            promoted = await AccountService(session).promote_to_operations(email)
            click.echo(f"{promoted.email} is operations staff now.")

    run(promote)


@main.group()
def keys() -> None:
    """API keys."""


@keys.command(name="create")
@click.argument("workspace_id", type=click.UUID)
@click.option("--name", required=True)
def create_key(workspace_id: UUID, name: str) -> None:
    """Create an API key in a workspace and print it, this once."""
    settings = settings_or_exit()

    async def create() -> None:
        async with opened(settings.identity_url) as identity, identity.transaction(read_only=True) as session:
            account_id = await WorkspaceService(session).account_of(workspace_id)
        async with opened(settings.url) as database:
            access = WorkspaceAccess.for_system(workspace_id, account_id, "command line")
            async with database.transaction(access) as session:
                service = ApiKeyService(
                    session, access, Peppers.from_secrets(settings.secrets), settings.api_key_lifetime_days
                )
                key, plaintext = await service.create_key(
                    name, ["read:agents", "write:traces"], service.default_expiry, None
                )
            click.echo(plaintext)
            click.echo(f"expires {key.expires_at}", err=True)

    run(create)


main.add_command(demo)


def settings_or_exit() -> Settings:
    """The settings of this process; a wrong one ends it with one line and exit code 2."""
    try:
        return load_settings()
    except SettingsError as error:
        click.echo(f"spectral: {error}", err=True)
        sys.exit(2)


class one_line_errors:  # noqa: N801 - reads as the statement it is
    """Turns errors that an operator can act on into one line and exit code 1."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, EXPECTED):
            click.echo(f"spectral: {error}", err=True)
            sys.exit(1)


class opened:  # noqa: N801 - reads as the statement it is
    """A database of an installation, closed at the end of the block."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, pool_size=2)

    async def __aenter__(self) -> Database:
        return self._database

    async def __aexit__(self, *_error: object) -> None:
        await self._database.close()


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run to the end; errors that an operator can act on are one line and exit code 1."""
    with one_line_errors():
        asyncio.run(work())

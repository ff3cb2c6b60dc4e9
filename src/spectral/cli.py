"""The `spectral` command."""

import asyncio
import gc
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import uvloop
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from spectral import __version__
from spectral.app import create_app
from spectral.check_command import check
from spectral.database_command import database
from spectral.demo.command import demo
from spectral.dev_command import dev
from spectral.doctor import examine
from spectral.domains.accounts.service import AccountService
from spectral.domains.auth.attempts import AttemptLimits, Attempts
from spectral.domains.auth.letters import Letters
from spectral.domains.auth.passwords import Passwords
from spectral.domains.auth.service import AuthService
from spectral.domains.auth.sessions import Device, Lifetimes, Sessions
from spectral.domains.keys.environment import environment_block, environment_of
from spectral.domains.keys.peppers import Peppers, count_older_hashes
from spectral.domains.keys.service import ApiKeyService
from spectral.domains.traces.ingestion.partitions import make_partitions_of_days
from spectral.domains.workspaces.service import WorkspaceService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import API_KEY_SCOPES, Scope
from spectral.platform.access.signing import TokenSigner
from spectral.platform.backup.archive import BackupError
from spectral.platform.backup.restore import restore
from spectral.platform.backup.snapshot import back_up
from spectral.platform.db.base import Base
from spectral.platform.db.migrations import head_revision, migrate
from spectral.platform.db.session import Database
from spectral.platform.db.tenants import OwnerNeededError
from spectral.platform.docs.document import openapi_document
from spectral.platform.limits.counter import RateCounter
from spectral.platform.logs import configure_logs
from spectral.platform.mail.delivery import letters_in, link_in
from spectral.platform.mail.outbox import MailBox
from spectral.platform.resealing import Resealed, reseal, sealed_columns
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import SpectralError
from spectral.runner_command import runner
from spectral.settings import Environment, Settings, SettingsError, load_settings

DEVELOPMENT_NOTICE = (
    "spectral: development mode: secrets are in {data_dir}, short passwords are accepted; "
    "set SPECTRAL_ENVIRONMENT=production for anything but this machine"
)

COMMAND_LINE = "system:command line"
BACKLOG = 1024
MAXIMUM_CONNECTIONS = 4096
LETTING_GO_S = 0.25

# What asks DBAPI drivers or the operating system may fail in many ways; these become one line, everything else a bug.
EXPECTED = (SettingsError, SpectralError, BackupError, OwnerNeededError, OSError)


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
    # What users are shown is where it listens.
    settings = settings.model_copy(update={"host": host or settings.host, "port": port or settings.port})
    if settings.environment is Environment.DEVELOPMENT:
        click.echo(DEVELOPMENT_NOTICE.format(data_dir=settings.data_dir), err=True)
        if settings.uses_sqlite:
            # One file, one person: nobody should have to know about migrations to try this.
            migrate(settings)
    configure_logs(settings.log_format, settings.log_level)

    async def listen() -> None:
        app = create_app(settings)
        # All of this lives as long as the process. Looking through it for garbage, in the midst of serving, would keep
        # everybody waiting for 0.2 s.
        gc.collect()
        gc.freeze()
        # One process, one loop, also the engine's; whoever needs more cores starts more processes.
        server = Server(
            app,
            address=host or settings.host,
            port=port or settings.port,
            interface=Interfaces.ASGI,
            websockets=True,
            log_enabled=False,
            backlog=BACKLOG,
            # Counts connections, idle and slow ones included: few would lock everybody else out.
            backpressure=MAXIMUM_CONNECTIONS,
            http1_settings=HTTP1Settings(header_read_timeout=round(settings.request_header_timeout_s * 1000)),
        )

        def stop() -> None:
            for let_go in app.state["before_stop"]:
                let_go()
            # What was let go is told so before its connection is closed.
            loop.call_later(LETTING_GO_S, server.stop)

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
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


@main.command(name="backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup_command(file: Path) -> None:
    """Write the whole installation into one FILE, while the server runs. Secret keys are not in it."""
    settings = settings_or_exit()
    with one_line_errors(), table_bar("Backing up") as bar:
        made = back_up(settings, file, bar)
    rows = sum(table.rows for table in made.tables)
    click.echo(f"{file}: {rows} rows of {len(made.tables)} tables, {file.stat().st_size} bytes.")


@main.command(name="restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--without-secrets-check", is_flag=True, help="Also when a secret key of the backup is not in SPECTRAL_SECRET_KEYS."
)
def restore_command(file: Path, without_secrets_check: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Restore a backup FILE into an empty database: SQLite or PostgreSQL, whichever it was made of."""
    settings = settings_or_exit()
    with one_line_errors(), table_bar("Restoring") as bar:
        made = restore(
            settings,
            file,
            make_partitions=make_partitions_of_days,
            progress=bar,
            check_secrets=not without_secrets_check,
        )
    rows = sum(table.rows for table in made.tables)
    click.echo(f"{rows} rows of {len(made.tables)} tables, as they were at {made.made_at}.")


@main.command(name="rotate-secrets")
def rotate_secrets() -> None:
    """Seal everything again under the first of SPECTRAL_SECRET_KEYS, and say whether the others may go.

    Put the new key in front and restart every process first. Can be interrupted and repeated. Exits 1 while something
    needs an older key.
    """
    settings = settings_or_exit()

    async def older_hashes() -> int:
        async with opened(settings.identity_url) as identity:
            older = await count_older_hashes(identity, Peppers.from_secrets(settings.secrets))
        if older.total:
            click.echo(
                f"{older.api_keys} API keys and {older.service_accounts} service accounts hang on an older secret key; "
                "each moves when it is next used."
            )
        return older.total

    with one_line_errors():
        with table_bar("Sealing", len(sealed_columns())) as bar:
            done = reseal(settings, lambda column: bar(str(column.column), column.looked_at))
        for column in done:
            click.echo(describe(column))
        waiting = asyncio.run(older_hashes()) + sum(column.unreadable for column in done)
    if waiting:
        click.echo("Keep the older secret keys, and run this again later.")
        sys.exit(1)
    click.echo("Nothing needs the older secret keys any more: they may be removed.")


def describe(column: Resealed) -> str:
    """What became of a column's values, in a line."""
    lost = f", {column.unreadable} that no key opens" if column.unreadable else ""
    return f"{column.column}: {column.resealed} of {column.looked_at} sealed again{lost}"


@contextmanager
def table_bar(title: str, tables: int | None = None) -> Iterator[Callable[[str, int], None]]:
    """A bar on standard error that moves with each table; yields what is told the table and its rows so far."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=tables or len(Base.metadata.tables), rows="")
        seen: dict[str, None] = {}

        def tell(table: str, rows: int) -> None:
            seen[table] = None
            progress.update(task, description=f"{title} {table}", completed=len(seen), rows=f"{rows} rows")

        yield tell


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
            auth = AuthService(
                database,
                sessions_of(settings, database),
                Passwords(settings.password_minimum),
                Attempts(RateCounter(database), AttemptLimits.of(settings)),
                MailBox(settings.secrets),
                Letters(settings.address),
            )
            signed_in = await auth.register(email, password, account, Device("spectral command"))
            click.echo(f"user {signed_in.user_id}\naccount {signed_in.account_id}\nworkspace {signed_in.workspace_id}")

    run(create)


@user.command(name="sign-out")
@click.argument("email", required=False)
@click.option("--everyone", is_flag=True, help="Every session of everybody.")
def sign_out(email: str | None, *, everyone: bool) -> None:
    """End all sessions of a person, or of everybody; API keys and service accounts go on."""
    if (email is None) is not everyone:
        message = "name one EMAIL, or --everyone"
        raise click.UsageError(message)
    settings = settings_or_exit()

    async def end() -> None:
        async with opened(settings.identity_url) as database:
            sessions = sessions_of(settings, database)
            if email is None:
                ended = await sessions.end_everyones(COMMAND_LINE)
            else:
                async with database.transaction(read_only=True) as session:
                    found = await AccountService(session).find_user_by_email(email)
                if found is None:
                    message = f"nobody is registered with {email}"
                    raise click.UsageError(message)
                ended = await sessions.end_all(found.id, COMMAND_LINE)
        click.echo(f"{ended} sessions ended.")

    run(end)


def sessions_of(settings: Settings, identity: Database) -> Sessions:
    """The sessions of an installation."""
    return Sessions(identity, TokenSigner.of(identity, settings), Lifetimes.of(settings))


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
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in sorted(API_KEY_SCOPES)]),
    help="What the key may do; can be given twice. Left out: both.",
)
@click.option("--expires-days", type=click.IntRange(1, 3650), help="Left out: SPECTRAL_API_KEY_LIFETIME_DAYS.")
@click.option("--no-expiry", is_flag=True, help="It does not expire by itself.")
def create_key(
    workspace_id: UUID, name: str, scopes: tuple[str, ...], expires_days: int | None, *, no_expiry: bool
) -> None:
    """Create an API key in a workspace and print it, this once.

    The key is all that goes to standard output; what a process needs in its environment to send traces with it goes to
    standard error.
    """
    if no_expiry and expires_days is not None:
        message = "--expires-days and --no-expiry exclude each other"
        raise click.UsageError(message)
    settings = settings_or_exit()

    async def create() -> None:
        async with keys_of(settings, workspace_id) as service:
            chosen = utc_now() + timedelta(days=expires_days) if expires_days else service.default_expiry
            expires_at = None if no_expiry else chosen
            key, plaintext = await service.create_key(name, scopes or sorted(API_KEY_SCOPES), expires_at, None)
        click.echo(plaintext)
        click.echo(f"key {key.id}, expires {key.expires_at or 'never'}", err=True)
        if Scope.WRITE_TRACES in key.scopes:
            block = environment_block(environment_of(settings.address, plaintext))
            click.echo(f"\nTo send traces, give your process this environment:\n\n{block}", err=True)

    run(create)


@keys.command(name="revoke")
@click.argument("workspace_id", type=click.UUID)
@click.argument("key_id", type=click.UUID)
def revoke_key(workspace_id: UUID, key_id: UUID) -> None:
    """Revoke an API key: within a second it opens nothing any more."""
    settings = settings_or_exit()

    async def revoke() -> None:
        async with keys_of(settings, workspace_id) as service:
            await service.revoke_key(key_id)
        click.echo(f"key {key_id} is revoked.")

    run(revoke)


@keys.command(name="rotate-signing")
@click.option("--at-once", is_flag=True, help="For a key that became known: its tokens open nothing from now on.")
def rotate_signing(at_once: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Follow the key that signs access tokens with a new one; the former verifies until its tokens have ended."""
    settings = settings_or_exit()

    async def rotate() -> None:
        async with opened(settings.identity_url) as identity:
            signer = TokenSigner.of(identity, settings)
            key = await (signer.replace_at_once() if at_once else signer.rotate())
        click.echo(f"key {key.kid} signs from {key.signs_from.isoformat(timespec='seconds')} on.")

    run(rotate)


@asynccontextmanager
async def keys_of(settings: Settings, workspace_id: UUID) -> AsyncIterator[ApiKeyService]:
    """The keys of a workspace, whoever's it is, in one transaction that ends with the block."""
    async with opened(settings.identity_url) as identity, identity.transaction(read_only=True) as session:
        account_id = await WorkspaceService(session).account_of(workspace_id)
    access = WorkspaceAccess.for_system(workspace_id, account_id, "command line")
    async with opened(settings.url) as database, database.transaction(access) as session:
        yield ApiKeyService(session, access, Peppers.from_secrets(settings.secrets), settings.api_key_lifetime_days)


@main.command()
def mail() -> None:
    """Show the mail that lies in the file outbox, newest first, and the newest link."""
    settings = settings_or_exit()
    if settings.mail_server is not None:
        click.echo("Mail leaves through SPECTRAL_SMTP_URL.", err=True)
    letters = list(letters_in(settings.outbox_dir))
    if not letters:
        click.echo(f"No mail in {settings.outbox_dir}.", err=True)
        return
    for letter in letters:
        click.echo(f"{parsedate_to_datetime(letter['Date']):%Y-%m-%d %H:%M:%S}  {letter['To']}  {letter['Subject']}")
    if link := next(filter(None, map(link_in, letters)), None):
        click.echo(f"\n{link}")


main.add_command(demo)
main.add_command(dev)
main.add_command(database)
main.add_command(runner)
main.add_command(check)


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
        uvloop.run(work())

"""`spectral demo`."""

import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console

from spectral.demo.api import Api, StepFailedError
from spectral.demo.report import print_address, print_result
from spectral.demo.server import DemoServer, ServerFailedError, free_port
from spectral.demo.story import EMAIL, PASSWORD, Choice, tell
from spectral.settings import Settings, SettingsError, load_settings

STATE_FILE = "demo.json"


@click.command()
@click.option("--serve", is_flag=True, help="Start a server, do the demo unless it was done, leave the server running.")
@click.option("--once", is_flag=True, help="Start a server on temporary data, do the demo, leave nothing.")
@click.option("--url", help="Do the demo against a server that is running.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Of the synthetic data.")
@click.option("--null", "is_null", is_flag=True, help="Compare the champion with itself: this must not validate.")
def demo(*, serve: bool, once: bool, url: str | None, seed: int, is_null: bool) -> None:
    """From traces to a proven change set, on synthetic data, through the public API.

    Exits 1 if any step failed. Without an option the same as --serve.
    """
    if sum((serve, once, url is not None)) > 1:
        raise click.UsageError("choose one of --serve, --once and --url")
    console = Console(highlight=False)
    choice = Choice(seed=seed, null=is_null, accept=not serve and (once or url is not None))
    try:
        if url is not None:
            run_against(url, choice, console)
        elif once:
            run_once(choice, console)
        else:
            run_and_serve(choice, console)
    except (StepFailedError, ServerFailedError, SettingsError) as error:
        console.print(f"[red]The demo failed:[/red] {error}", soft_wrap=True)
        sys.exit(1)


def run_against(url: str, choice: Choice, console: Console) -> dict[str, Any]:
    """The whole story against a running server. Raises StepFailedError."""
    api = Api(url)
    try:
        result = tell(api, choice, console)
    finally:
        api.close()
    print_result(result, console)
    if choice.null and result["verdict"] == "validated":
        message = "the champion was validated against itself"
        raise StepFailedError(message)
    return result


def run_once(choice: Choice, console: Console) -> None:
    """The whole story on a server and data that are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="spectral-demo-") as folder:
        environment = {
            "SPECTRAL_ENVIRONMENT": "development",
            "SPECTRAL_DATA_DIR": folder,
            "SPECTRAL_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/spectral.db",
            "SPECTRAL_ENGINE_EXECUTES": "true",
        }
        end_like_an_interrupt()
        log_path = Path(folder) / "server.log"
        with DemoServer("127.0.0.1", free_port(), environment, log_path) as server:
            try:
                run_against(server.url, choice, console)
            except StepFailedError:
                # The log goes with the folder; what it says about the failure must not.
                click.echo(errors_in(log_path), err=True)
                raise


def run_and_serve(choice: Choice, console: Console) -> None:
    """A server on this installation's data; its demo is done once."""
    settings = load_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    end_like_an_interrupt()
    log_path = settings.data_dir / "server.log"
    console.print(f"Starting the server; its log is {log_path}")
    with DemoServer(settings.host, settings.port, {}, log_path) as server:
        result = known_result(settings)
        if result is None:
            result = run_against(server.url, choice, console)
            state_path(settings).write_text(json.dumps(result), encoding="utf-8")
        else:
            print_result(result, console)
        # Who kept their data since before this was noted has the usual address.
        print_address(server.url, result, result.get("email", EMAIL), PASSWORD, console)
        try:
            sys.exit(server.wait())
        except KeyboardInterrupt:
            console.print("\nStopping the server.")


def errors_in(log_path: Path) -> str:
    """The lines of a server's log that say what went wrong."""
    lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(line for line in lines if '"level": "error"' in line)


def known_result(settings: Settings) -> dict[str, Any] | None:
    """What the demo of this installation found, if it was done."""
    path = state_path(settings)
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def state_path(settings: Settings) -> Path:
    return settings.data_dir / STATE_FILE


def end_like_an_interrupt() -> None:
    """A polite kill takes the server down too, as Ctrl-C does."""

    def interrupt(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)

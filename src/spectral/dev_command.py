"""`spectral dev`: what somebody who works on Spectral wants to have running."""

import asyncio
import importlib.util
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click
import uvloop

from spectral.settings import SettingsError, load_settings

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"
WEB = ROOT / "web"
DOCUMENT = WEB / "openapi.json"
BUILD = ROOT / "hatch_build.py"

LOOK_S = 0.5
STOP_LIMIT_S = 10.0
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Child:
    """A process of this command, in a group of its own: it ends when this says so, with all that it started."""

    def __init__(self, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> None:
        self._arguments = arguments
        self._environment = {**os.environ, **(environment or {})}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._arguments,
            cwd=ROOT,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return 0 if self._process is None else await self._process.wait()

    async def stop(self) -> None:
        """Ask the group to end, and insist when it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@click.command()
@click.option("--page-port", type=click.IntRange(1, 65535), default=5173, show_default=True, help="Of the page.")
def dev(page_port: int) -> None:
    """Serve the API and the page while working on them, in a checkout.

    The server starts again when a file under src/ changes, the page shows a change of web/ at once, and
    web/openapi.json and the page's types follow the API. What is not of the page is passed on to the server
    (SPECTRAL_PORT).
    """
    _require_checkout()
    try:
        settings = load_settings()
    except SettingsError as error:
        click.echo(f"spectral: {error}", err=True)
        sys.exit(2)
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104 - is compared with
    api = f"http://{host}:{settings.port}"
    click.echo(
        f"page  http://localhost:{page_port}   opens in a few seconds\nAPI   {api}   reference {api}/docs", err=True
    )
    sys.exit(uvloop.run(_work(api, page_port)))


def _require_checkout() -> None:
    if not (WEB / "package.json").exists():
        raise click.ClickException("spectral dev works in a checkout of Spectral, installed with `make run` or `-e .`")
    if importlib.util.find_spec("hatchling") is None:
        raise click.ClickException("hatchling builds the page; `make web` or `pip install hatchling` installs it")


async def _work(api: str, page_port: int) -> int:
    """Until a signal, or until the page's server ends by itself; nothing is left running."""
    server = Child(sys.executable, "-m", "spectral", "serve")
    arguments = ("node", "node_modules/vite/bin/vite.js", "--port", str(page_port))
    # Installs the page's packages where they are missing, and says where Node is to be had where there is none.
    vite = Child(sys.executable, BUILD, *arguments, environment={"SPECTRAL_API": api})
    types = Types()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ENDINGS:
        loop.add_signal_handler(number, ended.set)
    await vite.start()
    tasks = {
        "ended": asyncio.create_task(ended.wait()),
        "page": asyncio.create_task(vite.wait()),
        "server": asyncio.create_task(_serve_again_and_again(server)),
        "types": asyncio.create_task(types.follow()),
    }
    try:
        await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
    finally:
        code = 0 if tasks["ended"].done() else 1
        for task in tasks.values():
            task.cancel()
        results = await asyncio.gather(*tasks.values(), return_exceptions=True)
        await asyncio.gather(server.stop(), vite.stop(), types.stop())
    for result in results:
        # What ended the others, unless it was asked for.
        if isinstance(result, Exception):
            raise result
    return code


async def _serve_again_and_again(server: Child) -> None:
    """The server runs, and runs anew after each change of the sources."""
    sources = Sources()
    while True:
        await server.start()
        telling = asyncio.create_task(_tell_end(server))
        try:
            await sources.change()
        finally:
            telling.cancel()
        click.echo("spectral dev: src/ has changed, the server starts again", err=True)
        await server.stop()


async def _tell_end(server: Child) -> None:
    code = await server.wait()
    click.echo(f"spectral dev: the server ended with exit code {code}; a change of src/ starts it again", err=True)


class Types:
    """Keeps web/openapi.json and the types made from it as the API has them."""

    def __init__(self) -> None:
        self._running: Child | None = None

    async def follow(self) -> None:
        """Look now and after each change of the sources."""
        sources = Sources()
        while True:
            await self._refresh()
            await sources.change()

    async def stop(self) -> None:
        if self._running is not None:
            await self._running.stop()

    async def _refresh(self) -> None:
        with tempfile.TemporaryDirectory(prefix="spectral-dev-") as folder:
            fresh = Path(folder) / DOCUMENT.name
            made = await self._run(sys.executable, "-m", "spectral", "openapi", "--output", fresh)
            # Sources that cannot be imported are told by the server; the next change is another chance.
            if not made or (DOCUMENT.exists() and fresh.read_bytes() == DOCUMENT.read_bytes()):
                return
            DOCUMENT.write_bytes(fresh.read_bytes())
        if await self._run(sys.executable, BUILD, "run", "schema"):
            click.echo("spectral dev: the API has changed; web/openapi.json and the page's types follow", err=True)

    async def _run(self, *arguments: str | Path) -> bool:
        self._running = Child(*arguments)
        await self._running.start()
        return await self._running.wait() == 0


class Sources:
    """The Python files under src/, as they were when somebody last looked."""

    def __init__(self) -> None:
        self._seen = self._look()

    async def change(self) -> None:
        """Returns when a file is other than it was, or gone, or new, and the rest has been written too."""
        changed = False
        while True:
            now = self._look()
            if now != self._seen:
                self._seen, changed = now, True
            elif changed:
                return
            await asyncio.sleep(LOOK_S)

    def _look(self) -> dict[Path, int]:
        found = {}
        for path in SOURCES.rglob("*.py"):
            # An editor may take it away while it is looked at.
            with suppress(FileNotFoundError):
                found[path] = path.stat().st_mtime_ns
        return found

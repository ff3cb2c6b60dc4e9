"""`spectral runner`: does the work of an agent, or of a queue, with a function of the user's own."""

import asyncio
import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import uvloop

from spectral.client.client import SpectralClient
from spectral.client.errors import NotConfiguredError, RefusedError
from spectral.client.runner import CAPACITY, GRACE_S, RunnerSession

TICK_S = 1.0
TICKS_A_LINE = 60
"""Where nobody watches a terminal, a line a minute."""


@click.command()
@click.argument("target", metavar="MODULE:FUNCTION")
@click.option("--agent", help="Do the tasks of this agent (its name or id) with FUNCTION(config, input).")
@click.option("--queue", help="Do the tasks of this queue with FUNCTION(task, inputs).")
@click.option(
    "--capacity", type=click.IntRange(1, 1024), default=CAPACITY, show_default=True, help="How many tasks at a time."
)
@click.option(
    "--grace", type=click.FloatRange(0, 3600), default=GRACE_S, show_default=True, help="Seconds to finish in."
)
@click.option("--url", help="The server's address (SPECTRAL_URL).")
@click.option("--key", help="An API key of the workspace (SPECTRAL_API_KEY); better in the environment than here.")
def runner(
    target: str, agent: str | None, queue: str | None, capacity: int, grace: float, url: str | None, key: str | None
) -> None:
    """Do work with your own function, in this process: nothing has to reach it from outside.

    MODULE:FUNCTION is imported from the current folder or the installed packages. Where it names a SpectralClient, what
    was registered on that is done, and neither --agent nor --queue is given.

    Stops at SIGINT or SIGTERM, once the tasks under way are done; a second one does not wait for them. What was not
    finished is offered to another runner. Exits 0 when stopped, 1 when the server refuses, 2 when the call is wrong.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    session = _session(_imported(target), target, agent, queue, capacity, grace, url, key)
    try:
        uvloop.run(_run(session, f"spectral runner: {target}, {capacity} at a time"))
    except RefusedError as error:
        click.echo(f"spectral: {error}", err=True)
        sys.exit(1)


def _session(
    found: Any,
    target: str,
    agent: str | None,
    queue: str | None,
    capacity: int,
    grace_s: float,
    url: str | None,
    key: str | None,
) -> RunnerSession:
    """Raises click.UsageError for what does not fit together."""
    try:
        if isinstance(found, SpectralClient):
            if agent or queue or url or key:
                raise click.UsageError(f"{target} is a client: it says itself what is done, and where")
            return found.runner(capacity=capacity, grace_s=grace_s)
        if not callable(found):
            raise click.UsageError(f"{target} is no function")
        if (agent is None) is (queue is None):
            raise click.UsageError("name one of --agent and --queue")
        client = SpectralClient(url, key)
        if agent is not None:
            client.agent(agent).run(found)
        elif queue is not None:
            client.work(queue)(found)
        return client.runner(capacity=capacity, grace_s=grace_s)
    except (NotConfiguredError, ValueError) as error:
        raise click.UsageError(str(error)) from error


def _imported(target: str) -> Any:
    """What `module:name` names. Raises click.UsageError."""
    module, _, name = target.partition(":")
    if not module or not name:
        raise click.UsageError("say which function: MODULE:FUNCTION")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
    except ImportError as error:
        raise click.UsageError(f"cannot import {module}: {error}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise click.UsageError(f"{module} has no {name}")
        found = getattr(found, part)
    return found


async def _run(session: RunnerSession, beginning: str) -> None:
    running = asyncio.ensure_future(session.run_until_signal())
    telling = asyncio.ensure_future(_tell(session, _line_writer()))
    try:
        # Whoever reads this may send a signal.
        await asyncio.sleep(0)
        click.echo(beginning, err=True)
        await running
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        click.echo(f"{_start()}spectral runner: {session.progress}", err=True)


async def _tell(session: RunnerSession, write: Callable[[str, int], None]) -> None:
    tick = 0
    while True:
        await asyncio.sleep(TICK_S)
        tick += 1
        write(f"spectral runner: {session.progress}", tick)


def _start() -> str:
    # Back to the line's beginning, and the rest of it away.
    return "\r\x1b[K" if sys.stderr.isatty() else ""


def _line_writer() -> Callable[[str, int], None]:
    """Writes one line again and again on a terminal, else one a minute where something has changed."""
    written = ""

    def write(line: str, tick: int) -> None:
        nonlocal written
        if sys.stderr.isatty():
            click.echo(f"{_start()}{line}", err=True, nl=False)
        elif tick % TICKS_A_LINE == 0 and line != written:
            written = line
            click.echo(line, err=True)

    return write

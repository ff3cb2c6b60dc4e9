"""`spectral runner` as a process: killed in the midst of its work, stopped, and called wrongly."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from spectral.platform.db.session import Database
from spectral.runner_command import runner
from spectral.settings import Settings
from tests.client.platform_at import all_ended, how_many_done, put_tasks, tasks_of, tenant_of, until
from tests.fixtures.servers import ServerProcess

FUNCTIONS = """
import os, time
from spectral.client import SpectralClient, current_task

client = SpectralClient("http://127.0.0.1:1", "sk_live_x")

def double(task, inputs):
    with open("begun", "a") as log:
        log.write(f"{current_task().idempotency_key}\\n")
    if inputs % 10 == 3 and current_task().attempt == 1:
        time.sleep(1)
    time.sleep(0.02)
    return {"number": 2 * inputs, "by": os.getpid()}

def slow(task, inputs):
    time.sleep(0.5)
    return inputs

constant = 3
"""

Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts `spectral runner` in a folder with functions; what still runs at the end is killed."""
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SPECTRAL_", "OTEL_"))}
        process = subprocess.Popen(
            [Path(sys.executable).with_name("spectral"), "runner", *arguments],
            cwd=tmp_path,
            env=kept | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


async def test_a_killed_runner_loses_nothing_and_doubles_nothing(
    start_server: Callable[..., ServerProcess], settings: Settings, database: Database, run: Run, tmp_path: Path
) -> None:
    server = start_server()
    tenant = await tenant_of(server)
    ids = await put_tasks(database, tenant, 80, lease_s=2.0, max_attempts=5)
    environment = {"SPECTRAL_URL": server.url, "SPECTRAL_API_KEY": tenant.api_key}
    arguments = ("functions:double", "--queue", "work", "--capacity", "4")
    first, second = run(*arguments, **environment), run(*arguments, **environment)
    await until(database, tenant, how_many_done(12))
    first.send_signal(signal.SIGKILL)
    first.wait()
    tasks = await until(database, tenant, all_ended)
    # Nothing is lost: each task has the one result that it should have.
    assert [task.id for task in tasks] == ids
    assert [(task.outcome or {})["output"]["number"] for task in tasks] == [2 * number for number in range(80)]
    # And what the dead one held was begun again, by the other one, and nothing else was.
    again = [task for task in tasks if task.attempts > 1]
    assert len(again) <= 4
    assert {(task.outcome or {})["output"]["by"] for task in again} <= {second.pid}
    begun = (tmp_path / "begun").read_text().split()
    assert set(begun) == {str(task_id) for task_id in ids}
    assert len(begun) <= 80 + len(again)
    second.send_signal(signal.SIGTERM)
    _, said = second.communicate(timeout=30)
    assert second.returncode == 0
    assert " done, 0 failed, 0 lost, 0 running" in said.splitlines()[-1]
    assert len(tasks) == len(await tasks_of(database, tenant))


@pytest.mark.databases("sqlite")
async def test_a_stopped_runner_ends_what_it_began(
    server: ServerProcess, database: Database, run: Run, tmp_path: Path
) -> None:
    tenant = await tenant_of(server)
    await put_tasks(database, tenant, 6)
    process = run("functions:slow", "--queue", "work", "--capacity", "2", "--url", server.url, "--key", tenant.api_key)
    await until(database, tenant, lambda tasks: any(task.status == "leased" for task in tasks))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    tasks = await tasks_of(database, tenant)
    assert {task.status for task in tasks} == {"done", "queued"}
    assert said.splitlines()[-1].endswith("0 failed, 0 lost, 0 running")
    # Refused: the agent is not there.
    refused = run("functions:slow", "--agent", "nobody", "--url", server.url, "--key", tenant.api_key)
    _, said = refused.communicate(timeout=30)
    assert refused.returncode == 1, said
    assert "spectral: Agent nobody not found (404 not-found)" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("functions:slow",), "--agent and --queue"),
        (("functions:slow", "--agent", "a", "--queue", "b"), "--agent and --queue"),
        (("functions", "--queue", "b"), "MODULE:FUNCTION"),
        (("nowhere:slow", "--queue", "b"), "cannot import nowhere"),
        (("functions:nothing", "--queue", "b"), "has no nothing"),
        (("functions:constant", "--queue", "b"), "no function"),
        (("functions:client",), "nothing that this runner could do"),
        (("functions:client", "--queue", "b"), "is a client"),
        (("functions:slow", "--queue", "b"), "SPECTRAL_URL"),
        (("functions:slow", "--queue", "b", "--url", "http://127.0.0.1:1"), "SPECTRAL_API_KEY"),
        (("functions:slow", "--queue", "b", "--capacity", "0"), "--capacity"),
    ],
    ids=["which", "both", "no-name", "module", "name", "value", "empty", "client", "url", "key", "capacity"],
)
def test_a_wrong_call_is_explained(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "functions", raising=False)
    result = CliRunner().invoke(runner, arguments)
    monkeypatch.delitem(sys.modules, "functions", raising=False)
    assert result.exit_code == 2, result.output
    assert said in result.output

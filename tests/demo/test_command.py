"""`spectral demo`, as a person runs it: a real process that starts a real server."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.servers import ServerProcess

pytestmark = pytest.mark.slow

LIMIT_S = 300


def spectral(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPECTRAL_")}
    return subprocess.run(
        [sys.executable, "-m", "spectral", *arguments],
        env={**kept, "SPECTRAL_DATA_DIR": str(folder / "data"), "COLUMNS": "200", "TMPDIR": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_the_demo_ends_with_a_validated_change_set_and_leaves_nothing(tmp_path: Path) -> None:
    done = spectral(tmp_path, "demo", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verdict     validated" in done.stdout
    gain = re.search(r"gain +\+([0-9.]+) points \[\+([0-9.]+), \+([0-9.]+)\]", done.stdout)
    assert gain is not None, done.stdout
    mean, low, high = map(float, gain.groups())
    assert 1 < low < mean < high
    assert "not a language model" in done.stdout
    assert "the agent now fetches version 2" in done.stdout
    assert re.search(r"too few +on \d+ held-out tickets the same change is inconclusive", done.stdout), done.stdout
    assert re.search(r"taken back +on a second agent, live: rolled back", done.stdout), done.stdout
    assert list(tmp_path.iterdir()) == []
    assert not _processes_of(tmp_path)


def test_the_champion_is_never_validated_against_itself(tmp_path: Path) -> None:
    done = spectral(tmp_path, "demo", "--once", "--null", "--seed", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verdict     validated" not in done.stdout
    assert not _processes_of(tmp_path)


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = spectral(tmp_path, "demo", "--url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "cannot be reached" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_two_places_at_once_is_a_usage_error(tmp_path: Path) -> None:
    assert spectral(tmp_path, "demo", "--once", "--serve").returncode == 2


@pytest.mark.databases("postgresql")
def test_the_demo_runs_against_a_server_on_postgresql(
    start_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    server = start_server()
    done = spectral(tmp_path, "demo", "--url", server.url, "--seed", "11")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verdict" in done.stdout


def _processes_of(folder: Path) -> list[str]:
    """Command lines of processes that were started with this folder in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found

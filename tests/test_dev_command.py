"""What `spectral dev` starts ends with it; it sees a change once it is whole, and lets the types follow the API."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spectral import dev_command
from spectral.dev_command import Child, Sources, Types

# Starts a process of its own, says its id, and waits.
PARENT = "import subprocess, sys, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"


async def test_a_process_ends_with_all_that_it_started(tmp_path: Path) -> None:
    said = tmp_path / "said"
    child = Child("sh", "-c", f'exec "$0" -c "$1" > {said}', sys.executable, PARENT)
    await child.start()
    while not (said.exists() and said.read_text().strip()):  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.02)
    grandchild = int(said.read_text())
    os.kill(grandchild, 0)
    await child.stop()
    await asyncio.to_thread(_wait_until_gone, grandchild)
    await child.stop()
    assert await child.wait() == 0


def _wait_until_gone(pid: int) -> None:
    """Raises AssertionError when the process still is there after a while; a dead one may wait for its new parent."""
    status, deadline = Path(f"/proc/{pid}/stat"), time.monotonic() + 10
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def test_what_does_not_want_to_end_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dev_command, "STOP_LIMIT_S", 0.2)
    ready = tmp_path / "ready"
    child = Child("sh", "-c", f"trap '' TERM; touch {ready}; while true; do sleep 0.1; done")
    await child.start()
    while not ready.exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.02)
    await child.stop()


async def test_a_change_is_seen_when_the_writing_has_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev_command, "SOURCES", tmp_path)
    monkeypatch.setattr(dev_command, "LOOK_S", 0.2)
    (tmp_path / "kept.py").touch()
    sources = Sources()
    (tmp_path / "notes.txt").touch()
    waiting = asyncio.create_task(sources.change())
    await asyncio.sleep(0.5)
    assert not waiting.done()
    started = time.monotonic()
    for name in range(5):
        (tmp_path / f"{name}.py").touch()
        await asyncio.sleep(0.1)
    await asyncio.wait_for(waiting, 5)
    assert time.monotonic() - started > 0.5
    # What changes between two waits is not missed.
    (tmp_path / "kept.py").unlink()
    await asyncio.wait_for(sources.change(), 5)


async def test_the_document_and_the_types_follow_the_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document, build, called = tmp_path / "openapi.json", tmp_path / "build.py", tmp_path / "called"
    build.write_text(f"import sys; open({str(called)!r}, 'a').write(' '.join(sys.argv[1:]))")
    monkeypatch.setattr(dev_command, "DOCUMENT", document)
    monkeypatch.setattr(dev_command, "BUILD", build)
    monkeypatch.setenv("SPECTRAL_DATA_DIR", str(tmp_path / "data"))
    types = Types()
    await types._refresh()
    assert document.read_bytes() == (dev_command.WEB / "openapi.json").read_bytes()
    assert called.read_text() == "run schema"
    await types._refresh()
    assert called.read_text() == "run schema", "nothing has changed"
    await types.stop()


def test_it_says_where_it_works(tmp_path: Path) -> None:
    script = f"""
import pathlib
from spectral import dev_command
dev_command.WEB = pathlib.Path({str(tmp_path)!r})
dev_command.dev()
"""
    environment = {**os.environ, "SPECTRAL_DATA_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "works in a checkout of Spectral" in done.stderr
    assert "Traceback" not in done.stderr

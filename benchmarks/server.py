"""A server of the benchmark's own: real process, temporary data, loopback."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

READY_LIMIT_S = 60.0
PASSWORD = "a benchmark's password"


@dataclass(frozen=True)
class BenchServer:
    """A running server with one tenant in it."""

    url: str
    port: int
    pid: int
    data_dir: Path
    workspace_id: str
    access_token: str
    api_key: str

    @property
    def headers(self) -> dict[str, str]:
        """Signed in as the tenant's owner."""
        return {"Authorization": f"Bearer {self.access_token}"}


@contextmanager
def running_server(**settings: str) -> Iterator[BenchServer]:
    """Started without limits, else with default settings, on an empty data folder; stopped and removed at the end.

    settings: further variables of its environment. Their database is migrated and must be empty.
    """
    with tempfile.TemporaryDirectory(prefix="spectral-bench-") as folder:
        data_dir = Path(folder)
        port = _free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SPECTRAL_")}
        environment |= {
            "SPECTRAL_DATA_DIR": folder,
            "SPECTRAL_HOST": "127.0.0.1",
            "SPECTRAL_PORT": str(port),
            "SPECTRAL_LOG_LEVEL": "WARNING",
            # What is measured is how fast the server is, not how soon it refuses.
            "SPECTRAL_RATE_LIMIT_PER_CREDENTIAL": "0",
            "SPECTRAL_RATE_LIMIT_PER_WORKSPACE": "0",
            "SPECTRAL_RATE_LIMIT_PER_ADDRESS": "0",
            "SPECTRAL_SIGN_IN_FAILURES_PER_ACCOUNT": "100000",
            "SPECTRAL_SIGN_IN_FAILURES_PER_ADDRESS": "100000",
            **settings,
        }
        if "SPECTRAL_DATABASE_URL" in settings:
            # Beside a SQLite file a development server does this by itself.
            subprocess.run([sys.executable, "-m", "spectral", "migrate"], check=True, cwd=folder, env=environment)
        with (data_dir / "server.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "spectral", "serve"],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(url, process, data_dir / "server.log")
            yield _with_a_tenant(url, port, process.pid, data_dir)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_LIMIT_S
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            message = f"the server did not become ready:\n{log.read_text(errors='replace')[-4000:]}"
            raise RuntimeError(message)
        try:
            if httpx.get(f"{url}/api/v1/health", params={"ready": 1}, timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)


def cpu_seconds(*pids: int) -> float:
    """Processor time of these processes and their children so far, 0 where /proc does not tell."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(path.parent.name) in pids:
            # With what its children used that have ended: connections of PostgreSQL come and go.
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) in pids:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """The memory of a process now, 0 where /proc does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS")), 0)


def _with_a_tenant(url: str, port: int, pid: int, data_dir: Path) -> BenchServer:
    with httpx.Client(base_url=url, timeout=30) as client:
        body = {"email": "bench@example.com", "password": PASSWORD, "tenant_name": "Bench"}
        account = client.post("/api/v1/auth/register", json=body).raise_for_status().json()
        headers = {"Authorization": f"Bearer {account['access_token']}"}
        workspace = f"/api/v1/workspaces/{account['workspace_id']}"
        key = client.post(f"{workspace}/keys", json={"name": "bench"}, headers=headers).raise_for_status().json()
        for number in range(20):
            client.post(f"{workspace}/agents", json={"name": f"Agent {number}"}, headers=headers).raise_for_status()
    return BenchServer(url, port, pid, data_dir, account["workspace_id"], account["access_token"], key["key"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

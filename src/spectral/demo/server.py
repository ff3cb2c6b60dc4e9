"""A server process of the demo's own, and its end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

READY_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0


class ServerFailedError(Exception):
    """The server did not start; the message says what its log says."""


class DemoServer:
    """`spectral serve` as a child process; leaves nothing running when the block ends.

    log_path: where its log goes; None leaves it on this process's standard error.
    """

    def __init__(self, host: str, port: int, environment: Mapping[str, str], log_path: Path | None) -> None:
        self.url = f"http://{host}:{port}"
        self._host = host
        self._port = port
        self._environment = {**os.environ, **environment, "SPECTRAL_HOST": host, "SPECTRAL_PORT": str(port)}
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._host, self._port))
            except OSError as error:
                message = f"port {self._port} of {self._host} is taken; set SPECTRAL_PORT to another one"
                raise ServerFailedError(message) from error
        log = None if self._log_path is None else self._log_path.open("ab")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "spectral", "serve"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        finally:
            if log is not None:
                log.close()
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self) -> int:
        """Blocks until the server ends by itself; answers its exit code."""
        return 0 if self._process is None else self._process.wait()

    def stop(self) -> None:
        """Ask it to end, and insist when it does not."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_LIMIT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                answer = httpx.get(f"{self.url}/api/v1/health", params={"ready": "1"}, timeout=5)
                if answer.status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        message = f"the server did not become ready; its log ends with:\n{self._log_end()}"
        raise ServerFailedError(message)

    def _log_end(self) -> str:
        if self._log_path is None:
            return "(see above)"
        return self._log_path.read_text(encoding="utf-8", errors="replace")[-2000:]


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

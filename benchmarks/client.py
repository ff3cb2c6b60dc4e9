"""A client that costs little: HTTP/1.1 over plain sockets that stay open; a 503 is sent again as the protocol says."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

FIRST_RETRY_S = 0.05
LONGEST_RETRY_S = 1.0


@dataclass
class Outcome:
    """What became of a load. Durations in milliseconds, from when a request was due until it was acknowledged."""

    durations: list[float] = field(default_factory=list)
    refused: int = 0
    elapsed_s: float = 0.0


def percentile(durations: Sequence[float], percent: float) -> float:
    """The duration that so many percent of them do not exceed."""
    ordered = sorted(durations)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def get_request(port: int, path: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    """A GET as it goes over the wire, or with a JSON body a POST."""
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{key}: {headers[key]}" for key in headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def export_request(api_key: str, body: bytes, *, compressed: bool) -> bytes:
    """An OTLP export as it goes over the wire."""
    encoding = "Content-Encoding: gzip\r\n" if compressed else ""
    head = (
        f"POST /otel/v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {api_key}\r\n"
        f"Content-Type: application/x-protobuf\r\n{encoding}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def repeat(port: int, request: bytes, connections: int, seconds: float) -> list[float]:
    """Send one request again and again over so many connections; the duration of each in milliseconds.

    It is answered with a 200, or with a 304 where the request names what its sender has.
    """
    end = time.perf_counter() + seconds

    async def connection() -> list[float]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        durations = []
        try:
            while (started := time.perf_counter()) < end:
                status, answer = await exchange(reader, writer, request)
                if status not in {200, 304}:
                    message = f"the server answered {status}: {answer[:200]!r}"
                    raise RuntimeError(message)
                durations.append((time.perf_counter() - started) * 1000)
        finally:
            writer.close()
            await writer.wait_closed()
        return durations

    parts = await asyncio.gather(*(connection() for _ in range(connections)))
    return [duration for part in parts for duration in part]


async def deliver(port: int, requests: Sequence[bytes], connections: int, per_second: float | None = None) -> Outcome:
    """Have every request acknowledged once.

    per_second: how many become due each second, whether or not the earlier ones were answered (an open loop); without
    it each connection sends its next one as soon as the last was answered (a closed loop).
    """
    outcome = Outcome()
    waiting = list(enumerate(requests))
    waiting.reverse()
    started = time.perf_counter()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while waiting:
                number, request = waiting.pop()
                due = time.perf_counter()
                if per_second is not None:
                    due = started + number / per_second
                    await asyncio.sleep(due - time.perf_counter())
                await _until_taken(reader, writer, request, outcome)
                outcome.durations.append((time.perf_counter() - due) * 1000)
        finally:
            writer.close()
            await writer.wait_closed()

    await asyncio.gather(*(connection() for _ in range(connections)))
    outcome.elapsed_s = time.perf_counter() - started
    return outcome


async def _until_taken(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, outcome: Outcome
) -> None:
    pause = FIRST_RETRY_S
    while True:
        status, answer = await exchange(reader, writer, request)
        if status in {200, 304}:
            return
        if status != 503:
            message = f"the server answered {status}: {answer[:200]!r}"
            raise RuntimeError(message)
        outcome.refused += 1
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_RETRY_S)


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bytes]:
    """Send a request and read the status and the body of its answer."""
    writer.write(request)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    if b"content-length:" not in lower:
        return int(head.split(b" ", 2)[1]), b""
    start = lower.index(b"content-length:") + len(b"content-length:")
    body = await reader.readexactly(int(lower[start : lower.index(b"\r\n", start)]))
    return int(head.split(b" ", 2)[1]), body

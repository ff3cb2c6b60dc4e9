"""Sample sets of a hundred thousand items: what import, freezing and export take, and what memory they need."""

import json
import random
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx

from benchmarks.figures import Figure
from benchmarks.server import BenchServer

ITEMS = 100_000
SMALL = 5_000
MEBIBYTE = 1024 * 1024
WORDS = 20_000
PIECE_LINES = 500
TIMEOUT_S = 1800.0


async def measure_samples(server: BenchServer) -> list[Figure]:
    """A file of 5,000 first, so that what the server needs anyway is there; then one of 100,000."""
    headers = server.headers
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=TIMEOUT_S) as client:
        url = f"/api/v1/workspaces/{server.workspace_id}/samples"
        await _bring(client, url, await _set(client, url, "small"), SMALL)
        before = peak_bytes(server.pid)
        set_id = await _set(client, url, "large")
        began = time.monotonic()
        imported = await _bring(client, url, set_id, ITEMS)
        took = time.monotonic() - began
        after_import = peak_bytes(server.pid)
        began = time.monotonic()
        frozen = (await client.post(f"{url}/{set_id}/holdouts")).raise_for_status().json()
        freezing = time.monotonic() - began
        after_freezing = peak_bytes(server.pid)
        began = time.monotonic()
        exported, lines = await _export(client, url, set_id)
        exporting = time.monotonic() - began
        after_export = peak_bytes(server.pid)
        began = time.monotonic()
        body = {"input": {"ticket": "one more that nobody has asked before"}, "expected": "other"}
        (await client.post(f"{url}/{set_id}/items", json=body)).raise_for_status()
        adding = time.monotonic() - began
    return [
        Figure("samples imported", imported / took, "items/s", f"{imported:,} of {ITEMS:,} in {took:.0f} s"),
        Figure(
            "import: more memory than for 5,000",
            (after_import - before) / MEBIBYTE,
            "MiB",
            f"peak {after_import / MEBIBYTE:.0f} MiB resident, {before / MEBIBYTE:.0f} MiB before",
        ),
        Figure("holdout frozen", freezing, "s", f"{frozen['size']:,} items, {_more(after_freezing, after_import)}"),
        Figure(
            "samples exported",
            lines / exporting,
            "items/s",
            f"{exported / MEBIBYTE:.0f} MiB, {_more(after_export, after_freezing)}",
        ),
        Figure("one sample added to them", 1000 * adding, "ms", "compared with all that are there"),
    ]


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had resident. Source: proc(5), VmHWM."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def ticket_lines(count: int, seed: int = 1) -> Iterator[bytes]:
    """Samples of some thirty words each, in sessions of about three."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    for number in range(count):
        words = " ".join(f"w{rng.randrange(WORDS):x}" for _ in range(30))
        members = {
            "input": {"ticket": f"{number} {words}"},
            "expected": f"label {rng.randrange(12)}",
            "metadata": {"session_id": f"s{rng.randrange(count // 3)}"},
        }
        yield json.dumps(members).encode() + b"\n"


async def _set(client: httpx.AsyncClient, url: str, name: str) -> str:
    return str((await client.post(url, json={"name": name})).raise_for_status().json()["id"])


async def _bring(client: httpx.AsyncClient, url: str, set_id: str, count: int) -> int:
    async def body() -> AsyncIterator[bytes]:
        piece: list[bytes] = []
        for line in ticket_lines(count):
            piece.append(line)
            if len(piece) == PIECE_LINES:
                yield b"".join(piece)
                piece = []
        yield b"".join(piece)

    sent = {"Content-Type": "application/x-ndjson"}
    answer = await client.post(f"{url}/{set_id}/import", content=body(), headers=sent)
    assert answer.is_success, answer.text
    return int(answer.json()["imported"])


async def _export(client: httpx.AsyncClient, url: str, set_id: str) -> tuple[int, int]:
    size = lines = 0
    async with client.stream("GET", f"{url}/{set_id}/export") as answer:
        async for piece in answer.aiter_bytes():
            size, lines = size + len(piece), lines + piece.count(b"\n")
    return size, lines


def _more(after: int, before: int) -> str:
    return f"{(after - before) / MEBIBYTE:.0f} MiB more at the peak"

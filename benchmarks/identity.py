"""What knowing the caller costs: authentication and authorisation of a request, and sign-ins beside others."""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import sqlalchemy as sa
from litestar import Litestar

from benchmarks.client import get_request, percentile, repeat
from benchmarks.figures import Figure
from benchmarks.server import PASSWORD, BenchServer
from spectral.app import create_app
from spectral.platform.access.authentication import Authenticator, Target
from spectral.platform.access.scopes import Scope
from spectral.platform.db.migrations import migrate
from spectral.platform.db.session import Database
from spectral.settings import load_settings

SIGN_INS = 20
ATTEMPTS = 40
CACHED_ROUNDS = 20_000
FRESH_ROUNDS = 400


async def measure_identity(server: BenchServer, seconds: float) -> list[Figure]:
    """Authentication by itself, in this process; sign-ins and their neighbours, on the server."""
    return [*await _authentication(), await _health_beside_sign_ins(server, seconds), await _unknown_address(server)]


async def _authentication() -> list[Figure]:
    """Server time of recognising a caller and checking a scope, without HTTP around it."""
    with tempfile.TemporaryDirectory(prefix="spectral-bench-") as folder:
        settings = load_settings(
            data_dir=Path(folder), engine_executes=False, log_level="WARNING", rate_limit_per_credential=0
        )
        migrate(settings)
        app = create_app(settings)
        transport = httpx.ASGITransport(app=cast("Any", app))
        async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://bench") as client:
            body = {"email": "bench@example.com", "password": PASSWORD, "tenant_name": "Bench"}
            account = (await client.post("/api/v1/auth/register", json=body)).raise_for_status().json()
            token = account["access_token"]
            path = f"/api/v1/workspaces/{account['workspace_id']}/keys"
            key = await client.post(path, json={"name": "bench"}, headers={"Authorization": f"Bearer {token}"})
            target = Target(UUID(account["workspace_id"]), None)
            return [
                await _one_kind(app, "access token", token, target, Scope.ADMIN_WORKSPACE),
                await _one_kind(app, "API key", key.raise_for_status().json()["key"], target, Scope.READ_AGENTS),
            ]


async def _one_kind(app: Litestar, kind: str, credential: str, target: Target, scope: Scope) -> Figure:
    authenticator: Authenticator = app.state["authenticator"]
    identity: Database = app.state["identity"]

    async def known(rounds: int, *, forget: bool) -> list[float]:
        durations = []
        for _ in range(rounds):
            if forget:
                authenticator.forget()
            started = time.perf_counter()
            principal = await authenticator.principal(credential, target)
            assert scope in principal.scopes
            durations.append((time.perf_counter() - started) * 1e6)
        return durations

    cached = await known(CACHED_ROUNDS, forget=False)
    fresh = await known(FRESH_ROUNDS, forget=True)
    with counted(identity) as statements:
        await known(1, forget=True)
    detail = (
        f"cached p50 {percentile(cached, 50):.1f} µs, p99 {percentile(cached, 99):.1f} µs; not cached p50 "
        f"{percentile(fresh, 50):,.0f} µs, p99 {percentile(fresh, 99):,.0f} µs with {len(statements)} query"
    )
    return Figure(f"authenticate and authorise, {kind}, cached", percentile(cached, 50), "µs", detail)


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that the database gets inside the block."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    engines = {id(engine): engine for engine in (database.reader.sync_engine, database.writer.sync_engine)}.values()
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", note)
        # `BEGIN` is no query, and needs no index.
        seen[:] = [statement for statement in seen if statement.lstrip().upper().startswith(("SELECT", "UPDATE"))]


async def _health_beside_sign_ins(server: BenchServer, seconds: float) -> Figure:
    """Hashing must not block the loop: how long `health` takes while twenty people sign in again and again."""
    request = get_request(server.port, "/api/v1/health", {})
    alone = await repeat(server.port, request, 1, 1.0)
    body = json.dumps({"email": "bench@example.com", "password": PASSWORD}).encode()
    sign_in = get_request(server.port, "/api/v1/auth/login", {}, body)
    beside, signed_in = await asyncio.gather(
        repeat(server.port, request, 1, seconds), repeat(server.port, sign_in, SIGN_INS, seconds)
    )
    detail = (
        f"p50 {percentile(beside, 50):.1f} ms; alone p50 {percentile(alone, 50):.1f} ms, p99 "
        f"{percentile(alone, 99):.1f} ms; {len(signed_in) / seconds:.1f} sign-ins/s meanwhile"
    )
    return Figure(f"health, p99 while {SIGN_INS} sign-ins run", percentile(beside, 99), "ms", detail)


async def _unknown_address(server: BenchServer) -> Figure:
    """A wrong password of a known address against an unknown address, in turn: nobody should be able to tell."""
    durations: dict[str, list[float]] = {"known": [], "unknown": []}
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for number in range(ATTEMPTS):
            for kind, email in (("known", "bench@example.com"), ("unknown", f"nobody{number}@example.com")):
                started = time.perf_counter()
                answer = await client.post("/api/v1/auth/login", json={"email": email, "password": "not the password"})
                durations[kind].append((time.perf_counter() - started) * 1000)
                assert answer.status_code == httpx.codes.UNAUTHORIZED, answer.text
    known, unknown = statistics.median(durations["known"]), statistics.median(durations["unknown"])
    spread = statistics.quantiles(durations["known"], n=4)
    detail = (
        f"median {known:.1f} ms known (quartiles {spread[0]:.1f} and {spread[2]:.1f}), {unknown:.1f} ms unknown: "
        f"ratio {unknown / known:.3f}"
    )
    return Figure("refused sign-in", known, "ms", detail)

"""Is this process alive, and is it ready for traffic: `/api/v1/health`, `/api/health`."""

import asyncio
import time
from typing import Annotated, Literal, Protocol

import sqlalchemy as sa
from litestar import Controller, Response, get
from litestar.params import QueryParameter
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine

REMEMBERED_S = 1.0

Status = Literal["ok", "degraded", "unavailable"]
Ready = Annotated[bool, QueryParameter(name="ready", description="answer 503 unless ready for traffic")]


class CheckOut(BaseModel):
    """One thing that this process needs."""

    status: Status
    detail: str | None = None


class HealthOut(BaseModel):
    """`status` is the worst of the checks that readiness depends on."""

    status: Status
    version: str
    checks: dict[str, CheckOut]


class HealthCheck(Protocol):
    """Something that can tell how it is. Never raises."""

    async def check(self) -> CheckOut: ...


class DatabaseCheck:
    """The database answers, and its schema is the one this build expects."""

    def __init__(self, database: Database, expected_revision: str) -> None:
        self._database = database
        self._expected = expected_revision

    async def check(self) -> CheckOut:
        try:
            async with self._database.transaction(read_only=True) as session:
                revision = (await session.execute(sa.text("SELECT version_num FROM alembic_version"))).scalar()
        except (SQLAlchemyError, OSError):
            return CheckOut(status="unavailable", detail="cannot be reached, or was never migrated: spectral migrate")
        if revision != self._expected:
            return CheckOut(
                status="unavailable", detail=f"schema is at {revision}, not {self._expected}: spectral migrate"
            )
        return CheckOut(status="ok")


class EngineCheck:
    """Work that was enqueued gets done, by this process or another."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def check(self) -> CheckOut:
        found = await self._engine.health()
        if found.status == "ok":
            return CheckOut(status="ok")
        waiting = "" if found.oldest_queued_s is None else f", oldest work waits {found.oldest_queued_s:.0f} s"
        # Requests can be served without an executor, so the engine never makes a server unready.
        return CheckOut(status="degraded", detail=f"{found.executors} executors, {found.queued} queued{waiting}")


class Health:
    """Every check of this process.

    That it is ready is believed for `REMEMBERED_S`; that it is not is asked about anew, so that whoever waits for it
    knows at once. Callers who ask at the same time share one look.
    """

    def __init__(self, version: str, checks: dict[str, HealthCheck]) -> None:
        self._version = version
        self._checks = checks
        self._ready: HealthOut | None = None
        self._believed_until = 0.0
        self._looking: asyncio.Task[HealthOut] | None = None

    async def report(self) -> HealthOut:
        if self._ready is not None and time.monotonic() < self._believed_until:
            return self._ready
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="health")
        # Others may be waiting for it too: who goes away takes nobody's answer along.
        return await asyncio.shield(self._looking)

    async def _look(self) -> HealthOut:
        asked = time.monotonic()
        try:
            checks = {name: await check.check() for name, check in self._checks.items()}
        finally:
            self._looking = None
        statuses = {found.status for found in checks.values()}
        worst: Status = "unavailable" if "unavailable" in statuses else "degraded" if "degraded" in statuses else "ok"
        found = HealthOut(status=worst, version=self._version, checks=checks)
        self._ready = None if worst == "unavailable" else found
        self._believed_until = asked + REMEMBERED_S
        return found


class HealthController(Controller):
    """Public: load balancers and people ask it."""

    path = "/api"
    tags = ("Health",)
    # Asked once a second by whoever balances load, so nobody counts it.
    opt = {"public": True, "uncounted": True}  # noqa: RUF012

    @get(
        "/v1/health",
        operation_id="readHealth",
        summary="How this server is",
        description="With `?ready=1` the answer is 503 while the server must not get traffic.",
    )
    async def read_health(self, health: Health, ready: Ready = False) -> Response[HealthOut]:  # noqa: FBT002
        return await answer(health, ready=ready)

    @get("/health", operation_id="readHealthUnversioned", summary="How this server is (alias)")
    async def read_health_unversioned(self, health: Health, ready: Ready = False) -> Response[HealthOut]:  # noqa: FBT002
        return await answer(health, ready=ready)


async def answer(health: Health, *, ready: bool) -> Response[HealthOut]:
    """200 with the report; 503 when readiness was asked for and is not given."""
    report = await health.report()
    unready = ready and report.status == "unavailable"
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": "1"} if unready else {})
    return Response(report, status_code=503 if unready else 200, headers=headers)

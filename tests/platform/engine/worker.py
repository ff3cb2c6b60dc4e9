"""A worker process for tests: executes until its input ends, and says what its handler does, one JSON object a line.

Arguments: database URL, workspace id, account id, and optionally the key of work that it enqueues itself, and that of
work which it claims when it reads another line: it vanishes between the commit and the start. Starts when it reads its
first line.
"""

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.base import Json, UtcTime
from spectral.platform.db.session import Database
from spectral.platform.engine.context import WorkContext, WorkItem
from spectral.platform.engine.engine import Engine
from spectral.platform.engine.errors import LeaseLostError
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id

# Not the model: this process knows no domain, and the mapper would miss the table of accounts.
AUDIT = sa.table(
    "audit_entry",
    *(sa.column(name, sa.Uuid(as_uuid=True)) for name in ("id", "account_id", "workspace_id")),
    *(sa.column(name, sa.String()) for name in ("actor", "action", "subject")),
    sa.column("detail", Json),
    sa.column("created_at", UtcTime(timezone=True)),
)


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


async def write(context: WorkContext, action: str) -> None:
    """A result: in one transaction with the proof that this execution may still write."""
    async with context.database.transaction(context.access) as session:
        result = {
            "id": new_id(),
            "account_id": context.account_id,
            "workspace_id": context.workspace_id,
            "actor": context.access.actor,
            "action": action,
            "subject": f"lease:{context.lease}",
            "detail": {},
            "created_at": utc_now(),
        }
        await session.execute(sa.insert(AUDIT).values(**result))
        await context.fence(session)


async def handler(context: WorkContext) -> None:
    """Writes, says so and hangs; woken up after it lost its work, it tries to write all the same.

    Work that says `park_s` parks for so long instead.
    """
    if "park_s" in context.payload:
        async with context.database.transaction(context.access) as session:
            await context.park(session, utc_now() + timedelta(seconds=context.payload["park_s"]))
        say(parked=str(context.key))
        return
    await write(context, "test.began")
    say(entered=str(context.key), lease=context.lease, attempt=context.attempt)
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        say(interrupted=str(context.key))
    try:
        await write(context, "test.zombie")
    except LeaseLostError:
        say(refused=str(context.key), lease=context.lease)
        raise
    say(written=str(context.key))


async def main(url: str, workspace_id: UUID, account_id: UUID, key: UUID | None, claimed: UUID | None) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    database = Database(url, pool_size=3)
    engine = Engine(database)
    engine.register("work", handler)
    say(ready=True)
    await asyncio.to_thread(sys.stdin.readline)
    await engine.start()
    say(started=engine.executor_id)
    access = WorkspaceAccess.for_system(workspace_id, account_id, "tests")
    if key is not None:
        payload = {} if claimed is None else {"park_s": 2.0}
        async with database.transaction(access) as session:
            await engine.enqueue(session, WorkItem("work", workspace_id, account_id, key, payload))
    if claimed is not None:
        await asyncio.to_thread(sys.stdin.readline)
        async with database.session(access) as session:
            await engine.enqueue(session, WorkItem("work", workspace_id, account_id, claimed))
            await session.commit()
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.to_thread(sys.stdin.read)
    await engine.stop()
    await database.close()


if __name__ == "__main__":
    own = [UUID(argument) for argument in sys.argv[4:]] + [None, None]
    asyncio.run(main(sys.argv[1], UUID(sys.argv[2]), UUID(sys.argv[3]), own[0], own[1]))

"""One request, one transaction, committed before the answer leaves."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar, post
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.db.session import Database, after_commit
from spectral.platform.idempotency import IdempotencyRecord
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import BusinessRuleViolationError
from spectral.platform.shared.ids import new_id
from spectral.settings import Settings
from tests.fixtures.servers import in_process

CALLED: list[str] = []


def note(name: str) -> IdempotencyRecord:
    """A row that the application may write without a tenant, and that nothing else in these tests writes."""
    moment = utc_now()
    return IdempotencyRecord(
        caller=name, route="/", key=str(new_id()), body_hash="0" * 64, lease_until=moment, expires_at=moment
    )


@post("/kept", opt={"public": True}, status_code=200)
async def kept(session: AsyncSession) -> str:
    session.add(note("kept"))
    await session.flush()

    async def wake() -> None:
        CALLED.append("kept")

    after_commit(session, wake)
    return "done"


@post("/refused", opt={"public": True})
async def refused(session: AsyncSession) -> None:
    session.add(note("refused"))
    await session.flush()

    async def wake() -> None:
        CALLED.append("refused")

    after_commit(session, wake)
    raise BusinessRuleViolationError("no")


@post("/fails-at-commit", opt={"public": True}, status_code=200)
async def fails_at_commit(session: AsyncSession) -> str:
    session.add(note("fails"))
    await session.flush()

    def fail(_session: object) -> None:
        message = "the disk is gone"
        raise RuntimeError(message)

    sa.event.listen(session.sync_session, "before_commit", fail)
    return "done"


@post("/wake-up-fails", opt={"public": True}, status_code=200)
async def wake_up_fails(session: AsyncSession) -> str:
    session.add(note("woken"))
    await session.flush()

    async def fail() -> None:
        message = "nobody is there"
        raise RuntimeError(message)

    after_commit(session, fail)
    return "done"


@post("/streams", opt={"public": True}, status_code=200)
async def streams(session: AsyncSession, database: Database) -> Stream:
    session.add(note("streamed"))
    await session.flush()

    async def parts() -> AsyncIterator[str]:
        async with database.transaction(read_only=True) as other:
            count = (await other.execute(sa.select(sa.func.count()).select_from(IdempotencyRecord))).scalar_one()
        yield f"{count} seen "
        yield "by another transaction"

    return Stream(parts())


@pytest.fixture
async def routes(
    settings: Settings, create_whole_app: Callable[[Settings], Litestar]
) -> AsyncIterator[httpx.AsyncClient]:
    CALLED.clear()
    app = create_whole_app(settings)
    for handler in (kept, refused, fails_at_commit, wake_up_fails, streams):
        app.register(handler)
    async with in_process(app) as client:
        yield client


async def accounts(database: Database) -> list[str]:
    async with database.transaction(read_only=True) as session:
        return list((await session.scalars(sa.select(IdempotencyRecord.caller))).all())


async def test_a_success_is_committed_and_then_wakes(routes: httpx.AsyncClient, database: Database) -> None:
    assert (await routes.post("/kept")).status_code == 200
    assert await accounts(database) == ["kept"]
    assert CALLED == ["kept"]


async def test_a_refusal_leaves_nothing_and_wakes_nobody(routes: httpx.AsyncClient, database: Database) -> None:
    assert (await routes.post("/refused")).status_code == 400
    assert await accounts(database) == []
    assert CALLED == []


async def test_a_commit_that_fails_is_never_answered_as_done(routes: httpx.AsyncClient, database: Database) -> None:
    answer = await routes.post("/fails-at-commit")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "disk" not in answer.text
    assert await accounts(database) == []
    # The connection is given back in order.
    assert (await routes.post("/kept")).status_code == 200


async def test_a_wake_up_that_fails_does_not_undo(routes: httpx.AsyncClient, database: Database) -> None:
    assert (await routes.post("/wake-up-fails")).status_code == 200
    assert await accounts(database) == ["woken"]


async def test_a_stream_commits_before_its_first_part(routes: httpx.AsyncClient) -> None:
    answer = await routes.post("/streams")
    assert answer.status_code == 200
    assert answer.text in {"0 seen by another transaction", "1 seen by another transaction"}


@pytest.mark.databases("sqlite")
async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(sa.exc.OperationalError, match="readonly"):
        async with database.transaction(read_only=True) as session:
            await session.execute(sa.text("DELETE FROM account"))


async def test_writers_queue_instead_of_failing(routes: httpx.AsyncClient, database: Database) -> None:
    answers = await asyncio.gather(*(routes.post("/kept") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await accounts(database)) == 20

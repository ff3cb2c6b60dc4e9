"""Sessions: listed, ended at once, refreshed by one of many, and gone when they are of no more use."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.auth.cleanup import AuthCleanup
from spectral.domains.auth.models import PasswordReset, RefreshToken, StraySignIn, UserSession
from spectral.domains.auth.sessions import Lifetimes
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from tests.domains.auth.conftest import Trail
from tests.fixtures.tenants import Tenant

SESSIONS = "/api/v1/auth/sessions"
REFRESH = "/api/v1/auth/refresh"
ME = "/api/v1/auth/me"


async def sign_in(client: httpx.AsyncClient, tenant: Tenant) -> dict[str, Any]:
    body = {"email": tenant.email, "password": tenant.password}
    answer: dict[str, Any] = (await client.post("/api/v1/auth/login", json=body)).json()
    return answer


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def age(identity: Database, session_id: str | None = None, **values: Any) -> None:
    statement = sa.update(UserSession).values(**values)
    if session_id is not None:
        statement = statement.where(UserSession.id == UUID(session_id))
    async with identity.transaction() as session:
        await session.execute(statement)


async def test_a_person_sees_where_they_are_signed_in_and_ends_one_at_once(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, trail: Trail
) -> None:
    second = await sign_in(client, tenant)
    listed = (await client.get(SESSIONS, headers=tenant.client_headers)).json()
    assert listed["pagination"]["total"] == 2
    assert [found["current"] for found in listed["results"]] == [False, True], "lately used first"
    assert set(listed["results"][0]) == {
        "id", "current", "method", "user_agent", "address", "created_at", "last_seen_at", "expires_at",
    }  # fmt: skip
    other = listed["results"][0]["id"]
    # A cached answer does not keep it alive.
    assert (await client.get(ME, headers=bearer(second))).status_code == 200
    strangers = await client.delete(f"{SESSIONS}/{other}", headers=other_tenant.client_headers)
    assert strangers.status_code == 404
    assert (await client.delete(f"{SESSIONS}/{other}", headers=tenant.client_headers)).status_code == 204
    assert (await client.get(ME, headers=bearer(second))).status_code == 401
    assert (await client.post(REFRESH, json={"refresh_token": second["refresh_token"]})).status_code == 401
    assert (await client.delete(f"{SESSIONS}/{other}", headers=tenant.client_headers)).status_code == 404
    assert (await client.get(SESSIONS, headers=tenant.client_headers)).json()["pagination"]["total"] == 1
    assert (await client.get(SESSIONS, headers=tenant.key_headers)).status_code == 403
    assert await trail(tenant.account_id) == ["auth.signed_in", "auth.session_revoked"]


async def test_signing_out_everywhere_else_keeps_the_one_that_asks(client: httpx.AsyncClient, tenant: Tenant) -> None:
    others = [await sign_in(client, tenant) for _ in range(2)]
    ended = await client.delete(SESSIONS, headers=tenant.client_headers)
    assert (ended.status_code, ended.json()) == (200, {"ended_sessions": 2})
    assert [(await client.get(ME, headers=bearer(other))).status_code for other in others] == [401, 401]
    assert (await client.get(ME, headers=tenant.client_headers)).status_code == 200
    assert (await client.delete(SESSIONS, headers=tenant.client_headers)).json() == {"ended_sessions": 0}


async def test_of_many_refreshes_at_once_exactly_one_wins(
    client: httpx.AsyncClient, tenant: Tenant, trail: Trail
) -> None:
    tries = (client.post(REFRESH, json={"refresh_token": tenant.refresh_token}) for _ in range(5))
    answers = await asyncio.gather(*tries)
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]
    # The others held a spent token, so nobody goes on, and the account can read why.
    (winner,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert (await client.post(REFRESH, json={"refresh_token": winner["refresh_token"]})).status_code == 401
    assert await trail(tenant.account_id) == ["auth.refresh_reused"]


async def test_a_refresh_says_that_the_session_is_in_use(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    before = utc_now() - timedelta(days=3)
    await age(identity, last_seen_at=before)
    assert (await client.post(REFRESH, json={"refresh_token": tenant.refresh_token})).status_code == 200
    (mine,) = (await client.get(SESSIONS, headers=tenant.client_headers)).json()["results"]
    assert mine["last_seen_at"] > (before + timedelta(days=2)).isoformat()


async def test_no_session_outlives_its_time_however_often_it_is_refreshed(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    await age(identity, created_at=utc_now() - timedelta(days=89))
    last = (await client.post(REFRESH, json={"refresh_token": tenant.refresh_token})).json()
    async with identity.transaction(read_only=True) as session:
        unspent = sa.select(RefreshToken.expires_at).where(RefreshToken.spent_at.is_(None))
        assert (await session.scalars(unspent)).one() < utc_now() + timedelta(days=1, minutes=1)
    await age(identity, created_at=utc_now() - timedelta(days=90))
    assert (await client.post(REFRESH, json={"refresh_token": last["refresh_token"]})).status_code == 401
    assert (await client.get(SESSIONS, headers=tenant.client_headers)).json()["results"] == []


async def test_a_session_that_nobody_used_for_a_month_is_over(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    async with identity.transaction() as session:
        expiry = (await session.scalars(sa.select(RefreshToken.expires_at))).one()
        assert timedelta(days=29, hours=23) < expiry - utc_now() <= timedelta(days=30)
        await session.execute(sa.update(RefreshToken).values(expires_at=utc_now()))
    await age(identity, last_seen_at=utc_now() - timedelta(days=30))
    assert (await client.post(REFRESH, json={"refresh_token": tenant.refresh_token})).status_code == 401
    assert (await client.get(SESSIONS, headers=tenant.client_headers)).json()["results"] == []


async def test_whoever_has_lost_their_accounts_is_signed_in_nowhere_in_particular(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    async with identity.transaction() as session:
        await session.execute(sa.text("DELETE FROM account_member"))
    answer = await client.post(REFRESH, json={"refresh_token": tenant.refresh_token})
    assert answer.status_code == 200
    assert (answer.json()["account_id"], answer.json()["workspace_id"]) == (None, None)
    me = (await client.get(ME, headers=bearer(answer.json()))).json()
    assert (me["accounts"], me["workspaces"]) == ([], [])
    async with identity.transaction() as session:
        await session.execute(sa.text("DELETE FROM app_user"))
    assert (await client.post(REFRESH, json={"refresh_token": answer.json()["refresh_token"]})).status_code == 401


async def test_what_nobody_can_use_any_more_is_removed(
    app: Litestar, client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    stale, ended = await sign_in(client, tenant), await sign_in(client, tenant)
    listed = (await client.get(SESSIONS, headers=tenant.client_headers)).json()["results"]
    await client.post(REFRESH, json={"refresh_token": tenant.refresh_token})
    now = utc_now()
    month = timedelta(days=30)
    await age(identity, listed[0]["id"], revoked_at=now - month - timedelta(days=1))
    await age(identity, listed[1]["id"], last_seen_at=now - month - timedelta(days=1))
    async with identity.transaction() as session:
        session.add_all(
            [
                PasswordReset(token_hash="expired", expires_at=now - timedelta(seconds=1)),
                PasswordReset(token_hash="waiting", expires_at=now + timedelta(minutes=1)),
                StraySignIn(created_at=now - timedelta(days=31)),
                StraySignIn(created_at=now),
            ]
        )
    await AuthCleanup(identity, Lifetimes(900, int(month.total_seconds()), 90 * 24 * 3600)).run()
    async with identity.transaction(read_only=True) as session:
        sessions = (await session.scalars(sa.select(UserSession))).all()
        tokens = (await session.scalars(sa.select(RefreshToken))).all()
        resets = (await session.scalars(sa.select(PasswordReset))).all()
        strays = (await session.scalars(sa.select(StraySignIn))).all()
    assert len(sessions) == 1
    # The spent one stays as long as it would have lived, to be recognised.
    assert sorted(token.spent_at is not None for token in tokens) == [False, True]
    assert [reset.token_hash for reset in resets] == ["waiting"]
    assert len(strays) == 1
    for tokens_of in (stale, ended):
        assert (await client.post(REFRESH, json={"refresh_token": tokens_of["refresh_token"]})).status_code == 401
    assert app.state.engine._schedules._schedules.keys() >= {"auth.cleanup", "mail.send"}

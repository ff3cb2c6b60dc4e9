"""A new password by mail: the same for unknown addresses, once, and every session ends."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.auth.models import PasswordReset
from spectral.platform.db.session import Database
from spectral.platform.mail.delivery import letters_in, link_in
from spectral.platform.shared.clock import utc_now
from spectral.settings import Settings
from tests.domains.auth.conftest import ClientOf, Trail
from tests.fixtures.mail import mail_to
from tests.fixtures.statements import statements
from tests.fixtures.tenants import Tenant, register_tenant

ASK = "/api/v1/auth/reset-password"
CONFIRM = f"{ASK}/confirm"
LOGIN = "/api/v1/auth/login"
NEW = "quite another password"


async def asked(client: httpx.AsyncClient, identity: Database, settings: Settings, email: str) -> str:
    """The token of the newest link."""
    assert (await client.post(ASK, json={"email": email})).status_code == 202
    return (await mail_to(identity, settings, email))[-1].token


async def confirm(client: httpx.AsyncClient, token: str, password: str = NEW) -> httpx.Response:
    return await client.post(CONFIRM, json={"token": token, "password": password})


async def test_the_link_in_the_mail_sets_a_new_password_and_ends_every_session(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database, settings: Settings, trail: Trail
) -> None:
    token = await asked(client, identity, settings, tenant.email)
    (mail,) = await mail_to(identity, settings, tenant.email)
    assert f"{settings.address}/reset-password#token={token}" in mail.text
    done = await confirm(client, token)
    assert (done.status_code, done.json()) == (200, {"ended_sessions": 1})
    assert (await client.get("/api/v1/auth/me", headers=tenant.client_headers)).status_code == 401
    assert (await client.post("/api/v1/auth/refresh", json={"refresh_token": tenant.refresh_token})).status_code == 401
    old = await client.post(LOGIN, json={"email": tenant.email, "password": tenant.password})
    new = await client.post(LOGIN, json={"email": tenant.email, "password": NEW})
    assert (old.status_code, new.status_code) == (401, 200)
    me = await client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {new.json()['access_token']}"})
    assert me.json()["email_verified"], "whoever reads the mail has the address"
    told = (await mail_to(identity, settings, tenant.email))[-1]
    assert told.subject == "Your password was changed"
    assert await trail(tenant.account_id) == ["auth.password_reset", "auth.sign_in_failed", "auth.signed_in"]


async def test_asking_does_the_same_for_an_unknown_address(
    app: Litestar, client: httpx.AsyncClient, tenant: Tenant, identity: Database, settings: Settings
) -> None:
    taken = {}
    for email in (tenant.email, "nobody@example.com"):
        with statements(app.state.identity, app.state.database) as seen:
            answer = await client.post(ASK, json={"email": email})
        assert answer.status_code == 202
        taken[email] = (list(seen), answer.json())
    known, unknown = taken.values()
    assert known == unknown
    writes = [statement.split()[2] for statement in known[0] if statement.startswith("INSERT")]
    assert writes == ["rate_window", "rate_window", "password_reset", "mail_message"]
    assert await mail_to(identity, settings, "nobody@example.com") == []
    async with identity.transaction(read_only=True) as session:
        rows = (await session.scalars(sa.select(PasswordReset).order_by(PasswordReset.created_at))).all()
    assert [row.user_id for row in rows] == [tenant.user_id, None]
    assert all(len(row.token_hash) == 64 for row in rows)


@pytest.mark.databases("sqlite")
async def test_the_mail_leaves_by_itself_right_after_the_commit(
    engine_client: httpx.AsyncClient, settings: Settings
) -> None:
    tenant = await register_tenant(engine_client, "ours")
    assert (await engine_client.post(ASK, json={"email": tenant.email})).status_code == 202
    # Sooner than the schedule alone would have it, most of the time; in the end it is there.
    for _ in range(150):
        letters = list(letters_in(settings.outbox_dir))
        if letters:
            break
        await asyncio.sleep(0.1)
    (letter,) = letters
    link = link_in(letter)
    assert link
    assert link.startswith(f"{settings.address}/reset-password#token=")
    assert (await confirm(engine_client, link.partition("token=")[2])).status_code == 200


async def test_a_token_works_once_also_when_many_try_at_once(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database, settings: Settings
) -> None:
    token = await asked(client, identity, settings, tenant.email)
    answers = await asyncio.gather(*(confirm(client, token, f"{NEW} {number}") for number in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    (winner,) = [number for number, answer in enumerate(answers) if answer.status_code == 200]
    signed_in = await client.post(LOGIN, json={"email": tenant.email, "password": f"{NEW} {winner}"})
    assert signed_in.status_code == 200
    assert (await confirm(client, token)).json()["type"].endswith("/reset-refused")


async def test_a_password_that_is_refused_does_not_spend_the_token(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database, settings: Settings
) -> None:
    token = await asked(client, identity, settings, tenant.email)
    for weak in ("short", "passwordpassword", tenant.email):
        refused = await confirm(client, token, weak)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/password")
    assert (await confirm(client, token)).status_code == 200


async def test_expired_unknown_and_superseded_links_are_refused(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database, settings: Settings
) -> None:
    assert (await confirm(client, "no-such-token")).status_code == 400
    expired = await asked(client, identity, settings, tenant.email)
    async with identity.transaction() as session:
        lifetime = (await session.scalars(sa.select(PasswordReset))).one()
        assert lifetime.expires_at - lifetime.created_at <= timedelta(minutes=15, seconds=1)
        lifetime.expires_at = utc_now()
    assert (await confirm(client, expired)).status_code == 400
    first = await asked(client, identity, settings, tenant.email)
    second = await asked(client, identity, settings, tenant.email)
    assert (await confirm(client, second)).status_code == 200
    assert (await confirm(client, first)).status_code == 400


async def test_changing_the_password_voids_links_that_are_on_their_way(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database, settings: Settings
) -> None:
    token = await asked(client, identity, settings, tenant.email)
    changed = await client.post(
        "/api/v1/auth/change-password",
        json={"current_password": tenant.password, "new_password": NEW},
        headers=tenant.client_headers,
    )
    assert changed.status_code == 200
    assert (await mail_to(identity, settings, tenant.email))[-1].subject == "Your password was changed"
    assert (await confirm(client, token)).status_code == 400


async def test_a_new_password_opens_a_locked_account_and_leaves_the_second_factor(
    client_of: ClientOf, tenant: Tenant, identity: Database, settings: Settings, app_of: Any
) -> None:
    phone = await app_of(tenant)
    strict = await client_of(sign_in_failures_per_account=3)
    for _ in range(4):
        answer = await strict.post(LOGIN, json={"email": tenant.email, "password": "wrong"})
    assert answer.status_code == 429
    token = await asked(strict, identity, settings, tenant.email)
    assert (await confirm(strict, token)).status_code == 200
    right = {"email": tenant.email, "password": NEW}
    assert (await strict.post(LOGIN, json=right)).json()["type"].endswith("/second-factor-required")
    assert (await strict.post(LOGIN, json=right | {"code": await phone.code()})).status_code == 200


async def test_asking_is_limited_by_address_and_account_known_or_not(client_of: ClientOf, tenant: Tenant) -> None:
    strict = await client_of(resets_per_account=2, resets_per_address=7)
    for email in (tenant.email, "nobody@example.com"):
        statuses = [(await strict.post(ASK, json={"email": email})).status_code for _ in range(3)]
        assert statuses == [202, 202, 429]
    limited = [(await strict.post(ASK, json={"email": "third@example.com"})) for _ in range(2)]
    assert [answer.status_code for answer in limited] == [202, 429]
    assert int(limited[1].headers["retry-after"]) > 0


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("email", ["", "nobody", "a@b@c.com", "a@b.test\r\nBcc: c@d.test", "a b@c.test"])
async def test_what_is_no_address_is_refused(client: httpx.AsyncClient, email: str) -> None:
    assert (await client.post(ASK, json={"email": email})).status_code == 422

"""Signing in: the same steps for known and unknown addresses, counted and locked, and in the audit log."""

import asyncio
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from litestar import Litestar

from spectral.domains.accounts.models import UserCredential
from spectral.domains.auth.models import StraySignIn
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from tests.domains.auth.conftest import ClientOf, Trail
from tests.fixtures.statements import statements
from tests.fixtures.tenants import Tenant

LOGIN = "/api/v1/auth/login"


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that Argon2 was asked about."""
    seen: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, hash: str | bytes, password: str | bytes) -> bool:
        seen.append(str(hash))
        return verify(self, hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    return seen


def shape(statement: str) -> str:
    """What a statement does to which table; the two tables of failures are the same thing for two kinds of people."""
    words = re.sub(r"\s+", " ", statement).split(" ")
    kind = words[0].upper()
    if kind == "INSERT":
        return f"INSERT {words[2].replace('stray_sign_in', 'audit_entry')}"
    return re.sub(r"\s+", " ", statement)


async def test_known_and_unknown_addresses_take_the_same_path(
    client: httpx.AsyncClient, app: Litestar, tenant: Tenant, verifications: list[str], identity: Database
) -> None:
    """Exactly one Argon2 verification and the same statements, writes included."""
    await client.post(LOGIN, json={"email": "warm@example.com", "password": "x"})
    verifications.clear()
    taken = {}
    for email in (tenant.email, "nobody@example.com"):
        with statements(app.state.identity, app.state.database) as seen:
            answer = await client.post(LOGIN, json={"email": email, "password": "not the right one"})
        assert answer.status_code == 401
        taken[email] = ([shape(statement) for statement in seen], {**answer.json(), "request_id": ""})
        assert len(verifications) == 1
        verifications.clear()
    known, unknown = taken.values()
    assert known == unknown
    assert sum(statement.startswith("INSERT") for statement in known[0]) == 3  # two counters and the failure
    async with identity.transaction(read_only=True) as session:
        # The address is not kept: it may be a password in the wrong place.
        stray = (await session.scalars(sa.select(StraySignIn).order_by(StraySignIn.created_at.desc()).limit(1))).one()
    assert stray.user_agent == client.headers["user-agent"]


async def test_signing_in_and_failing_to_is_in_the_audit_log_of_each_account(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, trail: Trail, identity: Database
) -> None:
    async with identity.transaction() as session:
        await session.execute(
            sa.text(
                "INSERT INTO account_member (account_id, user_id, role, created_at) "
                "SELECT :account, user_id, 'member', created_at FROM account_member WHERE user_id = :person"
            ).bindparams(
                sa.bindparam("account", other_tenant.account_id, type_=sa.Uuid()),
                sa.bindparam("person", tenant.user_id, type_=sa.Uuid()),
            )
        )
    await client.post(LOGIN, json={"email": tenant.email, "password": "wrong"})
    await client.post(LOGIN, json={"email": tenant.email.upper(), "password": tenant.password})
    expected = ["auth.sign_in_failed", "auth.signed_in"]
    assert await trail(tenant.account_id) == expected
    assert await trail(other_tenant.account_id) == expected


async def failures(client: httpx.AsyncClient, email: str, count: int) -> list[httpx.Response]:
    return [await client.post(LOGIN, json={"email": email, "password": "wrong"}) for _ in range(count)]


async def test_too_many_failures_lock_the_account_for_a_while_whether_there_is_one_or_not(
    client_of: ClientOf, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    strict = await client_of(sign_in_failures_per_account=3)
    answers = {}
    for email in (tenant.email, "nobody@example.com"):
        counted = await failures(strict, email, 4)
        assert [answer.status_code for answer in counted] == [401, 401, 401, 429]
        locked = await strict.post(LOGIN, json={"email": f" {email.upper()} ", "password": tenant.password})
        assert locked.status_code == 429, "also with the right password, and in another spelling"
        assert 0 < int(locked.headers["retry-after"]) <= 15 * 60
        answers[email] = {**locked.json(), "request_id": ""}
    known, unknown = answers.values()
    assert known == unknown
    assert known["type"].endswith("/too-many-attempts")
    # Nobody else is locked out.
    assert (await failures(strict, "other@example.com", 1))[0].status_code == 401


async def test_a_success_forgets_the_failures_before_it(
    client_of: ClientOf, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    strict = await client_of(sign_in_failures_per_account=3)
    right = {"email": tenant.email, "password": tenant.password}
    for _ in range(2):
        await failures(strict, tenant.email, 2)
        assert (await strict.post(LOGIN, json=right)).status_code == 200
    assert [answer.status_code for answer in await failures(strict, tenant.email, 4)] == [401, 401, 401, 429]


async def test_many_attempts_at_once_get_no_further_than_one_after_the_other(
    client_of: ClientOf, tenant: Tenant
) -> None:
    strict = await client_of(sign_in_failures_per_account=3)
    attempts = (strict.post(LOGIN, json={"email": tenant.email, "password": f"wrong {n}"}) for n in range(8))
    statuses = [answer.status_code for answer in await asyncio.gather(*attempts)]
    assert (statuses.count(401), statuses.count(429)) == (3, 5)


async def test_many_right_ones_at_once_are_no_failures(client_of: ClientOf, tenant: Tenant) -> None:
    strict = await client_of(sign_in_failures_per_account=3)
    right = {"email": tenant.email, "password": tenant.password}
    answers = await asyncio.gather(*(strict.post(LOGIN, json=right) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}


async def test_too_many_failures_lock_the_network_address(client_of: ClientOf, tenant: Tenant) -> None:
    strict = await client_of(sign_in_failures_per_address=4)
    right = {"email": tenant.email, "password": tenant.password}
    for _ in range(6):
        assert (await strict.post(LOGIN, json=right)).status_code == 200, "successes do not count"
    for number in range(4):
        assert (await failures(strict, f"{number}@example.com", 1))[0].status_code == 401
    assert (await failures(strict, "5@example.com", 1))[0].status_code == 429
    assert (await strict.post(LOGIN, json=right)).status_code == 429


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "body",
    [
        {"email": "x@y.test"},
        {"email": "", "password": "x"},
        {"email": "x" * 400, "password": "x"},
        {"email": "x@y.test", "password": "x" * 2000},
        {"email": "x@y.test", "password": "x", "code": "1"},
        {"email": "x@y.test", "password": "x", "role": "operations"},
    ],
)
async def test_a_body_that_is_no_sign_in_is_refused(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await client.post(LOGIN, json=body)).status_code == 422


async def test_a_session_says_where_it_was_opened(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = {"User-Agent": "Browser of Ada " + "x" * 400}
    body = {"email": tenant.email, "password": tenant.password}
    answer = await client.post(LOGIN, json=body, headers=headers)
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    (mine,) = [
        found
        for found in (await client.get("/api/v1/auth/sessions", headers=bearer)).json()["results"]
        if found["current"]
    ]
    assert mine["user_agent"].startswith("Browser of Ada")
    assert (mine["address"], mine["method"], len(mine["user_agent"])) == ("127.0.0.1", "password", 300)
    assert UUID(answer.json()["account_id"]) == tenant.account_id


async def test_a_password_is_good_however_old_it_is(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    async with identity.transaction() as session:
        await session.execute(sa.update(UserCredential).values(changed_at=utc_now() - timedelta(days=10_000)))
    body = {"email": tenant.email, "password": tenant.password}
    assert (await client.post(LOGIN, json=body)).status_code == 200

"""The second factor: added, asked for, used once per code, and shown again before sensitive changes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyotp
import pytest
import sqlalchemy as sa

from spectral.domains.auth.models import RecoveryCode, SecondFactor, UserSession
from spectral.domains.auth.second_factor import matching_step
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.settings import Settings
from tests.domains.auth.conftest import ClientOf, Trail
from tests.fixtures.examples import CONFIG
from tests.fixtures.mail import mail_to
from tests.fixtures.tenants import Tenant

FACTOR = "/api/v1/auth/second-factor"
CONFIRM = f"{FACTOR}/confirm"
RECOVERY = f"{FACTOR}/recovery-codes"
STEP_UP = "/api/v1/auth/step-up"
LOGIN = "/api/v1/auth/login"


def credentials(tenant: Tenant, code: str | None = None) -> dict[str, Any]:
    return {"email": tenant.email, "password": tenant.password} | ({"code": code} if code else {})


def bearer(answer: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def begin(client: httpx.AsyncClient, tenant: Tenant) -> dict[str, Any]:
    answer = await client.post(FACTOR, json={"current_password": tenant.password}, headers=tenant.client_headers)
    assert answer.status_code == 201
    begun: dict[str, Any] = answer.json()
    return begun


async def test_a_second_factor_is_added_by_a_code_of_the_app(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database, settings: Settings, trail: Trail
) -> None:
    begun = await begin(client, tenant)
    totp = pyotp.parse_uri(begun["uri"])
    assert isinstance(totp, pyotp.TOTP)
    assert (totp.secret, totp.issuer, totp.name) == (begun["secret"], "Spectral", tenant.email)
    # Nothing has changed before a code has come back.
    assert (await client.post(LOGIN, json=credentials(tenant))).status_code == 200
    wrong = await client.post(CONFIRM, json={"code": "000000"}, headers=tenant.client_headers)
    assert (wrong.status_code, wrong.json()["type"].rpartition("/")[2]) == (400, "second-factor-refused")
    state = (await client.get(FACTOR, headers=tenant.client_headers)).json()
    assert state == {"enabled": False, "enabled_at": None, "recovery_codes_left": 0}
    done = await client.post(CONFIRM, json={"code": totp.now()}, headers=tenant.client_headers)
    codes = done.json()["recovery_codes"]
    assert (done.status_code, len(set(codes)), done.headers["cache-control"]) == (200, 10, "no-store")
    assert {len(code.replace("-", "")) for code in codes} == {26}, "128 bits in base32"
    state = (await client.get(FACTOR, headers=tenant.client_headers)).json()
    assert (state["enabled"], state["recovery_codes_left"]) == (True, 10)
    assert (await client.get("/api/v1/auth/me", headers=tenant.client_headers)).json()["second_factor"]
    async with identity.transaction(read_only=True) as session:
        factor = (await session.scalars(sa.select(SecondFactor))).one()
        hashes = (await session.scalars(sa.select(RecoveryCode.code_hash))).all()
    assert begun["secret"] not in factor.secret
    assert not set(hashes) & {code.replace("-", "") for code in codes}
    assert [mail.subject for mail in await mail_to(identity, settings, tenant.email)] == ["A second factor was added"]
    assert await trail(tenant.account_id) == ["auth.signed_in", "auth.second_factor_failed", "auth.second_factor_added"]
    again = await client.post(FACTOR, json={"current_password": tenant.password}, headers=tenant.client_headers)
    assert again.status_code == 409


async def test_whoever_has_a_password_shows_it_first(client: httpx.AsyncClient, tenant: Tenant) -> None:
    missing = await client.post(FACTOR, json={}, headers=tenant.client_headers)
    assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (422, "/current_password")
    wrong = await client.post(FACTOR, json={"current_password": "wrong"}, headers=tenant.client_headers)
    assert wrong.status_code == 401
    nothing = await client.post(CONFIRM, json={"code": "123456"}, headers=tenant.client_headers)
    assert (nothing.status_code, nothing.json()["type"].rpartition("/")[2]) == (400, "no-second-factor")
    assert (await client.post(STEP_UP, json={"code": "123456"}, headers=tenant.client_headers)).status_code == 400
    assert (await client.post(FACTOR, json={}, headers=tenant.key_headers)).status_code == 403


async def test_a_new_beginning_replaces_the_one_before(client: httpx.AsyncClient, tenant: Tenant) -> None:
    first, second = await begin(client, tenant), await begin(client, tenant)
    stale = await client.post(CONFIRM, json={"code": pyotp.TOTP(first["secret"]).now()}, headers=tenant.client_headers)
    good = await client.post(CONFIRM, json={"code": pyotp.TOTP(second["secret"]).now()}, headers=tenant.client_headers)
    assert (stale.status_code, good.status_code) == (400, 200)


async def test_signing_in_takes_the_code_after_the_right_password_only(
    client: httpx.AsyncClient, tenant: Tenant, app_of: Any, trail: Trail
) -> None:
    phone = await app_of(tenant)
    missing = await client.post(LOGIN, json=credentials(tenant))
    wrong = await client.post(LOGIN, json=credentials(tenant, "000000"))
    for refused in (missing, wrong):
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (401, "second-factor-required")
    no_password = await client.post(LOGIN, json={**credentials(tenant, await phone.code()), "password": "wrong"})
    assert no_password.json()["type"].endswith("/wrong-credentials"), "nobody learns that there is a second factor"
    signed_in = await client.post(LOGIN, json=credentials(tenant, await phone.code()))
    assert signed_in.status_code == 200
    assert (await trail(tenant.account_id))[-3:] == [
        "auth.second_factor_failed", "auth.sign_in_failed", "auth.signed_in",
    ]  # fmt: skip


async def test_a_code_works_once_also_when_many_try_at_once(
    client: httpx.AsyncClient, tenant: Tenant, app_of: Any
) -> None:
    phone = await app_of(tenant)
    code = await phone.code()
    answers = await asyncio.gather(*(client.post(LOGIN, json=credentials(tenant, code)) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_a_recovery_code_stands_in_once_and_its_owner_is_told(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database, settings: Settings, app_of: Any
) -> None:
    phone = await app_of(tenant)
    code = phone.recovery_codes[0]
    assert (await client.post(LOGIN, json=credentials(tenant, code.lower().replace("-", " ")))).status_code == 200
    assert (await client.post(LOGIN, json=credentials(tenant, code))).status_code == 401
    assert (await client.get(FACTOR, headers=tenant.client_headers)).json()["recovery_codes_left"] == 9
    assert (await mail_to(identity, settings, tenant.email))[-1].subject == "A recovery code was used"
    renewed = await client.post(RECOVERY, json={"code": await phone.code()}, headers=tenant.client_headers)
    fresh = renewed.json()["recovery_codes"]
    assert (renewed.status_code, len(fresh)) == (200, 10)
    assert (await client.post(LOGIN, json=credentials(tenant, phone.recovery_codes[1]))).status_code == 401
    assert (await client.post(LOGIN, json=credentials(tenant, fresh[0]))).status_code == 200


async def test_removing_it_takes_a_code(client: httpx.AsyncClient, tenant: Tenant, app_of: Any) -> None:
    phone = await app_of(tenant)
    remove = {**tenant.client_headers, "X-Second-Factor-Code": "000000"}
    assert (await client.delete(FACTOR, headers=tenant.client_headers)).status_code == 422
    assert (await client.delete(FACTOR, headers=remove)).status_code == 400
    removed = await client.delete(FACTOR, headers=remove | {"X-Second-Factor-Code": await phone.code()})
    assert removed.status_code == 204
    assert (await client.post(LOGIN, json=credentials(tenant))).status_code == 200
    assert (await client.get(FACTOR, headers=tenant.client_headers)).json()["enabled"] is False
    await begin(client, tenant)


async def test_guessing_codes_is_limited_however_it_is_tried(client_of: ClientOf, tenant: Tenant, app_of: Any) -> None:
    phone = await app_of(tenant)
    strict = await client_of(sign_in_failures_per_account=3)
    guesses = [await strict.post(STEP_UP, json={"code": "000000"}, headers=tenant.client_headers) for _ in range(4)]
    assert [answer.status_code for answer in guesses] == [400, 400, 400, 429]
    right = await phone.code()
    assert (await strict.post(STEP_UP, json={"code": right}, headers=tenant.client_headers)).status_code == 429
    assert (await strict.post(LOGIN, json=credentials(tenant, right))).status_code == 429
    removing = {**tenant.client_headers, "X-Second-Factor-Code": right}
    assert (await strict.delete(FACTOR, headers=removing)).status_code == 429


async def age_the_step_up(identity: Database, seconds: int) -> None:
    async with identity.transaction() as session:
        shown = utc_now() - timedelta(seconds=seconds)
        await session.execute(sa.update(UserSession).values(stepped_up_at=shown))
    # The former rights are remembered for a second.
    await asyncio.sleep(1.1)


async def test_sensitive_changes_need_a_second_factor_that_was_shown_lately(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database, app_of: Any
) -> None:
    """Under admin:workspace, admin:account and approve:agents; reading and ordinary writing go on."""
    agent = {"name": "one", "config": CONFIG}
    created = await client.post(f"{tenant.url}/agents", json=agent, headers=tenant.client_headers)
    assert created.status_code == 201, created.text
    agent_url = f"{tenant.url}/agents/{created.json()['id']}"
    sensitive = {
        "admin:workspace": ("POST", f"{tenant.url}/keys", {"name": "another"}),
        "admin:account": ("PATCH", "/api/v1/account", {"name": "Renamed"}),
        "approve:agents": ("POST", f"{agent_url}/promote", {"version": 1, "environment": "staging"}),
    }
    phone = await app_of(tenant)

    async def statuses(headers: dict[str, str]) -> dict[str, tuple[int, str]]:
        found = {}
        for scope, (method, url, body) in sensitive.items():
            answer = await client.request(method, url, json=body, headers=headers)
            found[scope] = (answer.status_code, answer.json().get("type", "").rpartition("/")[2])
        return found

    # Adding the factor has shown it in this session.
    assert {status for status, _ in (await statuses(tenant.client_headers)).values()} <= {200, 201}
    await age_the_step_up(identity, 15 * 60 + 1)
    assert set((await statuses(tenant.client_headers)).values()) == {(403, "step-up-required")}
    for readable in (f"{tenant.url}/keys", "/api/v1/account", f"{agent_url}/promotions"):
        assert (await client.get(readable, headers=tenant.client_headers)).status_code == 200
    ordinary = await client.post(f"{tenant.url}/samples", json={"name": "set"}, headers=tenant.client_headers)
    assert ordinary.status_code == 201
    # A key of the workspace has no second factor, and no business there anyway.
    assert (await client.get(agent_url, headers=tenant.key_headers)).status_code == 200
    stepped_up = await client.post(STEP_UP, json={"code": await phone.code()}, headers=tenant.client_headers)
    assert stepped_up.status_code == 200
    left = datetime.fromisoformat(stepped_up.json()["stepped_up_until"]) - datetime.now(UTC)
    assert 890 < left.total_seconds() <= 900
    assert {status for status, _ in (await statuses(tenant.client_headers)).values()} <= {200, 201}
    # Signing in with a code counts as showing it.
    fresh = await client.post(LOGIN, json=credentials(tenant, await phone.code()))
    assert {status for status, _ in (await statuses(bearer(fresh))).values()} <= {200, 201}


@pytest.mark.parametrize(("offset_s", "found"), [(-61, False), (-30, True), (0, True), (30, True), (61, False)])
def test_codes_of_the_present_and_its_neighbours_fit(offset_s: int, *, found: bool) -> None:
    secret = pyotp.random_base32()
    moment = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
    code = pyotp.TOTP(secret).at(int(moment.timestamp()) + offset_s)
    assert (matching_step(secret, code, moment) is not None) is found


@pytest.mark.parametrize("code", ["", "12345", "abcdef", "１２３４５６", "12345 "])
def test_what_is_no_code_fits_nothing(code: str) -> None:
    assert matching_step(pyotp.random_base32(), code, datetime.now(UTC)) is None

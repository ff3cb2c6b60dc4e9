"""Signing up with a new account or by an invite, as often as one network address may; useless passwords."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.accounts.models import User
from spectral.platform.db.session import Database
from tests.domains.auth.conftest import ClientOf, Trail
from tests.fixtures.people import invite
from tests.fixtures.tenants import PASSWORD, Tenant

REGISTER = "/api/v1/auth/register"
CHANGE = "/api/v1/auth/change-password"


def body(**changes: Any) -> dict[str, Any]:
    return {"email": "new@example.com", "password": PASSWORD, "tenant_name": "New"} | changes


async def test_an_invite_opens_no_account_and_joins_the_one_it_names(client: httpx.AsyncClient, tenant: Tenant) -> None:
    invited = await invite(client, tenant.client_headers, "new@example.com", **{tenant.workspace_id.hex: "contributor"})
    by_invite = {"email": "new@example.com", "password": PASSWORD, "invite_token": invited["token"]}
    joined = await client.post(REGISTER, json=by_invite)
    assert joined.status_code == 201, joined.text
    answer = joined.json()
    assert (answer["account_id"], answer["workspace_id"]) == (str(tenant.account_id), str(tenant.workspace_id))
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    me = (await client.get("/api/v1/auth/me", headers=headers)).json()
    assert [account["role"] for account in me["accounts"]] == ["member"]
    assert [workspace["role"] for workspace in me["workspaces"]] == ["contributor"]
    again = await client.post(REGISTER, json=by_invite | {"email": "third@example.com"})
    assert again.status_code == 400


async def test_a_refused_invite_leaves_nobody_behind(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    invited = await invite(client, tenant.client_headers, "new@example.com")
    for email, token in (("other@example.com", invited["token"]), ("new@example.com", "no-such-token")):
        refused = await client.post(REGISTER, json={"email": email, "password": PASSWORD, "invite_token": token})
        assert 400 <= refused.status_code < 500
    async with identity.transaction(read_only=True) as session:
        assert (await session.scalars(sa.select(User.email))).all() == [tenant.email]


async def test_registrations_of_one_network_address_are_limited(client_of: ClientOf) -> None:
    strict = await client_of(registrations_per_address=2)
    answers = [await strict.post(REGISTER, json=body(email=f"{number}@example.com")) for number in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert int(answers[2].headers["retry-after"]) > 0


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "password",
    ["new@example.com", "New-Example-Com", "ada.lovelace", "AdaLovelace2026", "Analytical Engines!", "1Qaz2wsx3edc"],
)
async def test_what_everybody_knows_of_a_person_is_no_password(client: httpx.AsyncClient, password: str) -> None:
    for email in ("ada.lovelace@example.com", "new@example.com"):
        answer = await client.post(
            REGISTER, json=body(email=email, password=password, tenant_name="Analytical Engines")
        )
        if answer.status_code == 422:
            assert answer.json()["errors"][0]["pointer"] == "/password"
            return
    pytest.fail("it was accepted")


async def test_guessing_the_present_password_is_limited(client_of: ClientOf, tenant: Tenant, trail: Trail) -> None:
    strict = await client_of(sign_in_failures_per_account=3)

    async def change(current: str) -> int:
        passwords = {"current_password": current, "new_password": "quite another password"}
        return (await strict.post(CHANGE, json=passwords, headers=tenant.client_headers)).status_code

    assert [await change(f"guess {number}") for number in range(4)] == [401, 401, 401, 429]
    assert await change(tenant.password) == 429
    assert await trail(tenant.account_id) == []


async def test_credentials_changes_are_in_the_audit_log(
    client: httpx.AsyncClient, tenant: Tenant, trail: Trail, app_of: Any
) -> None:
    phone = await app_of(tenant)
    recovery = {"code": await phone.code()}
    await client.post("/api/v1/auth/second-factor/recovery-codes", json=recovery, headers=tenant.client_headers)
    remove = {**tenant.client_headers, "X-Second-Factor-Code": await phone.code()}
    await client.delete("/api/v1/auth/second-factor", headers=remove)
    passwords = {"current_password": tenant.password, "new_password": "quite another password"}
    await client.post(CHANGE, json=passwords, headers=tenant.client_headers)
    await client.post("/api/v1/auth/logout", headers=tenant.client_headers)
    assert await trail(tenant.account_id) == [
        "auth.second_factor_added",
        "auth.recovery_codes_renewed",
        "auth.second_factor_removed",
        "auth.password_changed",
        "auth.signed_out",
    ]


async def test_a_session_for_somebody_who_proved_elsewhere_who_they_are(
    app: Litestar, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    auth = app.state.auth
    signed_in = await auth.open_session_for(tenant.user_id, method="sso:acme", user_agent="x", address="::1")
    assert (signed_in.account_id, signed_in.workspace_id) == (tenant.account_id, tenant.workspace_id)
    headers = {"Authorization": f"Bearer {signed_in.access_token}"}
    (mine,) = [
        found
        for found in (await client.get("/api/v1/auth/sessions", headers=headers)).json()["results"]
        if found["current"]
    ]
    assert (mine["method"], mine["address"]) == ("sso:acme", "::1")

"""Signing up, in and out, through the API."""

import asyncio
from typing import Any

import httpx
import jwt
import pytest
from sqlalchemy import text

from spectral.domains.auth.sessions import AUDIENCE
from spectral.platform.access.signing import TokenSigner
from spectral.platform.db.session import Database
from spectral.platform.shared.tokens import sign_token
from spectral.settings import Settings
from tests.fixtures.tenants import Tenant

REGISTER = "/api/v1/auth/register"
LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/auth/refresh"
ME = "/api/v1/auth/me"


def body(**changes: Any) -> dict[str, Any]:
    return {"email": "dev@test.com", "password": "devpass", "tenant_name": "Dev"} | changes


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_registering_opens_account_workspace_and_session(client: httpx.AsyncClient) -> None:
    answer = await client.post(REGISTER, json=body(email="Dev@Test.com"))
    assert answer.status_code == 201
    tokens = answer.json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 900
    assert answer.headers["cache-control"] == "no-store"
    me = (await client.get(ME, headers=bearer(tokens["access_token"]))).json()
    assert me["email"] == "dev@test.com"
    assert [account["role"] for account in me["accounts"]] == ["owner"]
    assert [workspace["workspace_id"] for workspace in me["workspaces"]] == [tokens["workspace_id"]]
    assert "approve:agents" in me["workspaces"][0]["scopes"]


async def test_an_address_registers_once_whatever_its_case(client: httpx.AsyncClient) -> None:
    assert (await client.post(REGISTER, json=body())).status_code == 201
    again = await client.post(REGISTER, json=body(email="DEV@test.com"))
    assert again.status_code == 409
    assert again.json()["type"].endswith("/email-taken")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"email": "nobody"}, "/email"),
        ({"email": "a@b@c.com"}, "/email"),
        ({"password": "short"}, "/password"),
        ({"password": "x" * 200}, "/password"),
        ({"password": "password123"}, "/password"),
        ({"tenant_name": "   "}, "/tenant_name"),
        ({"tenant_name": None}, "/tenant_name"),
        ({"role": "operations"}, "/role"),
        ({"account_id": "00000000-0000-0000-0000-000000000000"}, "/account_id"),
    ],
)
async def test_a_wrong_registration_names_the_place_and_leaves_nothing(
    client: httpx.AsyncClient, changes: dict[str, Any], pointer: str
) -> None:
    answer = await client.post(REGISTER, json=body(**changes))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert str(changes.get("password", "devpass")) not in answer.text
    assert (await client.post(LOGIN, json={"email": "dev@test.com", "password": "devpass"})).status_code == 401


async def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(client: httpx.AsyncClient) -> None:
    await client.post(REGISTER, json=body())
    wrong = await client.post(LOGIN, json={"email": "dev@test.com", "password": "nothing"})
    unknown = await client.post(LOGIN, json={"email": "who@test.com", "password": "nothing"})
    assert wrong.status_code == unknown.status_code == 401
    assert _but_ids(wrong) == _but_ids(unknown)


async def test_refresh_rotates_and_a_spent_token_ends_the_session(client: httpx.AsyncClient) -> None:
    first = (await client.post(REGISTER, json=body())).json()
    second = await client.post(REFRESH, json={"refresh_token": first["refresh_token"]})
    assert second.status_code == 200
    assert second.json()["workspace_id"] == first["workspace_id"]
    assert second.json()["refresh_token"] != first["refresh_token"]
    stolen = await client.post(REFRESH, json={"refresh_token": first["refresh_token"]})
    assert stolen.status_code == 401
    # The thief's use is not known from the owner's, so nobody of this family goes on.
    follower = await client.post(REFRESH, json={"refresh_token": second.json()["refresh_token"]})
    assert follower.status_code == 401
    await asyncio.sleep(1.1)
    assert (await client.get(ME, headers=bearer(second.json()["access_token"]))).status_code == 401


async def test_two_refreshes_at_once_give_one_winner(client: httpx.AsyncClient) -> None:
    first = (await client.post(REGISTER, json=body())).json()
    both = await asyncio.gather(
        *(client.post(REFRESH, json={"refresh_token": first["refresh_token"]}) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in both) == [200, 401]


async def test_signing_out_ends_this_session_at_once_and_no_other(client: httpx.AsyncClient) -> None:
    first = (await client.post(REGISTER, json=body())).json()
    other = (await client.post(LOGIN, json={"email": "dev@test.com", "password": "devpass"})).json()
    answer = await client.post("/api/v1/auth/logout", headers=bearer(first["access_token"]))
    assert (answer.status_code, answer.json()) == (200, {"ended_sessions": 1})
    assert (await client.get(ME, headers=bearer(first["access_token"]))).status_code == 401
    assert (await client.post(REFRESH, json={"refresh_token": first["refresh_token"]})).status_code == 401
    assert (await client.get(ME, headers=bearer(other["access_token"]))).status_code == 200


async def test_a_new_password_ends_every_other_session(client: httpx.AsyncClient) -> None:
    first = (await client.post(REGISTER, json=body())).json()
    other = (await client.post(LOGIN, json={"email": "dev@test.com", "password": "devpass"})).json()
    change = "/api/v1/auth/change-password"
    headers = bearer(first["access_token"])
    wrong = await client.post(change, json={"current_password": "no", "new_password": "longer one"}, headers=headers)
    assert wrong.status_code == 401
    weak = await client.post(change, json={"current_password": "devpass", "new_password": "abc"}, headers=headers)
    assert weak.json()["errors"][0]["pointer"] == "/new_password"
    done = await client.post(
        change, json={"current_password": "devpass", "new_password": "longer one"}, headers=headers
    )
    assert (done.status_code, done.json()) == (200, {"ended_sessions": 1})
    assert (await client.get(ME, headers=headers)).status_code == 200
    assert (await client.get(ME, headers=bearer(other["access_token"]))).status_code == 401
    assert (await client.post(LOGIN, json={"email": "dev@test.com", "password": "devpass"})).status_code == 401
    assert (await client.post(LOGIN, json={"email": "dev@test.com", "password": "longer one"})).status_code == 200


async def test_people_rename_themselves_and_nothing_else(client: httpx.AsyncClient, tenant: Tenant) -> None:
    renamed = await client.patch(ME, json={"name": "Ada"}, headers=tenant.client_headers)
    assert renamed.json()["name"] == "Ada"
    refused = await client.patch(ME, json={"email": "x@y.com"}, headers=tenant.client_headers)
    assert refused.status_code == 422
    assert (await client.get(ME, headers=tenant.client_headers)).json()["email"] == tenant.email


async def test_api_keys_have_no_business_with_people(client: httpx.AsyncClient, tenant: Tenant) -> None:
    assert (await client.get(ME, headers=tenant.key_headers)).status_code == 403
    assert (await client.post("/api/v1/auth/logout", headers=tenant.key_headers)).status_code == 403


async def test_the_published_key_verifies_our_tokens(client: httpx.AsyncClient, tenant: Tenant) -> None:
    jwks = (await client.get("/.well-known/jwks.json")).json()
    key = jwt.PyJWKSet.from_dict(jwks).keys[0]
    claims = jwt.decode(tenant.access_token, key.key, algorithms=["EdDSA"], audience=AUDIENCE, issuer="spectral")
    assert claims["sub"] == str(tenant.user_id)
    assert claims["typ"] == "access"
    assert set(claims) == {"iss", "aud", "sub", "sid", "typ", "exp", "iat", "jti"}


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "somebody-else"},
        {"iss": "somebody-else"},
        {"typ": "refresh"},
        {"exp": 1},
        {"sub": "not an id"},
        {"sid": None},
    ],
)
async def test_a_token_with_a_wrong_claim_opens_nothing(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database, settings: Settings, change: dict[str, Any]
) -> None:
    signer = TokenSigner.of(identity, settings)
    await signer.ready()
    good = signer.verify(tenant.access_token, audience=AUDIENCE, kind="access")
    key = signer.signing_key()
    assert key is not None
    assert (await client.get(ME, headers=bearer(sign_token(key, good)))).status_code == 200
    forged = sign_token(key, good | change)
    assert (await client.get(ME, headers=bearer(forged))).status_code == 401


async def test_tokens_that_are_not_ours_open_nothing(client: httpx.AsyncClient, tenant: Tenant) -> None:
    header, payload, signature = tenant.access_token.split(".")
    claims = jwt.decode(tenant.access_token, options={"verify_signature": False})
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": "x"})
    for token in (
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{payload}.",
        unsigned,
        jwt.encode(claims, "a-secret-of-thirty-two-characters", algorithm="HS256"),
        "nonsense",
        "a.b.c",
        "x" * 9000,
    ):
        assert (await client.get(ME, headers=bearer(token))).status_code == 401
    assert (await client.get(ME, headers={"Authorization": "Basic abc"})).status_code == 401


async def test_a_removed_session_is_out_within_a_second(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    assert (await client.get(ME, headers=tenant.client_headers)).status_code == 200
    async with identity.transaction() as session:
        await session.execute(text("DELETE FROM user_session"))
    await asyncio.sleep(1.1)
    assert (await client.get(ME, headers=tenant.client_headers)).status_code == 401


def _but_ids(answer: httpx.Response) -> dict[str, Any]:
    document: dict[str, Any] = answer.json()
    document.pop("request_id")
    return document

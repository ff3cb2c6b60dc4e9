"""How tokens reach the browser application: in a cookie that no script reads and no other site makes use of."""

from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
import pytest

from tests.domains.auth.conftest import ClientOf
from tests.fixtures.tenants import Tenant

LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/auth/refresh"
LOGOUT = "/api/v1/auth/logout"
WEB = {"X-Spectral-Client": "web"}
PUBLIC = "https://spectral.example.com"
SECURE = "__Secure-spectral-refresh"


def cookie_of(answer: httpx.Response, name: str = SECURE) -> Morsel[str]:
    parsed: SimpleCookie = SimpleCookie(answer.headers["set-cookie"])
    return parsed[name]


def with_cookie(value: str, **headers: str) -> dict[str, str]:
    return {"Cookie": f"{SECURE}={value}", **headers}


async def sign_in(client: httpx.AsyncClient, tenant: Tenant, headers: dict[str, str]) -> httpx.Response:
    answer = await client.post(LOGIN, json={"email": tenant.email, "password": tenant.password}, headers=headers)
    client.cookies.clear()
    return answer


async def test_the_browser_application_gets_its_refresh_token_as_a_cookie(client_of: ClientOf, tenant: Tenant) -> None:
    web = await client_of(public_url=PUBLIC)
    registered = await web.post(
        "/api/v1/auth/register",
        json={"email": "web@example.com", "password": "quite a long one", "tenant_name": "Web"},
        headers=WEB,
    )
    for answer in (registered, await sign_in(web, tenant, WEB)):
        assert answer.json()["refresh_token"] is None
        cookie = cookie_of(answer)
        assert len(cookie.value) >= 43
        assert (cookie["path"], cookie["samesite"], cookie["domain"]) == (REFRESH, "strict", "")
        assert (cookie["httponly"], cookie["secure"], int(cookie["max-age"])) == (True, True, 30 * 24 * 3600)
    others = await sign_in(web, tenant, {})
    assert others.json()["refresh_token"]
    assert "set-cookie" not in others.headers


async def test_a_refresh_by_cookie_comes_from_our_own_pages(client_of: ClientOf, tenant: Tenant) -> None:
    web = await client_of(public_url=PUBLIC)
    token = cookie_of(await sign_in(web, tenant, WEB)).value
    for origin in (None, "null", "", "https://evil.example.com", "http://spectral.example.com", f"{PUBLIC}:8443",
                   "https://spectral.example.com.evil.test", "https://[broken"):  # fmt: skip
        headers = with_cookie(token, **({"Origin": origin} if origin is not None else {}))
        refused = await web.post(REFRESH, headers=headers | WEB)
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "origin-refused"), origin
    # Refused before it was looked at: the token is as good as before.
    good = await web.post(REFRESH, headers=with_cookie(token, Origin="https://spectral.example.com:443"))
    assert good.status_code == 200
    assert good.json()["refresh_token"] is None, "who comes with the cookie keeps the cookie"
    follower = cookie_of(good).value
    assert follower != token
    web.cookies.clear()
    assert (await web.post(REFRESH, headers=with_cookie(follower, Origin=PUBLIC), json={})).status_code == 200
    assert (await web.post(REFRESH, headers=with_cookie(token, Origin=PUBLIC))).status_code == 401


async def test_a_page_may_be_reached_by_a_second_name(client_of: ClientOf, tenant: Tenant) -> None:
    local = await client_of(port=8123)
    cookie = cookie_of(await sign_in(local, tenant, WEB), "spectral-refresh")
    by_name = {"Cookie": f"spectral-refresh={cookie.value}", "Host": "localhost:8123"}
    for origin in ("http://localhost:8124", "http://evil.example.com"):
        assert (await local.post(REFRESH, headers={**by_name, "Origin": origin})).status_code == 403, origin
    assert (await local.post(REFRESH, headers={**by_name, "Origin": "http://localhost:8123"})).status_code == 200


async def test_a_token_in_the_body_needs_no_origin(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.post(REFRESH, json={"refresh_token": tenant.refresh_token})
    assert answer.json()["refresh_token"]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("body", [None, {}, {"refresh_token": None}])
async def test_a_refresh_with_nothing_says_what_is_missing(client: httpx.AsyncClient, body: Any) -> None:
    answer = await client.post(REFRESH, json=body) if body is not None else await client.post(REFRESH)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/refresh_token")


async def test_signing_out_clears_the_cookie(client_of: ClientOf, tenant: Tenant) -> None:
    web = await client_of(public_url=PUBLIC)
    signed_in = await sign_in(web, tenant, WEB)
    bearer = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    out = await web.post(LOGOUT, headers=bearer | WEB)
    assert out.headers["clear-site-data"] == '"cache", "storage"'
    cleared = cookie_of(out)
    assert (out.status_code, cleared.value, cleared["max-age"], cleared["path"]) == (200, "", "0", REFRESH)
    by_cookie = await web.post(REFRESH, headers=with_cookie(cookie_of(signed_in).value, Origin=PUBLIC))
    assert by_cookie.status_code == 401


async def test_on_this_machine_the_cookie_works_without_tls(client_of: ClientOf, tenant: Tenant) -> None:
    local = await client_of(port=8123)
    cookie = cookie_of(await sign_in(local, tenant, WEB), "spectral-refresh")
    assert (cookie["secure"], cookie["httponly"]) == ("", True)
    headers = {"Cookie": f"spectral-refresh={cookie.value}", "Origin": "http://127.0.0.1:8123"}
    assert (await local.post(REFRESH, headers=headers | WEB)).status_code == 200

"""Signing in with GitHub, on a stub that speaks as its documentation says."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from pydantic import SecretStr

from spectral.settings import Settings
from tests.domains.auth.identity_providers import StubProvider, Visitor, installation, parameters, running_stub

TOKEN = "/login/oauth/access_token"
ME = "/api/v1/auth/me"


@pytest.fixture
def stub_provider() -> Iterator[StubProvider]:
    """A provider that says whatever the test tells it to."""
    with running_stub() as stub:
        yield stub


@pytest.fixture
async def visitor(
    create_app: Callable[[Settings], Litestar], settings: Settings, stub_provider: StubProvider
) -> AsyncIterator[Visitor]:
    """A browser on an installation whose GitHub is the stub, with one person signed in there."""
    stub_provider.answers |= {
        TOKEN: {"access_token": "gho_token", "token_type": "bearer", "scope": "read:user,user:email"},
        "/api/v3/user": {"id": 583231, "login": "octocat", "name": "Octo Cat", "email": "public@example.com"},
        "/api/v3/user/emails": [
            {"email": "old@example.com", "primary": False, "verified": True},
            {"email": "Octo@example.com", "primary": True, "verified": True},
        ],
    }
    changes = {
        "oauth_github_client_id": "Iv1.abc",
        "oauth_github_client_secret": SecretStr("a-client-secret"),
        "oauth_github_url": stub_provider.issuer,
        "oauth_github_api_url": f"{stub_provider.issuer}/api/v3",
    }
    async with installation(create_app, settings, **changes) as client:
        yield Visitor(client)


async def arrive(visitor: Visitor, **more: str) -> httpx.Response:
    sent = parameters(await visitor.depart("github"))
    return await visitor.come_back("github", {"code": "a code", "state": sent["state"], **more})


async def test_a_person_comes_in_by_their_primary_verified_address(
    visitor: Visitor, stub_provider: StubProvider
) -> None:
    offered = (await visitor.client.get("/api/v1/auth/providers")).json()["results"]
    assert offered == [{"name": "github", "title": "GitHub"}]
    address = await visitor.depart("github")
    sent = parameters(address)
    assert address.startswith(f"{stub_provider.issuer}/login/oauth/authorize?")
    assert (sent["client_id"], sent["scope"], sent["code_challenge_method"]) == (
        "Iv1.abc",
        "read:user user:email",
        "S256",
    )
    answer = await visitor.come_back("github", {"code": "a code", "state": sent["state"]})
    assert answer.status_code == 200, answer.text
    me = (await visitor.client.get(ME, headers={"Authorization": f"Bearer {answer.json()['access_token']}"})).json()
    assert (me["email"], me["name"]) == ("octo@example.com", "Octo Cat")
    seen = {path: (form, headers) for path, form, headers in stub_provider.seen}
    form, headers = seen[TOKEN]
    assert (form["code"], form["client_secret"], len(form["code_verifier"])) == ("a code", "a-client-secret", 43)
    assert headers["Accept"] == "application/json"
    assert seen["/api/v3/user/emails"][1]["Authorization"] == "Bearer gho_token"
    # The number is the person, whatever the names say by now.
    stub_provider.answers["/api/v3/user"] |= {"login": "renamed"}
    stub_provider.answers["/api/v3/user/emails"] = []
    assert (await arrive(visitor)).json()["user_id"] == answer.json()["user_id"]


@pytest.mark.parametrize(
    ("path", "says", "status", "problem"),
    [
        (TOKEN, {"error": "bad_verification_code"}, 400, "sign-in-refused"),
        (TOKEN, {"error": "incorrect_client_credentials"}, 502, "identity-provider-failed"),
        ("/api/v3/user", (401, {"message": "Bad credentials"}), 502, "identity-provider-failed"),
        ("/api/v3/user", {"login": "octocat"}, 502, "identity-provider-failed"),
        ("/api/v3/user/emails", (403, {}), 502, "identity-provider-failed"),
        ("/api/v3/user/emails", [], 403, "email-not-verified"),
        ("/api/v3/user/emails", {"message": "?"}, 403, "email-not-verified"),
        (
            "/api/v3/user/emails",
            [{"email": "octo@example.com", "primary": True, "verified": False}],
            403,
            "email-not-verified",
        ),
        (
            "/api/v3/user/emails",
            [{"email": "octo@example.com", "primary": False, "verified": True}],
            403,
            "email-not-verified",
        ),
    ],
)
async def test_anything_else_lets_nobody_in(
    visitor: Visitor, stub_provider: StubProvider, path: str, says: Any, status: int, problem: str
) -> None:
    stub_provider.answers[path] = says
    answer = await arrive(visitor)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (status, problem)


async def test_an_issuer_that_is_named_must_be_github(visitor: Visitor, stub_provider: StubProvider) -> None:
    assert (await arrive(visitor, iss="https://evil.example/login/oauth")).status_code == 502
    assert (await arrive(visitor, iss=f"{stub_provider.issuer}/login/oauth")).status_code == 200

"""Signing in through a real OpenID Connect provider, which runs as a process of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.platform.db.session import Database
from spectral.settings import OidcProviderSettings, Settings
from tests.domains.auth.identity_providers import RealProvider, Visitor, installation, parameters, running_provider

ME = "/api/v1/auth/me"
IDENTITIES = "/api/v1/auth/identities"
SSO = "/api/v1/account/single-sign-on"


@pytest.fixture(scope="module")
def real_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProvider]:
    """An OpenID Connect provider in a process of its own."""
    with running_provider(tmp_path_factory.mktemp("provider") / "provider.log") as provider:
        yield provider


@pytest.fixture
def corp(real_provider: RealProvider) -> OidcProviderSettings:
    """This installation is a client of the provider, which knows the redirect URI and the secret it gave out."""
    return real_provider.register("http://127.0.0.1:8000/auth/callback/corp")


@pytest.fixture
async def client(
    create_app: Callable[[Settings], Litestar], settings: Settings, corp: OidcProviderSettings
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on an installation that offers `corp`, and `other`, which is nowhere."""
    nowhere = corp.model_copy(update={"issuer": "http://127.0.0.1:9", "title": None})
    async with installation(create_app, settings, oidc_providers={"corp": corp, "other": nowhere}) as client:
        yield client


@pytest.fixture
def visitor(client: httpx.AsyncClient) -> Visitor:
    return Visitor(client)


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def kind(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


async def rows(identity: Database, statement: str, **values: object) -> list[Any]:
    async with identity.transaction(read_only=True) as session:
        return list((await session.execute(sa.text(statement), values)).all())


async def execute(identity: Database, statement: str, **values: object) -> None:
    async with identity.transaction() as session:
        await session.execute(sa.text(statement), values)


async def verify_address(identity: Database, email: str) -> None:
    await execute(
        identity,
        "UPDATE app_user SET email_verified_at = '2026-01-01 00:00:00+00:00' WHERE email = :email",
        email=email,
    )


async def register(client: httpx.AsyncClient, email: str) -> dict[str, Any]:
    body = {"email": email, "password": "a long test password", "tenant_name": "Here"}
    answer = await client.post("/api/v1/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


async def log_in(client: httpx.AsyncClient, email: str) -> httpx.Response:
    return await client.post("/api/v1/auth/login", json={"email": email, "password": "a long test password"})


# -------------------------------------------------------------------------------------------------------- the whole way


async def test_a_new_person_comes_in_and_comes_again(
    visitor: Visitor, real_provider: RealProvider, corp: OidcProviderSettings, identity: Database
) -> None:
    real_provider.put("ada-1", email="Ada@Example.com", email_verified=True, name="Ada Lovelace")
    offered = (await visitor.client.get("/api/v1/auth/providers")).json()["results"]
    assert offered == [{"name": "corp", "title": "Corp"}, {"name": "other", "title": "other"}]
    answer = await visitor.sign_in("corp", "ada-1", return_to="/scans?tab=1")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert tokens["return_to"] == "/scans?tab=1"
    me = (await visitor.client.get(ME, headers=bearer(tokens))).json()
    assert (me["email"], me["name"]) == ("ada@example.com", "Ada Lovelace")
    assert [account["role"] for account in me["accounts"]] == ["owner"]
    assert [workspace["workspace_id"] for workspace in me["workspaces"]] == [tokens["workspace_id"]]
    again = (await visitor.sign_in("corp", "ada-1")).json()
    assert (again["user_id"], again["account_id"], again["return_to"]) == (
        tokens["user_id"],
        tokens["account_id"],
        None,
    )
    (link,) = (await visitor.client.get(IDENTITIES, headers=bearer(again))).json()["results"]
    assert (link["provider"], link["email"]) == ("corp", "ada@example.com")
    methods = await rows(identity, "SELECT method, stepped_up_at FROM user_session")
    assert methods == [("sso:corp", None)] * 2
    ((issuer, verified),) = await rows(
        identity, "SELECT issuer, email_verified_at FROM external_identity JOIN app_user ON app_user.id = user_id"
    )
    assert issuer == corp.issuer
    assert verified is not None
    actions = {action for (action,) in await rows(identity, "SELECT action FROM audit_entry")}
    assert {"account.created", "identity.linked", "auth.signed_in"} <= actions


async def test_the_browser_application_keeps_its_refresh_token_in_a_cookie(
    visitor: Visitor, real_provider: RealProvider
) -> None:
    real_provider.put("web", email="web@example.com", email_verified=True)
    visitor.client.headers["X-Spectral-Client"] = "web"
    answer = await visitor.sign_in("corp", "web")
    assert answer.json()["refresh_token"] is None
    kept = {cookie.name: cookie for cookie in visitor.client.cookies.jar}
    # The cookie of the sign-in is of no more use; that of the session is for one path.
    assert {name: cookie.path for name, cookie in kept.items()} == {"spectral-refresh": "/api/v1/auth/refresh"}


async def test_the_departure_carries_what_the_protocol_asks_for(visitor: Visitor, identity: Database) -> None:
    answer = await visitor.client.get("/api/v1/auth/oauth/corp")
    assert answer.status_code == 302
    sent = parameters(answer.headers["location"])
    assert sent["response_type"] == "code"
    assert sent["redirect_uri"] == "http://127.0.0.1:8000/auth/callback/corp"
    assert sent["code_challenge_method"] == "S256"
    assert len(sent["code_challenge"]) == len(sent["state"]) == len(sent["nonce"]) == 43
    cookie = answer.headers["set-cookie"].lower()
    assert "spectral_sign_in=" in cookie
    assert {"httponly", "samesite=lax", "max-age=600"} <= set(cookie.replace(" ", "").split(";"))
    ((state_hash, browser_hash, sealed),) = await rows(
        identity, "SELECT state_hash, browser_hash, sealed FROM sign_in_attempt"
    )
    kept = visitor.client.cookies["spectral_sign_in"]
    for secret in (sent["state"], sent["nonce"], kept, "verifier"):
        assert secret not in {state_hash, browser_hash}
        assert secret not in sealed


async def test_the_cookie_is_for_this_host_and_https_where_there_is_https(
    create_app: Callable[[Settings], Litestar], settings: Settings, corp: OidcProviderSettings
) -> None:
    changes = {"public_url": "https://spectral.example.com", "oidc_providers": {"corp": corp}}
    async with installation(create_app, settings, **changes) as client:
        answer = await client.get("/api/v1/auth/oauth/corp")
    cookie = answer.headers["set-cookie"].lower().replace(" ", "").split(";")
    assert cookie[0].startswith("__host-spectral_sign_in=")
    assert {"secure", "httponly", "path=/"} <= set(cookie)
    assert parameters(answer.headers["location"])["redirect_uri"] == "https://spectral.example.com/auth/callback/corp"


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "scans",
        "/" * 2,
    ],
)
async def test_nobody_is_sent_to_another_site(visitor: Visitor, identity: Database, path: str) -> None:
    answer = await visitor.client.get("/api/v1/auth/oauth/corp", params={"return_to": path})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "return_to"
    assert await rows(identity, "SELECT 1 FROM sign_in_attempt") == []


async def test_a_provider_that_is_not_set_up_is_not_there(visitor: Visitor) -> None:
    for name in ("google", "github", "nonsense"):
        assert (await visitor.client.get(f"/api/v1/auth/oauth/{name}")).status_code == 404
        assert (await visitor.come_back(name, {"code": "c", "state": "s"})).status_code == 404


async def test_a_provider_that_does_not_answer_is_named_and_nothing_else(visitor: Visitor, identity: Database) -> None:
    answer = await visitor.client.get("/api/v1/auth/oauth/other")
    assert kind(answer) == (502, "identity-provider-failed")
    assert answer.json()["provider"] == "other"
    assert "127.0.0.1" not in answer.text
    assert await rows(identity, "SELECT 1 FROM sign_in_attempt") == []


# --------------------------------------------------------------------------------------------------- state and PKCE


async def test_the_provider_verifies_pkce(visitor: Visitor, real_provider: RealProvider, identity: Database) -> None:
    real_provider.put("eve", email="eve@example.com", email_verified=True)
    address = await visitor.depart("corp")
    changed = parameters(address) | {"code_challenge": "x" * 43}
    returned = await visitor.prove(f"{address.partition('?')[0]}?{urlencode(changed)}", "eve")
    assert kind(await visitor.come_back("corp", returned)) == (400, "sign-in-refused")
    assert await rows(identity, "SELECT 1 FROM app_user") == []
    assert await rows(identity, "SELECT 1 FROM sign_in_attempt") == []


async def test_a_code_of_another_sign_in_is_of_no_use(visitor: Visitor, real_provider: RealProvider) -> None:
    """Code injection: the thief's browser has a sign-in of its own under way and slips in the victim's code."""
    real_provider.put("victim", email="victim@example.com", email_verified=True)
    stolen = await visitor.prove(await visitor.depart("corp"), "victim")
    own = parameters(await visitor.depart("corp"))
    injected = await visitor.come_back("corp", {"code": stolen["code"], "state": own["state"]})
    assert kind(injected) == (400, "sign-in-refused")


@pytest.mark.parametrize("what", ["unknown", "reused", "expired", "other provider", "no cookie", "other browser"])
async def test_a_state_is_good_once_here_and_soon(
    visitor: Visitor, real_provider: RealProvider, identity: Database, what: str
) -> None:
    real_provider.put("ada-2", email="ada2@example.com", email_verified=True)
    returned = await visitor.prove(await visitor.depart("corp"), "ada-2")
    provider = "corp"
    if what == "unknown":
        returned["state"] = "x" * 43
    elif what == "reused":
        assert (await visitor.come_back("corp", returned)).status_code == 200
        await visitor.depart("corp")
    elif what == "expired":
        await execute(identity, "UPDATE sign_in_attempt SET expires_at = '2026-01-01 00:00:00+00:00'")
    elif what == "other provider":
        provider = "other"
    elif what == "no cookie":
        visitor.client.cookies.clear()
    else:
        visitor.client.cookies.clear()
        await visitor.depart("corp")
    answer = await visitor.come_back(provider, returned)
    assert kind(answer) == (400, "sign-in-state")
    if what not in {"unknown", "reused"}:
        # A refusal spends it, so nobody can go on guessing what was missing.
        again = await visitor.come_back("corp", returned)
        assert kind(again) == (400, "sign-in-state")
        assert await rows(identity, "SELECT 1 FROM app_user") == []


async def test_two_answers_with_one_state_open_one_session(
    visitor: Visitor, real_provider: RealProvider, identity: Database
) -> None:
    real_provider.put("ada-3", email="ada3@example.com", email_verified=True)
    returned = await visitor.prove(await visitor.depart("corp"), "ada-3")
    both = await asyncio.gather(*(visitor.come_back("corp", returned) for _ in range(2)))
    assert sorted(answer.status_code for answer in both) == [200, 400]
    assert len(await rows(identity, "SELECT 1 FROM user_session")) == 1


async def test_two_first_sign_ins_at_once_make_one_person(
    client: httpx.AsyncClient, real_provider: RealProvider, identity: Database
) -> None:
    real_provider.put("twins", email="twins@example.com", email_verified=True)
    browsers = [
        Visitor(httpx.AsyncClient(transport=client._transport, base_url=client.base_url, timeout=30)) for _ in range(2)
    ]
    both = await asyncio.gather(*(browser.sign_in("corp", "twins") for browser in browsers))
    assert [answer.status_code for answer in both] == [200, 200], [answer.text for answer in both]
    assert both[0].json()["user_id"] == both[1].json()["user_id"]
    assert len(await rows(identity, "SELECT 1 FROM account")) == 1


async def test_what_nobody_came_back_from_is_removed(visitor: Visitor, identity: Database) -> None:
    await visitor.depart("corp")
    await execute(identity, "UPDATE sign_in_attempt SET expires_at = '2026-01-01 00:00:00+00:00'")
    await visitor.depart("corp")
    assert len(await rows(identity, "SELECT 1 FROM sign_in_attempt")) == 1


# ------------------------------------------------------------------------------------------------------------ linking


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "ada@example.com"},
        {"email": "ada@example.com", "email_verified": False},
        {"email_verified": True},
        {"email": "no address", "email_verified": True},
        # Lower-cased, the Kelvin sign is the letter k.
        {"email": "\u212aate@example.com", "email_verified": True},
    ],
)
async def test_without_a_verified_address_nobody_comes_in(
    visitor: Visitor, real_provider: RealProvider, identity: Database, claims: dict[str, object]
) -> None:
    await register(visitor.client, "kate@example.com")
    await verify_address(identity, "kate@example.com")
    real_provider.put("unsure", **claims)
    assert kind(await visitor.sign_in("corp", "unsure")) == (403, "email-not-verified")
    assert len(await rows(identity, "SELECT 1 FROM app_user")) == 1
    assert await rows(identity, "SELECT 1 FROM external_identity") == []


async def test_a_verified_person_gets_one_more_way_in(
    visitor: Visitor, real_provider: RealProvider, identity: Database, settings: Settings
) -> None:
    here = await register(visitor.client, "grace@example.com")
    await verify_address(identity, "grace@example.com")
    real_provider.put("grace", email="GRACE@example.com", email_verified=True, name="Somebody")
    answer = await visitor.sign_in("corp", "grace")
    assert answer.json()["user_id"] == here["user_id"]
    assert (await log_in(visitor.client, "grace@example.com")).status_code == 200
    assert (await visitor.client.get(ME, headers=bearer(here))).json()["name"] is None
    assert ("grace@example.com",) in await rows(identity, "SELECT recipient FROM mail_message")
    # The link is to the person, not to the address.
    real_provider.put("grace", email="hopper@example.com", email_verified=False)
    assert (await visitor.sign_in("corp", "grace")).json()["user_id"] == here["user_id"]


async def test_who_registered_somebody_elses_address_is_out_when_its_owner_comes(
    visitor: Visitor, real_provider: RealProvider, identity: Database
) -> None:
    """Pre-hijacking: the squatter waits with a password and a session for the owner to fill the account."""
    squatter = await register(visitor.client, "linus@example.com")
    assert (await visitor.client.get(ME, headers=bearer(squatter))).status_code == 200
    await execute(identity, "UPDATE app_user SET second_factor_at = created_at")
    await execute(
        identity,
        "INSERT INTO second_factor (user_id, secret, created_at, confirmed_at, last_step) "
        "SELECT id, 'sealed', created_at, created_at, 0 FROM app_user",
    )
    real_provider.put("linus", email="linus@example.com", email_verified=True)
    owner = (await visitor.sign_in("corp", "linus")).json()
    assert owner["user_id"] == squatter["user_id"]
    assert (await visitor.client.get(ME, headers=bearer(squatter))).status_code == 401
    refresh = {"refresh_token": squatter["refresh_token"]}
    assert (await visitor.client.post("/api/v1/auth/refresh", json=refresh)).status_code == 401
    assert (await log_in(visitor.client, "linus@example.com")).status_code == 401
    assert (await visitor.client.get(ME, headers=bearer(owner))).status_code == 200
    for table in ("user_credential", "second_factor"):
        assert await rows(identity, f"SELECT 1 FROM {table}") == []  # noqa: S608 - two words of ours
    renamed = await visitor.client.patch("/api/v1/account", json={"name": "Mine"}, headers=bearer(owner))
    assert renamed.status_code == 200
    ((detail,),) = await rows(identity, "SELECT detail FROM audit_entry WHERE action = 'identity.linked'")
    known = json.loads(detail) if isinstance(detail, str) else detail
    assert known["removed"] == {"ways_in": ["password", "second factor"], "sessions": 1}


async def test_a_reused_address_does_not_open_its_former_holders_account(
    visitor: Visitor, real_provider: RealProvider, identity: Database
) -> None:
    real_provider.put("left", email="desk@example.com", email_verified=True)
    await visitor.sign_in("corp", "left")
    real_provider.put("joined", email="desk@example.com", email_verified=True)
    assert kind(await visitor.sign_in("corp", "joined")) == (409, "address-linked")
    assert len(await rows(identity, "SELECT 1 FROM audit_entry WHERE action = 'identity.refused'")) == 1
    assert len(await rows(identity, "SELECT 1 FROM external_identity")) == 1


async def test_a_second_factor_is_not_shown_by_signing_in_elsewhere(
    visitor: Visitor, real_provider: RealProvider, identity: Database
) -> None:
    real_provider.put("kay", email="kay@example.com", email_verified=True)
    await visitor.sign_in("corp", "kay")
    await execute(identity, "UPDATE app_user SET second_factor_at = '2026-01-01 00:00:00+00:00'")
    tokens = (await visitor.sign_in("corp", "kay")).json()
    assert (await visitor.client.get("/api/v1/account", headers=bearer(tokens))).status_code == 200
    renamed = await visitor.client.patch("/api/v1/account", json={"name": "New"}, headers=bearer(tokens))
    assert kind(renamed) == (403, "step-up-required")
    (link,) = (await visitor.client.get(IDENTITIES, headers=bearer(tokens))).json()["results"]
    removed = await visitor.client.delete(f"{IDENTITIES}/{link['id']}", headers=bearer(tokens))
    assert kind(removed) == (403, "step-up-required")


# ------------------------------------------------------------------------------------------------------------- invites


async def invite(client: httpx.AsyncClient, owner: dict[str, Any], email: str, settings: Settings) -> str:
    """The token that the invited person's mail holds."""
    workspaces = [{"workspace_id": owner["workspace_id"], "role": "observer"}]
    body = {"email": email, "role": "member", "workspaces": workspaces}
    answer = await client.post("/api/v1/account/invites", json=body, headers=bearer(owner))
    assert answer.status_code == 201, answer.text
    token: str = answer.json()["token"]
    return token


async def test_an_invite_lets_a_new_person_join_instead_of_opening_an_account(
    visitor: Visitor, real_provider: RealProvider, identity: Database, settings: Settings
) -> None:
    owner = await register(visitor.client, "boss@example.com")
    token = await invite(visitor.client, owner, "new@example.com", settings)
    real_provider.put("new", email="new@example.com", email_verified=True)
    joined = (await visitor.sign_in("corp", "new", invite_token=token)).json()
    assert joined["account_id"] == owner["account_id"]
    me = (await visitor.client.get(ME, headers=bearer(joined))).json()
    assert [(account["role"]) for account in me["accounts"]] == ["member"]
    assert [(entry["workspace_id"], entry["role"]) for entry in me["workspaces"]] == [
        (owner["workspace_id"], "observer")
    ]
    assert (await visitor.sign_in("corp", "new", invite_token=token)).status_code == 400
    assert (await visitor.sign_in("corp", "new")).json()["user_id"] == joined["user_id"]


async def test_an_invite_for_somebody_else_makes_nobody(
    visitor: Visitor, real_provider: RealProvider, identity: Database, settings: Settings
) -> None:
    owner = await register(visitor.client, "boss@example.com")
    token = await invite(visitor.client, owner, "new@example.com", settings)
    real_provider.put("stranger", email="stranger@example.com", email_verified=True)
    answer = await visitor.sign_in("corp", "stranger", invite_token=token)
    assert 400 <= answer.status_code < 500
    assert len(await rows(identity, "SELECT 1 FROM app_user")) == 1
    refused = await rows(identity, "SELECT actor FROM audit_entry WHERE action = 'invite.refused'")
    assert refused == [("sso:corp",)]


# ---------------------------------------------------------------------------------------------------------- own links


async def test_the_last_way_in_stays_and_others_can_go(
    visitor: Visitor, real_provider: RealProvider, identity: Database
) -> None:
    real_provider.put("solo", email="solo@example.com", email_verified=True)
    first = (await visitor.sign_in("corp", "solo")).json()
    second = (await visitor.sign_in("corp", "solo")).json()
    (link,) = (await visitor.client.get(IDENTITIES, headers=bearer(second))).json()["results"]
    address = f"{IDENTITIES}/{link['id']}"
    assert kind(await visitor.client.delete(address, headers=bearer(second))) == (400, "last-way-in")
    somebody = await register(visitor.client, "somebody@example.com")
    assert (await visitor.client.delete(address, headers=bearer(somebody))).status_code == 404
    # A link to a provider that is not offered any more is no way in either.
    await execute(
        identity,
        "INSERT INTO external_identity (id, user_id, provider, issuer, subject, email, created_at, last_used_at) "
        "SELECT user_id, user_id, 'gone', 'https://gone.example', 'x', email, created_at, created_at "
        "FROM external_identity",
    )
    assert kind(await visitor.client.delete(address, headers=bearer(second))) == (400, "last-way-in")
    await execute(
        identity,
        "INSERT INTO user_credential (user_id, password_hash, changed_at) "
        "SELECT user_id, 'x', created_at FROM external_identity WHERE provider = 'corp'",
    )
    assert (await visitor.client.delete(address, headers=bearer(second))).status_code == 204
    assert (await visitor.client.delete(address, headers=bearer(second))).status_code == 404
    # The sessions that it opened are over, but for the one that asked.
    assert (await visitor.client.get(ME, headers=bearer(first))).status_code == 401
    assert (await visitor.client.get(ME, headers=bearer(second))).status_code == 200
    assert ("identity.unlinked",) in await rows(identity, "SELECT action FROM audit_entry")


# -------------------------------------------------------------------------------------------------- single sign-on only


async def test_an_account_can_admit_its_provider_only(
    visitor: Visitor, real_provider: RealProvider, identity: Database
) -> None:
    client = visitor.client
    here = await register(client, "owner@example.com")
    await verify_address(identity, "owner@example.com")
    key = (
        await client.post(
            f"/api/v1/workspaces/{here['workspace_id']}/keys", json={"name": "machine"}, headers=bearer(here)
        )
    ).json()["key"]
    # Whoever came by password would lock themselves out.
    locked = await client.put(SSO, json={"provider": "corp"}, headers=bearer(here))
    assert kind(locked) == (400, "other-session-needed")
    unknown = await client.put(SSO, json={"provider": "nonsense"}, headers=bearer(here))
    assert unknown.json()["errors"][0]["pointer"] == "/provider"
    real_provider.put("owner", email="owner@example.com", email_verified=True)
    by_corp = (await visitor.sign_in("corp", "owner")).json()
    chosen = await client.put(SSO, json={"provider": "corp"}, headers=bearer(by_corp))
    assert (chosen.status_code, chosen.json()) == (200, {"provider": "corp"})
    assert (await client.get(SSO, headers=bearer(by_corp))).json() == {"provider": "corp"}
    agents = f"/api/v1/workspaces/{here['workspace_id']}/agents"
    for path in (agents, SSO, "/api/v1/account/members"):
        refused = await client.get(path, headers=bearer(here))
        assert kind(refused) == (403, "single-sign-on-required")
        assert refused.json()["provider"] == "corp"
    assert kind(await client.put(SSO, json={"provider": None}, headers=bearer(here))) == (
        403,
        "single-sign-on-required",
    )
    assert (await client.get(ME, headers=bearer(here))).status_code == 200
    assert (await client.get(agents, headers=bearer(by_corp))).status_code == 200
    assert (await client.get(agents, headers={"Authorization": f"Bearer {key}"})).status_code == 200
    # A new sign-in by password is possible and opens nothing there.
    by_password = (await log_in(client, "owner@example.com")).json()
    assert (await client.get(agents, headers=bearer(by_password))).status_code == 403
    opened = await client.put(SSO, json={"provider": None}, headers=bearer(by_corp))
    assert (opened.status_code, opened.json()) == (200, {"provider": None})
    assert (await client.get(agents, headers=bearer(here))).status_code == 200
    changes = await rows(identity, "SELECT 1 FROM audit_entry WHERE action = 'account.single_sign_on_changed'")
    assert len(changes) == 2


async def test_only_an_owner_decides_about_single_sign_on(
    visitor: Visitor, real_provider: RealProvider, settings: Settings
) -> None:
    owner = await register(visitor.client, "boss@example.com")
    token = await invite(visitor.client, owner, "new@example.com", settings)
    real_provider.put("member", email="new@example.com", email_verified=True)
    member = (await visitor.sign_in("corp", "member", invite_token=token)).json()
    for answer in (
        await visitor.client.get(SSO, headers=bearer(member)),
        await visitor.client.put(SSO, json={"provider": "corp"}, headers=bearer(member)),
    ):
        assert kind(answer) == (403, "forbidden")

"""What an OpenID Connect provider may not say: ID tokens, keys and documents that must be refused."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from litestar import Litestar

from spectral.domains.accounts.models import User
from spectral.domains.auth.federation_http import ANSWER_LIMIT_BYTES, ProviderAnswerError, ProviderHttp
from spectral.domains.auth.federation_models import SignInAttempt
from spectral.domains.auth.federation_oidc import OidcProvider
from spectral.domains.auth.federation_providers import Client, CodeRefusedError, Departure, Return
from spectral.domains.auth.models import UserSession
from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.domains.auth.identity_providers import StubProvider, Visitor, installation, parameters, running_stub

NONCE = "the nonce of this sign-in"
METADATA = "/.well-known/openid-configuration"
SECRET = "a-client-secret-of-thirty-two-characters"


@pytest.fixture
def stub_provider() -> Iterator[StubProvider]:
    """A provider that says whatever the test tells it to."""
    with running_stub() as stub:
        yield stub


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


@pytest.fixture
def provider(stub_provider: StubProvider, http: ProviderHttp) -> OidcProvider:
    return OidcProvider(Client("corp", "Corp", "spectral-client", SECRET), stub_provider.issuer, http)


def back(**changes: Any) -> Return:
    return Return(**{"code": "c", "redirect_uri": "r", "nonce": NONCE, "verifier": "v", "issuer": None} | changes)


def moments(changes: dict[str, Any]) -> dict[str, Any]:
    """The numbers are seconds from now."""
    return {name: int(time.time()) + value if isinstance(value, int) else value for name, value in changes.items()}


# ---------------------------------------------------------------------------------------------------------- ID tokens


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ["spectral-client"]},
        {"aud": ["spectral-client", "another"], "azp": "spectral-client"},
        {"email_verified": "true"},
        {"exp": -30},
    ],
)
async def test_a_right_token_says_who_it_is(
    provider: OidcProvider, stub_provider: StubProvider, changes: dict[str, Any]
) -> None:
    stub_provider.says(stub_provider.token(stub_provider.claims(**{"nonce": NONCE} | moments(changes))))
    person = await provider.identify(back())
    assert (person.issuer, person.subject, person.email) == (stub_provider.issuer, "ada", "ada@example.com")


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"aud": "somebody-else"},
        {"aud": []},
        {"aud": ["spectral-client", "another"]},
        {"aud": ["spectral-client", "another"], "azp": "another"},
        {"azp": "another"},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": -3600},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 3600},
        {"nbf": 3600},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused(
    provider: OidcProvider, stub_provider: StubProvider, changes: dict[str, Any]
) -> None:
    stub_provider.says(stub_provider.token(stub_provider.claims(**{"nonce": NONCE} | moments(changes))))
    with pytest.raises(ProviderAnswerError):
        await provider.identify(back())


async def test_a_token_that_the_issuer_did_not_sign_is_refused(
    provider: OidcProvider, stub_provider: StubProvider
) -> None:
    claims = stub_provider.claims(NONCE)
    right = stub_provider.token(claims)
    header, payload, signature = right.split(".")
    other = stub_provider.token(stub_provider.claims(NONCE, sub="eve")).split(".")[1]
    published = stub_provider.answers["/keys"]["keys"][0]
    stranger = ec.generate_private_key(ec.SECP256R1())
    forged = [
        jwt.encode(claims, "", algorithm="none", headers={"kid": "one"}),
        f"{header}.{payload}.",
        f"{header}.{other}.{signature}",
        stub_provider.token(claims, algorithm="HS256", key=SECRET),
        # The classic confusion: the public key as the secret of an HMAC.
        stub_provider.token(claims, algorithm="HS256", key=published["x"] + published["y"]),
        stub_provider.token(claims, key=stranger),
        stub_provider.token(claims, key=stranger, kid="../../dev/null"),
        stub_provider.token(claims, algorithm="RS256", key=rsa.generate_private_key(65537, 2048)),
        stub_provider.token(claims, algorithm="EdDSA", key=ed25519.Ed25519PrivateKey.generate()),
        # A key of one's own in the header must not be looked at.
        jwt.encode(claims, stranger, algorithm="ES256", headers={"jwk": published, "jku": "http://127.0.0.1:1/"}),
        "a.b.c",
        "",
        None,
        7,
        {"alg": "none"},
    ]
    for token in forged:
        stub_provider.says(token)
        with pytest.raises(ProviderAnswerError):
            await provider.identify(back())
    stub_provider.says(right)
    assert (await provider.identify(back())).subject == "ada"


async def test_a_new_key_is_found_and_forged_ones_do_not_make_us_ask_each_time(
    provider: OidcProvider, stub_provider: StubProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_provider.says(stub_provider.token(stub_provider.claims(NONCE)))
    await provider.identify(back())
    stub_provider.answers["/keys"]["keys"][0]["kid"] = "two"
    stub_provider.says(stub_provider.token(stub_provider.claims(NONCE), kid="two"))
    for _ in range(3):
        with pytest.raises(ProviderAnswerError):
            await provider.identify(back())
    assert [path for path, _, _ in stub_provider.seen].count("/keys") == 1
    monkeypatch.setattr("spectral.domains.auth.federation_oidc.KEYS_MINIMUM_AGE_S", 0.0)
    assert (await provider.identify(back())).subject == "ada"
    assert [path for path, _, _ in stub_provider.seen].count(METADATA) == 1


# ------------------------------------------------------------------------------------------------- userinfo and issuer


async def test_an_address_comes_from_userinfo_where_the_token_has_none(
    provider: OidcProvider, stub_provider: StubProvider
) -> None:
    stub_provider.says(stub_provider.token(stub_provider.claims(NONCE, email_verified=None)))
    stub_provider.answers["/userinfo"] = {"sub": "ada", "email": "lovelace@example.com", "email_verified": True}
    assert (await provider.identify(back())).email == "lovelace@example.com"
    # The token's address with the other's verification would be somebody else's.
    stub_provider.answers["/userinfo"] = {"sub": "ada", "email_verified": True}
    assert (await provider.identify(back())).email is None
    stub_provider.answers["/userinfo"] = {"sub": "eve", "email": "eve@example.com", "email_verified": True}
    with pytest.raises(ProviderAnswerError):
        await provider.identify(back())


async def test_an_answer_of_another_issuer_is_refused(provider: OidcProvider, stub_provider: StubProvider) -> None:
    stub_provider.says(stub_provider.token(stub_provider.claims(NONCE)))
    assert (await provider.identify(back(issuer=stub_provider.issuer))).subject == "ada"
    with pytest.raises(ProviderAnswerError):
        await provider.identify(back(issuer="https://evil.example"))


async def test_who_says_that_it_names_itself_must(stub_provider: StubProvider, provider: OidcProvider) -> None:
    stub_provider.says(stub_provider.token(stub_provider.claims(NONCE)))
    stub_provider.answers[METADATA]["authorization_response_iss_parameter_supported"] = True
    with pytest.raises(ProviderAnswerError):
        await provider.identify(back())
    assert (await provider.identify(back(issuer=stub_provider.issuer))).subject == "ada"


# ----------------------------------------------------------------------------------------------- documents and answers


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": None},
        {"token_endpoint": "http://evil.example/token"},
        {"token_endpoint": "https://evil.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": 7},
    ],
)
async def test_a_wrong_discovery_document_is_refused(
    provider: OidcProvider, stub_provider: StubProvider, changes: dict[str, Any]
) -> None:
    stub_provider.answers[METADATA] |= changes
    with pytest.raises(ProviderAnswerError):
        await provider.address(Departure("r", "s", "n", "v"))


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}),
        (302, {}),
        (200, b"not JSON"),
        (200, []),
        (200, b"[" * 100_000),
        (200, b" " * (ANSWER_LIMIT_BYTES + 1)),
        (200, {"access_token": "at", "token_type": "mac"}),
        (200, {"token_type": "Bearer"}),
        (401, {"error": "invalid_client"}),
    ],
)
async def test_a_wrong_token_answer_is_the_providers_failure(
    provider: OidcProvider, stub_provider: StubProvider, answer: tuple[int, Any]
) -> None:
    stub_provider.answers["/token"] = answer
    with pytest.raises(ProviderAnswerError):
        await provider.identify(back())
    assert "/elsewhere" not in [path for path, _, _ in stub_provider.seen]


async def test_a_refused_code_is_not_the_providers_failure(provider: OidcProvider, stub_provider: StubProvider) -> None:
    stub_provider.answers["/token"] = (400, {"error": "invalid_grant"})
    with pytest.raises(CodeRefusedError):
        await provider.identify(back())


async def test_a_provider_that_says_nothing_is_not_waited_for(
    provider: OidcProvider, stub_provider: StubProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spectral.domains.auth.federation_http.CONNECT_LIMIT_S", 0.1)
    monkeypatch.setattr("spectral.domains.auth.federation_http.ANSWER_LIMIT_S", 0.1)

    def late(_form: dict[str, str]) -> dict[str, str]:
        time.sleep(0.6)
        return {}

    stub_provider.answers[METADATA] = late
    with pytest.raises(ProviderAnswerError):
        await provider.address(Departure("r", "s", "n", "v"))


@pytest.mark.parametrize("methods", [None, ["client_secret_post"], ["client_secret_post", "client_secret_basic"]])
async def test_the_clients_secret_goes_where_the_provider_wants_it(
    provider: OidcProvider, stub_provider: StubProvider, methods: list[str] | None
) -> None:
    if methods is not None:
        stub_provider.answers[METADATA]["token_endpoint_auth_methods_supported"] = methods
    stub_provider.says(stub_provider.token(stub_provider.claims(NONCE)))
    await provider.identify(back(code="the code", verifier="the verifier", redirect_uri="https://here/back"))
    form, headers = next((form, headers) for path, form, headers in stub_provider.seen if path == "/token")
    assert (form["code"], form["code_verifier"], form["redirect_uri"]) == (
        "the code",
        "the verifier",
        "https://here/back",
    )
    basic = httpx.BasicAuth("spectral-client", SECRET)._auth_header
    assert (headers.get("Authorization"), form.get("client_secret")) == (
        (None, SECRET) if methods == ["client_secret_post"] else (basic, None)
    )


# ------------------------------------------------------------------------------------------------------ through the API


async def test_a_failing_provider_spends_the_state_and_tells_nothing(
    create_app: Callable[[Settings], Litestar], settings: Settings, identity: Database, stub_provider: StubProvider
) -> None:
    offered = {"corp": stub_provider.settings()}
    async with installation(create_app, settings, oidc_providers=offered) as client:
        visitor = Visitor(client)
        sent = parameters(await visitor.depart("corp"))
        stub_provider.says(stub_provider.token(stub_provider.claims("another nonce")))
        returned = {"code": "c", "state": sent["state"]}
        answer = await visitor.come_back("corp", returned)
        assert answer.status_code == 502
        assert answer.json()["type"].endswith("/identity-provider-failed")
        assert "nonce" not in answer.text
        stub_provider.says(stub_provider.token(stub_provider.claims(sent["nonce"])))
        assert (await visitor.come_back("corp", returned)).status_code == 400
        async with identity.transaction(read_only=True) as session:
            for table in (SignInAttempt, User, UserSession):
                assert (await session.execute(sa.select(table))).all() == []

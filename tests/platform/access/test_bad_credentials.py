"""Credentials that are forged, stale, meant for something else or contradict each other open nothing."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from litestar import Litestar

from spectral.platform.access.signing import TokenSigner
from spectral.platform.db.session import Database
from tests.fixtures.tenants import Tenant

ME = "/api/v1/auth/me"


@dataclass(frozen=True)
class Forge:
    """Everything that an access token is made of, so that one part of it can be made wrong."""

    key: Ed25519PrivateKey
    header: dict[str, Any]
    claims: dict[str, Any]
    genuine: str

    def token(self, header: Any = None, claims: dict[str, Any] | None = None, key: Any = None) -> str:
        """A token with these members changed (`...` leaves one out), signed with our key or this one."""
        said = header if isinstance(header, (str, list)) else changed(self.header, header)
        parts = f"{base64url(rendered(said))}.{base64url(rendered(changed(self.claims, claims)))}"
        signature = (key or self.key).sign(parts.encode())
        return f"{parts}.{base64url(signature)}"


def changed(members: dict[str, Any], by: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (members | (by or {})).items() if value is not ...}


def rendered(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture
def forge(app: Litestar, tenant: Tenant) -> Forge:
    signer: TokenSigner = app.state["signer"]
    key = signer.signing_key()
    assert key is not None
    return Forge(
        key=key,
        header=jwt.get_unverified_header(tenant.access_token),
        claims=jwt.decode(tenant.access_token, options={"verify_signature": False}),
        genuine=tenant.access_token,
    )


async def answered(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get(ME, headers={"Authorization": f"Bearer {token}"})


async def expect_refused(client: httpx.AsyncClient, token: str, what: str = "") -> None:
    answer = await answered(client, token)
    assert answer.status_code == 401, f"{what}: {answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    # One answer for everything: what exactly was wrong would help only who tries.
    assert answer.json()["detail"] in {
        "The access token is not valid or has expired",
        "A valid access token or API key is needed",
        "This session has ended; sign in again",
    }, what


async def test_the_forge_makes_tokens_that_are_good_until_something_is_changed(
    client: httpx.AsyncClient, forge: Forge
) -> None:
    assert (await answered(client, forge.genuine)).status_code == 200
    assert (await answered(client, forge.token())).status_code == 200
    assert (await answered(client, forge.token(claims={"jti": str(uuid4())}))).status_code == 200


HOUR = 3600
CLAIMS: dict[str, Callable[[int], dict[str, Any]]] = {
    "expired": lambda now: {"exp": now - 1, "iat": now - HOUR},
    "expired long ago": lambda now: {"exp": 0},
    "not yet valid": lambda now: {"nbf": now + HOUR},
    "issued in the future": lambda now: {"iat": now + HOUR, "exp": now + 2 * HOUR},
    "for somebody else": lambda now: {"aud": "somebody else"},
    "for us and somebody else": lambda now: {"aud": ["spectral", "somebody else"]},
    "for nobody": lambda now: {"aud": ...},
    "by somebody else": lambda now: {"iss": "https://elsewhere.test"},
    "by nobody": lambda now: {"iss": ...},
    "of the refresh kind": lambda now: {"typ": "refresh"},
    "of no kind": lambda now: {"typ": ...},
    "that never expires": lambda now: {"exp": ...},
    "that expires somehow": lambda now: {"exp": "soon"},
    "that expires in nothing": lambda now: {"exp": None},
    "without a person": lambda now: {"sub": ...},
    "of a number": lambda now: {"sub": 1},
    "of a list": lambda now: {"sub": ["a"]},
    "of a statement": lambda now: {"sub": "' OR 1=1 --"},
    "of an unknown person": lambda now: {"sub": str(uuid4())},
    "without a session": lambda now: {"sid": ...},
    "of an unknown session": lambda now: {"sid": str(uuid4())},
    "of a session that is a list": lambda now: {"sid": []},
    "without an id": lambda now: {"jti": ...},
    "without a time of issue": lambda now: {"iat": ...},
}


async def test_a_token_with_wrong_claims_opens_nothing(client: httpx.AsyncClient, forge: Forge) -> None:
    for what, claims in CLAIMS.items():
        await expect_refused(client, forge.token(claims=claims(int(time.time()))), what)


async def test_a_token_of_one_person_s_session_opens_nothing_for_another(
    client: httpx.AsyncClient, forge: Forge, other_tenant: Tenant
) -> None:
    theirs = jwt.decode(other_tenant.access_token, options={"verify_signature": False})
    await expect_refused(client, forge.token(claims={"sub": theirs["sub"]}))
    await expect_refused(client, forge.token(claims={"sid": theirs["sid"]}))


STRANGER = Ed25519PrivateKey.generate()
STRANGERS_JWK = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": base64url(STRANGER.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)),
}
HEADERS: dict[str, Any] = {
    "no key": {"kid": ...},
    "an empty key": {"kid": ""},
    "a null key": {"kid": None},
    "a numeric key": {"kid": 1},
    "a list of keys": {"kid": ["a"]},
    "a key in a map": {"kid": {"a": 1}},
    "a key in a file": {"kid": "../../../../dev/null"},
    "a key by statement": {"kid": "' UNION SELECT 'key' --"},
    "a key by command": {"kid": "|id"},
    "a key with a NUL": {"kid": "a\0b"},
    "a huge key": {"kid": "a" * 5000},
    "a key elsewhere": {"jku": "https://elsewhere.test/jwks.json"},
    "a key it brings": {"jwk": STRANGERS_JWK},
    "a certificate elsewhere": {"x5u": "https://elsewhere.test/cert"},
    "a certificate it brings": {"x5c": ["MIIB"]},
    "an extension": {"crit": ["exp"]},
    "an unencoded payload": {"b64": False, "crit": ["b64"]},
    "compression": {"zip": "DEF"},
    "another spelling": {"alg": "eddsa"},
    "no algorithm": {"alg": ...},
    "an algorithm of no kind": {"alg": ["EdDSA"]},
    "another type": {"typ": "at+jwt"},
    "not an object": [1],
    "no JSON": "{",
    "deep JSON": "[" * 2500,
    "deeper JSON": '{"kid":' * 800 + "1" + "}" * 800,
}


async def test_a_header_does_not_choose_how_it_is_verified(client: httpx.AsyncClient, forge: Forge) -> None:
    for what, header in HEADERS.items():
        await expect_refused(client, forge.token(header), what)
        await expect_refused(client, forge.token(header, key=STRANGER), what)


async def test_a_token_without_a_signature_opens_nothing(client: httpx.AsyncClient, forge: Forge) -> None:
    payload = base64url(rendered(forge.claims))
    for algorithm in ("none", "None", "NONE", "nOnE", ""):
        header = base64url(rendered(forge.header | {"alg": algorithm}))
        for signature in ("", forge.genuine.rpartition(".")[2]):
            await expect_refused(client, f"{header}.{payload}.{signature}", f"alg {algorithm}")


async def test_the_public_key_is_no_shared_secret(client: httpx.AsyncClient, forge: Forge) -> None:
    public = forge.key.public_key()
    published = (await client.get("/.well-known/jwks.json")).json()["keys"][0]
    secrets = [
        public.public_bytes(Encoding.Raw, PublicFormat.Raw),
        public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        published["x"].encode(),
        json.dumps(published).encode(),
        b"",
    ]
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for algorithm, digest in (("HS256", "sha256"), ("HS512", "sha512")):
        for secret in (*secrets, pem, pem.strip()):
            await expect_refused(client, forge.token({"alg": algorithm}, key=Hmac(secret, digest)), algorithm)


@dataclass(frozen=True)
class Hmac:
    """Signs as a library would that mistakes a public key for a secret."""

    secret: bytes
    digest: str

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self.secret, message, self.digest)


async def test_somebody_else_s_key_under_our_name_opens_nothing(client: httpx.AsyncClient, forge: Forge) -> None:
    await expect_refused(client, forge.token(key=STRANGER))
    named = {"kid": forge.header["kid"]}
    elliptic = jwt.encode(forge.claims, generate_private_key(SECP256R1()), "ES256", headers=named)
    await expect_refused(client, elliptic)


async def test_a_tampered_token_opens_nothing(client: httpx.AsyncClient, forge: Forge, other_tenant: Tenant) -> None:
    header, payload, signature = forge.genuine.split(".")
    theirs = other_tenant.access_token.split(".")
    flipped = bytearray(base64.urlsafe_b64decode(signature + "=="))
    flipped[0] ^= 1
    another = base64url(rendered(forge.claims | {"sub": str(other_tenant.user_id)}))
    tampered = {
        "another payload": f"{header}.{another}.{signature}",
        "their payload": f"{header}.{theirs[1]}.{signature}",
        "their signature": f"{header}.{payload}.{theirs[2]}",
        "a flipped bit": f"{header}.{payload}.{base64url(bytes(flipped))}",
        "half a signature": f"{header}.{payload}.{signature[:43]}",
        "no signature": f"{header}.{payload}.",
        "no payload": f"{header}..{signature}",
        "two parts": f"{header}.{payload}",
        "four parts": f"{forge.genuine}.{signature}",
        "five parts": f"{forge.genuine}.{payload}.{signature}",
        "dots": "..",
        "no base64": f"{header}.%%%.{signature}",
        "a space": f"{header}. {payload}.{signature}",
    }
    for what, token in tampered.items():
        await expect_refused(client, token, what)


async def test_an_oversized_token_is_not_looked_at(client: httpx.AsyncClient, forge: Forge) -> None:
    await expect_refused(client, forge.token(claims={"padding": "a" * 9000}), "signed by us and too long")
    await expect_refused(client, "a" * 200_000)
    await expect_refused(client, "a." * 4000)


async def test_a_header_that_is_no_bearer_token_is_401(client: httpx.AsyncClient, tenant: Tenant) -> None:
    token = tenant.access_token
    good = await client.get(ME, headers={"Authorization": f"bearer  {token}"})
    assert good.status_code == 200
    for wrong in (
        "",
        " ",
        "Bearer",
        "Bearer ",
        f"Basic {token}",
        token,
        f"Bearer:{token}",
        f"Bearer {token}, Bearer x",
    ):
        assert (await client.get(ME, headers={"Authorization": wrong})).status_code == 401, wrong


async def test_bytes_that_are_no_text_are_401(client: httpx.AsyncClient) -> None:
    for raw in (b"Bearer \xff\xfe\xfd", b"Bearer sk_live_\xe9", "Bearer ٠.٠.٠".encode(), b"Bearer a\x00.b.c"):
        answer = await client.get(ME, headers=[(b"authorization", raw)])
        assert answer.status_code == 401, raw


async def test_credentials_that_contradict_each_other_are_400(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    mine, theirs = f"Bearer {tenant.access_token}", f"Bearer {other_tenant.access_token}"
    both: list[list[tuple[str, str]]] = [
        [("Authorization", mine), ("Authorization", theirs)],
        [("Authorization", mine), ("X-API-Key", tenant.api_key)],
        [("X-API-Key", tenant.api_key), ("X-API-Key", other_tenant.api_key)],
    ]
    for headers in both:
        assert (await client.get(ME, headers=headers)).status_code == 400
    again = [("Authorization", mine), ("Authorization", mine)]
    assert (await client.get(ME, headers=again)).status_code == 200


async def test_each_credential_is_good_for_its_own_purpose_only(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await expect_refused(client, tenant.refresh_token)
    for token in (tenant.access_token, tenant.api_key):
        refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": token})
        assert refreshed.status_code == 401, refreshed.text
    for query in ({"access_token": tenant.access_token}, {"api_key": tenant.api_key}, {"token": tenant.access_token}):
        assert (await client.get(ME, params=query)).status_code in {401, 422}
    cookie = {"Cookie": f"access_token={tenant.access_token}; Authorization={tenant.access_token}"}
    assert (await client.get(ME, headers=cookie)).status_code == 401


# ------------------------------------------------------------------------------------------------------------- API keys


async def test_a_key_that_is_not_one_opens_nothing(client: httpx.AsyncClient, tenant: Tenant) -> None:
    key = tenant.api_key
    last = "a" if key[-1] != "a" else "b"
    agents = f"{tenant.url}/agents"
    for wrong in (
        key[:-1] + last,  # the checksum
        key[:8] + ("A" if key[8] != "A" else "B") + key[9:],
        key.swapcase(),
        key[:-1],
        key + "a",
        "sk_live_",
        "sk_test_" + key[8:],
        "sk_live_" + "０" * 36,
    ):
        answer = await client.get(agents, headers=[(b"authorization", f"Bearer {wrong}".encode())])
        assert answer.status_code == 401, wrong
    assert (await client.get(agents, headers={"X-API-Key": key})).status_code == 200


@pytest.mark.parametrize("column", ["revoked_at", "expires_at"])
async def test_a_revoked_or_expired_key_opens_nothing(
    app: Litestar, client: httpx.AsyncClient, tenant: Tenant, identity: Database, column: str
) -> None:
    assert (await client.get(f"{tenant.url}/agents", headers=tenant.key_headers)).status_code == 200
    async with identity.transaction() as session:
        await session.execute(sa.text(f"UPDATE api_key SET {column} = '2020-01-01 00:00:00+00:00'"))  # noqa: S608
    app.state["authenticator"].forget()
    assert (await client.get(f"{tenant.url}/agents", headers=tenant.key_headers)).status_code == 401


# ------------------------------------------------------------------------------------------------ workspace and account


async def test_the_workspace_of_the_header_must_be_that_of_the_url(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    def named(workspace: object, headers: dict[str, str] = tenant.client_headers) -> dict[str, str]:
        return headers | {"X-Workspace-Id": str(workspace)}

    agents = f"{tenant.url}/agents"
    assert (await client.get(agents, headers=named(tenant.workspace_id))).status_code == 200
    for headers in (tenant.client_headers, tenant.key_headers):
        for other in (other_tenant.workspace_id, uuid4(), "nonsense", "", "' OR 1=1"):
            assert (await client.get(agents, headers=named(other, headers))).status_code == 400, other
    stats = "/otel/v1/traces/stats"
    assert (await client.get(stats, headers=named(tenant.workspace_id))).status_code == 200
    assert (await client.get(stats, headers=named(other_tenant.workspace_id))).status_code == 404
    assert (await client.get(stats, headers=named(other_tenant.workspace_id, tenant.key_headers))).status_code == 404


async def test_somebody_else_s_account_gives_no_rights(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    foreign = {"X-Account-Id": str(other_tenant.account_id)}
    for method, path, body in (
        ("GET", "/api/v1/account", None),
        ("PATCH", "/api/v1/account", {"name": "taken"}),
        ("GET", "/api/v1/account/members", None),
        ("POST", "/api/v1/workspaces", {"name": "taken"}),
    ):
        answer = await client.request(method, path, json=body, headers=tenant.client_headers | foreign)
        assert answer.status_code in {400, 403, 404}, f"{method} {path}: {answer.status_code} {answer.text}"
        assert "Theirs" not in answer.text
    malformed = tenant.client_headers | {"X-Account-Id": "1"}
    assert (await client.get("/api/v1/account", headers=malformed)).status_code == 400
    theirs = (await client.get("/api/v1/account", headers=other_tenant.client_headers)).json()
    assert theirs["name"] == "Theirs"

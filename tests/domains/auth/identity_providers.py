"""Identity providers for tests: a real one in a process, and one that says whatever it is told to say."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from litestar import Litestar
from pydantic import SecretStr

from spectral.settings import OidcProviderSettings, Settings
from tests.fixtures.servers import free_port, in_process

READY_LIMIT_S = 30.0
CALLBACK = "/api/v1/auth/callback"
OTHER_CLIENT = "somebody-else"


# ------------------------------------------------------------------------------------------- a provider in a process


@dataclass(frozen=True)
class RealProvider:
    """A running provider. People are made by `put`; clients register themselves, as its protocol says."""

    issuer: str

    def put(self, subject: str, **claims: object) -> None:
        """The provider knows this person, with these claims."""
        httpx.put(f"{self.issuer}/users/{subject}", json=claims).raise_for_status()

    def register(self, redirect_uri: str) -> OidcProviderSettings:
        """What an installation with this redirect URI is set up with."""
        answer = httpx.post(f"{self.issuer}/oauth2/clients", json={"redirect_uris": [redirect_uri]})
        client = answer.raise_for_status().json()
        return OidcProviderSettings(
            issuer=self.issuer,
            client_id=client["client_id"],
            client_secret=SecretStr(client["client_secret"]),
            title="Corp",
        )


@contextmanager
def running_provider(log: Path) -> Iterator[RealProvider]:
    """The provider's process, while the block runs."""
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("provider_process.py")), str(port)]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        issuer = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + READY_LIMIT_S
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                httpx.get(f"{issuer}/.well-known/openid-configuration", timeout=1).raise_for_status()
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield RealProvider(issuer)
    finally:
        process.terminate()
        process.wait(timeout=10)


# ------------------------------------------------------------------------------------------------------- a browser


@dataclass
class Visitor:
    """A person at a browser: `client` holds the cookies of our site."""

    client: httpx.AsyncClient

    async def depart(self, provider: str, **query: str) -> str:
        """Where our site sends the browser."""
        answer = await self.client.get(f"/api/v1/auth/oauth/{provider}", params=query)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def prove(self, address: str, subject: str) -> dict[str, str]:
        """Go through the provider's own pages as this person; what it sends the browser back with."""
        async with httpx.AsyncClient() as browser:
            page = await browser.get(address)
            assert page.status_code == 200, page.text
            assert "<form" in page.text
            back = await browser.post(address, data={"sub": subject})
        assert back.status_code == 302, back.text
        return parameters(back.headers["location"])

    async def come_back(self, provider: str, returned: dict[str, str]) -> httpx.Response:
        """What our page sends when the browser has come back."""
        return await self.client.post(CALLBACK, json={"provider": provider, **returned})

    async def sign_in(
        self, provider: str, subject: str, *, invite_token: str | None = None, **query: str
    ) -> httpx.Response:
        """The whole way; the answer of the callback."""
        address = await self.depart(provider, **query)
        returned = await self.prove(address, subject)
        return await self.come_back(provider, returned | ({"invite_token": invite_token} if invite_token else {}))


def parameters(address: str) -> dict[str, str]:
    """The query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


@asynccontextmanager
async def installation(
    create_app: Callable[[Settings], Litestar], settings: Settings, **changes: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser's client on an application with these settings changed."""
    async with in_process(create_app(settings.model_copy(update=changes))) as client:
        yield client


# ------------------------------------------------------------------------------------------------ a liar, and a stub


@dataclass
class StubProvider:
    """Answers what it is told to: `answers` by path are documents, texts, or functions of the form that was sent."""

    issuer: str
    key: ec.EllipticCurvePrivateKey
    answers: dict[str, Any] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    def settings(self) -> OidcProviderSettings:
        return OidcProviderSettings(
            issuer=self.issuer, client_id="spectral-client", client_secret=SecretStr("a-client-secret")
        )

    def claims(self, nonce: str | None, **changes: Any) -> dict[str, Any]:
        """Those of a right ID token, then the changes; None removes one."""
        now = int(time.time())
        right = {
            "iss": self.issuer,
            "aud": "spectral-client",
            "sub": "ada",
            "iat": now,
            "exp": now + 60,
            "nonce": nonce,
            "email": "ada@example.com",
            "email_verified": True,
        }
        return {name: value for name, value in (right | changes).items() if value is not None}

    def token(self, claims: dict[str, Any], *, algorithm: str = "ES256", key: Any = None, kid: str = "one") -> str:
        return jwt.encode(claims, self.key if key is None else key, algorithm=algorithm, headers={"kid": kid})

    def says(self, id_token: object, **more: Any) -> None:
        """The next token answers hold this ID token."""
        self.answers["/token"] = {"access_token": "at", "token_type": "Bearer", "id_token": id_token, **more}


@contextmanager
def running_stub() -> Iterator[StubProvider]:
    """A stub on a free port; by default it is an honest OpenID Connect provider that has not issued a token yet."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            self.answer({name: values[0] for name, values in parse_qs(body).items()})

        def answer(self, form: dict[str, str]) -> None:
            path = urlsplit(self.path).path
            stub.seen.append((path, form, dict(self.headers)))
            found = stub.answers.get(path, (404, {}))
            found = found(form) if callable(found) else found
            status, document = found if isinstance(found, tuple) else (200, found)
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if status == 302:
                self.send_header("Location", f"{stub.issuer}/elsewhere")
            self.end_headers()
            # Whoever has read enough, or waited enough, hangs up.
            with suppress(ConnectionError):
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = f"http://127.0.0.1:{server.server_port}"
    stub = StubProvider(issuer, ec.generate_private_key(ec.SECP256R1()))
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(stub.key.public_key()))
    stub.answers |= {
        "/.well-known/openid-configuration": {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
            "userinfo_endpoint": f"{issuer}/userinfo",
        },
        "/keys": {"keys": [public | {"kid": "one", "use": "sig", "alg": "ES256"}]},
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

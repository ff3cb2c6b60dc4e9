"""What signing in asks of an identity provider, and which ones this installation offers."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from spectral.domains.auth.federation_http import ProviderAnswerError
from spectral.platform.shared.errors import NotFoundError

MAXIMUM_SUBJECT_CHARACTERS = 255
MAXIMUM_EMAIL_CHARACTERS = 320
MAXIMUM_NAME_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Client:
    """What this installation is called at a provider. title: how people know the provider."""

    name: str
    title: str
    client_id: str
    client_secret: str


@dataclass(frozen=True, slots=True)
class Departure:
    """What goes with a person to the provider. verifier: of PKCE (RFC 7636); only its SHA-256 goes along."""

    redirect_uri: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Return:
    """What came back, and what it must fit. issuer: the `iss` parameter (RFC 9207), if the provider sent one."""

    code: str
    redirect_uri: str
    nonce: str
    verifier: str
    issuer: str | None


@dataclass(frozen=True, slots=True)
class ExternalPerson:
    """Whom the provider has vouched for. email: None when it knows none that is verified."""

    issuer: str
    subject: str
    email: str | None
    name: str | None


class CodeRefusedError(Exception):
    """The provider does not know the code, or has taken it before."""


class IdentityProvider(Protocol):
    """A place where people prove who they are."""

    name: str
    title: str
    issuer: str

    async def address(self, departure: Departure) -> str:
        """Where to send the person. Raises ProviderAnswerError."""
        ...

    async def identify(self, back: Return) -> ExternalPerson:
        """Who it was that came back. Raises ProviderAnswerError, CodeRefusedError."""
        ...


class IdentityProviders:
    """The providers of this installation by name, in the order in which people are offered them."""

    def __init__(self, providers: Sequence[IdentityProvider]) -> None:
        self._providers = {provider.name: provider for provider in providers}

    @property
    def offered(self) -> list[IdentityProvider]:
        return list(self._providers.values())

    def get(self, name: str) -> IdentityProvider:
        """Raises NotFoundError for one that is unknown or not set up."""
        provider = self._providers.get(name)
        if provider is None:
            raise NotFoundError("Identity provider")
        return provider

    def offers(self, name: str, issuer: str | None = None) -> bool:
        """Whether people can sign in with it; with an issuer, whether its name still means the same."""
        provider = self._providers.get(name)
        return provider is not None and issuer in {None, provider.issuer}


def authorization_address(endpoint: str, client: Client, departure: Departure, **more: str) -> str:
    """An authorisation request (RFC 6749, 4.1.1) with PKCE S256, as an address to send a browser to."""
    digest = hashlib.sha256(departure.verifier.encode("ascii")).digest()
    query = urlencode(
        {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": departure.redirect_uri,
            "state": departure.state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii"),
            "code_challenge_method": "S256",
            **more,
        }
    )
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{query}"


def code_form(back: Return) -> dict[str, str]:
    """An access token request (RFC 6749, 4.1.3) with the verifier of PKCE."""
    return {
        "grant_type": "authorization_code",
        "code": back.code,
        "redirect_uri": back.redirect_uri,
        "code_verifier": back.verifier,
    }


def access_token(status: int, answer: Any) -> str:
    """The token of a token answer (RFC 6749, 5.1). Raises CodeRefusedError for its refusal of the code.

    GitHub answers its refusals with 200.
    """
    document = answer if isinstance(answer, dict) else {}
    if document.get("error") in {"invalid_grant", "bad_verification_code"}:
        raise CodeRefusedError
    token = document.get("access_token")
    if not isinstance(token, str) or not token or str(document.get("token_type", "")).lower() != "bearer":
        message = f"the token endpoint answered {status} without a bearer token, error {document.get('error')!r}"
        raise ProviderAnswerError(message)
    return token


def text(value: object, maximum: int) -> str | None:
    """A text of the provider's that fits; None for anything else."""
    return value if isinstance(value, str) and 0 < len(value) <= maximum and "\x00" not in value else None

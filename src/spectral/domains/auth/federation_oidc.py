"""OpenID Connect (Core 1.0, Discovery 1.0): any issuer, found by its address."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx
import jwt

from spectral.domains.auth.federation_http import ProviderAnswerError, ProviderHttp
from spectral.domains.auth.federation_providers import (
    MAXIMUM_EMAIL_CHARACTERS,
    MAXIMUM_NAME_CHARACTERS,
    MAXIMUM_SUBJECT_CHARACTERS,
    Client,
    Departure,
    ExternalPerson,
    Return,
    access_token,
    authorization_address,
    code_form,
    text,
)
from spectral.settings import protected_url

SCOPES = "openid email profile"
# Whoever knows the client's secret could sign with an HMAC, and anybody with `none`.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
CLOCK_LEEWAY_S = 60
METADATA_LIFETIME_S = 3600.0
# An unknown key is looked for at once, but a provider is not asked again for every forged token.
KEYS_MINIMUM_AGE_S = 30.0


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the issuer says of itself."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    takes_basic: bool
    sends_issuer: bool
    read_at: float


class OidcProvider:
    """One issuer; its metadata and keys are remembered for an hour, and keys are read again for an unknown `kid`."""

    def __init__(self, client: Client, issuer: str, http: ProviderHttp) -> None:
        self.name = client.name
        self.title = client.title
        self.issuer = issuer
        self._client = client
        self._http = http
        self._known: Metadata | None = None
        self._keys: list[dict[str, Any]] = []
        self._keys_read_at = float("-inf")

    async def address(self, departure: Departure) -> str:
        """Where to send the person. Raises ProviderAnswerError."""
        metadata = await self._metadata()
        return authorization_address(
            metadata.authorization_endpoint, self._client, departure, scope=SCOPES, nonce=departure.nonce
        )

    async def identify(self, back: Return) -> ExternalPerson:
        """Who it was that came back. Raises ProviderAnswerError, CodeRefusedError."""
        metadata = await self._metadata()
        if back.issuer != self.issuer and (back.issuer is not None or metadata.sends_issuer):
            message = f"the answer came from the issuer {back.issuer!r}"
            raise ProviderAnswerError(message)
        status, answer = await self._exchange(metadata, code_form(back))
        token = access_token(status, answer)
        claims = await self._claims(metadata, answer.get("id_token"), back.nonce)
        subject = text(claims.get("sub"), MAXIMUM_SUBJECT_CHARACTERS)
        if subject is None:
            message = "the ID token has no usable subject"
            raise ProviderAnswerError(message)
        # Address and verification from one place: the one must not vouch for the other's.
        if not {"email", "email_verified"} <= set(claims) and metadata.userinfo_endpoint is not None:
            claims = await self._http.read(metadata.userinfo_endpoint, token=token)
            # Core 5.3.2: a userinfo answer about somebody else must not be used.
            if not isinstance(claims, dict) or claims.get("sub") != subject:
                message = "the userinfo endpoint spoke of somebody else"
                raise ProviderAnswerError(message)
        # Some providers send booleans as text.
        is_verified = claims.get("email_verified") in (True, "true")
        email = text(claims.get("email"), MAXIMUM_EMAIL_CHARACTERS) if is_verified else None
        return ExternalPerson(self.issuer, subject, email, text(claims.get("name"), MAXIMUM_NAME_CHARACTERS))

    async def _exchange(self, metadata: Metadata, form: dict[str, str]) -> tuple[int, Any]:
        client = self._client
        if metadata.takes_basic:
            # RFC 6749, 2.3.1: both are form-encoded before they become a user name and a password.
            auth = httpx.BasicAuth(quote_plus(client.client_id), quote_plus(client.client_secret))
            return await self._http.send_form(metadata.token_endpoint, form, auth)
        credentials = {"client_id": client.client_id, "client_secret": client.client_secret}
        return await self._http.send_form(metadata.token_endpoint, form | credentials)

    async def _metadata(self) -> Metadata:
        known = self._known
        if known is None or time.monotonic() - known.read_at > METADATA_LIFETIME_S:
            document = await self._http.read(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            known = self._known = _metadata(document, self.issuer)
        return known

    async def _claims(self, metadata: Metadata, id_token: object, nonce: str) -> dict[str, Any]:
        """The claims of an ID token: this issuer's, for this client, of now and of this sign-in (Core 3.1.3.7)."""
        try:
            header = jwt.get_unverified_header(id_token if isinstance(id_token, str) else "")
            algorithm = str(header.get("alg"))
            if algorithm not in ALGORITHMS:
                message = f"the algorithm {algorithm} is not accepted"
                raise ProviderAnswerError(message)
            key = await self._key(metadata, header.get("kid"), algorithm)
            claims: dict[str, Any] = jwt.decode(
                str(id_token),
                key,
                algorithms=[algorithm],
                audience=self._client.client_id,
                issuer=self.issuer,
                leeway=CLOCK_LEEWAY_S,
                options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"]},
            )
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            message = f"the ID token is not valid: {error}"
            raise ProviderAnswerError(message) from error
        if claims["nonce"] != nonce:
            message = "the ID token was made for another sign-in"
            raise ProviderAnswerError(message)
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client.client_id) != self._client.client_id:
            message = "the ID token was made for another client"
            raise ProviderAnswerError(message)
        return claims

    async def _key(self, metadata: Metadata, kid: object, algorithm: str) -> jwt.PyJWK:
        age = time.monotonic() - self._keys_read_at
        found = _fitting(self._keys, kid, algorithm) if age < METADATA_LIFETIME_S else None
        if found is None and age > KEYS_MINIMUM_AGE_S:
            document = await self._http.read(metadata.jwks_uri)
            keys = document.get("keys") if isinstance(document, dict) else None
            self._keys = [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
            self._keys_read_at = time.monotonic()
            found = _fitting(self._keys, kid, algorithm)
        if found is None:
            message = f"no key of the issuer's fits kid {kid!r} and {algorithm}"
            raise ProviderAnswerError(message)
        return jwt.PyJWK(found, algorithm)


KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


def _fitting(keys: Iterable[dict[str, Any]], kid: object, algorithm: str) -> dict[str, Any] | None:
    """The one key that may have signed; without a `kid` only where there is no choice."""
    fitting = [
        key
        for key in keys
        if key.get("kty") == KEY_TYPES[algorithm[:2]]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and kid in {None, key.get("kid")}
    ]
    return fitting[0] if len(fitting) == 1 else None


def _metadata(document: Any, issuer: str) -> Metadata:
    """Raises ProviderAnswerError for a document of another issuer, and for addresses that can be listened in on."""
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        message = f"the discovery document of {issuer} names another issuer"
        raise ProviderAnswerError(message)
    takes = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    userinfo = document.get("userinfo_endpoint")
    return Metadata(
        authorization_endpoint=_endpoint(document, "authorization_endpoint"),
        token_endpoint=_endpoint(document, "token_endpoint"),
        jwks_uri=_endpoint(document, "jwks_uri"),
        userinfo_endpoint=None if userinfo is None else _endpoint(document, "userinfo_endpoint"),
        takes_basic=not isinstance(takes, list) or "client_secret_basic" in takes or "client_secret_post" not in takes,
        sends_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        read_at=time.monotonic(),
    )


def _endpoint(document: dict[str, Any], member: str) -> str:
    value = document.get(member)
    try:
        # An endpoint may have a query, an issuer may not.
        endpoint = protected_url(str(value).partition("?")[0])
        if urlsplit(str(document["issuer"])).scheme != urlsplit(endpoint).scheme:
            raise ValueError(endpoint)
    except ValueError as error:
        message = f"the discovery document has no usable {member}"
        raise ProviderAnswerError(message) from error
    return str(value)

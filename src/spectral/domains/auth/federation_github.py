"""GitHub: OAuth 2 with PKCE, and its API for who it was; it has no ID tokens for people."""

from urllib.parse import urlsplit

from spectral.domains.auth.federation_http import ProviderAnswerError, ProviderHttp
from spectral.domains.auth.federation_providers import (
    MAXIMUM_EMAIL_CHARACTERS,
    MAXIMUM_NAME_CHARACTERS,
    Client,
    Departure,
    ExternalPerson,
    Return,
    access_token,
    authorization_address,
    code_form,
    text,
)

SCOPES = "read:user user:email"


class GithubProvider:
    """github.com, or a GitHub Enterprise Server. A person's number is the subject: names can be changed."""

    def __init__(self, client: Client, url: str, api_url: str, http: ProviderHttp) -> None:
        self.name = client.name
        self.title = client.title
        self.issuer = url.rstrip("/")
        self._client = client
        self._api = api_url.rstrip("/")
        self._http = http

    async def address(self, departure: Departure) -> str:
        """Where to send the person."""
        return authorization_address(f"{self.issuer}/login/oauth/authorize", self._client, departure, scope=SCOPES)

    async def identify(self, back: Return) -> ExternalPerson:
        """Who it was that came back. Raises ProviderAnswerError, CodeRefusedError."""
        if back.issuer is not None and _origin(back.issuer) != _origin(self.issuer):
            message = f"the answer came from the issuer {back.issuer!r}"
            raise ProviderAnswerError(message)
        credentials = {"client_id": self._client.client_id, "client_secret": self._client.client_secret}
        status, answer = await self._http.send_form(
            f"{self.issuer}/login/oauth/access_token", code_form(back) | credentials
        )
        token = access_token(status, answer)
        user = await self._http.read(f"{self._api}/user", token=token)
        number = user.get("id") if isinstance(user, dict) else None
        if not isinstance(number, int) or isinstance(number, bool):
            message = "the user has no number"
            raise ProviderAnswerError(message)
        addresses = await self._http.read(f"{self._api}/user/emails", token=token)
        name = text(user.get("name"), MAXIMUM_NAME_CHARACTERS)
        return ExternalPerson(self.issuer, str(number), _verified(addresses), name)


def _verified(addresses: object) -> str | None:
    """The primary address, if GitHub has verified it. The public profile's address is whatever its owner typed."""
    for entry in addresses if isinstance(addresses, list) else []:
        if isinstance(entry, dict) and entry.get("primary") is True and entry.get("verified") is True:
            return text(entry.get("email"), MAXIMUM_EMAIL_CHARACTERS)
    return None


def _origin(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme, parts.netloc

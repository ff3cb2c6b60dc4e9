"""The wire shapes of signing in through other identity providers."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from spectral.domains.auth.schemas import TokensOut
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

# A path of our own: browsers read `//host` and `/\host` as another site, and drop tabs and line ends before they do.
OWN_PATH = r"^/([^/\\\x00-\x20\x7f][^\\\x00-\x20\x7f]*)?$"
ProviderName = Annotated[str, StringConstraints(min_length=1, max_length=50)]


class ProviderOut(WireOut):
    """An identity provider that this installation offers. `title` is what its button says."""

    name: str
    title: str


class CallbackIn(WireIn):
    """What the provider sent the browser back with: every one of these that stands in the address."""

    provider: ProviderName
    code: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    state: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    iss: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        default=None, description="The provider's `iss` parameter, where it sends one (RFC 9207)."
    )
    invite_token: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        default=None, description="Join an account by this invite."
    )


class SignInOut(TokensOut):
    """Who is signed in now, and the path that they wanted to go to, if the sign-in was begun with one."""

    return_to: str | None


class IdentityOut(WireOut):
    """An identity at a provider that opens the person's account. `email` is the address it was linked by."""

    id: UUID
    provider: str
    email: str
    created_at: Timestamp
    last_used_at: Timestamp


class SingleSignOnIn(WireIn):
    """The only provider that opens the account; null lets every way of signing in."""

    provider: ProviderName | None


class SingleSignOnOut(WireOut):
    """The only provider that opens the account; null when every way of signing in does."""

    provider: str | None

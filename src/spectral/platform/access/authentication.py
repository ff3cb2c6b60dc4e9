"""Turns a credential into a `Principal`, once per request, before any guard runs."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from litestar.types import ASGIApp, Receive, Scope, Send

from spectral.platform.access.principal import Principal, PrincipalKind
from spectral.platform.dependencies import service_of
from spectral.platform.shared.errors import MalformedRequestError, NotAuthenticatedError
from spectral.platform.shared.origin import ORIGIN

AUTHENTICATOR = "authenticator"
"""What the application has its `Authenticator` under."""
CACHE_LIFETIME_S = 1.0
CACHE_ENTRIES = 4096
MAXIMUM_CREDENTIAL_CHARACTERS = 8192
AUTHORIZATION, API_KEY, WORKSPACE, ACCOUNT = b"authorization", b"x-api-key", b"x-workspace-id", b"x-account-id"
IDENTIFYING = {
    AUTHORIZATION: "Authorization",
    API_KEY: "X-API-Key",
    WORKSPACE: "X-Workspace-Id",
    ACCOUNT: "X-Account-Id",
}

IdentifyingHeaders = dict[bytes, list[str]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where the request wants to go: what the URL or the headers name, None where they are silent."""

    workspace_id: UUID | None
    account_id: UUID | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a caller was, without what proved it: enough to ask what they may do now."""

    kind: PrincipalKind
    credential_id: UUID
    user_id: UUID | None

    @classmethod
    def of(cls, principal: Principal) -> "Identity":
        return cls(principal.kind, principal.credential_id, principal.user_id)


class IdentityVerifier(Protocol):
    """Knows what one kind of caller may do; domains implement it, `app.py` wires it."""

    @property
    def kind(self) -> PrincipalKind:
        """Of the callers that it knows."""
        ...

    async def present(self, identity: Identity, target: Target) -> Principal:
        """The caller, with rights read from the database. Raises NotAuthenticatedError when it has ended."""
        ...


class CredentialVerifier(Protocol):
    """Knows one kind of credential; domains implement it, `app.py` wires it."""

    def recognises(self, credential: str) -> bool:
        """Whether this credential is of its kind, by its form alone."""
        ...

    async def principal(self, credential: str, target: Target) -> Principal:
        """The caller, with rights read from the database. Raises NotAuthenticatedError."""
        ...


class Authenticator:
    """Verifies credentials, and remembers each answer for at most one second.

    So a removed member or a revoked key is out within a second everywhere, and at once in the process that was told
    through `forget`.
    """

    def __init__(
        self, verifiers: list[CredentialVerifier], identity_verifiers: Sequence[IdentityVerifier] = ()
    ) -> None:
        self._verifiers = verifiers
        self._identity_verifiers = {verifier.kind: verifier for verifier in identity_verifiers}
        self._cache: OrderedDict[tuple[bytes, Target], tuple[float, Principal]] = OrderedDict()
        self._reviews: OrderedDict[Hashable, tuple[float, asyncio.Task[Principal]]] = OrderedDict()
        self._forgotten = 0

    async def principal(self, credential: str, target: Target) -> Principal:
        """The caller behind this credential. Raises NotAuthenticatedError."""
        if len(credential) > MAXIMUM_CREDENTIAL_CHARACTERS:
            raise NotAuthenticatedError
        key = (digest_of(credential), target)
        now = time.monotonic()
        if (hit := self._cache.get(key)) and hit[0] > now:
            return hit[1]
        forgotten = self._forgotten
        principal = await self.verify(credential, target)
        # What was read before something was revoked must not be remembered after it.
        if forgotten == self._forgotten:
            self._cache[key] = (now + CACHE_LIFETIME_S, principal)
            self._cache.move_to_end(key)
            while len(self._cache) > CACHE_ENTRIES:
                self._cache.popitem(last=False)
        return principal

    async def verify(self, credential: str, target: Target) -> Principal:
        """The caller behind this credential as the database has it now. Raises NotAuthenticatedError."""
        for verifier in self._verifiers:
            if verifier.recognises(credential):
                return await verifier.principal(credential, target)
        raise NotAuthenticatedError

    async def present(self, identity: Identity, target: Target) -> Principal:
        """What somebody who was known before may do now. Raises NotAuthenticatedError."""
        verifier = self._identity_verifiers.get(identity.kind)
        if verifier is None:
            raise NotAuthenticatedError
        return await verifier.present(identity, target)

    async def review(self, who: Hashable, look: Callable[[], Awaitable[Principal]], age_s: float) -> Principal:
        """What `look` answered at most `age_s` ago, for everybody who asks about the same one: streams share a look.

        Raises what it raised.
        """
        now = time.monotonic()
        known = self._reviews.get(who)
        if known is None or now - known[0] >= age_s:
            task = asyncio.ensure_future(look())
            # Whoever asked may be gone when it fails.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._reviews[who] = known = (now, task)
            self._reviews.move_to_end(who)
            while len(self._reviews) > CACHE_ENTRIES:
                self._reviews.popitem(last=False)
        return await asyncio.shield(known[1])

    def forget(self) -> None:
        """Drop every remembered answer: called when rights or credentials changed in this process."""
        self._cache.clear()
        self._reviews.clear()
        self._forgotten += 1


class AuthenticationMiddleware:
    """Resolves the principal of every route that is not public; a route without a credential meets its guard as None.

    The `workspace_id` in the URL decides; `X-Workspace-Id` names the workspace where the URL does not, and must
    agree where both are given.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["user"] = None
        scope["auth"] = None
        if not scope["route_handler"].opt.get("public"):
            headers = identifying_headers(scope["headers"])
            if credential := credential_of(headers):
                target = target_of(headers, scope["path_params"].get("workspace_id"))
                authenticator: Authenticator = service_of(scope, AUTHENTICATOR)
                scope["user"] = principal = await authenticator.principal(credential, target)
                if (origin := ORIGIN.get()) is not None:
                    origin.credential_id = principal.credential_id
                require_agreement(headers, target, principal)
        await self.app(scope, receive, send)


def digest_of(credential: str) -> bytes:
    """Names a credential in memory: the credential itself is not kept there longer than its request."""
    return hashlib.blake2b(credential.encode("utf-8", "replace"), digest_size=16).digest()


def identifying_headers(headers: Iterable[tuple[bytes, bytes]]) -> IdentifyingHeaders:
    """Those of a request's headers that say who asks and where to; a header that came twice is there twice."""
    found: IdentifyingHeaders = {}
    for name, value in headers:
        if name in IDENTIFYING:
            found.setdefault(name, []).append(value.decode("latin-1"))
    return found


def credential_of(headers: IdentifyingHeaders) -> str | None:
    """The credential of `Authorization: Bearer …` or of its alias `X-API-Key`; None when there is neither.

    Nothing else carries one: a query string ends up in logs. Raises MalformedRequestError for credentials that
    contradict each other, because what stands before this server might have looked at the other one.
    """
    named = {_bearer(value) for value in headers.get(AUTHORIZATION, ())}
    named |= {value.strip() for value in headers.get(API_KEY, ())}
    if len(named) > 1:
        raise MalformedRequestError("Authorization and X-API-Key name different credentials; send one")
    return named.pop() if named else None


def _bearer(authorization: str) -> str:
    kind, _, value = authorization.partition(" ")
    if kind.lower() != "bearer" or not value.strip():
        raise NotAuthenticatedError("The Authorization header must be: Bearer <token>")
    return value.strip()


def target_of(headers: IdentifyingHeaders, workspace_id: object) -> Target:
    """What the request wants to touch. Malformed ids in headers are a 400."""
    return Target(
        workspace_id=workspace_id if isinstance(workspace_id, UUID) else _header_id(headers, WORKSPACE),
        account_id=_header_id(headers, ACCOUNT),
    )


def require_agreement(headers: IdentifyingHeaders, target: Target, principal: Principal) -> None:
    """Raises MalformedRequestError when `X-Workspace-Id` contradicts the URL, or `X-Account-Id` the workspace."""
    named = _header_id(headers, WORKSPACE)
    if named is not None and named != target.workspace_id:
        raise MalformedRequestError("X-Workspace-Id names another workspace than the URL")
    entered = principal.workspace
    if entered is not None and target.account_id is not None and entered.account_id != target.account_id:
        raise MalformedRequestError("X-Account-Id names another account than the workspace's")


def _header_id(headers: IdentifyingHeaders, name: bytes) -> UUID | None:
    if name not in headers:
        return None
    try:
        return UUID(headers[name][0])
    except ValueError as error:
        raise MalformedRequestError(f"{IDENTIFYING[name]} is not a UUID") from error

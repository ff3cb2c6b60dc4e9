"""Turns a credential into a `Principal`, once per request, before any guard runs."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from litestar.types import ASGIApp, Receive, Scope, Send

from spectral.platform.access.principal import Principal
from spectral.platform.shared.errors import MalformedRequestError, NotAuthenticatedError
from spectral.platform.shared.origin import ORIGIN

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

    def __init__(self, verifiers: list[CredentialVerifier]) -> None:
        self._verifiers = verifiers
        self._cache: OrderedDict[tuple[bytes, Target], tuple[float, Principal]] = OrderedDict()
        self._forgotten = 0

    async def principal(self, credential: str, target: Target) -> Principal:
        """The caller behind this credential. Raises NotAuthenticatedError."""
        if len(credential) > MAXIMUM_CREDENTIAL_CHARACTERS:
            raise NotAuthenticatedError
        # The credential itself is not kept in memory longer than the request.
        key = (hashlib.blake2b(credential.encode("utf-8", "replace"), digest_size=16).digest(), target)
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

    def forget(self) -> None:
        """Drop every remembered answer: called when rights or credentials changed in this process."""
        self._cache.clear()
        self._forgotten += 1


class AuthenticationMiddleware:
    """Resolves the principal of every route that is not public; a route without a credential meets its guard as None.

    The `workspace_id` in the URL decides; `X-Workspace-Id` names the workspace where the URL does not, and must
    agree where both are given.
    """

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self.app = app
        self.authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["user"] = None
        scope["auth"] = None
        if not scope["route_handler"].opt.get("public"):
            headers = identifying_headers(scope["headers"])
            if credential := credential_of(headers):
                target = target_of(headers, scope["path_params"].get("workspace_id"))
                scope["user"] = principal = await self.authenticator.principal(credential, target)
                if (origin := ORIGIN.get()) is not None:
                    origin.credential_id = principal.credential_id
                require_agreement(headers, target, principal)
        await self.app(scope, receive, send)


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

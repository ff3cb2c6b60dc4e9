"""Credentials are verified once a second, and never twice for two workspaces at once."""

from uuid import uuid4

import pytest

from spectral.platform.access import authentication
from spectral.platform.access.authentication import (
    Authenticator,
    IdentifyingHeaders,
    Target,
    credential_of,
    identifying_headers,
)
from spectral.platform.access.principal import Principal, PrincipalKind, WorkspaceAccess
from spectral.platform.access.scopes import ACCOUNT_SCOPES, API_KEY_SCOPES, WORKSPACE_SCOPES, Scope, WorkspaceRole
from spectral.platform.shared.errors import (
    ForbiddenError,
    MalformedRequestError,
    NotAuthenticatedError,
    NotFoundError,
)

NOWHERE = Target(None, None)


class Verifier:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def recognises(self, credential: str) -> bool:
        return credential.startswith("good")

    async def principal(self, credential: str, target: Target) -> Principal:
        del credential
        self.asked += 1
        if target.account_id:
            raise NotAuthenticatedError
        return Principal(PrincipalKind.USER, uuid4(), user_id=uuid4())


async def test_an_answer_is_remembered_for_its_credential_and_target() -> None:
    verifier = Verifier()
    authenticator = Authenticator([verifier])
    first = await authenticator.principal("good", NOWHERE)
    assert await authenticator.principal("good", NOWHERE) is first
    assert await authenticator.principal("good", Target(uuid4(), None)) is not first
    assert await authenticator.principal("good too", NOWHERE) is not first
    assert verifier.asked == 3
    authenticator.forget()
    assert await authenticator.principal("good", NOWHERE) is not first


async def test_an_answer_is_forgotten_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("spectral.platform.access.authentication.time.monotonic", lambda: now)
    verifier = Verifier()
    authenticator = Authenticator([verifier])
    await authenticator.principal("good", NOWHERE)
    now += 0.9
    await authenticator.principal("good", NOWHERE)
    assert verifier.asked == 1
    now += 0.2
    await authenticator.principal("good", NOWHERE)
    assert verifier.asked == 2


async def test_refusals_are_not_remembered() -> None:
    verifier = Verifier()
    authenticator = Authenticator([verifier])
    for _ in range(2):
        with pytest.raises(NotAuthenticatedError):
            await authenticator.principal("good", Target(None, uuid4()))
    assert verifier.asked == 2


async def test_what_nobody_recognises_is_refused() -> None:
    for credential in ("bad", "good" + "x" * 9000):
        with pytest.raises(NotAuthenticatedError):
            await Authenticator([Verifier()]).principal(credential, NOWHERE)


async def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "CACHE_ENTRIES", 10)
    authenticator = Authenticator([Verifier()])
    for number in range(30):
        await authenticator.principal(f"good {number}", NOWHERE)
    assert len(authenticator._cache) == 10


def test_an_access_is_to_one_workspace() -> None:
    access = WorkspaceAccess(uuid4(), uuid4(), WORKSPACE_SCOPES[WorkspaceRole.OBSERVER], "user:1")
    principal = Principal(PrincipalKind.USER, uuid4(), workspace=access)
    assert principal.access_to(access.workspace_id) is access
    with pytest.raises(NotFoundError):
        principal.access_to(uuid4())
    access.require(Scope.READ_WORKSPACE)
    with pytest.raises(ForbiddenError):
        access.require(Scope.WRITE_WORKSPACE)


def test_roles_hold_what_the_design_says() -> None:
    assert len(Scope) == 11
    admin, contributor, observer = (WORKSPACE_SCOPES[role] for role in WorkspaceRole)
    assert observer < contributor < admin
    assert contributor.isdisjoint({Scope.APPROVE_AGENTS, Scope.ADMIN_WORKSPACE})
    assert frozenset({Scope.READ_AGENTS, Scope.WRITE_TRACES}) == API_KEY_SCOPES
    everything = set().union(*ACCOUNT_SCOPES.values(), *WORKSPACE_SCOPES.values())
    assert everything == set(Scope)


async def test_what_was_read_before_a_revocation_is_not_remembered_after_it() -> None:
    """The row was read, then the credential was revoked and the memory cleared, then the answer arrived."""
    verifier = Verifier()
    authenticator = Authenticator([verifier])

    class Slow(Verifier):
        async def principal(self, credential: str, target: Target) -> Principal:
            found = await super().principal(credential, target)
            authenticator.forget()
            return found

    slow = Slow()
    authenticator._verifiers[:] = [slow]
    for _ in range(2):
        await authenticator.principal("good", NOWHERE)
    assert slow.asked == 2


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ([], None),
        ([("authorization", "Bearer one")], "one"),
        ([("authorization", "bearer  one ")], "one"),
        ([("x-api-key", "one")], "one"),
        ([("authorization", "Bearer one"), ("x-api-key", "one")], "one"),
        ([("x-api-key", "")], ""),
        ([("cookie", "access_token=one")], None),
    ],
)
def test_where_a_credential_is_looked_for(headers: list[tuple[str, str]], credential: str | None) -> None:
    assert credential_of(headers_of(headers)) == credential


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", "Bearer one"), ("x-api-key", "two")],
        [("authorization", "Bearer one"), ("authorization", "Bearer two")],
        [("x-api-key", "one"), ("x-api-key", "two")],
        [("authorization", "Bearer one"), ("x-api-key", "")],
    ],
)
def test_credentials_that_contradict_each_other_are_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(MalformedRequestError, match="different credentials"):
        credential_of(headers_of(headers))


@pytest.mark.parametrize("value", ["Basic b25lOnR3bw==", "Bearer", "Bearer ", "one", "", "Token one"])
def test_other_schemes_are_refused(value: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        credential_of(headers_of([("authorization", value), ("x-api-key", "one")]))


def headers_of(pairs: list[tuple[str, str]]) -> IdentifyingHeaders:
    return identifying_headers([(name.lower().encode(), value.encode()) for name, value in pairs])

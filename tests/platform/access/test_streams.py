"""Rights that end while a stream is open. The streams of real servers: tests/domains/scans/test_streams.py."""

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from litestar.datastructures import Headers

from spectral.platform.access import streams
from spectral.platform.access.authentication import Authenticator, Identity, Target
from spectral.platform.access.principal import Principal, PrincipalKind, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.access.streams import IdentityRights, StreamRights
from spectral.platform.shared.errors import ForbiddenError, NotAuthenticatedError

WORKSPACE = uuid4()
READ = Scope.READ_WORKSPACE
Answer = Callable[[], Principal]


class Verifier:
    """Knows one credential and answers as it is told."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: Answer = lambda: member({READ})

    def recognises(self, credential: str) -> bool:
        return credential == "good"

    async def principal(self, credential: str, target: Target) -> Principal:
        del credential
        assert target.workspace_id == WORKSPACE
        self.asked += 1
        return self.answer()


def member(scopes: set[Scope], workspace_id: UUID = WORKSPACE) -> Principal:
    access = WorkspaceAccess(workspace_id, uuid4(), frozenset(scopes), "user:1")
    return Principal(PrincipalKind.USER, uuid4(), workspace=access)


def nobody() -> Principal:
    raise NotAuthenticatedError


def rights(verifier: Verifier, credential: str = "good") -> StreamRights:
    headers = Headers({"Authorization": f"Bearer {credential}"})
    return StreamRights(Authenticator([verifier]), headers, WORKSPACE, READ)


async def test_the_database_is_asked_now_and_then_only() -> None:
    verifier = Verifier()
    stream = rights(verifier)
    assert all([await stream.hold() for _ in range(100)])
    assert verifier.asked == 0
    stream._reviewed_at -= streams.REVIEW_S
    assert all([await stream.hold() for _ in range(100)])
    assert verifier.asked == 1


@pytest.mark.parametrize(
    "answer",
    [
        nobody,
        lambda: Principal(PrincipalKind.USER, uuid4()),
        lambda: Principal(PrincipalKind.USER, uuid4(), sso_provider="company"),
        lambda: member({Scope.WRITE_TRACES}),
        lambda: member({READ}, uuid4()),
    ],
    ids=["signed out", "removed", "single sign-on", "without the scope", "elsewhere"],
)
async def test_it_ends_with_the_right_and_does_not_come_back(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "REVIEW_S", 0)
    verifier = Verifier()
    stream = rights(verifier)
    assert await stream.hold()
    verifier.answer = answer
    assert not await stream.hold()
    verifier.answer = lambda: member({READ})
    assert not await stream.hold()
    assert verifier.asked == 2


async def test_what_the_authenticator_remembers_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "REVIEW_S", 0)
    verifier = Verifier()
    authenticator = Authenticator([verifier])
    await authenticator.principal("good", Target(WORKSPACE, None))
    verifier.answer = nobody
    assert not await StreamRights(authenticator, Headers({"X-API-Key": "good"}), WORKSPACE, READ).hold()


async def test_without_a_credential_there_is_no_stream() -> None:
    assert not await StreamRights(Authenticator([Verifier()]), Headers(), WORKSPACE, READ).hold()


async def test_the_streams_of_a_caller_share_what_they_ask_the_database() -> None:
    verifier = Verifier()
    authenticator = Authenticator([verifier])
    headers = Headers({"Authorization": "Bearer good"})
    streams_of_caller = [StreamRights(authenticator, headers, WORKSPACE, READ) for _ in range(100)]
    for stream in streams_of_caller:
        stream._reviewed_at -= streams.REVIEW_S
    assert all(await asyncio.gather(*(stream.hold() for stream in streams_of_caller)))
    assert verifier.asked == 1
    authenticator.forget()
    verifier.answer = nobody
    for stream in streams_of_caller:
        stream._reviewed_at -= streams.REVIEW_S
    assert not any(await asyncio.gather(*(stream.hold() for stream in streams_of_caller)))
    assert verifier.asked == 2
    assert isinstance(streams_of_caller[0].refusal, NotAuthenticatedError)


class Standing:
    """Knows people, and answers as it is told."""

    kind = PrincipalKind.USER

    def __init__(self) -> None:
        self.answer: Answer = lambda: member({READ})

    async def present(self, identity: Identity, target: Target) -> Principal:
        assert (identity.kind, target.workspace_id) == (self.kind, WORKSPACE)
        return self.answer()


async def test_somebody_known_from_before_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "REVIEW_S", 0)
    standing = Standing()
    authenticator = Authenticator([], [standing])
    identity = Identity.of(member({READ}))
    stream = IdentityRights(authenticator, identity, WORKSPACE, READ)
    assert await stream.hold()
    standing.answer = lambda: member({Scope.WRITE_TRACES})
    assert not await stream.hold()
    assert isinstance(stream.refusal, ForbiddenError)
    machine = Identity(PrincipalKind.API_KEY, uuid4(), None)
    assert not await IdentityRights(authenticator, machine, WORKSPACE, READ).hold()

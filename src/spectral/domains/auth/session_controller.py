"""HTTP of sessions: `/api/v1/auth/sessions`."""

from datetime import datetime
from uuid import UUID

from litestar import Controller, Request, delete, get
from litestar.datastructures import State

from spectral.domains.auth.models import UserSession
from spectral.domains.auth.schemas import SessionOut, SignedOutOut
from spectral.domains.auth.sessions import Sessions
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import people_only
from spectral.platform.access.principal import Principal
from spectral.platform.shared.pagination import Collection, Page

PersonRequest = Request[Principal, None, State]


def session_out(found: UserSession, current: UUID, expires_at: datetime) -> SessionOut:
    return SessionOut(
        id=found.id,
        current=found.id == current,
        method=found.method,
        user_agent=found.user_agent,
        address=found.address,
        created_at=found.created_at,
        last_seen_at=found.last_seen_at,
        expires_at=expires_at,
    )


class SessionController(Controller):
    """Where the person is signed in."""

    path = "/api/v1/auth/sessions"
    tags = ("Auth",)
    guards = (people_only,)

    @get(
        operation_id="listSessions",
        summary="Where am I signed in",
        description="Sessions that go on, lately used first. An expired or ended one is not among them.",
    )
    async def list_sessions(self, sessions: Sessions, request: PersonRequest, page: Page) -> Collection[SessionOut]:
        found, total = await sessions.list_sessions(_person(request), page)
        current = request.user.credential_id
        results = [session_out(each, current, sessions.ends_at(each)) for each in found]
        return Collection.of(results, total, page)

    @delete(
        operation_id="endOtherSessions",
        summary="Sign out everywhere else",
        description="Every session of the person but the one that asks ends at once.",
        status_code=200,
    )
    async def end_other_sessions(
        self, sessions: Sessions, authenticator: Authenticator, request: PersonRequest
    ) -> SignedOutOut:
        ended = await sessions.end_others(_person(request), request.user.credential_id)
        authenticator.forget()
        return SignedOutOut(ended_sessions=ended)

    @delete(
        "/{session_id:uuid}",
        operation_id="endSession",
        summary="Sign out one session",
        description="Its access token and refresh token stop working at once, also when it is the one that asks.",
    )
    async def end_session(
        self, sessions: Sessions, authenticator: Authenticator, request: PersonRequest, session_id: UUID
    ) -> None:
        await sessions.end_session(_person(request), session_id)
        authenticator.forget()


def _person(request: PersonRequest) -> UUID:
    """`people_only` has made sure that there is one; nobody has the other id."""
    return request.user.user_id or UUID(int=0)

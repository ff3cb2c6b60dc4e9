"""What nobody can use any more is removed: sessions, refresh tokens, links, traces of strangers."""

from datetime import timedelta

from spectral.domains.auth.repository import ResetRepository, SessionRepository
from spectral.domains.auth.sessions import Lifetimes
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now

SCHEDULE = "auth.cleanup"
INTERVAL_S = 3600.0
STRAYS_KEPT_FOR = timedelta(days=30)


class AuthCleanup:
    """Safe to repeat, in any process."""

    def __init__(self, identity: Database, lifetimes: Lifetimes) -> None:
        self._identity = identity
        self._lifetimes = lifetimes

    async def run(self) -> None:
        """A spent refresh token stays as long as it would have lived: one that comes back must be recognised."""
        now = utc_now()
        seen_before = now - timedelta(seconds=self._lifetimes.refresh_s)
        opened_before = now - timedelta(seconds=self._lifetimes.session_s)
        async with self._identity.transaction() as session:
            sessions = SessionRepository(session)
            await sessions.forget(now, seen_before=seen_before, opened_before=opened_before)
            await sessions.forget_strays(now - STRAYS_KEPT_FOR)
            await ResetRepository(session).forget(now)

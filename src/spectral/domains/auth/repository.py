"""Queries over sessions and refresh tokens; every statement names the session, the person or the token."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.auth.models import RefreshToken, UserSession


class SessionRepository:
    """Sign-ins and their chains of refresh tokens."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def add_session(self, row: UserSession) -> None:
        self.session.add(row)
        await self.session.flush()

    async def add_token(self, row: RefreshToken) -> None:
        self.session.add(row)
        await self.session.flush()

    async def token(self, token_hash: str) -> tuple[RefreshToken, UserSession] | None:
        """The refresh token with this hash and its session."""
        row = (
            await self.session.execute(
                sa.select(RefreshToken, UserSession)
                .join(UserSession, UserSession.id == RefreshToken.session_id)
                .where(RefreshToken.token_hash == token_hash)
            )
        ).one_or_none()
        return None if row is None else (row[0], row[1])

    async def spend(self, token_id: UUID, moment: datetime) -> bool:
        """Mark the token spent; False when somebody else has spent it, so that only one refresh wins."""
        statement = (
            sa.update(RefreshToken)
            .where(RefreshToken.id == token_id, RefreshToken.spent_at.is_(None))
            .values(spent_at=moment)
        )
        return cast("CursorResult[Any]", await self.session.execute(statement)).rowcount == 1

    async def revoke(self, session_id: UUID, moment: datetime) -> None:
        """End one session."""
        await self.session.execute(
            sa.update(UserSession)
            .where(UserSession.id == session_id, UserSession.revoked_at.is_(None))
            .values(revoked_at=moment)
        )

    async def revoke_others(self, user_id: UUID, kept: UUID, moment: datetime) -> int:
        """End every session of a person but one; answers how many."""
        statement = (
            sa.update(UserSession)
            .where(UserSession.user_id == user_id, UserSession.id != kept, UserSession.revoked_at.is_(None))
            .values(revoked_at=moment)
        )
        return cast("CursorResult[Any]", await self.session.execute(statement)).rowcount

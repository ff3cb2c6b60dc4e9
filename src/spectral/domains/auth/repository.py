"""Queries over sessions and credentials; every statement names the session, the person or the token."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.auth.models import (
    PasswordReset,
    RecoveryCode,
    RefreshToken,
    SecondFactor,
    StraySignIn,
    UserSession,
)
from spectral.platform.db.constraints import translating
from spectral.platform.shared.errors import SpectralError
from spectral.platform.shared.pagination import Page


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
        return await _touched(self.session, statement) == 1

    async def touch(self, session_id: UUID, moment: datetime) -> None:
        """The session was used now."""
        await self.session.execute(
            sa.update(UserSession).where(UserSession.id == session_id).values(last_seen_at=moment)
        )

    async def step_up(self, user_id: UUID, session_id: UUID, moment: datetime) -> None:
        """The second factor was shown in this session now."""
        mine = sa.and_(UserSession.id == session_id, UserSession.user_id == user_id)
        await self.session.execute(sa.update(UserSession).where(mine).values(stepped_up_at=moment))

    async def live(
        self, user_id: UUID, seen_after: datetime, opened_after: datetime, page: Page
    ) -> tuple[Sequence[UserSession], int]:
        """One page of a person's sessions that can still be refreshed, lately used first, and how many there are."""
        living = sa.and_(
            UserSession.user_id == user_id,
            UserSession.revoked_at.is_(None),
            UserSession.last_seen_at > seen_after,
            UserSession.created_at > opened_after,
        )
        total = (await self.session.execute(sa.select(sa.func.count()).where(living))).scalar_one()
        statement = (
            sa.select(UserSession)
            .where(living)
            .order_by(UserSession.last_seen_at.desc(), UserSession.id.desc())
            .limit(page.limit)
            .offset(page.offset)
        )
        return (await self.session.scalars(statement)).all(), total

    async def revoke(self, user_id: UUID, session_id: UUID, moment: datetime) -> bool:
        """End one session of a person; False when there is no such one that goes on."""
        statement = (
            sa.update(UserSession)
            .where(UserSession.id == session_id, UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
            .values(revoked_at=moment)
        )
        return await _touched(self.session, statement) == 1

    async def revoke_all(self, user_id: UUID, moment: datetime, *, kept: UUID | None = None) -> int:
        """End every session of a person, or every one but `kept`; answers how many."""
        ended = sa.and_(UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
        if kept is not None:
            ended = sa.and_(ended, UserSession.id != kept)
        return await _touched(self.session, sa.update(UserSession).where(ended).values(revoked_at=moment))

    async def signed_in(self) -> Sequence[UUID]:
        """Everybody who has a session that was not ended."""
        statement = sa.select(UserSession.user_id).where(UserSession.revoked_at.is_(None)).distinct()
        return (await self.session.scalars(statement)).all()

    async def add_stray(self, row: StraySignIn) -> None:
        self.session.add(row)
        await self.session.flush()

    async def forget(self, now: datetime, *, seen_before: datetime, opened_before: datetime) -> None:
        """Remove sessions that cannot be refreshed any more, and refresh tokens that have expired."""
        over = sa.or_(
            UserSession.revoked_at < seen_before,
            UserSession.last_seen_at < seen_before,
            UserSession.created_at < opened_before,
        )
        await self.session.execute(sa.delete(UserSession).where(over))
        await self.session.execute(sa.delete(RefreshToken).where(RefreshToken.expires_at < now))

    async def forget_strays(self, before: datetime) -> None:
        await self.session.execute(sa.delete(StraySignIn).where(StraySignIn.created_at < before))


class ResetRepository:
    """Links that set a new password."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def add(self, row: PasswordReset) -> None:
        self.session.add(row)
        await self.session.flush()

    async def usable(self, token_hash: str, moment: datetime) -> PasswordReset | None:
        """The link with this hash, if it was not used, has not expired and is somebody's."""
        return (await self.session.scalars(sa.select(PasswordReset).where(*_usable(token_hash, moment)))).one_or_none()

    async def use(self, token_hash: str, moment: datetime) -> bool:
        """Mark the link used; False when somebody was faster."""
        statement = sa.update(PasswordReset).where(*_usable(token_hash, moment)).values(used_at=moment)
        return await _touched(self.session, statement) == 1

    async def void(self, user_id: UUID, moment: datetime) -> None:
        """No link that a person was sent so far works any more."""
        mine = sa.and_(PasswordReset.user_id == user_id, PasswordReset.used_at.is_(None))
        await self.session.execute(sa.update(PasswordReset).where(mine).values(used_at=moment))

    async def forget(self, before: datetime) -> None:
        await self.session.execute(sa.delete(PasswordReset).where(PasswordReset.expires_at < before))


class SecondFactorRepository:
    """Authenticator apps and recovery codes."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def factor(self, user_id: UUID) -> SecondFactor | None:
        return await self.session.get(SecondFactor, user_id)

    async def add_factor(self, row: SecondFactor, taken: SpectralError) -> None:
        self.session.add(row)
        async with translating({"pk_second_factor": taken}):
            await self.session.flush()

    async def confirm(self, user_id: UUID, moment: datetime) -> bool:
        """The factor counts from now on; False when it did already."""
        statement = (
            sa.update(SecondFactor)
            .where(SecondFactor.user_id == user_id, SecondFactor.confirmed_at.is_(None))
            .values(confirmed_at=moment)
        )
        return await _touched(self.session, statement) == 1

    async def spend_step(self, user_id: UUID, step: int) -> bool:
        """Accept the code of this time step; False when it, or a newer one, was accepted before."""
        statement = (
            sa.update(SecondFactor)
            .where(SecondFactor.user_id == user_id, SecondFactor.last_step < step)
            .values(last_step=step)
        )
        return await _touched(self.session, statement) == 1

    async def remove(self, user_id: UUID) -> None:
        """The person has neither an authenticator app nor recovery codes any more."""
        await self.session.execute(sa.delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        await self.session.execute(sa.delete(SecondFactor).where(SecondFactor.user_id == user_id))

    async def replace_codes(self, user_id: UUID, hashes: Sequence[str]) -> None:
        """These are the person's recovery codes, and no others."""
        await self.session.execute(sa.delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        self.session.add_all([RecoveryCode(user_id=user_id, code_hash=code_hash) for code_hash in hashes])
        await self.session.flush()

    async def use_code(self, user_id: UUID, code_hash: str, moment: datetime) -> bool:
        """Accept a recovery code; False when it is none of the person's, or was used."""
        statement = (
            sa.update(RecoveryCode)
            .where(RecoveryCode.user_id == user_id, RecoveryCode.code_hash == code_hash, RecoveryCode.used_at.is_(None))
            .values(used_at=moment)
        )
        return await _touched(self.session, statement) == 1

    async def codes_left(self, user_id: UUID) -> int:
        unused = sa.and_(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
        return int((await self.session.execute(sa.select(sa.func.count()).where(unused))).scalar_one())


def _usable(token_hash: str, moment: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        PasswordReset.token_hash == token_hash,
        PasswordReset.used_at.is_(None),
        PasswordReset.expires_at > moment,
        PasswordReset.user_id.is_not(None),
    )


async def _touched(session: AsyncSession, statement: sa.Update) -> int:
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount

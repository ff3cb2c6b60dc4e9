"""Queries over identities elsewhere and sign-ins under way; every statement names the person, the link or the state."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import User, UserCredential
from spectral.domains.auth.federation_models import ExternalIdentity, SignInAttempt
from spectral.domains.auth.models import UserSession
from spectral.platform.db.constraints import translating
from spectral.platform.shared.errors import SpectralError
from spectral.platform.shared.pagination import Page


class AttemptRepository:
    """Sign-ins that people have begun."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def add(self, row: SignInAttempt) -> None:
        self.session.add(row)
        await self.session.flush()

    async def take(self, state_hash: str) -> SignInAttempt | None:
        """The attempt with this state, which is gone now: of two callers at once, one gets it."""
        statement = (
            sa.delete(SignInAttempt)
            .where(SignInAttempt.state_hash == state_hash)
            .returning(SignInAttempt)
            .execution_options(synchronize_session=False)
        )
        return (await self.session.scalars(statement)).one_or_none()

    async def forget_expired(self, moment: datetime) -> None:
        """Remove attempts that nobody came back from."""
        await self.session.execute(sa.delete(SignInAttempt).where(SignInAttempt.expires_at <= moment))


class IdentityRepository:
    """Links between people here and identities elsewhere, and what a link changes about a person."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def by_subject(self, provider: str, issuer: str, subject: str) -> ExternalIdentity | None:
        return (
            await self.session.scalars(
                sa.select(ExternalIdentity).where(
                    ExternalIdentity.provider == provider,
                    ExternalIdentity.issuer == issuer,
                    ExternalIdentity.subject == subject,
                )
            )
        ).one_or_none()

    async def links(self, user_id: UUID) -> Sequence[ExternalIdentity]:
        """Every link of a person, newest first."""
        return (await self.session.scalars(_links(user_id))).all()

    async def page(self, user_id: UUID, page: Page) -> tuple[Sequence[ExternalIdentity], int]:
        """One page of a person's links, newest first, and how many there are."""
        count = sa.select(sa.func.count()).select_from(ExternalIdentity).where(ExternalIdentity.user_id == user_id)
        total = (await self.session.execute(count)).scalar_one()
        rows = await self.session.scalars(_links(user_id).limit(page.limit).offset(page.offset))
        return rows.all(), total

    async def add(self, row: ExternalIdentity, taken: SpectralError) -> None:
        self.session.add(row)
        unique = ("provider_issuer_subject", "user_id_provider_issuer")
        async with translating({f"uq_external_identity_{columns}": taken for columns in unique}):
            await self.session.flush()

    async def remove(self, row: ExternalIdentity) -> None:
        await self.session.delete(row)
        await self.session.flush()

    async def remove_links(self, user_id: UUID) -> None:
        await self.session.execute(sa.delete(ExternalIdentity).where(ExternalIdentity.user_id == user_id))

    async def lock_person(self, user_id: UUID) -> User | None:
        """The person, held until the transaction ends: who reads their ways in decides over them."""
        statement = (
            sa.select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
        )
        return (await self.session.scalars(statement)).one_or_none()

    async def has_password(self, user_id: UUID) -> bool:
        found = sa.select(sa.exists().where(UserCredential.user_id == user_id))
        return bool((await self.session.execute(found)).scalar_one())

    async def remove_password(self, user_id: UUID) -> None:
        await self.session.execute(sa.delete(UserCredential).where(UserCredential.user_id == user_id))

    async def end_sessions(self, user_id: UUID, method: str, moment: datetime, *, kept: UUID) -> int:
        """End the person's sessions that were opened in one way, but for one; answers how many."""
        statement = (
            sa.update(UserSession)
            .where(
                UserSession.user_id == user_id,
                UserSession.method == method,
                UserSession.id != kept,
                UserSession.revoked_at.is_(None),
            )
            .values(revoked_at=moment)
        )
        return cast("CursorResult[Any]", await self.session.execute(statement)).rowcount

    async def session_method(self, session_id: UUID) -> str | None:
        """How a live session was opened: `password`, or `sso:` and the provider."""
        statement = sa.select(UserSession.method).where(UserSession.id == session_id, UserSession.revoked_at.is_(None))
        return (await self.session.execute(statement)).scalar_one_or_none()


def _links(user_id: UUID) -> sa.Select[tuple[ExternalIdentity]]:
    return (
        sa.select(ExternalIdentity)
        .where(ExternalIdentity.user_id == user_id)
        .order_by(ExternalIdentity.created_at.desc(), ExternalIdentity.id.desc())
    )

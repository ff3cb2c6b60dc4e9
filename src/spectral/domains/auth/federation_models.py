"""Who people are at other identity providers, and sign-ins that are under way there. Authentication role only."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime
from spectral.platform.shared import secret_box
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id


class ExternalIdentity(Base):
    """A person as one identity provider knows them; whoever proves to be `subject` there is this person here.

    issuer: what the provider's name meant when the link was made; another issuer under the same name is a stranger.
    email: the verified address by which the link was made.
    """

    __tablename__ = "external_identity"
    __table_args__ = (
        sa.UniqueConstraint("provider", "issuer", "subject"),
        # One each, so that an address that a provider gives to somebody else does not open this person's account.
        sa.UniqueConstraint("user_id", "provider", "issuer"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("app_user.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(sa.String(50))
    issuer: Mapped[str] = mapped_column(sa.String(500))
    subject: Mapped[str] = mapped_column(sa.String(255))
    email: Mapped[str] = mapped_column(sa.String(320))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    last_used_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class SignInAttempt(Base):
    """A sign-in that somebody has begun at a provider; deleted when it comes back, whatever the outcome.

    state_hash, browser_hash: SHA-256 of what the provider returns and of what only the browser that began it has.
    sealed: PKCE verifier, nonce, invite token and return path, as JSON that only this installation can open.
    """

    __tablename__ = "sign_in_attempt"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str] = mapped_column(sa.String(50))
    state_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    browser_hash: Mapped[str] = mapped_column(sa.String(64))
    sealed: Mapped[str] = mapped_column(sa.Text, info=secret_box.sealed("oauth"))
    expires_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), index=True)

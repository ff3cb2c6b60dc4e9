"""Mail that waits to be sent, and for some days what became of it."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.secret_box import sealed


class MailMessage(Base):
    """One mail to one recipient.

    body: sealed, because it may hold a link that opens an account; gone as soon as it is of no more use.
    next_attempt_at: not before this moment; a process that tries moves it ahead and so holds the mail for itself.
    None once it was sent (`sent_at`) or given up.  error: class of the last failure, without its text.
    """

    __tablename__ = "mail_message"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    recipient: Mapped[str] = mapped_column(sa.String(320))
    subject: Mapped[str] = mapped_column(sa.String(200))
    body: Mapped[str | None] = mapped_column(sa.Text, info=sealed("mail"))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True), index=True)
    sent_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    error: Mapped[str | None] = mapped_column(sa.String(255))

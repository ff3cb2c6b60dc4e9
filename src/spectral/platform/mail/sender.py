"""Sends what is in the outbox. Any process may; a mail is tried by one at a time."""

import asyncio
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from spectral.platform.db.session import Database
from spectral.platform.mail.delivery import Delivery, Letter, RefusedForGoodError
from spectral.platform.mail.models import MailMessage
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.secret_box import SecretBox

SCHEDULE = "mail.send"
INTERVAL_S = 5.0
# Longer than any attempt may take: a process that dies in the middle of one holds the mail no longer than this.
LEASE = timedelta(seconds=90)
FIRST_DELAY = timedelta(seconds=15)
LONGEST_DELAY = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=24)
KEPT_FOR = timedelta(days=7)
STOP_GRACE_S = 5.0

log = structlog.get_logger(__name__)


class MailSender:
    """Lives as long as the process. `identity`: the database as the role that may read mail."""

    def __init__(self, identity: Database, box: SecretBox, delivery: Delivery) -> None:
        self._identity = identity
        self._box = box
        self._delivery = delivery
        self._running: asyncio.Task[int] | None = None
        self._again = False
        self._stopped = False

    async def poke(self) -> None:
        """Something was posted just now: send it soon, and do not wait for that."""
        self._again = True
        if not self._stopped and (self._running is None or self._running.done()):
            self._running = asyncio.get_running_loop().create_task(self._send_while_poked())

    async def stop(self) -> None:
        """The attempt that goes on is brought to its end, if that comes within seconds; no other begins."""
        self._stopped = True
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=STOP_GRACE_S)
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def send_due(self) -> int:
        """Try everything that is due now, one mail after the other; answers how many were sent."""
        sent = 0
        while not self._stopped and (message := await self._claim()) is not None:
            sent += await self._send(message)
        return sent

    async def run(self) -> None:
        """What the schedule calls: send what is due, and remove what is long done."""
        await self.send_due()
        async with self._identity.transaction() as session:
            done = sa.and_(MailMessage.next_attempt_at.is_(None), MailMessage.created_at < utc_now() - KEPT_FOR)
            await session.execute(sa.delete(MailMessage).where(done))

    async def _send_while_poked(self) -> int:
        sent = 0
        while self._again:
            self._again = False
            try:
                sent += await self.send_due()
            except Exception:
                # The schedule is the next try.
                log.warning("mail_not_sent", exc_info=True)
        return sent

    async def _claim(self) -> MailMessage | None:
        """The mail that has been due the longest, held for this attempt by moving its next one ahead."""
        now = utc_now()
        due = (
            sa.select(MailMessage)
            .where(MailMessage.next_attempt_at <= now)
            .order_by(MailMessage.next_attempt_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with self._identity.transaction() as session:
            message = (await session.scalars(due)).one_or_none()
            if message is not None:
                message.attempts += 1
                message.next_attempt_at = now + LEASE
            return message

    async def _send(self, message: MailMessage) -> bool:
        try:
            text = self._box.open(message.body or "")
            letter = Letter(message.id, message.recipient, message.subject, text, message.created_at)
            await self._delivery.deliver(letter)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is written down and tried again
            await self._note_failure(message, error)
            return False
        await self._note(message, sent_at=utc_now(), next_attempt_at=None, body=None, error=None)
        return True

    async def _note_failure(self, message: MailMessage, error: Exception) -> None:
        now = utc_now()
        # What no key opens today may be opened after a lost key is restored, so it waits like the rest.
        hopeless = isinstance(error, RefusedForGoodError) or now - message.created_at >= GIVE_UP_AFTER
        cause = error.__cause__ if isinstance(error, RefusedForGoodError) and error.__cause__ else error
        name = type(cause).__name__
        log.warning("mail_failed", id=str(message.id), attempts=message.attempts, error=name, given_up=hopeless)
        if hopeless:
            await self._note(message, next_attempt_at=None, body=None, error=name)
        else:
            await self._note(message, next_attempt_at=now + delay_after(message.attempts), error=name)

    async def _note(self, message: MailMessage, **values: datetime | str | None) -> None:
        """Write how the attempt ended, unless the lease ran out meanwhile and another process has taken over."""
        mine = sa.and_(MailMessage.id == message.id, MailMessage.attempts == message.attempts)
        async with self._identity.transaction() as session:
            await session.execute(sa.update(MailMessage).where(mine).values(**values))


def delay_after(attempts: int) -> timedelta:
    """How long to wait after that many attempts: doubled each time, an hour at most."""
    doublings = min(attempts - 1, 20)
    return min(FIRST_DELAY * int(2**doublings), LONGEST_DELAY)

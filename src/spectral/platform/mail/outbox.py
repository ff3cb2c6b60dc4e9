"""Putting mail into the outbox: in the caller's transaction, so that it is sent if, and only if, that commits."""

import re
from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.db.session import after_commit
from spectral.platform.mail.models import MailMessage
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.secret_box import SecretBox

PURPOSE = "mail"
MAXIMUM_RECIPIENT_CHARACTERS = 320
MAXIMUM_SUBJECT_CHARACTERS = 200
# What could end a header line or hide what follows it; a name of a customer's may hold anything.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")

Wake = Callable[[], Awaitable[None]]


class MailBox(SecretBox):
    """Seals bodies of mail, and knows whom to wake when there is something to send in this process."""

    def __init__(self, secret_keys: tuple[bytes, ...]) -> None:
        super().__init__(secret_keys, PURPOSE)
        self._wake: Wake | None = None

    def wakes(self, wake: Wake) -> None:
        """Run `wake` after each commit that posted something; without it the mail waits for the schedule."""
        self._wake = wake

    async def wake(self) -> None:
        if self._wake is not None:
            await self._wake()


async def post_mail(
    session: AsyncSession, box: SecretBox, *, to: str, subject: str, text: str, deliver: bool = True
) -> None:
    """One plain text mail to one recipient leaves after the caller's transaction has committed, at least once.

    deliver: with False the row is written as for any other mail and nothing is sent, for paths that must do the same
    whether somebody is registered or not.  Control characters of the subject become spaces.
    Raises ValueError for a recipient that is no single address.
    """
    if not 3 <= len(to) <= MAXIMUM_RECIPIENT_CHARACTERS or "@" not in to or not is_one_address(to):
        raise ValueError("a mail has one recipient, and that is one e-mail address")
    sealed = box.seal(text)
    session.add(
        MailMessage(
            recipient=to,
            subject=one_line(subject)[:MAXIMUM_SUBJECT_CHARACTERS],
            body=sealed if deliver else None,
            next_attempt_at=utc_now() if deliver else None,
        )
    )
    await session.flush()
    if isinstance(box, MailBox):
        after_commit(session, box.wake)


def one_line(text: str) -> str:
    """The text without line ends, control characters and invisible direction marks."""
    return " ".join(_CONTROL.sub(" ", text).split())


def is_one_address(text: str) -> bool:
    """Whether nothing in the text could begin a second address or a second header."""
    return not any(character.isspace() or character in ',;:<>()[]"\\' for character in text) and not _CONTROL.search(
        text
    )

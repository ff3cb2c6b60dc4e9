"""How a mail leaves: through an SMTP server, or as a file that a person can open."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from email.utils import format_datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4

import aiosmtplib

from spectral.settings import Settings, SmtpServer

TIMEOUT_S = 20.0
FILE_MODE = 0o600
FOLDER_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that is ready to leave. `id` and `written_at` are the same at every attempt."""

    id: UUID
    recipient: str
    subject: str
    text: str
    written_at: datetime

    def rendered(self, sender: str) -> EmailMessage:
        """The message, plain text; the `Message-ID` lets a receiver recognise a second copy."""
        message = EmailMessage(policy=SMTP)
        message["From"] = sender
        message["To"] = self.recipient
        message["Subject"] = self.subject
        message["Date"] = format_datetime(self.written_at)
        message["Message-ID"] = f"<{self.id}@{sender.rpartition('@')[2].rstrip('>')}>"
        # Nobody's holiday reply is wanted (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(self.text)
        return message


class Delivery(Protocol):
    """A way for mail to leave."""

    async def deliver(self, letter: Letter) -> None:
        """The letter is out of our hands. Raises RefusedForGoodError, or anything else to be tried again."""
        ...


class RefusedForGoodError(Exception):
    """Trying again is of no use: there is no such recipient."""


class SmtpDelivery:
    """Through an SMTP server, one connection for each mail."""

    def __init__(self, server: SmtpServer, sender: str) -> None:
        self._server = server
        self._sender = sender

    async def deliver(self, letter: Letter) -> None:
        try:
            await aiosmtplib.send(
                letter.rendered(self._sender),
                recipients=[letter.recipient],
                hostname=self._server.host,
                port=self._server.port,
                username=self._server.username,
                password=self._server.password,
                use_tls=self._server.encrypted,
                start_tls=self._server.start_tls,
                timeout=TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            if all(refused.code >= 500 for refused in error.recipients):
                raise RefusedForGoodError from error
            raise

    async def check(self) -> None:
        """The server answers and takes the credentials. Raises what sending would raise."""
        client = aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            username=self._server.username,
            password=self._server.password,
            use_tls=self._server.encrypted,
            start_tls=self._server.start_tls,
            timeout=TIMEOUT_S,
        )
        async with client:
            await client.noop()


class FileDelivery:
    """As a file `<time>-<id>.eml` in a folder that only this user reads. A second attempt replaces the first."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def deliver(self, letter: Letter) -> None:
        await asyncio.to_thread(self._write, letter)

    def _write(self, letter: Letter) -> None:
        self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        name = f"{letter.written_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{letter.id}.eml"
        unfinished = self._folder / f".{name}.{uuid4().hex}"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(bytes(letter.rendered(self._sender)))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._folder / name)


def delivery_for(settings: Settings) -> Delivery:
    """How mail leaves this installation."""
    if settings.mail_server is None:
        return FileDelivery(settings.outbox_dir, settings.mail_sender)
    return SmtpDelivery(settings.mail_server, settings.mail_sender)


def letters_in(folder: Path) -> Iterator[EmailMessage]:
    """The mails of a file outbox, newest first."""
    for path in sorted(folder.glob("*.eml"), reverse=True):
        yield message_from_bytes(path.read_bytes(), policy=default)


def link_in(message: EmailMessage) -> str | None:
    """The first link of a mail, where it has one."""
    words = message.get_content().split()
    return next((word for word in words if word.startswith(("http://", "https://"))), None)

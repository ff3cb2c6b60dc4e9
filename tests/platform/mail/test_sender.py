"""Sending: at least once, by one process at a time, again after a failure, for a day at most."""

import asyncio
import signal
import stat
import subprocess
import sys
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from io import StringIO

import pytest
import sqlalchemy as sa
from rich.console import Console

from spectral.doctor import examine
from spectral.platform.db.session import Database
from spectral.platform.mail.delivery import FileDelivery, Letter, delivery_for, letters_in, link_in
from spectral.platform.mail.models import MailMessage
from spectral.platform.mail.outbox import MailBox, post_mail
from spectral.platform.mail.sender import GIVE_UP_AFTER, KEPT_FOR, MailSender, delay_after
from spectral.platform.shared.clock import utc_now
from spectral.settings import Settings, smtp_server
from tests.fixtures.mail import Mailman
from tests.fixtures.mail import smtp_server as running_smtp_server
from tests.fixtures.project import ROOT

TO = "ada@example.com"


async def post(
    identity: Database, settings: Settings, *, to: str = TO, subject: str = "Hello", text: str = "x"
) -> None:
    async with identity.transaction() as session:
        await post_mail(session, MailBox(settings.secrets), to=to, subject=subject, text=text)


async def rows(identity: Database) -> list[MailMessage]:
    async with identity.transaction(read_only=True) as session:
        return list((await session.scalars(sa.select(MailMessage).order_by(MailMessage.created_at))).all())


async def shift(identity: Database, **values: object) -> None:
    async with identity.transaction() as session:
        await session.execute(sa.update(MailMessage).values(**values))


def by_smtp(identity: Database, settings: Settings, url: str) -> MailSender:
    chosen = settings.model_validate(settings.model_dump() | {"smtp_url": url, "mail_from": "Spectral <s@example.com>"})
    return MailSender(identity, MailBox(settings.secrets), delivery_for(chosen))


async def test_a_temporary_failure_is_followed_by_success(identity: Database, settings: Settings) -> None:
    mailman = Mailman(answers=["451 4.3.0 come back later"])
    await post(identity, settings, subject="Grüße", text="Öffnen: https://x.test/#token=abc\n.\nEnde")
    with running_smtp_server(mailman) as url:
        sender = by_smtp(identity, settings, url)
        assert await sender.send_due() == 0
        (row,) = await rows(identity)
        assert (row.attempts, row.error, row.sent_at) == (1, "SMTPDataError", None)
        assert row.next_attempt_at
        assert row.next_attempt_at > utc_now()
        assert await sender.send_due() == 0, "it waits before the next attempt"
        await shift(identity, next_attempt_at=utc_now())
        assert await sender.send_due() == 1
        assert await sender.send_due() == 0
    (row,) = await rows(identity)
    assert (row.attempts, row.error, row.body, row.next_attempt_at) == (2, None, None, None)
    assert row.sent_at
    (received,) = mailman.received
    assert mailman.recipients == [[TO]]
    assert mailman.logins[-1] == (b"spectral", b"geheim")
    assert (received["To"], received["From"], received["Subject"]) == (TO, "Spectral <s@example.com>", "Grüße")
    assert received["Message-ID"] == f"<{row.id}@example.com>"
    assert received.get_content_type() == "text/plain"
    assert received.get_content().split() == ["Öffnen:", "https://x.test/#token=abc", ".", "Ende"]


async def test_nobody_to_receive_it_is_given_up_at_once_and_a_server_that_is_away_is_not(
    identity: Database, settings: Settings
) -> None:
    await post(identity, settings)
    with running_smtp_server(Mailman(refused={TO})) as url:
        assert await by_smtp(identity, settings, url).send_due() == 0
    (row,) = await rows(identity)
    assert (row.next_attempt_at, row.body, row.error) == (None, None, "SMTPRecipientsRefused")
    await post(identity, settings, to="second@example.com")
    assert await by_smtp(identity, settings, url).send_due() == 0  # it has gone
    row = (await rows(identity))[1]
    assert row.body
    assert row.next_attempt_at


async def test_a_wrong_password_of_the_server_waits_for_the_operator(identity: Database, settings: Settings) -> None:
    await post(identity, settings)
    mailman = Mailman()
    with running_smtp_server(mailman) as url:
        assert await by_smtp(identity, settings, url.replace("geheim", "wrong")).send_due() == 0
        (row,) = await rows(identity)
        assert (row.error, row.sent_at) == ("SMTPAuthenticationError", None)
        await shift(identity, next_attempt_at=utc_now())
        assert await by_smtp(identity, settings, url).send_due() == 1


async def test_mail_does_not_leave_unprotected_unless_that_was_chosen(identity: Database, settings: Settings) -> None:
    await post(identity, settings)
    mailman = Mailman()
    with running_smtp_server(mailman) as url:
        assert await by_smtp(identity, settings, url.partition("?")[0]).send_due() == 0
    assert (mailman.received, mailman.logins) == ([], [])
    assert (await rows(identity))[0].next_attempt_at


@pytest.mark.databases("sqlite")
async def test_the_doctor_asks_the_server(settings: Settings) -> None:
    async def said(**changes: object) -> str:
        chosen = settings.model_validate(settings.model_dump() | changes)
        written = StringIO()
        await examine(chosen, Console(width=300, file=written))
        (line,) = [line for line in written.getvalue().splitlines() if line.strip().startswith("mail")]
        return line

    assert "outbox" in await said()
    with running_smtp_server(Mailman()) as url:
        assert "takes mail from" in await said(smtp_url=url)
        assert "SMTPAuthenticationError" in await said(smtp_url=url.replace("geheim", "wrong"))
        assert "SMTPException" in await said(smtp_url=url.partition("?")[0]), "it has no TLS"
    assert "SMTPConnectError" in await said(smtp_url=url)


async def test_after_a_day_it_is_given_up_and_after_a_week_forgotten(identity: Database, settings: Settings) -> None:
    await post(identity, settings)
    await shift(identity, created_at=utc_now() - GIVE_UP_AFTER)
    sender = by_smtp(identity, settings, "smtp://127.0.0.1:1?starttls=never")
    await sender.run()
    (row,) = await rows(identity)
    assert (row.next_attempt_at, row.body, row.attempts) == (None, None, 1)
    await shift(identity, created_at=utc_now() - KEPT_FOR)
    await sender.run()
    assert await rows(identity) == []


async def test_two_processes_send_each_mail_once(identity: Database, settings: Settings) -> None:
    for number in range(6):
        await post(identity, settings, to=f"{number}@example.com")
    mailman = Mailman()
    with running_smtp_server(mailman) as url:
        senders = [by_smtp(identity, settings, url) for _ in range(2)]
        sent = await asyncio.gather(*(sender.send_due() for sender in senders))
    assert sum(sent) == 6
    assert sorted(to for (to,) in mailman.recipients) == [f"{number}@example.com" for number in range(6)]


async def test_a_name_makes_no_header(identity: Database, settings: Settings) -> None:
    mailman = Mailman()
    await post(identity, settings, subject="Join Acme\r\nBcc: everybody@example.com\r\n\r\nClick")
    with running_smtp_server(mailman) as url:
        assert await by_smtp(identity, settings, url).send_due() == 1
    (received,) = mailman.received
    assert received["Bcc"] is None
    assert received["Subject"] == "Join Acme Bcc: everybody@example.com Click"
    assert mailman.recipients == [[TO]]


async def test_without_a_server_mail_is_a_file_that_only_its_owner_reads(
    identity: Database, settings: Settings
) -> None:
    await post(identity, settings, text="first")
    await post(identity, settings, text="Join: https://x.test/join#token=abc and so on")
    sender = MailSender(identity, MailBox(settings.secrets), delivery_for(settings))
    assert await sender.send_due() == 2
    files = sorted(settings.outbox_dir.iterdir())
    assert len(files) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(settings.outbox_dir.stat().st_mode) == 0o700
    newest, oldest = letters_in(settings.outbox_dir)
    assert (link_in(newest), link_in(oldest)) == ("https://x.test/join#token=abc", None)


async def test_a_second_attempt_replaces_the_file_of_the_first(settings: Settings, identity: Database) -> None:
    await post(identity, settings)
    (row,) = await rows(identity)
    delivery = FileDelivery(settings.outbox_dir, "s@example.com")
    letter = Letter(row.id, row.recipient, row.subject, "x", row.created_at)
    await delivery.deliver(letter)
    await delivery.deliver(letter)
    (path,) = settings.outbox_dir.iterdir()
    assert message_from_bytes(path.read_bytes(), policy=default)["Message-ID"] == f"<{row.id}@example.com>"


# Dies after the mail has left and before that is written down.
DYING = """
import asyncio, os, signal, sys
from pathlib import Path
from spectral.platform.db.session import Database
from spectral.platform.mail.delivery import delivery_for
from spectral.platform.mail.outbox import MailBox
from spectral.platform.mail.sender import MailSender
from tests.fixtures.databases import make_settings

class Dying:
    def __init__(self, inner):
        self.inner = inner
    async def deliver(self, letter):
        await self.inner.deliver(letter)
        os.kill(os.getpid(), signal.SIGKILL)

settings = make_settings(Path(sys.argv[1]))
asyncio.run(MailSender(Database(sys.argv[2]), MailBox(settings.secrets), Dying(delivery_for(settings))).send_due())
"""


async def test_killed_between_sending_and_writing_it_down_it_is_sent_once_more(
    identity: Database, settings: Settings
) -> None:
    await post(identity, settings, text="see https://x.test")
    command = [sys.executable, "-c", DYING, str(settings.data_dir), settings.identity_url]
    killed = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (row,) = await rows(identity)
    assert (row.attempts, row.sent_at) == (1, None)
    sender = MailSender(identity, MailBox(settings.secrets), delivery_for(settings))
    assert await sender.send_due() == 0, "the dead process still holds it"
    assert row.next_attempt_at
    assert row.next_attempt_at - utc_now() < timedelta(minutes=2)
    await shift(identity, next_attempt_at=utc_now())
    assert await sender.send_due() == 1
    # The same file, or for an SMTP server the same Message-ID.
    assert len(list(settings.outbox_dir.iterdir())) == 1


def test_waits_grow_to_an_hour() -> None:
    waits = [delay_after(attempts).total_seconds() for attempts in (1, 2, 3, 10, 1000)]
    assert waits == [15, 30, 60, 3600, 3600]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.test", (587, False, True)),
        ("smtp://mail.test?starttls=opportunistic", (587, False, None)),
        ("smtp://mail.test:25?starttls=never", (25, False, False)),
        ("smtps://mail.test", (465, True, False)),
    ],
)
def test_an_url_says_how_mail_leaves(url: str, expected: tuple[int, bool, bool | None]) -> None:
    server = smtp_server(url)
    assert (server.port, server.encrypted, server.start_tls) == expected

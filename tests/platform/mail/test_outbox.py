"""Posting mail: inside the caller's transaction, sealed, one recipient, no header of anybody else's making."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from spectral.platform.db.session import Database
from spectral.platform.mail.models import MailMessage
from spectral.platform.mail.outbox import MailBox, one_line, post_mail
from spectral.settings import Settings
from tests.fixtures.mail import mail_to
from tests.fixtures.tenants import Tenant


async def test_mail_is_posted_by_the_transaction_that_causes_it(
    database: Database, identity: Database, settings: Settings, tenant: Tenant
) -> None:
    box = MailBox(settings.secrets)

    async def fail() -> None:
        async with database.transaction(tenant.access) as session:
            await post_mail(session, box, to="one@example.com", subject="never", text="never")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.transaction(tenant.access) as session:
        await post_mail(session, box, to="one@example.com", subject="Hello", text="link: https://x.test/#token=abc")
    (posted,) = await mail_to(identity, settings, "one@example.com")
    assert (posted.subject, posted.text, posted.token) == ("Hello", "link: https://x.test/#token=abc", "abc")
    async with identity.transaction(read_only=True) as session:
        (row,) = (await session.scalars(sa.select(MailMessage))).all()
    assert "abc" not in (row.body or "")


@pytest.mark.databases("postgresql")
@pytest.mark.parametrize("statement", ["SELECT recipient FROM mail_message", "DELETE FROM mail_message"])
async def test_the_application_s_role_posts_and_never_reads(database: Database, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.transaction() as session:
            await session.execute(sa.text(statement))


async def test_what_is_not_to_be_delivered_is_written_and_never_sent(identity: Database, settings: Settings) -> None:
    async with identity.transaction() as session:
        await post_mail(session, MailBox(settings.secrets), to="no@one.test", subject="s", text="t", deliver=False)
    async with identity.transaction(read_only=True) as session:
        (row,) = (await session.scalars(sa.select(MailMessage))).all()
    assert (row.body, row.next_attempt_at) == (None, None)


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "to", ["", "nobody", "a@b.test, c@d.test", "a@b.test\nBcc: c@d.test", "<a@b.test>", "a@b.test c", "a" * 321 + "@b"]
)
async def test_a_mail_has_one_recipient(identity: Database, settings: Settings, to: str) -> None:
    async with identity.transaction() as session:
        with pytest.raises(ValueError, match="one recipient"):
            await post_mail(session, MailBox(settings.secrets), to=to, subject="s", text="t")


def test_a_subject_is_one_line_whatever_a_name_holds() -> None:
    assert one_line("Join Acme\r\nBcc: all@acme.test\x00\u2028\u202egnp.exe") == "Join Acme Bcc: all@acme.test gnp.exe"

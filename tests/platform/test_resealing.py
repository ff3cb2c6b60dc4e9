"""A secret key is replaced: everything is sealed again, nothing is lost, and it is known when the old one may go."""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pyotp
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from litestar import Litestar
from pydantic import SecretStr

from spectral.cli import main
from spectral.domains.agents.service import AgentService
from spectral.domains.auth.federation_models import SignInAttempt
from spectral.domains.inference.models import ProviderCredential
from spectral.domains.workflows.models import WorkflowSecret
from spectral.platform.db.migrations import owner_engine
from spectral.platform.db.session import Database
from spectral.platform.db.tenants import Parts
from spectral.platform.mail.models import MailMessage
from spectral.platform.resealing import Resealed, reseal, sealed_columns
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.secret_box import SecretBox
from spectral.platform.webhooks.models import Webhook
from spectral.settings import Settings
from tests.fixtures.databases import SECRET
from tests.fixtures.project import python_files
from tests.fixtures.servers import ServerProcess, in_process
from tests.fixtures.tenants import Tenant, register_tenant

NEW = "another-secret-key-of-the-tests-and-of-nothing-else"
SEALS = re.compile(r"""SecretBox\(\s*settings\.secrets,\s*["']([^"']+)["']""")


def with_keys(settings: Settings, *keys: str) -> Settings:
    return settings.model_copy(update={"secret_keys": tuple(map(SecretStr, keys))})


def rotate_secrets(settings: Settings) -> Result:
    """`spectral rotate-secrets` with these settings."""
    return CliRunner().invoke(main, ["rotate-secrets"], env=ServerProcess(settings).environment)


def sealed_values(settings: Settings) -> dict[str, list[str]]:
    """Every sealed value of the installation, by column."""
    found: dict[str, list[str]] = {}
    engine = owner_engine(settings.owner_url)
    with engine.begin() as connection:
        parts = Parts(connection)
        for column in sealed_columns():
            value = column.table.c[column.name]
            for part in parts.of(column.table):
                part.bind(connection)
                values = connection.execute(sa.select(value).where(value.is_not(None), part.rows(column.table)))
                found.setdefault(str(column), []).extend(values.scalars())
    engine.dispose()
    return found


async def something_sealed_of_each_kind(
    database: Database, identity: Database, tenants: list[Tenant], mails: int = 1
) -> None:
    """Written as under the old secret key; TOTP secrets and signing keys come about by themselves."""

    def seal(purpose: str, text: str) -> str:
        return SecretBox((SECRET.encode(),), purpose).seal(text)

    async with identity.transaction() as session:
        for number in range(mails):
            session.add(
                MailMessage(
                    recipient="a@example.com",
                    subject="s",
                    body=seal("mail", f"mail {number}"),
                    next_attempt_at=utc_now() + timedelta(days=1),
                )
            )
        session.add(
            SignInAttempt(
                provider="p",
                state_hash="s" * 64,
                browser_hash="b" * 64,
                sealed=seal("oauth", "verifier"),
                expires_at=utc_now() + timedelta(hours=1),
            )
        )
    for tenant in tenants:
        async with database.transaction(tenant.access) as session:
            agent = await AgentService(session, tenant.access).create_agent("posted to", None, None)
            agent.runtime_secret_sealed = seal("agent-runtime", f"signs for {tenant.name}")
            session.add(
                Webhook(
                    workspace_id=tenant.workspace_id,
                    name="hook",
                    kind="http",
                    target_sealed=seal("webhook", f"https://{tenant.name}.example.com"),
                    secret_sealed=seal("webhook", f"secret of {tenant.name}"),
                    former_secret_sealed=seal("webhook", "former"),
                    former_secret_until=utc_now() + timedelta(days=1),
                    events=["*"],
                    enabled=False,
                    created_by="tests",
                )
            )
            session.add(
                ProviderCredential(
                    workspace_id=tenant.workspace_id,
                    name="mine",
                    prefix="openai",
                    provider="openai",
                    api_key=seal("provider-credential", f"key of {tenant.name}"),
                    last_four="",
                    created_by="tests",
                    updated_at=utc_now(),
                )
            )
            session.add(
                WorkflowSecret(
                    workspace_id=tenant.workspace_id,
                    name="TOKEN",
                    value=seal("workflow-secret", f"token of {tenant.name}"),
                    created_by="tests",
                    updated_at=utc_now(),
                )
            )


async def test_after_a_rotation_the_new_key_alone_opens_everything(
    settings: Settings,
    database: Database,
    identity: Database,
    create_app: Callable[[Settings], Litestar],
) -> None:
    async with in_process(create_app(settings)) as client:
        ours, theirs = await register_tenant(client, "ours"), await register_tenant(client, "theirs")
        totp = await add_second_factor(client, ours)
    await something_sealed_of_each_kind(database, identity, [ours, theirs])
    before = await asyncio.to_thread(sealed_values, settings)
    assert all(before.values()), "a kind of sealed value is not in this test"

    both = with_keys(settings, NEW, SECRET)
    first = await asyncio.to_thread(rotate_secrets, both)
    assert first.exit_code == 1, first.output
    assert "2 API keys" in first.output
    assert "Keep the older secret keys" in first.output
    for name, values in (await asyncio.to_thread(sealed_values, settings)).items():
        purpose = next(column.purpose for column in sealed_columns() if str(column) == name)
        new, old = SecretBox((NEW.encode(),), purpose), SecretBox((SECRET.encode(),), purpose)
        assert all(new.is_current(value) for value in values), name
        # In the order of the primary key as before.
        assert sorted(map(new.open, values)) == sorted(map(old.open, before[name])), name

    async with in_process(create_app(both)) as client:
        # What hangs on the old key works as long as that is listed, and moves with its use.
        for tenant in (ours, theirs):
            assert (await client.get(f"{tenant.url}/agents", headers=tenant.key_headers)).status_code == 200
    second = await asyncio.to_thread(rotate_secrets, both)
    assert second.exit_code == 0, second.output
    assert "they may be removed" in second.output

    async with in_process(create_app(with_keys(settings, NEW))) as client:
        assert (await client.get("/api/v1/auth/me", headers=ours.client_headers)).status_code == 200
        assert (await client.get(f"{ours.url}/agents", headers=ours.key_headers)).status_code == 200
        code = totp.at(utc_now() + timedelta(seconds=30))
        sign_in = {"email": ours.email, "password": ours.password, "code": code}
        assert (await client.post("/api/v1/auth/login", json=sign_in)).status_code == 200


async def test_an_interrupted_rotation_goes_on_where_it_was(
    settings: Settings,
    database: Database,
    identity: Database,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tenant = await register_tenant(client, "ours")
    await something_sealed_of_each_kind(database, identity, [tenant], mails=7)
    monkeypatch.setattr("spectral.platform.resealing.BATCH_ROWS", 3)
    both = with_keys(settings, NEW, SECRET)

    def interrupts(column: Resealed) -> None:
        if str(column.column) == "mail_message.body" and column.looked_at:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await asyncio.to_thread(reseal, both, interrupts)
    box = SecretBox((NEW.encode(),), "mail")
    values = (await asyncio.to_thread(sealed_values, settings))["mail_message.body"]
    assert sum(map(box.is_current, values)) == 3
    again = await asyncio.to_thread(reseal, both, ignore)
    (mails,) = [column for column in again if str(column.column) == "mail_message.body"]
    assert mails.resealed == mails.looked_at - 3
    assert all(column.resealed == column.unreadable == 0 for column in await asyncio.to_thread(reseal, both, ignore))
    assert all(map(box.is_current, (await asyncio.to_thread(sealed_values, settings))["mail_message.body"]))


async def test_what_no_key_opens_is_left_and_reported(
    settings: Settings, identity: Database, client: httpx.AsyncClient
) -> None:
    async with identity.transaction() as session:
        session.add(MailMessage(recipient="a@example.com", subject="s", body="not sealed", next_attempt_at=None))
    done = await asyncio.to_thread(rotate_secrets, with_keys(settings, NEW, SECRET))
    assert done.exit_code == 1
    assert re.search(r"mail_message\.body: .*1 that no key opens", done.output)
    assert "not sealed" in (await asyncio.to_thread(sealed_values, settings))["mail_message.body"]


def test_every_purpose_that_seals_has_its_columns() -> None:
    """A sealed column that no model marks would be lost with the old key."""
    purposes = {column.purpose for column in sealed_columns()}
    for path in python_files("src"):
        source = Path(path).read_text()
        assert {*SEALS.findall(source)} <= purposes, path
        for purpose in re.findall(r'^\w*PURPOSE = "([^"]+)"', source, re.MULTILINE):
            assert purpose in purposes, f"{path} seals for {purpose}"
    assert {"mail", "totp", "oauth", "webhook", "signing-key"} <= purposes


def ignore(_column: Resealed) -> None:
    """Nobody watches."""


async def add_second_factor(client: httpx.AsyncClient, tenant: Tenant) -> pyotp.TOTP:
    path, headers = "/api/v1/auth/second-factor", tenant.client_headers
    begun = await client.post(path, json={"current_password": tenant.password}, headers=headers)
    assert begun.status_code == 201, begun.text
    totp = pyotp.TOTP(begun.json()["secret"])
    confirmed = await client.post(f"{path}/confirm", json={"code": totp.now()}, headers=headers)
    assert confirmed.status_code == 200, confirmed.text
    return totp

"""Keys and service accounts as authentication finds them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.keys.credentials import API_KEY, SERVICE_ACCOUNT, new_credential
from spectral.domains.keys.models import ApiKey, ServiceAccount
from spectral.domains.keys.peppers import Peppers
from spectral.domains.keys.repository import by_hash
from spectral.domains.keys.uses import UseNotes
from spectral.domains.keys.verifier import ApiKeyVerifier, MachineVerifier, ServiceAccountVerifier
from spectral.platform.access.authentication import CACHE_LIFETIME_S, Target
from spectral.platform.access.principal import PrincipalKind
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import NotAuthenticatedError
from spectral.settings import Settings
from tests.fixtures.servers import in_process
from tests.fixtures.statements import statements
from tests.fixtures.tenants import Tenant

NOWHERE = Target(None, None)


@pytest.fixture
async def uses(identity: Database) -> AsyncIterator[UseNotes]:
    uses = UseNotes(identity)
    yield uses
    await uses.drain()


@pytest.fixture
def verifiers(identity: Database, settings: Settings, uses: UseNotes) -> dict[str, MachineVerifier]:
    peppers = Peppers.from_secrets(settings.secrets)
    return {
        API_KEY: ApiKeyVerifier(identity, peppers, uses),
        SERVICE_ACCOUNT: ServiceAccountVerifier(identity, peppers, uses),
    }


async def create_service_account(client: httpx.AsyncClient, tenant: Tenant, role: str = "contributor") -> str:
    made = await client.post(
        f"{tenant.url}/service-accounts", json={"name": "CI", "role": role}, headers=tenant.client_headers
    )
    assert made.status_code == 201, made.text
    return str(made.json()["key"])


async def test_one_statement_finds_a_credential(
    client: httpx.AsyncClient,
    tenant: Tenant,
    identity: Database,
    verifiers: dict[str, MachineVerifier],
    uses: UseNotes,
) -> None:
    for credential in (tenant.api_key, await create_service_account(client, tenant)):
        verifier = verifiers[credential[: len(API_KEY)]]
        first = await verifier.principal(credential, NOWHERE)
        await uses.drain()
        with statements(identity) as seen:
            again = await verifier.principal(credential, Target(tenant.workspace_id, None))
        assert again == first
        assert len(seen) == 1, seen
        elsewhere = await verifier.principal(credential, Target(UUID(int=1), None))
        assert elsewhere.workspace is None
        assert (first.kind is PrincipalKind.API_KEY) == (verifier.kind is PrincipalKind.API_KEY)


@pytest.mark.parametrize("model", [ApiKey, ServiceAccount])
async def test_that_statement_uses_the_index(identity: Database, model: type[ApiKey] | type[ServiceAccount]) -> None:
    statement = by_hash(model, ["0" * 64, "1" * 64])
    explain = "EXPLAIN QUERY PLAN " if identity.is_sqlite else "EXPLAIN "
    async with identity.transaction(read_only=True) as session:
        if not identity.is_sqlite:
            # Which a table of three rows would not.
            await session.execute(sa.text("SET LOCAL enable_seqscan = off"))
        rendered = statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = "\n".join(str(row) for row in await session.execute(sa.text(explain + str(rendered))))
    table = model.__tablename__
    assert f"uq_{table}_key_hash" in plan or f"sqlite_autoindex_{table}" in plan, plan
    assert "SCAN" not in plan, plan


async def test_a_malformed_credential_needs_no_database(
    identity: Database, verifiers: dict[str, MachineVerifier]
) -> None:
    for prefix, verifier in verifiers.items():
        good = new_credential(prefix)
        wrong = [prefix, good[:-1], good + "0", good[:-1] + ("0" if good[-1] != "0" else "1"), prefix + "é" * 36]
        with statements(identity) as seen:
            for credential in wrong:
                assert verifier.recognises(credential)
                with pytest.raises(NotAuthenticatedError):
                    await verifier.principal(credential, NOWHERE)
        assert seen == []


async def test_every_refusal_looks_the_same(client: httpx.AsyncClient, tenant: Tenant, database: Database) -> None:
    async def create() -> tuple[str, str]:
        made = await client.post(f"{tenant.url}/keys", json={"name": "x"}, headers=tenant.client_headers)
        return made.json()["key_id"], made.json()["key"]

    (revoked_id, revoked), (_, expired) = await create(), await create()
    assert (await client.delete(f"{tenant.url}/keys/{revoked_id}", headers=tenant.client_headers)).is_success
    async with database.transaction(tenant.access) as session:
        ended = sa.update(ApiKey).values(expires_at=ApiKey.created_at).where(ApiKey.last_four == expired[-4:])
        await session.execute(ended.where(ApiKey.workspace_id == tenant.workspace_id))
    body = tenant.api_key.removeprefix(API_KEY)
    refused = [
        revoked,
        expired,
        new_credential(API_KEY),
        new_credential(SERVICE_ACCOUNT),
        SERVICE_ACCOUNT + body,
        "sk_test_" + body,
        tenant.api_key[:-1],
        tenant.api_key.swapcase(),
        API_KEY + "٣" * 36,
        API_KEY + "é" * 36,
    ]
    answers = []
    for credential in refused:
        headers = [(b"Authorization", b"Bearer " + credential.encode())]
        answer = await client.get(f"{tenant.url}/agents", headers=headers)
        assert answer.status_code == 401, credential
        assert answer.headers["www-authenticate"].startswith("Bearer")
        problem = answer.json()
        problem.pop("request_id")
        answers.append(problem)
    assert all(answer == answers[0] for answer in answers)


async def test_a_use_is_written_beside_the_request(
    client: httpx.AsyncClient,
    tenant: Tenant,
    database: Database,
    verifiers: dict[str, MachineVerifier],
    uses: UseNotes,
    settings: Settings,
) -> None:
    """Somebody holds what the note needs, a row or all of SQLite; the request is answered nevertheless."""
    holding = Database(settings.url, pool_size=1)
    try:
        async with holding.transaction(tenant.access) as session:
            await session.execute(sa.update(ApiKey).values(name="held").where(ApiKey.id == tenant.key_id, mine(tenant)))
            await asyncio.wait_for(verifiers[API_KEY].principal(tenant.api_key, NOWHERE), 10)
            # A second use does not start a second note.
            await verifiers[API_KEY].principal(tenant.api_key, NOWHERE)
        await uses.drain()
    finally:
        await holding.close()
    read = await client.get(f"{tenant.url}/keys/{tenant.key_id}", headers=tenant.client_headers)
    assert read.json()["last_used_at"] is not None


def mine(tenant: Tenant) -> sa.ColumnElement[bool]:
    return ApiKey.workspace_id == tenant.workspace_id


async def test_a_note_that_fails_takes_nothing_with_it(
    tenant: Tenant, identity: Database, settings: Settings, tmp_path: Path
) -> None:
    broken = Database(f"sqlite+aiosqlite:///{tmp_path}/not/there.db", pool_size=1)
    uses = UseNotes(broken)
    verifier = ApiKeyVerifier(identity, Peppers.from_secrets(settings.secrets), uses)
    assert (await verifier.principal(tenant.api_key, NOWHERE)).credential_id == tenant.key_id
    await uses.drain()
    await broken.close()


async def test_revocation_reaches_every_process_within_a_second(
    app: Litestar,
    client: httpx.AsyncClient,
    tenant: Tenant,
    settings: Settings,
    create_app: Callable[[Settings], Litestar],
) -> None:
    """Two applications on one database, each with a memory of its own: an API key, a service account, a session."""
    del app
    login = {"email": tenant.email, "password": tenant.password}
    session = (await client.post("/api/v1/auth/login", json=login)).json()["access_token"]
    machine = await create_service_account(client, tenant)
    credentials = {tenant.api_key: "/agents", machine: "", session: ""}
    async with in_process(create_app(settings)) as elsewhere:
        for credential, path in credentials.items():
            headers = {"Authorization": f"Bearer {credential}"}
            for process in (client, elsewhere):
                assert (await process.get(tenant.url + path, headers=headers)).status_code == 200
        listed = await client.get(f"{tenant.url}/service-accounts", headers=tenant.client_headers)
        machine_id = listed.json()["results"][0]["service_account_id"]
        for path in (f"/keys/{tenant.key_id}", f"/service-accounts/{machine_id}"):
            assert (await client.delete(tenant.url + path, headers=tenant.client_headers)).status_code == 204
        signed_out = await client.post("/api/v1/auth/logout", headers={"Authorization": f"Bearer {session}"})
        assert signed_out.is_success, signed_out.text
        for credential, path in credentials.items():
            gone = await client.get(tenant.url + path, headers={"Authorization": f"Bearer {credential}"})
            assert gone.status_code == 401, "at once where it was revoked"
        await asyncio.sleep(CACHE_LIFETIME_S)
        for credential, path in credentials.items():
            gone = await elsewhere.get(tenant.url + path, headers={"Authorization": f"Bearer {credential}"})
            assert gone.status_code == 401

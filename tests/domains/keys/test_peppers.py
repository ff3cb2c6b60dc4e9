"""The installation's secret is rotated: credentials follow as they are used."""

from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.keys.models import ApiKey
from spectral.domains.keys.peppers import OlderHashes, Peppers, count_older_hashes
from spectral.domains.keys.uses import UseNotes
from spectral.domains.keys.verifier import ApiKeyVerifier, ServiceAccountVerifier
from spectral.platform.access.authentication import Target
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import NotAuthenticatedError
from spectral.settings import Settings
from tests.fixtures.tenants import Tenant

NOWHERE = Target(None, None)
NEW_SECRET = b"the secret that was put before the one of the tests"


async def stored(database: Database, tenant: Tenant) -> Any:
    row = sa.select(ApiKey.key_hash, ApiKey.pepper_id).where(ApiKey.workspace_id == tenant.workspace_id)
    async with database.transaction(tenant.access, read_only=True) as session:
        return (await session.execute(row)).one()


async def test_a_key_that_is_used_follows_the_new_pepper(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, identity: Database, settings: Settings
) -> None:
    body = {"name": "idle", "role": "observer"}
    idle = (await client.post(f"{tenant.url}/service-accounts", json=body, headers=tenant.client_headers)).json()["key"]
    former, both = Peppers.from_secrets(settings.secrets), Peppers.from_secrets((NEW_SECRET, *settings.secrets))
    before = await stored(database, tenant)
    assert before.pepper_id == former.newest_id
    assert before.pepper_id not in former.keys[0].hex()
    assert await count_older_hashes(identity, former) == OlderHashes(0, 0)
    assert await count_older_hashes(identity, both) == OlderHashes(1, 1)
    uses = UseNotes(identity)
    for _ in range(2):
        # Used a moment ago, too: the throttle of `last_used_at` does not hold this back.
        await ApiKeyVerifier(identity, both, uses).principal(tenant.api_key, NOWHERE)
        await uses.drain()
    after = await stored(database, tenant)
    assert (after.key_hash, after.pepper_id) == (both.hash(tenant.api_key), both.newest_id)
    assert after.key_hash != before.key_hash
    assert await count_older_hashes(identity, both) == OlderHashes(0, 1)
    # The old secret is dropped: what followed goes on, what did not is out.
    alone = Peppers.from_secrets((NEW_SECRET,))
    found = await ApiKeyVerifier(identity, alone, uses).principal(tenant.api_key, NOWHERE)
    assert found.credential_id == tenant.key_id
    with pytest.raises(NotAuthenticatedError):
        await ServiceAccountVerifier(identity, alone, uses).principal(idle, NOWHERE)
    await uses.drain()


async def test_a_key_of_an_unnamed_pepper_gets_its_name(
    tenant: Tenant, database: Database, identity: Database, settings: Settings
) -> None:
    """As the migration finds them."""
    peppers = Peppers.from_secrets(settings.secrets)
    async with database.transaction(tenant.access) as session:
        unnamed = sa.update(ApiKey).values(pepper_id=None).where(ApiKey.workspace_id == tenant.workspace_id)
        await session.execute(unnamed)
    assert await count_older_hashes(identity, peppers) == OlderHashes(1, 0)
    uses = UseNotes(identity)
    await ApiKeyVerifier(identity, peppers, uses).principal(tenant.api_key, NOWHERE)
    await uses.drain()
    assert (await stored(database, tenant)) == (peppers.hash(tenant.api_key), peppers.newest_id)
    assert await count_older_hashes(identity, peppers) == OlderHashes(0, 0)


async def test_what_opens_nothing_any_more_is_not_counted(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    newer = Peppers.from_secrets((NEW_SECRET,))
    assert (await count_older_hashes(identity, newer)).total == 1
    url = f"{tenant.url}/keys/{UUID(str(tenant.key_id))}"
    assert (await client.delete(url, headers=tenant.client_headers)).status_code == 204
    assert (await count_older_hashes(identity, newer)).total == 0

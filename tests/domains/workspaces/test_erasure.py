"""Deleting a workspace really deletes what is in it, and nothing of anybody else."""

import httpx
import sqlalchemy as sa

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.base import Base
from spectral.platform.db.session import Database
from tests.fixtures.world import WorldBuilder

KEPT = frozenset({"audit_entry"})


async def rows_of(database: Database, access: WorkspaceAccess) -> dict[str, int]:
    """How many rows each table has of this workspace; tables without any are left out."""
    found = {}
    async with database.transaction(access, read_only=True) as session:
        for table in Base.metadata.sorted_tables:
            if "workspace_id" in table.c and table.name not in KEPT:
                mine = table.c.workspace_id == access.workspace_id
                count = (await session.execute(sa.select(sa.func.count()).select_from(table).where(mine))).scalar_one()
                if count:
                    found[table.name] = count
    return found


async def test_everything_of_a_full_workspace_goes_and_the_neighbours_stay(
    client: httpx.AsyncClient, database: Database
) -> None:
    ours = await WorldBuilder(client, database, "ours").build()
    theirs = await WorldBuilder(client, database, "theirs").build()
    before = await rows_of(database, theirs.tenant.access)
    assert {"agent", "sample_item", "span", "rubric", "scan", "changeset", "api_key"} <= set(before)
    assert set(await rows_of(database, ours.tenant.access)) == set(before)
    assert (await client.delete(ours.tenant.url, headers=ours.headers)).status_code == 204
    assert await rows_of(database, ours.tenant.access) == {}
    assert await rows_of(database, theirs.tenant.access) == before

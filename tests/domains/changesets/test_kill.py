"""`kill -9` in the middle of a look spends nothing twice and changes no number."""

import asyncio
import json
import random
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from spectral.domains.changesets.looks import validate
from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.domains.agents.executing import Always
from tests.domains.changesets.workbench import DOOR, DirectExecution, ScriptedRuntime, Workbench, canonical
from tests.fixtures.tenants import Tenant

KILLS = 3
# Machines that test may be very busy.
PATIENCE_S = 180


async def start(settings: Settings, tenant: Tenant, changeset_id: object) -> Process:
    given = {
        "url": settings.url,
        "workspace_id": str(tenant.workspace_id),
        "account_id": str(tenant.account_id),
        "changeset_id": str(changeset_id),
    }
    script = Path(__file__).with_name("looking_process.py")
    return await asyncio.create_subprocess_exec(sys.executable, str(script), json.dumps(given), stdout=PIPE)


async def lines(process: Process) -> list[str]:
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return output.decode().split()


@pytest.mark.slow
async def test_a_killed_look_is_paid_once_and_ends_with_the_same_numbers(
    database: Database, settings: Settings, tenant: Tenant
) -> None:
    reference = await Workbench.make(database, tenant.access, items=400)
    undisturbed = await reference.propose(0.62)
    look = await reference.start(undisturbed.id)
    expected = await validate(
        DirectExecution(database, tenant.access), look.id, door=DOOR, runtimes=Always(ScriptedRuntime())
    )
    bench = await Workbench.make(database, tenant.access, items=400)
    changeset = await bench.propose(0.62)
    for _ in range(KILLS):
        if await bench.validations(changeset.id) and (await bench.read(changeset.id)).state != "validating":
            break  # it was quicker than we
        process = await start(settings, tenant, changeset.id)
        assert process.stdout is not None
        assert (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).split() == [b"started"]
        await asyncio.sleep(random.uniform(0.0, 0.6))  # noqa: S311 - no secret
        if process.returncode is None:
            process.kill()
        await process.wait()
        assert (await bench.ledger()).looks_taken == 1
    if (await bench.read(changeset.id)).state == "validating":
        assert await lines(await start(settings, tenant, changeset.id)) == ["started", "finished"]
    (validation,) = await bench.validations(changeset.id)
    ledger = await bench.ledger()
    assert (validation.status, validation.look, ledger.looks_taken) == ("completed", 1, 1)
    ended, wanted = (
        canonical([each.verdict, each.reasons, each.n_more, each.evidence]) for each in (validation, expected)
    )
    assert ended == wanted
    assert (await bench.read(changeset.id)).state == validation.verdict

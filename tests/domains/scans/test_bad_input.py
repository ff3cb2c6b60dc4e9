"""What a scan cannot do with is a clear problem before it starts, or a clear state after; nothing is lost by it."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.changesets.models import HoldoutLedger
from spectral.domains.samples.models import Holdout, SampleItem
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from tests.domains.scans.lab import Lab
from tests.domains.scans.toy_tickets import TELLING, champion
from tests.fixtures.tenants import Tenant

SMALL = {"max_evaluations": 700}


@pytest.fixture
async def lab(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> Lab:
    made = Lab(client, database, tenant)
    await made.prepare(150)
    return made


def small(**changes: Any) -> dict[str, Any]:
    """A scan that searches little."""
    return {"strategies": ["few_shot"], "budget": SMALL, **changes}


def outside() -> dict[str, Any]:
    """A candidate that changes what the search space does not list."""
    return {**champion().as_json(), "search_space": [], "parameters": {"temperature": 1}}


async def test_refusals_name_what_is_wrong_and_write_nothing(lab: Lab) -> None:
    lab.ids["few"] = await lab.create_set("few", 60)
    lab.ids["unfrozen"] = await lab.create_set("unfrozen", 149)
    refusals: list[tuple[dict[str, Any], str, str]] = [
        (small(sample_set_id=lab.ids["few"]), "scan-not-ready", "the select split has 18 items and needs 30"),
        (small(sample_set_id=lab.ids["unfrozen"]), "scan-not-ready", "there is no frozen holdout"),
        (small(sample_set_id=lab.ids["few"], mode="synthetic_only"), "scan-not-ready", "needs 30"),
        (small(budget={"max_evaluations": 10}), "budget-too-small", "needs at least"),
        (small(reflection_model="gpt-nonsense"), "unknown-model", "gpt-nonsense"),
        (small(reflection_model="openai/gpt-4o"), "missing-credential", "no credential for openai"),
        (
            small(reflection_model="acme/none", budget={**SMALL, "max_cost_usd": "5"}),
            "unpriced-model",
            "acme/none",
        ),
        (small(strategies=["template"], candidates=[outside()]), "search-space-violation", "/parameters"),
    ]
    for changes, slug, says in refusals:
        answer = await lab.call("POST", "", lab.request(**changes))
        problem = answer.json()
        assert (answer.status_code, problem["type"].rpartition("/")[2]) == (400, slug), answer.text
        assert says in problem["detail"], problem["detail"]
    assert (await lab.call("GET", "")).json()["pagination"]["total"] == 0

    preview = (await lab.call("POST", "/preview", lab.request(**small(reflection_model="openai/gpt-4o")))).json()
    assert (preview["ready"], preview["missing_credentials"]) == (False, ["openai"])
    assert "a credential for openai" in preview["missing"]
    assert float(preview["maximum_cost_usd"]) > float(preview["estimated_cost_usd"]) > 0
    limited = lab.request(**small(reflection_model="openai/gpt-4o", budget={**SMALL, "max_cost_usd": "0.5"}))
    assert (await lab.call("POST", "/preview", limited)).json()["maximum_cost_usd"] == "0.5"


async def test_two_scans_on_one_holdout_pay_for_a_look_each_until_it_is_spent(lab: Lab) -> None:
    better = {**champion(descriptions=TELLING).as_json(), "search_space": []}
    request = small(strategies=["template"], candidates=[better])
    first, second, third = [await lab.start(**request) for _ in range(3)]
    looks = []
    for scan_id in (second, first):
        lab.ids["scan_id"] = scan_id
        scan = await lab.run(scan_id)
        assert scan["status"] == "completed", scan["failure"]
        looks.append((scan["results"]["validation"]["look"], scan["results"]["validation"]["alpha"]))
    assert looks == [(1, 0.025), (2, 0.0125)]

    # Somebody edits the frozen items behind everybody's back: the look says so and decides nothing.
    access = lab.tenant.access
    async with lab.database.transaction(access) as session:
        frozen = (SampleItem.workspace_id == access.workspace_id, SampleItem.holdout_id.is_not(None))
        victim = (await session.scalars(sa.select(SampleItem.id).where(*frozen).limit(1))).one()
        changed = sa.update(SampleItem).where(*frozen, SampleItem.id == victim).values(expected="refund!")
        await session.execute(changed.execution_options(synchronize_session=False))
    lab.ids["scan_id"] = third
    scan = await lab.run(third)
    assert (scan["status"], scan["outcome"]) == ("completed", "inconclusive")
    changeset = (await lab.call("GET", f"/{scan['changeset_id']}", below="/changesets")).json()
    assert changeset["validation"]["failure"]["type"] == "holdout-altered"
    assert "decide" in (await lab.call("GET", "/{scan_id}/report")).json()["headline"]

    async with lab.database.transaction(access) as session:
        mine = HoldoutLedger.workspace_id == access.workspace_id
        assert (await session.scalars(sa.select(HoldoutLedger.looks_taken).where(mine))).one() == 3
        retired = sa.update(Holdout).where(Holdout.workspace_id == access.workspace_id)
        await session.execute(retired.values(retired_at=utc_now()).execution_options(synchronize_session=False))
    refused = await lab.call("POST", "", lab.request(**small()))
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (400, "holdout-spent")
    preview = (await lab.call("POST", "/preview", lab.request(**small()))).json()
    assert preview["missing"] == ["all planned looks at the holdout are taken; refresh it from new traffic"]


async def test_a_scan_without_a_holdout_searches_and_validates_nothing(lab: Lab) -> None:
    # The holdout that there is stays untouched.
    request = small(mode="synthetic_only")
    preview = (await lab.call("POST", "/preview", lab.request(**request))).json()
    assert (preview["ready"], preview["readiness"]["mode"]) == (True, "synthetic_only")
    assert (preview["readiness"]["detectable"], preview["plan"]["validation"]) == (None, 0)
    scan = await lab.run(await lab.start(**request))
    assert (scan["status"], scan["outcome"], scan["mode"]) == ("completed", "inconclusive", "synthetic_only")
    assert (scan["holdout_id"], scan["results"]["validation"]) == (None, None)
    report = (await lab.call("GET", "/{scan_id}/report")).json()
    assert "The scan only searched: the proposal is not validated" in report["headline"]
    path = f"/{scan['changeset_id']}"
    assert (await lab.call("GET", path, below="/changesets")).json()["state"] == "proposed"
    refused = await lab.call("POST", f"{path}/accept", {}, below="/changesets")
    assert refused.status_code == 400
    holdout = (await lab.call("GET", f"/{lab.ids['sample_set_id']}", below="/samples")).json()["holdout"]
    assert holdout["looks"] == 0
    # A person may have it validated afterwards, on the holdout that there is then.
    begun = await lab.call("POST", f"{path}/validation", {}, below="/changesets")
    assert begun.status_code == 202, begun.text

"""Pause, resume, cancel: what was recorded is never lost and never repeated, and the end is the same."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.evaluations.measurement import Measurement
from spectral.domains.evaluations.models import EvaluationResult
from spectral.domains.scans.states import Phase
from spectral.platform.db.session import Database
from spectral.platform.engine.errors import LeaseLostError
from spectral.platform.engine.work import EngineWork, WorkState
from spectral.platform.llm.calls import ModelFault
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from tests.domains.scans.lab import Lab
from tests.fixtures.tenants import Tenant


@pytest.fixture
async def lab(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> Lab:
    made = Lab(client, database, tenant)
    await made.prepare(150)
    return made


SMALL = {"max_evaluations": 900}


async def column(lab: Lab, statement: sa.Select[Any]) -> list[Any]:
    async with lab.database.transaction(lab.tenant.access, read_only=True) as session:
        return list((await session.scalars(statement)).all())


async def recorded(lab: Lab, scan_id: str) -> list[Any]:
    """The journal of a scan: ids of rows, which a repetition would change."""
    return await column(
        lab,
        sa.select(EvaluationResult.id)
        .where(EvaluationResult.workspace_id == lab.tenant.access.workspace_id)
        .order_by(EvaluationResult.id),
    )


def found(scan: dict[str, Any]) -> Any:
    """What two equal scans have in common: everything but ids and times."""
    assert scan["status"] == "completed", scan["failure"]
    winner = scan["results"]["winner"]
    effect = [winner[name] for name in ("ordinal", "config_hash", "n", "effect", "low", "high", "wins", "losses")]
    return scan["outcome"], [one["config_hash"] for one in scan["candidates"]], effect


async def test_a_scan_paused_in_every_phase_ends_as_one_that_never_was(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    untouched = found(await lab.run(await lab.start(budget=SMALL)))
    paused_in: list[str] = []
    inner = Measurement.measure

    async def pausing(self: Measurement, *arguments: Any, **keywords: Any) -> Any:
        """Asks for a pause the first time that each phase measures, and sees that the checkpoint heeds it."""
        scan = (await lab.call("GET", "/{scan_id}")).json()
        if scan["phase"] not in paused_in and scan["status"] == "running":
            paused_in.append(scan["phase"])
            answer = await lab.call("POST", "/{scan_id}/pause")
            assert (answer.status_code, answer.json()["status"]) == (200, "paused")
            await self._checkpoint()
            pytest.fail("the checkpoint let a paused scan go on")
        return await inner(self, *arguments, **keywords)

    scan_id = await lab.start(budget=SMALL)
    monkeypatch.setattr("spectral.domains.scans.run.CANCEL_POLL_S", 0.0)
    monkeypatch.setattr(Measurement, "measure", pausing)
    rows: list[Any] = []
    while True:
        context = await lab.claim(scan_id)
        try:
            await lab.execute(context)
        except LeaseLostError:
            scan = (await lab.call("GET", "/{scan_id}")).json()
            assert scan["status"] == "paused"
            # It holds no slot: what is parked is not counted, and nobody looks for it.
            work = await column(lab, sa.select(EngineWork.state).where(EngineWork.id == context.key))
            assert work == [WorkState.QUEUED]
            kept = await recorded(lab, scan_id)
            assert set(rows) <= set(kept)
            rows = kept
            assert (await lab.call("POST", "/{scan_id}/pause")).json()["status"] == "paused"
            resumed = await lab.call("POST", "/{scan_id}/resume")
            assert (resumed.status_code, resumed.json()["status"]) == (200, "running"), resumed.text
            continue
        break
    scan = (await lab.call("GET", "/{scan_id}")).json()
    assert scan["status"] == "completed", scan["failure"]
    assert {Phase.DETECT, Phase.GENERATE, Phase.EVALUATE, Phase.SAFETY} <= set(paused_in)
    assert found(scan) == untouched


class Outage:
    """The built-in models, until they are away."""

    def __init__(self, answers: int) -> None:
        self.inner = LocalProvider()
        self.answers = answers

    @property
    def name(self) -> str:
        return self.inner.name

    def models(self) -> Any:
        return self.inner.models()

    async def complete_many(self, requests: Any) -> Any:
        answered = list(await self.inner.complete_many(requests))
        given = answered[: max(0, self.answers)]
        self.answers -= len(answered)
        fault = ModelFault("provider_error", "connection refused", retryable=True)
        return given + [fault] * (len(answered) - len(given))


async def test_a_provider_that_goes_away_ends_the_scan_and_it_can_be_resumed(lab: Lab) -> None:
    untouched = found(await lab.run(await lab.start(budget=SMALL)))
    scan_id = await lab.start(budget=SMALL)
    # Away while the champion is measured, while strategies search, and on select.
    for answers in (40, 150, 350):
        scan = await lab.run(scan_id, ModelDoor([Outage(answers)]))
        assert scan["status"] == "failed"
        assert scan["failure"]["type"] == "provider-down"
        assert "connection refused" in scan["failure"]["detail"]
        missing = sa.select(EvaluationResult.id).where(EvaluationResult.missing_reason.is_not(None))
        assert await column(lab, missing) == []
        resumed = await lab.call("POST", "/{scan_id}/resume")
        assert (resumed.status_code, resumed.json()["status"], resumed.json()["failure"]) == (200, "queued", None)
    assert found(await lab.run(scan_id)) == untouched
    kinds = [event["type"] for event in (await events(lab)) if event["type"] in {"scan.failed", "scan.resumed"}]
    assert kinds == ["scan.failed", "scan.resumed"] * 3


async def events(lab: Lab) -> list[dict[str, Any]]:
    listed = await lab.call("GET", "/{scan_id}/events", params={"limit": 100})
    results: list[dict[str, Any]] = listed.json()["results"]
    return results


async def test_a_scan_cancelled_while_it_is_paused_leaves_nothing_open(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = await lab.start(budget=SMALL)
    assert (await lab.call("POST", "/{scan_id}/pause")).json()["status"] == "paused"
    assert (await lab.call("POST", "/{scan_id}/resume")).json()["status"] == "queued"
    assert (await lab.call("POST", "/{scan_id}/resume")).json()["status"] == "queued"
    assert (await lab.call("POST", "/{scan_id}/pause")).status_code == 200
    assert (await lab.call("POST", "/{scan_id}/cancel")).json()["status"] == "cancelled"
    for action in ("pause", "resume"):
        refused = await lab.call("POST", f"/{{scan_id}}/{action}")
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (400, "invalid-transition")
    assert [event["type"] for event in await events(lab)] == [
        *("scan.created", "scan.paused", "scan.resumed", "scan.paused", "scan.cancelled")
    ]

    scan_id = await lab.start(budget=SMALL)
    inner = Measurement.measure

    async def pausing(self: Measurement, *arguments: Any, **keywords: Any) -> Any:
        if (await lab.call("GET", "/{scan_id}")).json()["phase"] == "safety":
            await lab.call("POST", "/{scan_id}/pause")
            await self._checkpoint()
        return await inner(self, *arguments, **keywords)

    monkeypatch.setattr("spectral.domains.scans.run.CANCEL_POLL_S", 0.0)
    monkeypatch.setattr(Measurement, "measure", pausing)
    with pytest.raises(LeaseLostError):
        await lab.execute(await lab.claim(scan_id))
    paused = (await lab.call("GET", "/{scan_id}")).json()
    assert (paused["status"], paused["phase"]) == ("paused", "safety")
    path = f"/{paused['changeset_id']}"
    assert (await lab.call("GET", path, below="/changesets")).json()["state"] == "validating"
    cancelled = (await lab.call("POST", "/{scan_id}/cancel")).json()
    assert (cancelled["status"], cancelled["outcome"]) == ("cancelled", None)
    # The look told nobody anything: it can be taken up by hand, under the α that was spent on it.
    changeset = (await lab.call("GET", path, below="/changesets")).json()
    assert (changeset["state"], changeset["validation"]["status"]) == ("inconclusive", "cancelled")
    assert changeset["evidence"]["reasons"] == ["cancelled"]
    # Its engine work is over for good, as is the waiting one's.
    await lab.execute(await lab.claim(waiting))
    assert (await lab.call("GET", f"/{waiting}")).json()["status"] == "cancelled"

"""What a scan promises is measured on whole scans: through the scan service, only the scorer simulated.

The agents really are executed; what is simulated is how good their answers are, so that the truth is known. The
champion always answers "alpha", candidates "beta" and "gamma": the scorer decides by a fixed draw for each item and
answer. The minimum effect is 0, where a useless change has the best chance to slip through.
"""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from scipy.stats import binom

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.evaluations import scoring
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.scorers.base import Answer, ScoredCase, Scorer, Verdict
from spectral.domains.evaluations.scorers.registry import installed_scorers
from spectral.domains.evaluations.scoring import Dimension, RubricSpec
from spectral.domains.samples.splitting import Split
from spectral.domains.scans.plan import ASSUMED_DISCORDANCE, Samples, assess
from spectral.domains.scans.schemas import ScanIn
from spectral.domains.scans.states import Outcome
from spectral.platform.db.session import Database
from tests.domains.scans.direct_scans import DirectScans, Subject
from tests.fixtures.tenants import Tenant

REFLECT, SELECT, HOLDOUT = 4, 100, 100
NULL_RUNS, POWER_RUNS = 200, 100
SIDE_BY_SIDE = 4
LEVEL, POWER = 0.05, 0.8
SURPRISE = 0.01
"""How unlikely a count must be under the promise before the test calls the promise broken."""


class SimulatedScorer(Scorer):
    """Half of the items are right under the champion; a candidate's answer flips some of them, `gain` more to right.

    Of all items `ASSUMED_DISCORDANCE` differ, which is what the declared detectable effect supposes.
    """

    version: ClassVar[str] = "1"
    gain: float = 0.0

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        right = draw(case.input["item"], "alpha") < 0.5
        if answer.output != "alpha":
            gain = self.gain if answer.output == "beta" else 0.0
            flipped = ASSUMED_DISCORDANCE + (-gain if right else gain)
            if draw(case.input["item"], answer.output) < flipped:
                right = not right
        return Verdict(float(right), "simulated")


def draw(*names: str) -> float:
    """A number in [0, 1) that depends on the names only."""
    digest = hashlib.sha256("\n".join(names).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


@pytest.fixture(autouse=True)
def simulated_scorer(monkeypatch: pytest.MonkeyPatch) -> None:
    scorers: Mapping[str, type[Scorer]] = MappingProxyType({**installed_scorers(), "simulated": SimulatedScorer})
    monkeypatch.setattr(scoring, "installed_scorers", lambda: scorers)


def answering(label: str) -> dict[str, Any]:
    """A configuration whose agent answers with this label, whatever it is asked."""
    return {
        "model": "spectral-local/small",
        "prompts": {"main": {"messages": [{"role": "system", "content": f"- {label}: {label}"}]}},
        "search_space": [{"pointer": "/prompts/main/messages/0/content", "kind": "text", "bounds": {}}],
    }


async def create_subject(scans: DirectScans, name: str, gain: float) -> Subject:
    rubric = RubricSpec(dimensions=(Dimension(name="simulated", scorer="simulated", options={"gain": gain}),))
    return await scans.create_subject(
        name, ConfigDocument.model_validate(answering("alpha")), rubric, ObjectiveSpec(minimum_effect=0.0)
    )


async def outcome_of_run(scans: DirectScans, subject: Subject, run: str) -> str:
    """The outcome of one scan of fresh items."""
    size = REFLECT + SELECT + HOLDOUT
    rows = [{"input": {"item": f"{run}-{number}"}, "expected": "alpha"} for number in range(size)]
    shares = {Split.REFLECT: REFLECT / size, Split.SELECT: SELECT / size, Split.HOLDOUT: HOLDOUT / size}
    sample_set_id = await scans.create_samples(run, rows, shares)
    scan_id = await scans.start(
        ScanIn(
            agent_id=subject.agent_id,
            sample_set_id=sample_set_id,
            objective_id=subject.objective_id,
            rubric_id=subject.rubric_id,
            strategies=["template"],
            candidates=[ConfigDocument.model_validate(answering(label)) for label in ("beta", "gamma")],
        )
    )
    view = await scans.run(scan_id)
    assert view.scan.failure is None
    assert view.scan.outcome is not None
    return view.scan.outcome


async def outcomes_of_runs(scans: DirectScans, subject: Subject, name: str, runs: int) -> list[str]:
    """The outcomes of independent scans, a few side by side: a commit's wait is the next one's time to compute."""
    outcomes: list[str] = []
    for start in range(0, runs, SIDE_BY_SIDE):
        batch = range(start, min(start + SIDE_BY_SIDE, runs))
        outcomes += await asyncio.gather(*(outcome_of_run(scans, subject, f"{name}-{run}") for run in batch))
    return outcomes


@pytest.mark.databases("sqlite")
@pytest.mark.slow
async def test_useless_changes_are_hardly_ever_promoted(database: Database, tenant: Tenant) -> None:
    scans = DirectScans(database, tenant.access)
    subject = await create_subject(scans, "null", gain=0.0)
    started = time.perf_counter()
    outcomes = await outcomes_of_runs(scans, subject, "null", NULL_RUNS)
    promoted = outcomes.count(Outcome.VALIDATED)
    print(
        f"{promoted} of {NULL_RUNS} useless changes validated, {time.perf_counter() - started:.0f} s: {set(outcomes)}"
    )
    assert promoted <= binom.ppf(1 - SURPRISE, NULL_RUNS, LEVEL)
    # Screening on select keeps most useless changes away from the holdout, whose looks are few.
    assert outcomes.count(Outcome.NO_IMPROVEMENT) >= NULL_RUNS / 2


@pytest.mark.databases("sqlite")
@pytest.mark.slow
async def test_a_change_of_the_declared_effect_is_found(database: Database, tenant: Tenant) -> None:
    readiness = assess(Samples(REFLECT, SELECT, HOLDOUT), holdout_available=True, minimum_effect=0.0)
    assert readiness.detectable is not None
    gain = readiness.detectable.effect
    scans = DirectScans(database, tenant.access)
    subject = await create_subject(scans, "power", gain=gain)
    started = time.perf_counter()
    outcomes = await outcomes_of_runs(scans, subject, "power", POWER_RUNS)
    found = outcomes.count(Outcome.VALIDATED)
    print(f"{found} of {POWER_RUNS} gains of {gain:.3f} validated in {time.perf_counter() - started:.0f} s")
    assert found >= binom.ppf(SURPRISE, POWER_RUNS, POWER)


@pytest.mark.databases("sqlite")
async def test_a_champion_against_itself_is_never_proposed(database: Database, tenant: Tenant) -> None:
    scans = DirectScans(database, tenant.access)
    subject = await create_subject(scans, "itself", gain=0.0)
    rows = [{"input": {"item": f"itself-{number}"}, "expected": "alpha"} for number in range(150)]
    shares = {Split.REFLECT: 0.2, Split.SELECT: 0.4, Split.HOLDOUT: 0.4}
    scan_id = await scans.start(
        ScanIn(
            agent_id=subject.agent_id,
            sample_set_id=await scans.create_samples("itself", rows, shares),
            objective_id=subject.objective_id,
            strategies=["template"],
            candidates=[ConfigDocument.model_validate(answering("alpha"))],
        )
    )
    view = await scans.run(scan_id)
    assert (view.scan.outcome, view.scan.changeset_id) == (Outcome.NO_IMPROVEMENT, None)

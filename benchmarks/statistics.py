"""What verdicts promise, on whole scans: how rarely a useless change passes, how often a gain is found.

Scans run through the scan service with the product's own measurement, comparison and look at the holdout. For equal
arms only the scorer is simulated, so that the truth is known; the planted faults are found by the real search on the
built-in local runtime.
"""

import asyncio
import hashlib
import logging
import math
import os
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, TypeVar
from uuid import UUID

import numpy as np
import structlog
from scipy.stats import beta, norm

from benchmarks.figures import Figure
from benchmarks.kept import Kept
from spectral.demo.dataset import Ticket, demo_config, generate_tickets
from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import PromptRuntime
from spectral.domains.agents.service import AgentService
from spectral.domains.changesets.errors import HoldoutSpentError
from spectral.domains.changesets.service import ChangesetService
from spectral.domains.changesets.statistics import paired_effects
from spectral.domains.changesets.validation import ValidationService
from spectral.domains.evaluations import scoring
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.scorers.base import Answer, ScoredCase, Scorer, Verdict
from spectral.domains.evaluations.scorers.registry import installed_scorers
from spectral.domains.evaluations.scoring import Dimension, RubricSpec
from spectral.domains.samples.splitting import Split
from spectral.domains.scans.errors import NotReadyError
from spectral.domains.scans.schemas import BudgetIn, ScanIn
from spectral.platform.db.migrations import migrate
from spectral.platform.db.session import Database
from spectral.platform.shared.pagination import Page
from spectral.settings import load_settings
from tests.domains.scans.direct_scans import DirectScans, Subject
from tests.platform.engine.conftest import new_place

T = TypeVar("T")

Run = Callable[[Mapping[str, Callable[[], Any]]], list[Any]]
"""Does named pieces of work, or knows what they answered; see `Kept.run`."""

PROCESSES = 2
SCANS = 10_000
LIFETIMES = 200
NIGHTS = 30
COVERAGE_RUNS = 1_000
AGENTS = 20
BATCH = 50
CHANGED = 0.2
"""Of the items a candidate's answers differ in quality on, in either direction alike."""

REFLECT, SELECT, HOLDOUT = 4, 100, 100
TICKETS, FRESH = 1_500, 5_000
AGENT_BUDGET = 45_000


def measure_statistics(
    scans: int = SCANS, lifetimes: int = LIFETIMES, agents: int = AGENTS, keep: Path | None = None
) -> list[Figure]:
    """Everything that the page on statistics promises of whole scans, and the intervals' coverage.

    keep: a file for what is done, from which a run that was stopped goes on.
    """
    kept = Kept(keep)
    with ProcessPoolExecutor(PROCESSES) as pool:
        run = partial(kept.run, pool)
        figures = [_null(run, shape, -(-scans // len(SHAPES))) for shape in SHAPES]
        figures.append(_together(figures))
        figures.append(_lifetimes(run, lifetimes))
        figures += _covered(run)
        figures += _planted(run, agents)
    return figures


# -------------------------------------------------------------------------------------------------------- equal arms


@dataclass(frozen=True, slots=True)
class Shape:
    """Items of a kind. right: how often the champion is. group: how many items a session has.  copies: of each text."""

    name: str
    right: float = 0.5
    changed: float = CHANGED
    group: int = 1
    copies: int = 1

    def rows(self, run: str, size: int) -> list[dict[str, Any]]:
        """The items of one set."""
        rows = []
        for number in range(size):
            # As long as a short question. Copies differ in a character and should be left out, others in everything.
            item = _word(run, number // self.copies, 120)
            given = {"item": item, "session": _word(run, number // self.group, 4)}
            if self.copies > 1:
                given["copy"] = str(number % self.copies)
            row: dict[str, Any] = {"input": given, "expected": "alpha"}
            if self.group > 1:
                row["metadata"] = {"session_id": f"{run}-session-{number // self.group}"}
            rows.append(row)
        return rows


SHAPES = (
    Shape("plain"),
    Shape("in sessions of four that change together", group=4),
    Shape("near the ceiling", right=0.97, changed=0.04),
    Shape("every text three times", copies=3),
)


def _word(run: str, number: int, characters: int) -> str:
    return hashlib.sha512(f"{run}/{number}".encode()).hexdigest()[:characters]


class Simulated(Scorer):
    """The champion is right on a fixed share; every other answer is as good, but right elsewhere."""

    version: ClassVar[str] = "1"
    right: float = 0.5
    changed: float = CHANGED
    group: int = 1

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        item = str(case.input["item"])
        right = draw(item, "alpha") < self.right
        if answer.output != "alpha":
            # What a change does to one question of a session it does to most of the others.
            unit = str(case.input["session"]) if self.group > 1 and draw(item, "bound") < 0.7 else item
            # As many to wrong as to right, whatever the share of right ones is.
            flips = self.changed / 2 / (self.right if right else 1 - self.right)
            right ^= draw(unit, str(answer.output), "right" if right else "wrong") < flips
        return Verdict(float(right), "simulated")


def draw(*names: str) -> float:
    """A number in [0, 1) that depends on the names only."""
    digest = hashlib.sha256("\n".join(names).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def _null(run: Run, shape: Shape, scans: int) -> Figure:
    batches = [(start, min(BATCH, scans - start)) for start in range(0, scans, BATCH)]
    work = {f"equal arms, {shape.name}, {batch}": partial(_null_batch, shape, batch) for batch in batches}
    outcomes: Counter[str] = sum(map(Counter, run(work)), Counter())
    return _rate(f"useless changes validated, items {shape.name}", outcomes["validated"], scans, outcomes)


def _null_batch(shape: Shape, batch: tuple[int, int]) -> Counter[str]:
    async def work(scans: DirectScans) -> Counter[str]:
        subject = await _subject(scans, shape)
        outcomes: Counter[str] = Counter()
        for number in range(batch[0], sum(batch)):
            run = f"{shape.name}-{number}"
            size = (REFLECT + SELECT + HOLDOUT) * shape.copies
            samples = await scans.create_samples(run, shape.rows(run, size), _shares(REFLECT, SELECT, HOLDOUT))
            outcomes[await _scan(scans, subject, samples, ["beta", "gamma"])] += 1
        return outcomes

    return _in_workspace(work)


def _together(figures: Sequence[Figure]) -> Figure:
    counted = [tuple(map(int, figure.detail.split(":")[0].replace(",", "").split(" of "))) for figure in figures]
    return _rate(
        "useless changes validated, all of these", sum(one for one, _ in counted), sum(all_ for _, all_ in counted)
    )


def _lifetimes(run: Run, lifetimes: int) -> Figure:
    batches = [(start, min(5, lifetimes - start)) for start in range(0, lifetimes, 5)]
    promoted = sum(run({f"lifetimes, {batch}": partial(_lifetime_batch, batch) for batch in batches}))
    name = f"holdouts that promoted a useless change in {NIGHTS} nightly scans"
    return _rate(name, promoted, lifetimes)


def _lifetime_batch(batch: tuple[int, int]) -> int:
    """How many of these holdouts promoted anything; every night brings another useless candidate."""
    shape = Shape("plain", changed=0.25)

    async def work(scans: DirectScans) -> int:
        subject = await _subject(scans, shape)
        promoted = 0
        for number in range(batch[0], sum(batch)):
            run = f"life-{number}"
            rows = shape.rows(run, REFLECT + SELECT + 300)
            samples = await scans.create_samples(run, rows, _shares(REFLECT, SELECT, 300))
            outcomes = [await _scan(scans, subject, samples, [f"night{night}"]) for night in range(NIGHTS)]
            promoted += "validated" in outcomes
        return promoted

    return _in_workspace(work)


async def _subject(scans: DirectScans, shape: Shape) -> Subject:
    options = {"right": shape.right, "changed": shape.changed, "group": shape.group}
    rubric = RubricSpec(dimensions=(Dimension(name="simulated", scorer="simulated", options=options),))
    config = ConfigDocument.model_validate(_answering("alpha"))
    # The minimum effect is 0, where a useless change has the best chance to slip through.
    return await scans.create_subject("simulated", config, rubric, ObjectiveSpec(minimum_effect=0.0))


async def _scan(scans: DirectScans, subject: Subject, samples: Any, labels: Sequence[str]) -> str:
    """The outcome; `refused` where the holdout cannot be asked any more."""
    request = ScanIn(
        agent_id=subject.agent_id,
        sample_set_id=samples,
        objective_id=subject.objective_id,
        rubric_id=subject.rubric_id,
        strategies=["template"],
        candidates=[ConfigDocument.model_validate(_answering(label)) for label in labels],
    )
    try:
        view = await scans.run(await scans.start(request))
    except (NotReadyError, HoldoutSpentError):
        return "refused"
    if view.scan.failure is not None:
        raise RuntimeError(f"a scan failed: {view.scan.failure}")
    return str(view.scan.outcome)


def _answering(label: str) -> dict[str, Any]:
    return {
        "model": "spectral-local/small",
        "prompts": {"main": {"messages": [{"role": "system", "content": f"- {label}: {label}"}]}},
        "search_space": [{"pointer": "/prompts/main/messages/0/content", "kind": "text", "bounds": {}}],
    }


def _shares(reflect: int, select: int, holdout: int) -> dict[Split, float]:
    size = reflect + select + holdout
    return {Split.REFLECT: reflect / size, Split.SELECT: select / size, Split.HOLDOUT: holdout / size}


# ----------------------------------------------------------------------------------------------------- the intervals


@dataclass(frozen=True, slots=True)
class Case:
    """n pairs: right or wrong, or graded from 0 to 1; in groups of so many that move together."""

    n: int
    graded: bool
    group: int


CASES = tuple(Case(n, graded, group) for n in (30, 100, 300) for graded in (False, True) for group in (1, 3))


def _covered(run: Run) -> list[Figure]:
    held = run({f"coverage, {case}": partial(_coverage, case) for case in CASES})
    return [_coverage_figure(case, count) for case, count in zip(CASES, held, strict=True)]


def _coverage(case: Case) -> int:
    """How often the 95 % interval of the gain holds the true one, over data sets of one kind."""
    seeds = np.random.default_rng(20261122 + case.n + 7 * case.group + case.graded)
    return sum(_holds(case, np.random.default_rng(seed)) for seed in seeds.integers(2**62, size=COVERAGE_RUNS))


def _coverage_figure(case: Case, held: int) -> Figure:
    kind = "graded" if case.graded else "right or wrong"
    low, high = _interval(held, COVERAGE_RUNS)
    where = f", in groups of {case.group}" if case.group > 1 else ""
    return Figure(
        f"coverage of the 95 % interval, {case.n} pairs, {kind}{where}",
        100 * held / COVERAGE_RUNS,
        "%",
        f"{held} of {COVERAGE_RUNS}: {100 * low:.1f} to {100 * high:.1f}; aim 93 to 97",
    )


def _holds(case: Case, dice: np.random.Generator) -> bool:
    groups = np.arange(case.n) // case.group
    shared = dice.normal(size=groups.max() + 1)[groups]
    # Half of what moves a pair is its group's.
    mixed = (shared + dice.normal(size=case.n)) / math.sqrt(2) if case.group > 1 else dice.normal(size=case.n)
    base = dice.random(case.n)
    if case.graded:
        before = base
        after = np.clip(base + 0.05 + 0.15 * mixed, 0, 1)
        truth = _graded_truth()
    else:
        before = (base < 0.6).astype(float)
        # A sixth turns to right, a twelfth to wrong, the same share in every kind of data.
        turn = np.where(before > 0, mixed < _quantile(1 / 12 / 0.6), mixed > _quantile(1 - 1 / 6 / 0.4))
        after = np.where(turn, 1 - before, before)
        truth = 1 / 6 - 1 / 12
    names = [str(group) for group in groups] if case.group > 1 else [None] * case.n
    (effect,) = paired_effects(before, after, names, confidences=(0.95,), seed=int(dice.integers(2**31)))
    return effect.low <= truth <= effect.high


def _graded_truth() -> float:
    """The mean of clip(u + 0.05 + 0.15 z) - u for u uniform and z normal, by quadrature."""
    u = (np.arange(2_000) + 0.5) / 2_000
    z = np.linspace(-6, 6, 2_001)
    weights = np.exp(-z * z / 2)
    weights /= weights.sum()
    gains = np.clip(u[:, None] + 0.05 + 0.15 * z[None, :], 0, 1) - u[:, None]
    return float((gains @ weights).mean())


def _quantile(share: float) -> float:
    return float(norm.ppf(share))


# -------------------------------------------------------------------------------------------------- planted faults


class Planted(NamedTuple):
    """What became of one agent with a planted fault: the verdict, the interval claimed, and the gain on fresh items."""

    outcome: str
    low: float | None
    high: float | None
    fresh_gain: float | None


def _planted(run: Run, agents: int) -> list[Figure]:
    answers = run({f"planted agent {number}": partial(_planted_agent, number) for number in range(agents)})
    found = [Planted(*answer) for answer in answers]
    validated = sum(one.outcome == "validated" for one in found)
    claims = [(one.low, one.high, one.fresh_gain) for one in found if one.low is not None]
    held = sum(low <= gain <= high for low, high, gain in claims if gain is not None and high is not None)
    outcomes = Counter(one.outcome for one in found)
    budget = f"at most {AGENT_BUDGET:,} evaluations each"
    return [
        Figure("planted faults repaired", validated, f"of {agents}", f"{_said(outcomes)}; {budget}; aim 14 of 20"),
        Figure(
            f"gains on {FRESH:,} fresh items inside the claimed interval",
            100 * held / len(claims) if claims else 0.0,
            "%",
            f"{held} of {len(claims)}; mean gain {100 * _mean([gain for *_, gain in claims]):.1f} points; aim 93 %",
        ),
    ]


def faulty_config(number: int) -> dict[str, Any]:
    """The demo's agent with one fault: an intent missing, described as anything, or described as another one is."""
    document = demo_config()
    message = document["prompts"]["main"]["messages"][0]
    lines = message["content"].split("\n")
    places = [place for place, line in enumerate(lines) if line.startswith("- ")]
    place, other = places[number % len(places)], places[(number + 5) % len(places)]
    name, _, meaning = lines[place].partition(":")
    fault = number % 3
    if fault == 0:
        lines[place] = f"{name}: general questions"
    elif fault == 1:
        del lines[place]
    else:
        other_name, _, other_meaning = lines[other].partition(":")
        lines[place], lines[other] = f"{name}:{other_meaning}", f"{other_name}:{meaning}"
    message["content"] = "\n".join(lines)
    return document


def _planted_agent(number: int) -> Planted:
    tickets = generate_tickets(1_000 + number, TICKETS + FRESH)

    async def work(scans: DirectScans) -> Planted:
        rubric = RubricSpec(dimensions=(Dimension(name="intent", scorer="label"),))
        config = ConfigDocument.model_validate(faulty_config(number))
        subject = await scans.create_subject("planted", config, rubric, ObjectiveSpec())
        rows = [ticket.as_sample() for ticket in tickets[:TICKETS]]
        samples = await scans.create_samples("tickets", rows, _shares(600, 300, 600))
        request = ScanIn(
            agent_id=subject.agent_id,
            sample_set_id=samples,
            objective_id=subject.objective_id,
            rubric_id=subject.rubric_id,
            strategies=["reflective", "few_shot"],
            seed=number,
            budget=BudgetIn(max_evaluations=AGENT_BUDGET),
        )
        view = await scans.run(await scans.start(request))
        if view.scan.changeset_id is None:
            return Planted(str(view.scan.outcome), None, None, None)
        effect = await _claimed(scans, view.scan.changeset_id)
        gain = await _fresh_gain(scans, view.scan.changeset_id, tickets[TICKETS:])
        return Planted(str(view.scan.outcome), effect["low"], effect["high"], gain)

    return _in_workspace(work)


async def _claimed(scans: DirectScans, changeset_id: UUID) -> dict[str, Any]:
    """The 95 % interval that the change set's look at the holdout ended with."""
    async with scans.database.transaction(scans.access, read_only=True) as session:
        looks, _ = await ValidationService(session, scans.access).list_validations(changeset_id, Page(limit=1))
    effect: dict[str, Any] = (looks[0].evidence or {})["effect_95"]
    return effect


async def _fresh_gain(scans: DirectScans, changeset_id: UUID, tickets: Sequence[Ticket]) -> float:
    """How much more often the candidate is right than the champion, on tickets that neither has seen."""
    async with scans.database.transaction(scans.access, read_only=True) as session:
        changeset = await ChangesetService(session, scans.access).read_changeset(changeset_id)
        agents = AgentService(session, scans.access)
        documents = [
            (await agents.read_config(changeset.agent_id, version)).read_document()
            for version in (changeset.base_version, changeset.candidate_version)
        ]
    scorer = installed_scorers()["label"]()
    shares = []
    for document in documents:
        runtime = PromptRuntime(scans.door)
        inputs = [ticket.as_sample()["input"] for ticket in tickets]
        done = await runtime.execute_many(document, inputs, [0] * len(inputs))
        right = 0.0
        for ticket, each in zip(tickets, done, strict=True):
            case = ScoredCase({"ticket": ticket.text}, ticket.intent)
            right += scorer.score(case, Answer(each.output or "", each.latency_ms, None, None)).score
        shares.append(right / len(tickets))
    return shares[1] - shares[0]


# ------------------------------------------------------------------------------------------------------------- shared


def _in_workspace(work: Callable[[DirectScans], Awaitable[T]]) -> T:
    """What `work` answers, in a workspace and a database of its own."""
    known = MappingProxyType({**installed_scorers(), "simulated": Simulated})
    # Rubrics look the scorer up there; this process does nothing else.
    setattr(scoring, "installed_scorers", lambda: known)  # noqa: B010
    with tempfile.TemporaryDirectory(prefix="spectral-bench-", dir=_in_memory()) as folder:
        settings = load_settings(data_dir=Path(folder), engine_executes=False, log_level="ERROR")
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        migrate(settings)

        async def run() -> T:
            database = Database(settings.url, pool_size=2)
            try:
                return await work(DirectScans(database, (await new_place(database)).access))
            finally:
                await database.close()

        return asyncio.run(run())


def _in_memory() -> str | None:
    # Verdicts are looked at here, not speed: a disk would only be waited for.
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


def _rate(name: str, count: int, of: int, outcomes: Mapping[str, int] | None = None) -> Figure:
    _, high = _interval(count, of, one_sided=True)
    said = f"; {_said(outcomes)}" if outcomes else ""
    return Figure(name, 100 * count / of, "%", f"{count:,} of {of:,}: at most {100 * high:.2f} % with 95 %{said}")


def _interval(count: int, of: int, *, one_sided: bool = False) -> tuple[float, float]:
    """Clopper and Pearson's exact interval of a share, 95 %."""
    tail = 0.05 if one_sided else 0.025
    low = float(beta.ppf(tail, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - tail, count + 1, of - count)) if count < of else 1.0
    return low, high


def _said(outcomes: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(outcomes.items(), key=lambda each: -each[1]))


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else 0.0

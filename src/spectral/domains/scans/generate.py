"""The phase that searches: every strategy in turn, then what the best of them are worth together."""

import asyncio
from typing import Any

from spectral.domains.agents.config import apply_changes, canonical_hash
from spectral.domains.agents.errors import SearchSpaceViolationError
from spectral.domains.samples.sample import Sample
from spectral.domains.scans.contamination import Untrusted, flags_of
from spectral.domains.scans.errors import StrategyFailedError
from spectral.domains.scans.models import ScanCandidate
from spectral.domains.scans.phases import muted_items
from spectral.domains.scans.questions import Questions
from spectral.domains.scans.repository import NewEvent, ScanCandidateRepository
from spectral.domains.scans.search import Allowance, SearchContext, run_strategy
from spectral.domains.scans.states import Phase
from spectral.domains.scans.strategies.base import Candidate, Strategy, input_text
from spectral.domains.scans.strategies.prune import Pruning
from spectral.domains.scans.strategies.registry import installed_strategies
from spectral.domains.scans.work import PhaseResult, ScanWork

COMBINED = "combined"
TEMPLATE = "template"
PRUNE_SHARE = 10
"""One part in so many of what the search may spend is kept for its last step."""

FLAGS_SHOWN = 20
COST_CAUTION = 1.25
"""What later phases will cost is estimated from the champion's mean cost, times this."""


async def generate(work: ScanWork) -> PhaseResult:
    """Every strategy has run as far as its share of the budget went. A second run proposes the same candidates."""
    search = _Search(work)
    await search.prepare()
    for number, name in enumerate(work.scan.strategies):
        await search.run(installed_strategies()[name], len(work.scan.strategies) - number)
    await search.combine()
    await search.prune()
    return PhaseResult(
        {"strategies": search.strategies, "candidates": len(search.recorded), "flags": search.flags},
    )


class _Search:
    def __init__(self, work: ScanWork) -> None:
        self._work = work
        self._champion_hash = canonical_hash(work.pinned.champion)
        self._questions = Questions(work)
        self._items: list[Sample] = []
        self._untrusted = Untrusted.of([])
        self._kept = self._kept_cost = 0
        self.recorded: list[Candidate] = []
        self.strategies: list[dict[str, Any]] = []
        self.flags: dict[str, dict[str, list[str]]] = {}
        self.allowance = Allowance(work.pinned.plan.search // work.pinned.plan.repeats, None)

    async def prepare(self) -> None:
        """The champion on reflect is known already and costs a strategy nothing."""
        work = self._work
        items = await work.items("reflect")
        measured = await work.measure(work.pinned.champion, items)
        await self._questions.restore()
        self.allowance.asked = {(self._champion_hash, item.id) for item in items}
        maximum = work.scan.max_cost_nano_usd
        if maximum is not None and measured:
            spent = sum(one.cost_nano_usd or 0 for one in measured)
            each = spent / len(measured)
            plan = work.pinned.plan
            kept = int(each * COST_CAUTION * (plan.detect + plan.reserved))
            self.allowance.cost_nano_usd = max(0, maximum - kept)
        if set(work.scan.strategies) != {TEMPLATE}:
            self._kept = self.allowance.evaluations // PRUNE_SHARE
            self._kept_cost = (self.allowance.cost_nano_usd or 0) // PRUNE_SHARE
        texts = [input_text(part) for item in items for part in (item.input, item.expected)]
        texts += [one.output for one in measured if one.output is not None]
        self._untrusted = await asyncio.to_thread(Untrusted.of, texts)
        muted = muted_items(work.results[Phase.CLUSTER])
        self._items = [item for item in items if item.id not in muted] or items

    async def run(self, strategy: Strategy, parts: int) -> None:
        """The strategy gets one of so many parts of what is left. Raises StrategyFailedError for one that breaks."""
        self.allowance.share(parts, self._kept, self._kept_cost)
        work = self._work
        plan = work.pinned.plan
        before, proposed = self.allowance.evaluations, len(self.recorded)
        context = SearchContext(
            loop=asyncio.get_running_loop(),
            measurement=work.measurement(plan.max_evaluations - plan.reserved),
            champion=work.pinned.champion,
            items=self._items,
            objective=work.pinned.objective,
            repeats=plan.repeats,
            seed=work.scan.seed,
            options=work.scan.options.get(strategy.name, {}),
            reflection_model=work.scan.reflection_model,
            ask=self._questions.ask,
            allowance=self.allowance,
        )
        exhausted = await run_strategy(strategy, context, self._record)
        self.strategies.append(
            {
                "name": strategy.name,
                "candidates": len(self.recorded) - proposed,
                "evaluations": before - self.allowance.evaluations,
                "exhausted": exhausted,
            }
        )

    async def prune(self) -> None:
        """What the best of every strategy, and they together, brought in and does not pay is taken back."""
        self._kept = self._kept_cost = 0
        first: dict[str, Candidate] = {}
        for candidate in self.recorded:
            first.setdefault(candidate.strategy, candidate)
        first.pop(TEMPLATE, None)
        # They together are the likeliest winner, so what was kept goes to them first.
        candidates = sorted(first.values(), key=lambda one: one.strategy != COMBINED)
        if candidates:
            await self.run(Pruning(candidates), 1)

    async def combine(self) -> None:
        """The first candidates of different strategies, taken together where they change different places."""
        first: dict[str, Candidate] = {}
        for candidate in self.recorded:
            first.setdefault(candidate.strategy, candidate)
        first.pop(TEMPLATE, None)
        changes: dict[str, Any] = {}
        names: list[str] = []
        for name, candidate in first.items():
            if changes.keys().isdisjoint(candidate.changes) and candidate.changes:
                changes |= candidate.changes
                names.append(name)
        if len(names) > 1:
            await self._record(Candidate(changes, COMBINED, f"the best of {' and '.join(names)} together"))

    async def _record(self, candidate: Candidate) -> None:
        """Stored with its event in one transaction; what was proposed before, or by an earlier run, is not again."""
        work = self._work
        try:
            config_hash = canonical_hash(apply_changes(work.pinned.champion, candidate.changes))
        except SearchSpaceViolationError as error:
            raise StrategyFailedError(candidate.strategy, error) from error
        known = {canonical_hash(apply_changes(work.pinned.champion, one.changes)) for one in self.recorded}
        if config_hash in known:
            return
        self.recorded.append(candidate)
        ordinal = len(self.recorded)
        flags = await asyncio.to_thread(self._flags_of, candidate)
        if flags:
            self.flags[str(ordinal)] = flags
        async with work.writing() as session:
            repository = ScanCandidateRepository(session, work.access)
            if await repository.find(ScanCandidate.scan_id == work.scan.id, ScanCandidate.ordinal == ordinal):
                return
            repository.add(
                ScanCandidate(
                    id=work.derived_id("candidate", ordinal),
                    scan_id=work.scan.id,
                    ordinal=ordinal,
                    strategy=candidate.strategy,
                    rationale=candidate.rationale,
                    changes=dict(candidate.changes),
                    config_hash=config_hash,
                )
            )
            await repository.flush()
            data = {
                "ordinal": ordinal,
                "strategy": candidate.strategy,
                "config_hash": config_hash,
                "changes": sorted(candidate.changes),
                "rationale": candidate.rationale,
                "flags": sorted(flag for found in flags.values() for flag in found)[:FLAGS_SHOWN],
            }
            await work.append(session, [NewEvent("scan.candidate_proposed", data, Phase.GENERATE)])

    def _flags_of(self, candidate: Candidate) -> dict[str, list[str]]:
        if candidate.strategy == TEMPLATE:
            return {}  # a person wrote it
        labels = {item.expected for item in self._items if isinstance(item.expected, str)}
        return flags_of(self._work.pinned.champion.as_json(), candidate.changes, self._untrusted, labels)

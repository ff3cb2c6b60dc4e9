"""The phase that searches: every strategy in turn, then what the best of them are worth together."""

import asyncio
import hashlib
from typing import Any

from spectral.domains.agents.config import apply_changes, canonical_hash
from spectral.domains.agents.errors import SearchSpaceViolationError
from spectral.domains.samples.sample import Sample
from spectral.domains.scans.errors import StrategyFailedError
from spectral.domains.scans.models import ScanCandidate, ScanQuestion
from spectral.domains.scans.repository import NewEvent, ScanCandidateRepository, ScanQuestionRepository
from spectral.domains.scans.search import Allowance, SearchContext, run_strategy
from spectral.domains.scans.states import Phase
from spectral.domains.scans.strategies.base import Candidate
from spectral.domains.scans.strategies.registry import installed_strategies
from spectral.domains.scans.work import PhaseResult, ScanWork
from spectral.platform.llm.calls import ModelMessage, ModelReply, ModelRequest
from spectral.platform.llm.errors import ModelUnavailableError

COMBINED = "combined"
RETRY_PAUSES_S = (0.5, 2.0, 8.0)
COST_CAUTION = 1.25
"""What later phases will cost is estimated from the champion's mean cost, times this."""


async def generate(work: ScanWork) -> PhaseResult:
    """Every strategy has run as far as its share of the budget went. A second run proposes the same candidates."""
    search = _Search(work)
    await search.prepare()
    strategies = work.scan.strategies
    document: dict[str, Any] = {"strategies": []}
    for number, name in enumerate(strategies):
        before = search.allowance.evaluations
        # What an earlier strategy left over is shared by those that are still to come.
        search.allowance.limit = before - before // (len(strategies) - number)
        proposed = len(search.recorded)
        exhausted = await search.run(name)
        document["strategies"].append(
            {
                "name": name,
                "candidates": len(search.recorded) - proposed,
                "evaluations": before - search.allowance.evaluations,
                "exhausted": exhausted,
            }
        )
    await search.combine()
    document["candidates"] = len(search.recorded)
    return PhaseResult(document)


class _Search:
    def __init__(self, work: ScanWork) -> None:
        self._work = work
        self._champion_hash = canonical_hash(work.pinned.champion)
        self._asked: dict[tuple[str, str], int] = {}
        self._items: list[Sample] = []
        self.recorded: list[Candidate] = []
        self.allowance = Allowance(work.pinned.plan.search // work.pinned.plan.repeats, None)

    async def prepare(self) -> None:
        """The champion on reflect is known already and costs a strategy nothing."""
        work = self._work
        items = await work.items("reflect")
        measured = await work.measure(work.pinned.champion, items)
        self.allowance.asked = {(self._champion_hash, item.id) for item in items}
        maximum = work.scan.max_cost_nano_usd
        if maximum is not None and measured:
            spent = sum(one.cost_nano_usd or 0 for one in measured)
            each = spent / len(measured)
            plan = work.pinned.plan
            kept = int(each * COST_CAUTION * (plan.detect + plan.reserved))
            self.allowance.cost_nano_usd = max(0, maximum - kept)
        self._items = items

    async def run(self, name: str) -> bool:
        """Whether the strategy's share ran out. Raises StrategyFailedError for a strategy that breaks."""
        work = self._work
        plan = work.pinned.plan
        context = SearchContext(
            loop=asyncio.get_running_loop(),
            measurement=work.measurement(plan.max_evaluations - plan.reserved),
            champion=work.pinned.champion,
            items=self._items,
            objective=work.pinned.objective,
            repeats=plan.repeats,
            seed=work.scan.seed,
            options=work.scan.options.get(name, {}),
            reflection_model=work.scan.reflection_model,
            ask=self._ask,
            allowance=self.allowance,
        )
        return await run_strategy(installed_strategies()[name], context, self._record)

    async def combine(self) -> None:
        """The first candidates of different strategies, taken together where they change different places."""
        first: dict[str, Candidate] = {}
        for candidate in self.recorded:
            first.setdefault(candidate.strategy, candidate)
        first.pop("template", None)
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
            }
            await work.append(session, [NewEvent("scan.candidate_proposed", data, Phase.GENERATE)])

    async def _ask(self, purpose: str, prompt: str) -> str:
        """The journal's answer where the question was asked before, else the model's, stored before it is used."""
        work = self._work
        model = work.scan.reflection_model
        if model is None:
            message = "this scan has no reflection model"
            raise ValueError(message)
        prompt_hash = hashlib.sha256(prompt.encode()).hexdigest()
        ordinal = self._asked[purpose, prompt_hash] = self._asked.get((purpose, prompt_hash), 0) + 1
        async with work.database.transaction(work.access, read_only=True) as session:
            questions = ScanQuestionRepository(session, work.access)
            answered = await questions.answered(work.scan.id, purpose, prompt_hash, ordinal)
        if answered is not None:
            return answered.answer
        digest = hashlib.sha256(f"{work.scan.seed}\n{prompt_hash}\n{ordinal}".encode()).digest()
        seed = int.from_bytes(digest[:4], "big")
        reply = await self._complete(ModelRequest(model, [ModelMessage("user", prompt)], {}, seed))
        async with work.writing() as session:
            repository = ScanQuestionRepository(session, work.access)
            repository.add(
                ScanQuestion(
                    id=work.derived_id("question", purpose, prompt_hash, ordinal),
                    scan_id=work.scan.id,
                    purpose=purpose,
                    prompt_hash=prompt_hash,
                    ordinal=ordinal,
                    model=model,
                    prompt=prompt,
                    answer=reply.text,
                    input_tokens=reply.input_tokens,
                    output_tokens=reply.output_tokens,
                    cost_nano_usd=reply.cost_nano_usd,
                    latency_ms=reply.latency_ms,
                )
            )
            await repository.flush()
        return reply.text

    async def _complete(self, request: ModelRequest) -> ModelReply:
        """An answer; a model that is away is asked again a few times. Raises ModelUnavailableError after that."""
        for pause_s in RETRY_PAUSES_S:
            await self._work.execution.raise_if_cancelled()
            try:
                return await self._work.door.complete(request)
            except ModelUnavailableError:
                await asyncio.sleep(pause_s)
        return await self._work.door.complete(request)

"""The phase that compares: champion and finalists on the same items of the select split."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import apply_changes
from spectral.domains.scans.comparison import ArmSummary, Comparison, choose, compare_all, summarise
from spectral.domains.scans.models import ScanCandidate
from spectral.domains.scans.repository import NewEvent, ScanCandidateRepository
from spectral.domains.scans.work import PhaseResult, ScanWork


async def evaluate(work: ScanWork) -> PhaseResult:
    """The winner is the finalist with the largest gain that chance does not explain; there may be none."""
    async with work.database.transaction(work.access, read_only=True) as session:
        proposed = await ScanCandidateRepository(session, work.access).of_scan(work.scan.id)
    finalists = pick_finalists(proposed, work.pinned.plan.finalists)
    items = await work.items("select")
    champion = await work.measure(work.pinned.champion, items)
    measured = [
        await work.measure(apply_changes(work.pinned.champion, candidate.changes), items) for candidate in finalists
    ]
    comparisons = compare_all(work.pinned.objective, champion, measured, seed=work.scan.seed)
    summaries = [summarise(work.pinned.objective, arm) for arm in measured]
    chosen = choose(comparisons, summaries)
    results = [
        _result(candidate, summary, comparison)
        for candidate, summary, comparison in zip(finalists, summaries, comparisons, strict=True)
    ]
    document: dict[str, Any] = {
        "champion": asdict(summarise(work.pinned.objective, champion)),
        "finalists": [candidate.ordinal for candidate in finalists],
        "results": results,
        "winner": None if chosen is None else finalists[chosen].ordinal,
    }
    events = [NewEvent("scan.candidate_evaluated", _shown(result)) for result in results]
    if chosen is not None:
        events.append(NewEvent("scan.candidate_selected", {"ordinal": finalists[chosen].ordinal}))

    async def write(session: AsyncSession) -> None:
        repository = ScanCandidateRepository(session, work.access)
        for result in results:
            same = (ScanCandidate.scan_id == work.scan.id, ScanCandidate.ordinal == result["ordinal"])
            await repository.execute(repository.update(*same).values(select_result=result))

    return PhaseResult(document, events, write)


def pick_finalists(candidates: Sequence[ScanCandidate], number: int) -> list[ScanCandidate]:
    """The first of every strategy before the second of any; within a round in the order of proposal."""
    rank: dict[str, int] = {}
    keyed = []
    for candidate in candidates:
        place = rank[candidate.strategy] = rank.get(candidate.strategy, 0) + 1
        keyed.append((place, candidate.ordinal, candidate))
    return [candidate for _, _, candidate in sorted(keyed, key=lambda each: each[:2])[:number]]


def _result(candidate: ScanCandidate, summary: ArmSummary, comparison: Comparison) -> dict[str, Any]:
    return {
        "ordinal": candidate.ordinal,
        "strategy": candidate.strategy,
        "config_hash": candidate.config_hash,
        **{f"arm_{name}": value for name, value in asdict(summary).items()},
        **comparison.document(),
    }


def _shown(result: dict[str, Any]) -> dict[str, Any]:
    names = ("ordinal", "strategy", "n", "effect", "low", "high", "p_adjusted", "wins", "losses", "beats")
    return {name: result[name] for name in names} | {"accuracy": result["arm_accuracy"]}

"""The phase that compares: champion and finalists on the same items of the select split."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import apply_changes
from spectral.domains.changesets.experiments import ArmDraft, ExperimentDraft, ExperimentService
from spectral.domains.evaluations.measurement import Measured
from spectral.domains.scans.comparison import ArmSummary, Comparison, choose, compare_all, pareto_frontier, summarise
from spectral.domains.scans.models import Scan, ScanCandidate
from spectral.domains.scans.repository import NewEvent, ScanCandidateRepository, ScanRepository
from spectral.domains.scans.states import Phase
from spectral.domains.scans.work import PhaseResult, ScanWork

ARM = "arm_"
EFFECT = ("n", "effect", "low", "high", "method", "p_value", "p_adjusted", "wins", "losses", "broken_guards", "beats")


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
    # Resampling takes a while: the loop serves others meanwhile.
    comparisons, champion_summary, summaries = await asyncio.to_thread(_compare, work, champion, measured)
    chosen = choose(comparisons, summaries)
    flags = work.results[Phase.GENERATE].get("flags", {})
    results = [
        _result(candidate, summary, comparison, flags.get(str(candidate.ordinal), {}))
        for candidate, summary, comparison in zip(finalists, summaries, comparisons, strict=True)
    ]
    document: dict[str, Any] = {
        "champion": asdict(champion_summary),
        "champion_on_frontier": 0 in pareto_frontier([champion_summary, *summaries]),
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
        if finalists:
            experiment = await ExperimentService(session, work.access).record(_experiment(work, document, finalists))
            document["experiment_id"] = str(experiment.id)
            scans = ScanRepository(session, work.access)
            await scans.execute(scans.update(Scan.id == work.scan.id).values(experiment_id=experiment.id))

    return PhaseResult(document, events, write)


def _compare(
    work: ScanWork, champion: Sequence[Measured], finalists: Sequence[Sequence[Measured]]
) -> tuple[list[Comparison], ArmSummary, list[ArmSummary]]:
    objective, seed = work.pinned.objective, work.scan.seed
    return (
        compare_all(objective, champion, finalists, seed=seed),
        summarise(objective, champion, seed=seed),
        [summarise(objective, arm, seed=seed) for arm in finalists],
    )


def _experiment(work: ScanWork, document: dict[str, Any], finalists: Sequence[ScanCandidate]) -> ExperimentDraft:
    """The comparison as change sets keep it: the champion, then the finalists."""
    scan = work.scan
    champion = ArmDraft(
        label="champion",
        config_hash=scan.base_config_hash,
        summary=document["champion"],
        version=scan.base_version,
        frontier=document["champion_on_frontier"],
    )
    arms = [
        ArmDraft(
            label=f"{candidate.strategy} {candidate.ordinal}",
            config_hash=candidate.config_hash,
            summary={name.removeprefix(ARM): value for name, value in result.items() if name.startswith(ARM)},
            effect={name: result[name] for name in EFFECT},
            changes=candidate.changes,
            frontier=result["on_frontier"],
        )
        for candidate, result in zip(finalists, document["results"], strict=True)
    ]
    return ExperimentDraft(
        name="select",
        agent_id=scan.agent_id,
        sample_set_id=scan.sample_set_id,
        sample_set_version=work.results[Phase.OBSERVE]["sample_set_version"],
        split="select",
        rubric_id=scan.rubric_id,
        rubric_version=scan.rubric_version,
        objective=work.pinned.objective,
        items=document["champion"]["items"],
        repeats=work.pinned.plan.repeats,
        seed=scan.seed,
        arms=[champion, *arms],
        scan_id=scan.id,
    )


def pick_finalists(candidates: Sequence[ScanCandidate], number: int) -> list[ScanCandidate]:
    """The first of every strategy before the second of any; within a round in the order of proposal."""
    rank: dict[str, int] = {}
    keyed = []
    for candidate in candidates:
        place = rank[candidate.strategy] = rank.get(candidate.strategy, 0) + 1
        keyed.append((place, candidate.ordinal, candidate))
    return [candidate for _, _, candidate in sorted(keyed, key=lambda each: each[:2])[:number]]


def _result(
    candidate: ScanCandidate, summary: ArmSummary, comparison: Comparison, flags: dict[str, list[str]]
) -> dict[str, Any]:
    return {
        "ordinal": candidate.ordinal,
        "strategy": candidate.strategy,
        "config_hash": candidate.config_hash,
        "flags": flags,
        **{f"{ARM}{name}": value for name, value in asdict(summary).items()},
        **comparison.document(),
    }


def _shown(result: dict[str, Any]) -> dict[str, Any]:
    names = ("ordinal", "strategy", "n", "effect", "low", "high", "p_adjusted", "wins", "losses", "beats")
    return {name: result[name] for name in names} | {"accuracy": result["arm_accuracy"]}

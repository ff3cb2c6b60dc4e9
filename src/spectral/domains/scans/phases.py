"""Observe, detect, cluster and diagnose: the phases that look. The others search (`generate`), compare (`evaluate`)
and propose (`safety`).
"""  # noqa: D205 - one sentence

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import apply_changes
from spectral.domains.changesets.clusters import ClusterDraft, ClusterService, UnclusteredFailure
from spectral.domains.evaluations.measurement import Measured
from spectral.domains.samples.sample import Sample, digest_of
from spectral.domains.samples.service import SampleService
from spectral.domains.scans.ablations import ablate
from spectral.domains.scans.clustering import (
    Clustering,
    Failure,
    cluster_failures,
    failure_text,
    failure_weights,
)
from spectral.domains.scans.comparison import diagnose as diagnose_changes
from spectral.domains.scans.comparison import summarise
from spectral.domains.scans.plan import FULL, SYNTHETIC_ONLY, Samples, assess
from spectral.domains.scans.repository import NewEvent, ScanCandidateRepository
from spectral.domains.scans.states import Phase
from spectral.domains.scans.work import SPLITS, PhaseResult, ScanWork

EXAMPLES_SHOWN = 5
MUTED = "muted"
MISSING_WARNING = 0.05


async def observe(work: ScanWork) -> PhaseResult:
    """The items are pinned and readiness is assessed again: the set may have changed since the scan was asked for."""
    pinned = {split: await work.read_split(split) for split in SPLITS}
    for split, items in pinned.items():
        work.pin(split, items)
    async with work.database.transaction(work.access, read_only=True) as session:
        samples = SampleService(session, work.access)
        sample_set = await samples.read_set(work.scan.sample_set_id)
        holdout = None if work.scan.holdout_id is None else await samples.read_holdout(work.scan.holdout_id)
    readiness = assess(
        Samples(len(pinned["reflect"]), len(pinned["select"]), 0 if holdout is None else holdout.size),
        mode=SYNTHETIC_ONLY if holdout is None else FULL,
        holdout_available=holdout is not None and holdout.retired_at is None,
        holdout_spent=holdout is not None and holdout.retired_at is not None,
        minimum_effect=work.pinned.objective.minimum_effect,
        look=1 if holdout is None else holdout.looks + 1,
    )
    readiness.require()
    shown = None if holdout is None else {"id": str(holdout.id), "digest": holdout.digest, "size": holdout.size}
    document = {
        "readiness": readiness.document(),
        "sample_set_version": sample_set.version,
        "holdout": shown,
        "items": {
            split: {"ids": [str(item.id) for item in items], "digest": digest_of(items)}
            for split, items in pinned.items()
        },
        "plan": work.pinned.plan.document(),
    }
    events = [NewEvent("scan.warning", {"message": warning}) for warning in readiness.warnings]
    return PhaseResult(document, events)


async def detect(work: ScanWork) -> PhaseResult:
    """The champion is scored on reflect and select; its failures are what the scan tries to repair."""
    document: dict[str, Any] = {}
    events: list[NewEvent] = []
    for split in SPLITS:
        measured = await work.measure(work.pinned.champion, await work.items(split))
        summary = summarise(work.pinned.objective, measured)
        failures = failures_of(await work.items(split), measured)
        document[split] = {
            "items": summary.items,
            "missing": summary.missing,
            "failures": len(failures),
            "accuracy": summary.accuracy,
            "objective": summary.objective,
        }
        if summary.missing > MISSING_WARNING * summary.items:
            message = f"{summary.missing} of {summary.items} items of the {split} split could not be measured"
            events.append(NewEvent("scan.warning", {"message": message}))
    document["failures"] = document["reflect"]["failures"] + document["select"]["failures"]
    return PhaseResult(document, events)


async def cluster(work: ScanWork) -> PhaseResult:
    """The champion's failures on reflect and select are grouped by what they have in common, and by what people said.

    A cluster that somebody muted is marked: nothing that explains or proposes starts from it.
    """
    failures: list[Failure] = []
    for split in SPLITS:
        items = await work.items(split)
        failures += failures_of(items, await work.measure(work.pinned.champion, items))
    clustering = await asyncio.to_thread(cluster_failures, failures, seed=work.scan.seed)
    texts = {failure.item_id: failure_text(failure) for failure in failures}
    document: dict[str, Any] = {"method": clustering.method, "failures": len(failures), "clusters": []}
    result = PhaseResult(document)

    async def write(session: AsyncSession) -> None:
        document["clusters"].clear()
        result.events.clear()
        service = ClusterService(session, work.access)
        await service.record(
            work.scan.id, work.scan.agent_id, drafts(clustering, texts), unclustered(clustering, texts)
        )
        for seen in await service.read_scan(work.scan.id):
            if seen.cluster is None:
                document["unclustered"] = len(seen.members)
                continue
            size, share, stability = seen.sighting.size, seen.sighting.share, seen.sighting.stability
            shown = {"label": seen.cluster.label, "size": size, "share": share, "stability": stability}
            document["clusters"].append(
                {
                    **shown,
                    "id": str(seen.cluster.id),
                    "muted": seen.cluster.status == MUTED,
                    "members": [str(member.item_id) for member in seen.members],
                    "centroid": seen.cluster.centroid,
                    "examples": [member.text for member in seen.members if member.example][:EXAMPLES_SHOWN],
                }
            )
            result.events.append(NewEvent("scan.cluster_found", shown))

    result.write = write
    return result


def muted_items(clustered: dict[str, Any]) -> set[UUID]:
    """The failures of muted clusters, from what the phase found: no search starts from them."""
    return {UUID(item) for one in clustered["clusters"] if one.get("muted") for item in one["members"]}


async def diagnose(work: ScanWork) -> PhaseResult:
    """What the winner fixed and broke, cluster by cluster, and what each of its changes is worth alone."""
    winner = work.results[Phase.EVALUATE]["winner"]
    if winner is None:
        return PhaseResult({"winner": None, "clusters": [], "unclustered": None, "changed": [], "ablations": []})
    async with work.database.transaction(work.access, read_only=True) as session:
        candidates = await ScanCandidateRepository(session, work.access).of_scan(work.scan.id)
    changes = candidates[winner - 1].changes
    document = apply_changes(work.pinned.champion, changes)
    before: dict[UUID, bool] = {}
    after: dict[UUID, bool] = {}
    failures: dict[UUID, Failure] = {}
    for split in SPLITS:
        items = await work.items(split)
        champion, challenger = await work.measure(work.pinned.champion, items), await work.measure(document, items)
        before |= _passed(champion)
        after |= _passed(challenger)
        failures |= {failure.item_id: failure for failure in failures_of(items, challenger)}
    clusters = work.results[Phase.CLUSTER]["clusters"]
    found = diagnose_changes(
        [[UUID(member) for member in one["members"]] for one in clusters],
        [one["centroid"] for one in clusters],
        before,
        after,
        failures,
    )
    diagnosis = found.document()
    for one, counted in zip(clusters, diagnosis["clusters"], strict=True):
        counted |= {"id": one["id"], "label": one["label"], "muted": one["muted"]}
    place_of = {item: place for place, one in enumerate(clusters) for item in one["members"]}
    diagnosis["changed"] = [
        {
            "cluster_id": None if place is None else clusters[place]["id"],
            "fixed": [str(item) for item in found.fixed if place_of.get(str(item)) == place],
            "broken": {str(item): failure_weights(failures[item]) for item, of in found.broken if of == place},
        }
        for place in (*range(len(clusters)), None)
    ]
    ablations = await ablate(work, changes)
    events = [
        NewEvent("scan.cluster_diagnosed", {name: one[name] for name in ("label", "size", "fixed", "broken")})
        for one in diagnosis["clusters"]
    ]
    return PhaseResult({"winner": winner, **diagnosis, "ablations": ablations}, events)


def _passed(measured: Sequence[Measured]) -> dict[UUID, bool]:
    """Whether each measured item passed, by most of its repeats."""
    counts: dict[UUID, list[bool]] = {}
    for one in measured:
        if not one.missing:
            counts.setdefault(one.item_id, []).append(one.passed)
    return {item_id: 2 * sum(passes) > len(passes) for item_id, passes in counts.items()}


def failures_of(items: Sequence[Sample], measured: Sequence[Measured]) -> list[Failure]:
    """The items that did not pass, each with its worst dimension; what could not be measured is no failure."""
    by_id = {item.id: item for item in items}
    passed = _passed(measured)
    failures: dict[UUID, Failure] = {}
    for one in measured:
        if one.missing or one.passed or passed[one.item_id] or one.item_id in failures:
            continue
        expected = by_id[one.item_id].expected
        name, explanation = _worst(one)
        failures[one.item_id] = Failure(
            item_id=one.item_id,
            expected=None if expected is None else expected if isinstance(expected, str) else repr(expected),
            got=one.output,
            dimension=name,
            explanation=explanation,
        )
    return list(failures.values())


def _worst(measured: Measured) -> tuple[str, str]:
    if measured.error_type is not None:
        return "error", f"{measured.error_type} {measured.error_message or ''}".strip()
    scored = [
        (dimension.score, name, dimension.explanation)
        for name, dimension in measured.dimensions.items()
        if dimension.score is not None
    ]
    if not scored:
        return "unscored", ""
    _, name, explanation = min(scored)
    return name, explanation


def drafts(clustering: Clustering, texts: dict[UUID, str]) -> list[ClusterDraft]:
    """The clusters as change sets keep them."""
    return [
        ClusterDraft(
            label=one.label,
            size=one.size,
            share=one.share,
            member_item_ids=list(one.member_item_ids),
            examples=[{"item_id": str(item_id), "text": texts[item_id]} for item_id in one.example_item_ids],
            centroid_terms=one.centroid_terms,
            stability=one.stability,
            texts={item_id: texts[item_id] for item_id in one.member_item_ids},
            terms={item_id: clustering.terms[item_id] for item_id in one.member_item_ids},
        )
        for one in clustering.clusters
    ]


def unclustered(clustering: Clustering, texts: dict[UUID, str]) -> list[UnclusteredFailure]:
    """What resembles nothing, as change sets keep it."""
    return [
        UnclusteredFailure(item_id, texts[item_id], clustering.terms[item_id])
        for item_id in clustering.unclustered_item_ids
    ]

"""A scan's report: one document in plain JSON values. Pure; `report_markdown` and `report_page` show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spectral.domains.agents.config import ConfigDocument, apply_changes, diff_documents
from spectral.domains.evaluations.progress import TriedConfig
from spectral.domains.scans.plan import FULL, SYNTHETIC_ONLY
from spectral.domains.scans.service import ScanView
from spectral.domains.scans.states import Outcome, Phase, ScanStatus
from spectral.platform.shared.money import nano_to_usd
from spectral.platform.shared.wire import rfc3339

LOCAL_LABEL = "built-in local runtime, not a language model; gains here do not predict gains on yours"


TRACES_SHOWN = 5
SHOWN_SHARE = 0.1
"""What was tried on fewer of the items than this says too little to be drawn."""


@dataclass(frozen=True, slots=True)
class ReportSource:
    """What a report is made of.

    tried: what was executed on the reflect split, which has `reflect_items`.  traces: item → trace of members of the
    clusters.  evidence: the change set's chain as JSON, None where nothing was proposed.
    """

    view: ScanView
    agent_name: str
    runtime: str
    champion: ConfigDocument
    tried: Sequence[TriedConfig] = ()
    reflect_items: int = 0
    traces: Mapping[str, str] = field(default_factory=dict)
    evidence: dict[str, Any] | None = None


def build_report(source: ReportSource) -> dict[str, Any]:
    """Everything that a scan has found so far, in plain JSON values."""
    view, champion = source.view, source.champion
    scan = view.scan
    observed, evaluated = view.result_of(Phase.OBSERVE), view.result_of(Phase.EVALUATE)
    diagnosed, safety = view.result_of(Phase.DIAGNOSE), view.result_of(Phase.SAFETY)
    results = [] if evaluated is None else evaluated["results"]
    winner_ordinal = None if evaluated is None else evaluated["winner"]
    return {
        "scan_id": str(scan.id),
        "agent": {"id": str(scan.agent_id), "name": source.agent_name},
        "status": scan.status,
        "outcome": scan.outcome,
        "headline": headline(view),
        "note": LOCAL_LABEL if champion.model.startswith("spectral-local/") else None,
        "executed": {
            "runtime": source.runtime,
            "model": champion.model,
            "execution": None if source.evidence is None else source.evidence["execution"],
        },
        "started_with": _started_with(view),
        "finished_at": None if scan.finished_at is None else rfc3339(scan.finished_at),
        "failure": scan.failure,
        "readiness": None if observed is None else observed["readiness"],
        "champion": None if evaluated is None else evaluated["champion"],
        "champion_on_frontier": None if evaluated is None else evaluated["champion_on_frontier"],
        "progress": _progress(source),
        "candidates": [
            {
                "ordinal": candidate.ordinal,
                "strategy": candidate.strategy,
                "rationale": candidate.rationale,
                "config_hash": candidate.config_hash,
                "select": next((one for one in results if one["ordinal"] == candidate.ordinal), None),
                "winner": candidate.ordinal == winner_ordinal,
            }
            for candidate in view.candidates
        ],
        "changes": _changes(view, champion, winner_ordinal),
        "clusters": _clusters(source),
        "unclustered": None if diagnosed is None else diagnosed["unclustered"],
        "ablations": [] if diagnosed is None else diagnosed["ablations"],
        "changeset_id": None if scan.changeset_id is None else str(scan.changeset_id),
        "experiment_id": None if scan.experiment_id is None else str(scan.experiment_id),
        "validation": None if safety is None else safety.get("validation"),
        "evidence": source.evidence,
        "cost": _cost(view),
    }


def _started_with(view: ScanView) -> dict[str, Any]:
    scan = view.scan
    return {
        "mode": SYNTHETIC_ONLY if scan.holdout_id is None else FULL,
        "base_version": scan.base_version,
        "target_environment": scan.target_environment,
        "sample_set_id": str(scan.sample_set_id),
        "sample_set_version": scan.sample_set_version,
        "rubric_id": str(scan.rubric_id),
        "rubric_version": scan.rubric_version,
        "objective_id": str(scan.objective_id),
        "objective": scan.objective,
        "strategies": list(scan.strategies),
        "reflection_model": scan.reflection_model,
        "seed": scan.seed,
        "created_at": rfc3339(scan.created_at),
        "created_by": scan.created_by,
    }


def _cost(view: ScanView) -> dict[str, Any]:
    total = view.cost.total_nano_usd
    maximum = view.scan.max_cost_nano_usd
    return {
        "evaluations": view.cost.evaluations,
        "max_evaluations": view.scan.max_evaluations,
        "total_cost_usd": None if total is None else nano_to_usd(total),
        "max_cost_usd": None if maximum is None else nano_to_usd(maximum),
        "by_model": [
            {
                "model": line.model,
                "purpose": line.purpose,
                "calls": line.calls,
                "input_tokens": line.input_tokens,
                "output_tokens": line.output_tokens,
                "cost_usd": None if line.cost_nano_usd is None else nano_to_usd(line.cost_nano_usd),
            }
            for line in view.cost.lines
        ],
    }


def headline(view: ScanView) -> str:
    """The scan in one sentence that claims no more than was measured."""
    scan = view.scan
    if scan.status == ScanStatus.FAILED:
        return "The scan failed."
    if scan.status == ScanStatus.CANCELLED:
        return "The scan was cancelled."
    if scan.status == ScanStatus.PAUSED:
        return "The scan is paused."
    if scan.status != ScanStatus.COMPLETED:
        return "The scan has not ended yet."
    if scan.outcome == Outcome.NO_IMPROVEMENT:
        return "No candidate was better than the champion on the select split; nothing is proposed."
    validation = (view.result_of(Phase.SAFETY) or {}).get("validation") or {}
    if not validation:
        why = "The scan only searched" if scan.holdout_id is None else "The holdout could not be asked"
        return f"A candidate was better than the champion on the select split. {why}: the proposal is not validated."
    effect = validation.get("effect_95") or validation.get("effect")
    measured = ""
    if effect is not None and effect["low"] is not None and effect["high"] is not None:
        measured = (
            f" The objective changed by {100 * effect['mean']:+.1f} points "
            f"(95 % interval {100 * effect['low']:+.1f} to {100 * effect['high']:+.1f}) "
            f"on {validation.get('n')} holdout items."
        )
    sentence = {
        Outcome.VALIDATED: "A candidate is better than the champion, and an untouched holdout says so.",
        Outcome.REFUTED: "The best candidate did not hold on the untouched holdout.",
        Outcome.INCONCLUSIVE: "The holdout could not decide about the best candidate.",
    }[Outcome(scan.outcome or Outcome.INCONCLUSIVE)]
    more = validation.get("n_more")
    needed = f" {more} more samples are needed." if more else ""
    return sentence + measured + needed


def _changes(view: ScanView, champion: ConfigDocument, winner: int | None) -> list[dict[str, Any]]:
    chosen = next((candidate for candidate in view.candidates if candidate.ordinal == winner), None)
    if chosen is None:
        return []
    return [
        {
            "pointer": change.pointer,
            "operation": change.operation,
            "before": change.before,
            "after": change.after,
            "text_diff": change.text_diff,
        }
        for change in diff_documents(champion, apply_changes(champion, chosen.changes))
    ]


def _clusters(source: ReportSource) -> list[dict[str, Any]]:
    clustered = source.view.result_of(Phase.CLUSTER)
    if clustered is None:
        return []
    diagnosed = source.view.result_of(Phase.DIAGNOSE) or {}
    effects = {one["id"]: one for one in diagnosed.get("clusters") or []}
    return [
        {
            "id": one["id"],
            "label": one["label"],
            "muted": bool(one.get("muted")),
            "size": one["size"],
            "share": one["share"],
            "stability": one["stability"],
            "examples": one["examples"],
            "trace_ids": _traces_of(one["members"], source.traces),
            "fixed": effects.get(one["id"], {}).get("fixed"),
            "broken": effects.get(one["id"], {}).get("broken"),
        }
        for one in clustered["clusters"]
    ]


def _traces_of(members: Sequence[str], traces: Mapping[str, str]) -> list[str]:
    """Where the cluster was seen, as far as its samples were made of traces."""
    found = dict.fromkeys(traces[member] for member in members if member in traces)
    return list(found)[:TRACES_SHOWN]


def _progress(source: ReportSource) -> list[dict[str, Any]]:
    """What was tried on the reflect split, in order, with the best score so far of what was measured on all of it.

    evaluations: spent on that split until then.  items: of the split that it was measured on.
    """
    ordinals = {candidate.config_hash: candidate.ordinal for candidate in source.view.candidates}
    steps: list[dict[str, Any]] = []
    spent, best = 0, None
    for tried in source.tried:
        spent += tried.executions
        if tried.score is None or tried.items < SHOWN_SHARE * source.reflect_items:
            continue
        whole = tried.items >= source.reflect_items
        if whole:
            best = tried.score if best is None else max(best, tried.score)
        steps.append(
            {
                "config_hash": tried.config_hash,
                "champion": tried.config_hash == source.view.scan.base_config_hash,
                "ordinal": ordinals.get(tried.config_hash),
                "evaluations": spent,
                "items": tried.items,
                "whole": whole,
                "score": round(tried.score, 9),
                "best": None if best is None else round(best, 9),
            }
        )
    return steps

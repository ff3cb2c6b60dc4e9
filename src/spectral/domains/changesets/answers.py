"""Rows of change sets as the wire shows them. Pure."""

from collections.abc import Mapping
from typing import Any

from spectral.domains.changesets.clusters import SeenCluster
from spectral.domains.changesets.evidence import Explanation
from spectral.domains.changesets.experiments import CompletedExperiment
from spectral.domains.changesets.guarding_answers import guard_out
from spectral.domains.changesets.models import Changeset, ExperimentArm, Validation
from spectral.domains.changesets.schemas import (
    CandidateOut,
    ChangeOut,
    ChangesetDetailOut,
    ChangesetOut,
    ClusterDetailOut,
    ClusterExampleOut,
    ClusterMemberOut,
    ClusterOut,
    ClusterSightingOut,
    ComparisonOut,
    CostOut,
    EvidenceClusterOut,
    EvidenceOut,
    ExperimentArmOut,
    ExperimentOut,
    HoldoutLookOut,
    LookArmOut,
    RecurrenceOut,
    ValidationOut,
)
from spectral.platform.shared.pagination import Collection, Page


def changeset_out(changeset: Changeset, latest: Validation | None) -> ChangesetOut:
    """A change set with the numbers of its last look."""
    return ChangesetOut.model_validate(_changeset_members(changeset, latest))


def changeset_detail_out(found: Explanation) -> ChangesetDetailOut:
    """A change set with its evidence chain."""
    changeset, latest = found.changeset, found.latest
    diff = [ChangeOut.model_validate(change) for change in changeset.diff]
    members = {
        name: getattr(changeset, name)
        for name in ("rubric_id", "rubric_version", "objective_id", "objective", "sample_set_id", "experiment_id")
    }
    return ChangesetDetailOut.model_validate(
        {
            **_changeset_members(changeset, latest),
            **members,
            "diff": diff,
            "evidence": _evidence_out(found, diff),
            "validation": None if latest is None else validation_out(latest),
            "cost": _cost_out(changeset.search_cost_nano_usd, found.validation_cost_nano_usd),
            "guard": None if found.guard is None else guard_out(found.guard),
        }
    )


def validation_out(validation: Validation) -> ValidationOut:
    """A look; its numbers are null until it has finished."""
    evidence: Mapping[str, Any] = validation.evidence or {}
    shown = {name: getattr(validation, name, None) for name in ValidationOut.model_fields}
    names = ("n", "groups", "missing", "effect", "effect_95", "p_value")
    return ValidationOut.model_validate(
        {
            **shown,
            **{name: evidence.get(name) for name in names},
            "guards": evidence.get("guards", []),
            "judges": evidence.get("judges", []),
            "champion": _arm_out(evidence.get("champion")),
            "challenger": _arm_out(evidence.get("challenger")),
            "max_cost_usd": validation.max_cost_nano_usd,
            "cost_usd": validation.cost_nano_usd,
        }
    )


def cluster_out(seen: SeenCluster) -> ClusterOut:
    """A cluster with its examples."""
    return ClusterOut.model_validate(_cluster_members(seen))


def cluster_detail_out(seen: SeenCluster, page: Page) -> ClusterDetailOut:
    """A cluster with one page of its members."""
    link = seen.link
    known = link is not None and link.fixed_items is not None
    fixed = set((link.fixed_items if link is not None else None) or ())
    members = [
        ClusterMemberOut(
            item_id=member.item_id,
            text=member.text,
            trace_id=seen.traces.get(member.item_id),
            example=member.example,
            fixed=str(member.item_id) in fixed if known else None,
        )
        for member in seen.members
    ]
    history = [
        ClusterSightingOut(
            scan_id=one.scan_id, at=one.created_at, size=one.size, share=one.share, stability=one.stability
        )
        for one in seen.history
    ]
    broken = sorted((link.broken_items if link is not None else None) or ())
    return ClusterDetailOut.model_validate(
        {
            **_cluster_members(seen),
            "members": Collection.of(members, seen.members_total, page),
            "history": history,
            "broken_item_ids": broken if known else None,
        }
    )


def experiment_out(found: CompletedExperiment) -> ExperimentOut:
    """An experiment with its arms."""
    experiment = found.experiment
    shown = {name: getattr(experiment, name, None) for name in ExperimentOut.model_fields if name != "arms"}
    return ExperimentOut.model_validate(
        {
            **shown,
            "max_cost_usd": experiment.max_cost_nano_usd,
            "cost_usd": experiment.cost_nano_usd,
            "arms": [experiment_arm_out(arm) for arm in found.arms],
        }
    )


def comparison_out(arm: ExperimentArm) -> ComparisonOut:
    """A candidate against the champion."""
    return ComparisonOut.model_validate(comparison_members(arm, arm.effect or {}))


def comparison_members(arm: ExperimentArm, effect: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a comparison, whoever made it: those that a scan does not record are null or empty."""
    members: dict[str, Any] = {name: effect.get(name) for name in ComparisonOut.model_fields}
    absent = {"n": 0, "effect": 0.0, "method": "none", "wins": 0, "losses": 0}
    listed = {name: list(effect.get(name) or []) for name in ("broken_guards", "guards", "reasons")}
    named = {name: getattr(arm, name) for name in ("label", "version", "config_hash", "changes", "frontier")}
    return {**members, **{name: effect.get(name, value) for name, value in absent.items()}, **listed, **named}


def experiment_arm_out(arm: ExperimentArm, summary: Mapping[str, Any] | None = None) -> ExperimentArmOut:
    """An arm; with the numbers of a summary of its own, else with those that were recorded."""
    numbers = arm.summary if summary is None else summary
    members = {name: numbers.get(name) for name in ExperimentArmOut.model_fields}
    return ExperimentArmOut.model_validate(
        {
            **members,
            **{name: getattr(arm, name) for name in ("label", "version", "config_hash", "frontier")},
            "champion": arm.position == 0,
            "mean_cost_usd": _whole(numbers.get("mean_cost_nano_usd")),
        }
    )


def _changeset_members(changeset: Changeset, latest: Validation | None) -> dict[str, Any]:
    evidence = (latest.evidence or {}) if latest is not None else {}
    return {
        **{name: getattr(changeset, name, None) for name in ChangesetOut.model_fields},
        "verdict": None if latest is None else latest.verdict,
        "effect": evidence.get("effect"),
        "effect_95": evidence.get("effect_95"),
        "further_samples": None if latest is None else latest.n_more,
    }


def _evidence_out(found: Explanation, diff: list[ChangeOut]) -> EvidenceOut:
    changeset, latest = found.changeset, found.latest
    numbers = (latest.evidence or {}) if latest is not None else {}
    return EvidenceOut.model_validate(
        {
            "trace_ids": found.traces,
            "clusters": [
                EvidenceClusterOut.model_validate({**_cluster_members(seen), "trace_ids": found.traces_of(seen)})
                for seen in found.clusters
            ],
            "candidate": CandidateOut(
                base_version=changeset.base_version,
                base_config_hash=changeset.base_config_hash,
                candidate_version=changeset.candidate_version,
                candidate_config_hash=changeset.candidate_config_hash,
                diff=diff,
            ),
            "experiment": None if found.experiment is None else experiment_out(found.experiment),
            "holdout": None if latest is None else _holdout_out(latest),
            "interval": numbers.get("effect"),
            "verdict": None if latest is None else latest.verdict,
            "reasons": [] if latest is None else latest.reasons,
            "execution": changeset.execution,
        }
    )


def _holdout_out(validation: Validation) -> HoldoutLookOut:
    names = ("holdout_id", "look", "looks_planned", "stage", "items", "alpha")
    shown = {name: getattr(validation, name) for name in names}
    return HoldoutLookOut.model_validate({**shown, "digest": validation.holdout_digest})


def _cost_out(search: int | None, validation: int | None) -> CostOut:
    total = None if search is None or validation is None else search + validation
    return CostOut(search_usd=search, validation_usd=validation, total_usd=total)


def _arm_out(arm: Mapping[str, Any] | None) -> LookArmOut | None:
    if arm is None:
        return None
    return LookArmOut.model_validate({**arm, "mean_cost_usd": _whole(arm["mean_cost_nano_usd"])})


def _cluster_members(seen: SeenCluster) -> dict[str, Any]:
    cluster, sighting, link = seen.cluster, seen.sighting, seen.link
    names = ("id", "agent_id", "label", "label_curated", "status", "note", "split_from", "updated_at")
    return {
        **{name: getattr(cluster, name) for name in (*names, "first_scan_id", "last_scan_id")},
        **{name: getattr(sighting, name) for name in ("size", "share", "stability", "scan_id")},
        **{name: getattr(link, name, None) for name in ("failures", "fixed", "broke")},
        **{name: getattr(seen, name) for name in ("sightings", "first_seen_at", "last_seen_at", "changeset_id")},
        "recurrence": RecurrenceOut(seen=seen.recurrence.seen, scans=seen.recurrence.scans),
        "merged_ids": [part.id for part in seen.merged],
        "examples": [ClusterExampleOut(item_id=one.item_id, text=one.text) for one in seen.examples],
    }


def _whole(nano: float | None) -> int | None:
    return None if nano is None else round(nano)

"""Rows of change sets as the wire shows them. Pure."""

from collections.abc import Mapping
from typing import Any

from spectral.domains.changesets.clusters import SeenCluster
from spectral.domains.changesets.evidence import Explanation
from spectral.domains.changesets.experiments import CompletedExperiment
from spectral.domains.changesets.models import Changeset, ClusterMember, ExperimentArm, Validation
from spectral.domains.changesets.schemas import (
    CandidateOut,
    ChangeOut,
    ChangesetDetailOut,
    ChangesetOut,
    ClusterDetailOut,
    ClusterMemberOut,
    ClusterOut,
    ComparisonOut,
    CostOut,
    EvidenceOut,
    ExperimentArmOut,
    ExperimentOut,
    HoldoutLookOut,
    LookArmOut,
    ValidationOut,
)


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
            "champion": _arm_out(evidence.get("champion")),
            "challenger": _arm_out(evidence.get("challenger")),
            "max_cost_usd": validation.max_cost_nano_usd,
            "cost_usd": validation.cost_nano_usd,
        }
    )


def cluster_out(seen: SeenCluster) -> ClusterOut:
    """A cluster with its examples."""
    return ClusterOut.model_validate(_cluster_members(seen))


def cluster_detail_out(seen: SeenCluster) -> ClusterDetailOut:
    """A cluster with all its members."""
    return ClusterDetailOut.model_validate(
        {**_cluster_members(seen), "members": [_member_out(member) for member in seen.members]}
    )


def experiment_out(found: CompletedExperiment) -> ExperimentOut:
    """An experiment with its arms."""
    names = [name for name in ExperimentOut.model_fields if name != "arms"]
    shown = {name: getattr(found.experiment, name) for name in names}
    return ExperimentOut.model_validate({**shown, "arms": [_experiment_arm_out(arm) for arm in found.arms]})


def comparison_out(arm: ExperimentArm) -> ComparisonOut:
    """A candidate against the champion."""
    effect = arm.effect or {}
    return ComparisonOut(
        label=arm.label,
        version=arm.version,
        config_hash=arm.config_hash,
        changes=arm.changes,
        n=effect.get("n", 0),
        effect=effect.get("effect", 0.0),
        low=effect.get("low"),
        high=effect.get("high"),
        method=effect.get("method", "none"),
        p_value=effect.get("p_value"),
        p_adjusted=effect.get("p_adjusted"),
        wins=effect.get("wins", 0),
        losses=effect.get("losses", 0),
        broken_guards=list(effect.get("broken_guards", [])),
        frontier=arm.frontier,
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
            "clusters": [cluster_out(seen) for seen in found.clusters],
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
    return {
        **{name: getattr(cluster, name) for name in ("id", "label", "status", "note", "updated_at")},
        **{name: getattr(cluster, name) for name in ("first_scan_id", "last_scan_id")},
        **{name: getattr(sighting, name) for name in ("size", "share", "stability")},
        **{name: getattr(link, name) for name in ("failures", "fixed", "broke")},
        "sightings": seen.sightings,
        "examples": [_member_out(member) for member in seen.examples],
    }


def _member_out(member: ClusterMember) -> ClusterMemberOut:
    return ClusterMemberOut(item_id=member.item_id, text=member.text)


def _experiment_arm_out(arm: ExperimentArm) -> ExperimentArmOut:
    names = ("objective", "accuracy", "accuracy_low", "accuracy_high", "items", "missing", "mean_latency_ms")
    return ExperimentArmOut.model_validate(
        {
            **{name: arm.summary.get(name) for name in names},
            **{name: getattr(arm, name) for name in ("label", "version", "config_hash", "frontier")},
            "champion": arm.position == 0,
            "mean_cost_usd": _whole(arm.summary.get("mean_cost_nano_usd")),
        }
    )


def _whole(nano: float | None) -> int | None:
    return None if nano is None else round(nano)

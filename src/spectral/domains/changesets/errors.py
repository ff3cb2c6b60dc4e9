"""The problems only change sets have; each says what would help."""

from typing import Any, ClassVar
from uuid import UUID

from spectral.platform.shared.errors import BusinessRuleViolationError, ConflictError, ValidationFailedError


class HoldoutSpentError(BusinessRuleViolationError):
    """Every planned look at the holdout is taken."""

    slug: ClassVar[str] = "holdout-spent"
    title: ClassVar[str] = "Holdout Spent"

    def __init__(self, looks: int) -> None:
        super().__init__(
            f"All {looks} planned looks at this holdout are taken; refresh it from new traffic to validate again",
            looks=looks,
        )


class TooFewSamplesError(BusinessRuleViolationError):
    """A holdout, or the split of an experiment, is too small for any verdict."""

    slug: ClassVar[str] = "too-few-samples"
    title: ClassVar[str] = "Too Few Samples"

    def __init__(self, size: int, minimum: int, *, what: str = "A holdout") -> None:
        super().__init__(
            f"{what} needs at least {minimum} items to decide anything and has {size}; add {minimum - size} more",
            further_samples=minimum - size,
        )


class TooFewRecordedOutputsError(BusinessRuleViolationError):
    """Too few samples of the set were made of traces and expect what those said."""

    slug: ClassVar[str] = "too-few-recorded-outputs"
    title: ClassVar[str] = "Too Few Recorded Outputs"

    def __init__(self, found: int, minimum: int) -> None:
        super().__init__(
            f"A replica is compared with at least {minimum} recorded outputs, and outside of its holdout the set has "
            f"{found} samples that were made of traces with their outputs",
            further_samples=minimum - found,
        )


class NoFurtherStageError(BusinessRuleViolationError):
    """The change set was measured on every item of the holdout; the same data cannot say more."""

    slug: ClassVar[str] = "no-further-stage"
    title: ClassVar[str] = "No Further Stage"

    def __init__(self, further_samples: int | None) -> None:
        wanted = "" if further_samples is None else f" of about {further_samples} samples"
        super().__init__(
            "The change set was measured on every item of the current holdout, which cannot say more about it; "
            f"validate it again on a fresh holdout{wanted}",
            further_samples=further_samples,
        )


class NotValidatedError(BusinessRuleViolationError):
    """No look at a holdout has shown the gain; `reason` says why, `further_samples` how many more would help."""

    slug: ClassVar[str] = "not-validated"
    title: ClassVar[str] = "Not Validated"

    def __init__(self, detail: str, *, state: str, reason: str, further_samples: int | None, **extensions: Any) -> None:
        super().__init__(detail, state=state, reason=reason, further_samples=further_samples, **extensions)


class BaseReplacedError(BusinessRuleViolationError):
    """Another version than the one it was compared with is live, so the evidence is about something else."""

    slug: ClassVar[str] = "base-replaced"
    title: ClassVar[str] = "Base Replaced"

    def __init__(self, environment: str, base_version: int, live_version: int) -> None:
        super().__init__(
            f"The change set was compared with version {base_version}, but version {live_version} is live in "
            f"{environment}; scan again, or accept with an override_reason",
            base_version=base_version,
            live_version=live_version,
        )


class NotLiveError(BusinessRuleViolationError):
    """The candidate is not what is live, so there is nothing to take back."""

    slug: ClassVar[str] = "candidate-not-live"
    title: ClassVar[str] = "Candidate Not Live"

    def __init__(self, environment: str, candidate_version: int, live_version: int | None) -> None:
        live = "nothing" if live_version is None else f"version {live_version}"
        super().__init__(
            f"Version {candidate_version} is not live in {environment} any more ({live} is); promote the version "
            "you want instead",
            live_version=live_version,
        )


class SampleSetVersionError(BusinessRuleViolationError):
    """An experiment is pinned to the sample set as it is, and it is not any more as was asked for."""

    slug: ClassVar[str] = "sample-set-version"
    title: ClassVar[str] = "Sample Set Version"

    def __init__(self, wanted: int, current: int) -> None:
        super().__init__(
            f"The sample set is at version {current}; version {wanted} cannot be measured any more",
            current_version=current,
        )


class ExperimentItemsChangedError(BusinessRuleViolationError):
    """Items that an experiment is pinned to were changed or deleted before it could measure them."""

    slug: ClassVar[str] = "experiment-items-changed"
    title: ClassVar[str] = "Experiment Items Changed"


class IncomparableExperimentsError(BusinessRuleViolationError):
    """Experiments that were not made on the same samples by the same rubric cannot be compared."""

    slug: ClassVar[str] = "incomparable-experiments"
    title: ClassVar[str] = "Incomparable Experiments"


class OutputsRefusedError(ValidationFailedError):
    """Lines of outputs that cannot be taken; `errors` names them, and nothing of the request was kept."""

    slug: ClassVar[str] = "outputs-refused"
    title: ClassVar[str] = "Outputs Refused"


class NotWaitingForOutputsError(BusinessRuleViolationError):
    """The experiment executes the agent itself, or has all outputs, or has ended."""

    slug: ClassVar[str] = "not-waiting-for-outputs"
    title: ClassVar[str] = "Not Waiting For Outputs"


class ExperimentLaunchedError(ConflictError):
    """The last outputs that the experiment waited for arrived while it was to be cancelled."""

    slug: ClassVar[str] = "experiment-launched"
    title: ClassVar[str] = "Experiment Launched"

    def __init__(self) -> None:
        super().__init__("The last outputs have arrived at this moment, and it is being measured; cancel it once more")


class ClusterOfAnotherAgentError(BusinessRuleViolationError):
    """What one agent gets wrong is never what another one gets wrong."""

    slug: ClassVar[str] = "cluster-of-another-agent"
    title: ClassVar[str] = "Cluster Of Another Agent"

    def __init__(self, cluster_id: UUID) -> None:
        super().__init__(
            f"Cluster {cluster_id} is another agent's; only clusters of one agent can be merged or exchange items",
            cluster_id=str(cluster_id),
        )


class MergedClusterError(BusinessRuleViolationError):
    """The cluster is part of another one already."""

    slug: ClassVar[str] = "cluster-merged"
    title: ClassVar[str] = "Cluster Merged"

    def __init__(self, cluster_id: UUID, merged_into: UUID) -> None:
        super().__init__(
            f"Cluster {cluster_id} was merged into {merged_into}; name that one",
            cluster_id=str(cluster_id),
            merged_into=str(merged_into),
        )


class EmptyClusterError(BusinessRuleViolationError):
    """Nothing would be left of a cluster."""

    slug: ClassVar[str] = "empty-cluster"
    title: ClassVar[str] = "Empty Cluster"

    def __init__(self, cluster_id: UUID) -> None:
        super().__init__(
            f"Nothing would be left in cluster {cluster_id}; merge the clusters instead", cluster_id=str(cluster_id)
        )


class ClusterNotDivisibleError(BusinessRuleViolationError):
    """What is known about the cluster does not tell its parts."""

    slug: ClassVar[str] = "cluster-not-divisible"
    title: ClassVar[str] = "Cluster Not Divisible"


class ClusterChangedError(ConflictError):
    """Somebody has curated the cluster meanwhile."""

    slug: ClassVar[str] = "cluster-changed"
    title: ClassVar[str] = "Cluster Changed"

    def __init__(self, cluster_id: UUID) -> None:
        super().__init__(f"The members of cluster {cluster_id} have changed meanwhile; read it and choose again")

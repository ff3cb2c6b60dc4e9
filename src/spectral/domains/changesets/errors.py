"""The problems only change sets have; each says what would help."""

from typing import Any, ClassVar

from spectral.platform.shared.errors import BusinessRuleViolationError


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
    """The holdout is too small for any verdict."""

    slug: ClassVar[str] = "too-few-samples"
    title: ClassVar[str] = "Too Few Samples"

    def __init__(self, size: int, minimum: int) -> None:
        super().__init__(
            f"A holdout needs at least {minimum} items to decide anything and has {size}; add {minimum - size} more",
            further_samples=minimum - size,
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

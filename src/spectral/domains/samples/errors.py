"""The problems that only sample sets have."""

from uuid import UUID

from spectral.platform.shared.errors import (
    BusinessRuleViolationError,
    ConflictError,
    InvalidTransitionError,
    ValidationFailedError,
)


class ImportRefusedError(ValidationFailedError):
    """A file of samples that cannot be read; `errors` names the lines, and nothing of it was imported."""

    slug = "import-refused"
    title = "Import Refused"


class SampleSetNameTakenError(ConflictError):
    """Another sample set of the workspace has this name."""

    slug = "sample-set-name-taken"
    title = "Sample Set Name Taken"


class SampleSetInUseError(BusinessRuleViolationError):
    """Scans or change sets refer to the set: their evidence would point nowhere."""

    slug = "sample-set-in-use"
    title = "Sample Set In Use"


class SampleSetFullError(BusinessRuleViolationError):
    """The set would hold more items than a set may."""

    slug = "sample-set-full"
    title = "Sample Set Full"


class DuplicateSampleError(BusinessRuleViolationError):
    """The set holds this input, or one that is nearly the same with the same expected answer."""

    slug = "duplicate-sample"
    title = "Duplicate Sample"


class BridgingSampleError(BusinessRuleViolationError):
    """The item belongs to groups in different splits: in either of them it would leak into the other."""

    slug = "bridging-sample"
    title = "Sample Bridges Splits"


class FrozenSampleError(BusinessRuleViolationError):
    """The item belongs to a frozen holdout, which is never changed."""

    slug = "sample-frozen"
    title = "Sample Frozen"

    def __init__(self, item_id: UUID, holdout_id: UUID) -> None:
        super().__init__(f"Sample {item_id} belongs to the frozen holdout {holdout_id}", holdout_id=str(holdout_id))


class HoldoutTooSmallError(BusinessRuleViolationError):
    """Too few items wait in the holdout split; `further_samples` says how many more the split needs."""

    slug = "holdout-too-small"
    title = "Holdout Too Small"

    def __init__(self, size: int, minimum: int) -> None:
        super().__init__(
            f"A holdout needs at least {minimum} items and {size} wait in the holdout split; import more samples, of "
            "more different sessions and users",
            further_samples=minimum - size,
        )


class NoHoldoutError(BusinessRuleViolationError):
    """The set has no current holdout."""

    slug = "no-holdout"
    title = "No Holdout"


class HoldoutCurrentError(InvalidTransitionError):
    """The set has a current holdout; there is one at a time."""


class HoldoutRetiredError(BusinessRuleViolationError):
    """The holdout is retired: nothing can be measured on it any more."""

    slug = "holdout-retired"
    title = "Holdout Retired"


class HoldoutAlteredError(BusinessRuleViolationError):
    """The items of a holdout do not add up to its digest: they were changed behind the API's back."""

    slug = "holdout-altered"
    title = "Holdout Altered"

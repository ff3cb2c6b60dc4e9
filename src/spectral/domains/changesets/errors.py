"""The problems only change sets have; each is a 400 that says what would help."""

from typing import ClassVar

from spectral.platform.shared.errors import BusinessRuleViolationError


class HoldoutSpentError(BusinessRuleViolationError):
    slug: ClassVar[str] = "holdout-spent"
    title: ClassVar[str] = "Holdout Spent"

    def __init__(self, looks: int) -> None:
        super().__init__(
            f"All {looks} planned looks at this holdout are taken; refresh it from new traffic to validate again.",
            looks=looks,
        )


class TooFewSamplesError(BusinessRuleViolationError):
    slug: ClassVar[str] = "too-few-samples"
    title: ClassVar[str] = "Too Few Samples"

    def __init__(self, size: int, minimum: int) -> None:
        super().__init__(
            f"A holdout needs at least {minimum} items to decide anything and has {size}; add {minimum - size} more.",
            further_samples=minimum - size,
        )

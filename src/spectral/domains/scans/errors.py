"""The problems only scans have; each says what would help."""

from typing import ClassVar

from spectral.platform.shared.errors import BusinessRuleViolationError


class NotReadyError(BusinessRuleViolationError):
    """The data does not allow a decision; `missing` lists what is needed."""

    slug: ClassVar[str] = "scan-not-ready"
    title: ClassVar[str] = "Scan Not Ready"


class BudgetTooSmallError(BusinessRuleViolationError):
    """The budget does not cover the least that a scan with this data has to spend."""

    slug: ClassVar[str] = "budget-too-small"
    title: ClassVar[str] = "Budget Too Small"


class SamplesChangedError(BusinessRuleViolationError):
    """Items that the scan was measuring were changed or removed: its arms would no longer be comparable."""

    slug: ClassVar[str] = "samples-changed"
    title: ClassVar[str] = "Samples Changed"

    def __init__(self, split: str) -> None:
        super().__init__(f"Items of the {split} split were changed or removed while the scan ran; start a new scan")


class StrategyFailedError(BusinessRuleViolationError):
    """A search strategy broke; the scan cannot go on, because its result would depend on where it broke."""

    slug: ClassVar[str] = "strategy-failed"
    title: ClassVar[str] = "Strategy Failed"

    def __init__(self, strategy: str, error: Exception) -> None:
        super().__init__(f"The strategy {strategy} failed with {type(error).__name__}")

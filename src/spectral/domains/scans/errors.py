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


class UnpricedModelError(BusinessRuleViolationError):
    """A budget in US dollars cannot be kept with a model whose price is unknown."""

    slug: ClassVar[str] = "unpriced-model"
    title: ClassVar[str] = "Unpriced Model"

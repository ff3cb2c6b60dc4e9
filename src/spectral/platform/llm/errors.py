"""The problems of the door to models."""

from collections.abc import Iterable

from spectral.platform.llm.calls import ModelFault
from spectral.platform.shared.errors import BusinessRuleViolationError, UnavailableError


class UnknownModelError(BusinessRuleViolationError):
    """The model that was named is not in the catalogue."""

    slug = "unknown-model"
    title = "Unknown Model"

    def __init__(self, model: str, known: Iterable[str]) -> None:
        """Name the model and the ones that exist, so that the caller can correct the request."""
        names = sorted(known)
        super().__init__(f"Model {model!r} is not in the catalogue; known models: {', '.join(names)}", models=names)


class ModelRequestError(BusinessRuleViolationError):
    """The provider refused the request and would refuse it again."""

    slug = "model-request-refused"
    title = "Model Request Refused"

    def __init__(self, model: str, fault: ModelFault) -> None:
        """Say which model refused and why."""
        super().__init__(f"{model}: {fault.message}")


class ModelUnavailableError(UnavailableError):
    """The provider could not answer; the same request may succeed later."""

    slug = "model-unavailable"
    title = "Model Unavailable"

    def __init__(self, model: str, fault: ModelFault) -> None:
        """Say which model failed and how."""
        super().__init__(f"{model}: {fault.message}", retry_after_s=5)

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


class ModelDisabledError(UnknownModelError):
    """The operations staff has switched the model off."""

    slug = "model-disabled"
    title = "Model Disabled"

    def __init__(self, model: str) -> None:
        """Name the model."""
        BusinessRuleViolationError.__init__(self, f"Model {model!r} is switched off in this installation")


class MissingCredentialError(BusinessRuleViolationError):
    """The workspace has no key for a provider that the work would call."""

    slug = "missing-credential"
    title = "Missing Credential"

    def __init__(self, providers: Iterable[str]) -> None:
        """Name every provider without a key, so that an administrator can add them."""
        names = sorted(set(providers))
        super().__init__(f"The workspace has no credential for {', '.join(names)}", providers=names)


class ModelRequestError(BusinessRuleViolationError):
    """The provider refused the request and would refuse it again."""

    slug = "model-request-refused"
    title = "Model Request Refused"

    def __init__(self, model: str, fault: ModelFault) -> None:
        """Say which model refused and why."""
        super().__init__(f"{model}: {fault.message}")


class ModelCredentialError(ModelRequestError):
    """The call needs a key that the workspace does not have, or that the provider refuses."""

    slug = "model-credential"
    title = "Model Credential"


class ModelUnavailableError(UnavailableError):
    """The provider could not answer; the same request may succeed later."""

    slug = "model-unavailable"
    title = "Model Unavailable"

    def __init__(self, model: str, fault: ModelFault) -> None:
        """Say which model failed and how."""
        super().__init__(f"{model}: {fault.message}", retry_after_s=max(1, round(fault.retry_after_s or 5)))

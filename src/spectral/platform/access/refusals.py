"""Refusals of callers whose credential is good but not good enough."""

from spectral.platform.shared.errors import ForbiddenError


class SsoRequiredError(ForbiddenError):
    """The account admits only sessions that its identity provider opened."""

    slug = "single-sign-on-required"
    title = "Single Sign-On Required"

    def __init__(self, provider: str) -> None:
        super().__init__(f"This account is entered by signing in with {provider}", provider=provider)


class StepUpRequiredError(ForbiddenError):
    """The person has a second factor and must show it (again) before this."""

    slug = "step-up-required"
    title = "Step-Up Required"

    def __init__(self) -> None:
        super().__init__("Confirm with your second factor first: POST /api/v1/auth/step-up")

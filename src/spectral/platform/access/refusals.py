"""Refusals of callers whose credential is good but not good enough."""

from spectral.platform.shared.errors import BusinessRuleViolationError, ForbiddenError


class AccountNotChosenError(BusinessRuleViolationError):
    """The caller belongs to several accounts, or none, and did not say which one."""

    slug = "account-not-chosen"
    title = "Account Not Chosen"

    def __init__(self) -> None:
        super().__init__("Name one of your accounts with the X-Account-Id header")


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


class SecondFactorMissingError(ForbiddenError):
    """The account admits only people who have a second factor, and this one has none."""

    slug = "second-factor-missing"
    title = "Second Factor Missing"

    def __init__(self) -> None:
        super().__init__("This account is entered with a second factor: set one up, POST /api/v1/auth/second-factor")


class AccountBeingDeletedError(ForbiddenError):
    """The account is on its way out: nothing about it can be changed any more."""

    slug = "account-being-deleted"
    title = "Account Being Deleted"

    def __init__(self) -> None:
        super().__init__("This account is being deleted; see GET /api/v1/account/deletions")

"""What can go wrong with signing in."""

from spectral.platform.shared.errors import (
    BusinessRuleViolationError,
    ConflictError,
    FieldError,
    ForbiddenError,
    InvalidTransitionError,
    NotAuthenticatedError,
    RateLimitedError,
    ValidationFailedError,
)


class WrongCredentialsError(NotAuthenticatedError):
    """E-mail and password do not belong together; says the same for an unknown address."""

    slug = "wrong-credentials"
    title = "Wrong Credentials"

    def __init__(self) -> None:
        super().__init__("E-mail or password is wrong")


class SecondFactorRequiredError(NotAuthenticatedError):
    """The password was right, and the person has a second factor: the `code` is missing, wrong or was used before."""

    slug = "second-factor-required"
    title = "Second Factor Required"

    def __init__(self, detail: str = "Send the code of your authenticator app, or a recovery code, as `code`") -> None:
        super().__init__(detail)


class TooManyAttemptsError(RateLimitedError):
    """Too many failures of this account or from this address; says the same for unknown accounts."""

    slug = "too-many-attempts"
    title = "Too Many Attempts"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("Too many attempts; try again later", retry_after_s)


class RefreshRefusedError(NotAuthenticatedError):
    """The refresh token is unknown, expired, revoked or was used before."""

    slug = "refresh-refused"
    title = "Refresh Refused"

    def __init__(self, detail: str = "The refresh token is not valid; sign in again") -> None:
        super().__init__(detail)


class OriginRefusedError(ForbiddenError):
    """A refresh by cookie that this installation's own pages did not send."""

    slug = "origin-refused"
    title = "Origin Refused"

    def __init__(self) -> None:
        super().__init__("A refresh by cookie needs an Origin header that names this installation")


class WeakPasswordError(ValidationFailedError):
    """The new password is too short or too common."""

    slug = "weak-password"
    title = "Weak Password"

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__("The password cannot be used", errors=[FieldError(pointer, detail)])


class ResetRefusedError(BusinessRuleViolationError):
    """The link is unknown, was used or has expired."""

    slug = "reset-refused"
    title = "Reset Refused"

    def __init__(self) -> None:
        super().__init__("This link is not valid, or no longer; ask for another one")


class SecondFactorRefusedError(BusinessRuleViolationError):
    """A signed-in person sent a wrong code, or one that was used before."""

    slug = "second-factor-refused"
    title = "Second Factor Refused"

    def __init__(self) -> None:
        super().__init__("The code is wrong, or was used before")


class SecondFactorExistsError(ConflictError):
    """The person has a second factor already."""

    slug = "second-factor-exists"
    title = "Second Factor Exists"

    def __init__(self) -> None:
        super().__init__("You have a second factor; remove it first")


class NoSecondFactorError(InvalidTransitionError):
    """The person has no second factor, or has not begun to set one up."""

    slug = "no-second-factor"
    title = "No Second Factor"

    def __init__(self, detail: str = "You have no second factor") -> None:
        super().__init__(detail)

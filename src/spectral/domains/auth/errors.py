"""What can go wrong with signing in."""

from spectral.platform.shared.errors import FieldError, NotAuthenticatedError, ValidationFailedError


class WrongCredentialsError(NotAuthenticatedError):
    """E-mail and password do not belong together; says the same for an unknown address."""

    slug = "wrong-credentials"
    title = "Wrong Credentials"

    def __init__(self) -> None:
        super().__init__("E-mail or password is wrong")


class RefreshRefusedError(NotAuthenticatedError):
    """The refresh token is unknown, expired, revoked or was used before."""

    slug = "refresh-refused"
    title = "Refresh Refused"

    def __init__(self, detail: str = "The refresh token is not valid; sign in again") -> None:
        super().__init__(detail)


class WeakPasswordError(ValidationFailedError):
    """The new password is too short or too common."""

    slug = "weak-password"
    title = "Weak Password"

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__("The password cannot be used", errors=[FieldError(pointer, detail)])

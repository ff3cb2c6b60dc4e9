"""What can go wrong between a process and the platform."""


class SpectralClientError(Exception):
    """Every error that this package raises."""


class NotConfiguredError(SpectralClientError):
    """It was not said where the platform is, or with which key."""


class UnavailableError(SpectralClientError):
    """The platform could not be reached, or could not answer now; trying again may help.

    retry_after_s: when it says to come back, None where it did not.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RefusedError(SpectralClientError):
    """The platform said no; trying again does not help. status: of HTTP.  type: the problem's last part of its URI."""

    def __init__(self, status: int, type: str, detail: str) -> None:
        super().__init__(f"{detail} ({status} {type})")
        self.status = status
        self.type = type
        self.detail = detail

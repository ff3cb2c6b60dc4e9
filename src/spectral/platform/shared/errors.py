"""Every error that a caller may see is a class here or a subclass in a domain's `errors.py`.

`status`, `slug` and `title` belong to the class, `detail` to the occurrence. Rendering is `problems.py`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong place in a body or query: a JSON pointer (or parameter name) and what is wrong there."""

    pointer: str
    detail: str


class SpectralError(Exception):
    """An error with a documented problem type. `extensions` become members of the problem document."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal Server Error"

    def __init__(self, detail: str, **extensions: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extensions = extensions
        self.headers: dict[str, str] = {}


class MalformedRequestError(SpectralError):
    """The request cannot be read: malformed JSON, or parts of it that contradict each other."""

    status = 400
    slug = "malformed-request"
    title = "Malformed Request"


class BusinessRuleViolationError(SpectralError):
    """The request is well formed and refused by a rule."""

    status = 400
    slug = "business-rule-violation"
    title = "Business Rule Violation"


class InvalidTransitionError(BusinessRuleViolationError):
    """The thing is in a state from which this action is not possible."""

    slug = "invalid-transition"
    title = "Invalid Transition"


class NotAuthenticatedError(SpectralError):
    """No credential, or one that is not valid (any more)."""

    status = 401
    slug = "not-authenticated"
    title = "Not Authenticated"

    def __init__(self, detail: str = "A valid access token or API key is needed", **extensions: Any) -> None:
        super().__init__(detail, **extensions)
        self.headers = {"WWW-Authenticate": 'Bearer realm="spectral"'}


class ForbiddenError(SpectralError):
    """Authenticated, but without the scope."""

    status = 403
    slug = "forbidden"
    title = "Forbidden"


class NotFoundError(SpectralError):
    """Does not exist, or belongs to someone else: the two are not told apart."""

    status = 404
    slug = "not-found"
    title = "Resource Not Found"

    def __init__(self, kind: str, identifier: object | None = None, **extensions: Any) -> None:
        super().__init__(f"{kind} not found" if identifier is None else f"{kind} {identifier} not found", **extensions)


class MethodNotAllowedError(SpectralError):
    """The path exists, the method does not."""

    status = 405
    slug = "method-not-allowed"
    title = "Method Not Allowed"


class RequestTimeoutError(SpectralError):
    """The body did not arrive in time; the connection is not used again."""

    status = 408
    slug = "request-timeout"
    title = "Request Timeout"

    def __init__(self, detail: str, **extensions: Any) -> None:
        super().__init__(detail, **extensions)
        self.headers = {"Connection": "close"}


class ConflictError(SpectralError):
    """A unique name is taken, or the same idempotency key is still running."""

    status = 409
    slug = "conflict"
    title = "Conflict"


class PayloadTooLargeError(SpectralError):
    """The body is over the limit, before or after decompression."""

    status = 413
    slug = "payload-too-large"
    title = "Payload Too Large"


class UnsupportedMediaTypeError(SpectralError):
    """The body's content type or encoding is not one that this route reads."""

    status = 415
    slug = "unsupported-media-type"
    title = "Unsupported Media Type"


class ValidationFailedError(SpectralError):
    """Body or query failed validation; `errors` names every wrong place."""

    status = 422
    slug = "validation-error"
    title = "Validation Error"

    def __init__(self, detail: str, errors: list[FieldError] | None = None, **extensions: Any) -> None:
        super().__init__(detail, **extensions)
        self.errors = errors or []


class RateLimitedError(SpectralError):
    """Too many requests of this caller; `retry_after_s` says when to come back."""

    status = 429
    slug = "rate-limited"
    title = "Too Many Requests"

    def __init__(self, detail: str, retry_after_s: int, **extensions: Any) -> None:
        super().__init__(detail, **extensions)
        self.headers = {"Retry-After": str(retry_after_s)}


class UnavailableError(SpectralError):
    """The server cannot answer now and a later attempt may succeed."""

    status = 503
    slug = "unavailable"
    title = "Service Unavailable"

    def __init__(self, detail: str, retry_after_s: int = 1, **extensions: Any) -> None:
        super().__init__(detail, **extensions)
        self.headers = {"Retry-After": str(retry_after_s)}

"""What a failed call means: whose fault it is, whether it may be tried again, and whether it was billed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
import httpx2

from spectral.platform.llm.calls import ModelFault
from spectral.platform.outbound import OutboundRefusedError, ResponseTooLargeError

MESSAGE_MAXIMUM: Final = 500
LONGEST_RETRY_AFTER_S: Final = 3600.0
REFUSED_REQUEST: Final = frozenset({400, 404, 405, 409, 411, 413, 414, 415, 422})
REFUSED_KEY: Final = frozenset({401, 402, 403})
RATE_LIMITED: Final = 429
REQUEST_TIMEOUT: Final = 408
NO_CREDIT: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class UnreadableReplyError(Exception):
    """The provider answered with something that is not what its protocol says."""


def invalid(message: str, code: str = "invalid_request") -> ModelFault:
    """A request that was not sent because it cannot succeed."""
    return ModelFault("invalid_request", message, cost_nano_usd=0, code=code)


def timed_out(timeout_s: float) -> ModelFault:
    """No answer in time; the provider may have made one all the same."""
    return ModelFault("provider_error", f"no answer within {timeout_s:g} seconds", retryable=True, code="timeout")


def fault_of(error: Exception, timeout_s: float, secret: str) -> ModelFault:
    """What an error of a client library means. secret: the key; it is masked wherever a provider repeats it."""
    status = getattr(error, "status_code", None)
    response = getattr(error, "response", None)
    # A provider that answered 200 with nonsense has an error of its own class, with a status.
    if isinstance(status, int) and status >= httpx.codes.MULTIPLE_CHOICES:
        headers = getattr(response, "headers", {})
        return _refused(status, headers, error, secret)
    for cause in _causes(error):
        if isinstance(cause, httpx.TimeoutException | httpx2.TimeoutException | TimeoutError):
            return timed_out(timeout_s)
        known = _of_connection(cause)
        if known is not None:
            return known
    if isinstance(getattr(error, "body", None), Mapping):
        # An error that came inside of a stream, after a status of 200.
        return ModelFault("provider_error", "the provider broke off its answer", retryable=True, code="stream_error")
    return ModelFault("provider_error", "the answer cannot be read", retryable=True, code="unreadable")


def _of_connection(cause: BaseException) -> ModelFault | None:
    if isinstance(cause, OutboundRefusedError):
        detail = f"the endpoint may not be called: {cause}"
        return ModelFault("credential_error", detail, cost_nano_usd=0, code="endpoint_refused")
    if isinstance(cause, ResponseTooLargeError):
        return ModelFault("provider_error", "the answer is too large", code="answer_too_large")
    if isinstance(cause, httpx.ConnectError):
        detail = "the provider cannot be reached"
        return ModelFault("provider_error", detail, retryable=True, cost_nano_usd=0, code="connection")
    if isinstance(cause, httpx.HTTPError | httpx2.HTTPError):
        return ModelFault("provider_error", "the connection broke", retryable=True, code="connection")
    return None


def _refused(status: int, headers: Mapping[str, str], error: Exception, secret: str) -> ModelFault:
    code, message = f"http_{status}", _message(error, status, secret)
    if status in REFUSED_KEY or (status == RATE_LIMITED and getattr(error, "code", None) in NO_CREDIT):
        return ModelFault("credential_error", message, cost_nano_usd=0, code=code)
    if status < httpx.codes.BAD_REQUEST:
        detail = "the endpoint redirects, which is not followed: its base URL must be the final one"
        return ModelFault("credential_error", detail, cost_nano_usd=0, code=code)
    if status in REFUSED_REQUEST:
        return ModelFault("invalid_request", message, cost_nano_usd=0, code=code)
    retryable = status in {REQUEST_TIMEOUT, RATE_LIMITED} or status >= httpx.codes.INTERNAL_SERVER_ERROR
    kind: Any = "provider_error" if retryable else "invalid_request"
    return ModelFault(kind, message, retryable, retry_after(headers), cost_nano_usd=0, code=code)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, by `retry-after-ms` or `Retry-After` (seconds or a date); None where nothing is said."""
    milliseconds, text = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            seconds = float(milliseconds) / 1000
        elif text is None:
            return None
        elif text.strip().replace(".", "", 1).isdigit():
            seconds = float(text)
        else:
            moment = parsedate_to_datetime(text)
            seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def _message(error: Exception, status: int, secret: str) -> str:
    """What the provider said, printable and short, without the key."""
    body = getattr(error, "body", None)
    told: Any = body
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        told = inner.get("message") if isinstance(inner, Mapping) else inner
    if not isinstance(told, str) or not told.strip():
        return f"the provider answered {status}"
    text = "".join(character if character.isprintable() else " " for character in told)
    if secret:
        text = text.replace(secret, "…")
    text = " ".join(text.split())
    return f"the provider answered {status}: {text}"[:MESSAGE_MAXIMUM]


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found

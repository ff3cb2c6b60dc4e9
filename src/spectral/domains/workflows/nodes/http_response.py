"""What an `http` step gives back of an answer: values that every database can hold."""

import base64
import json
import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import httpx

from spectral.domains.workflows.nodes.calls import NodeError
from spectral.domains.workflows.nodes.mask import Mask
from spectral.platform.logs import masked
from spectral.platform.shared.clock import utc_now

MAXIMUM_DEPTH = 64
MAXIMUM_INTEGER = 2**63
LONGEST_RETRY_AFTER_S = 24 * 3600
EXCERPT_CHARACTERS = 300

# About this one connection, or a state that nobody keeps here.
LEFT_OUT = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "set-cookie",
        "set-cookie2",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_TEXTUAL = ("text/", "application/json", "application/xml", "application/javascript", "application/x-www-form")
RETRYABLE = frozenset({408, 425, 429})
"""Besides 5xx: another time the answer may be another."""


class HttpStatusError(NodeError):
    """The server answered with a status that was not expected. retry_after_s: when it asks to come back."""

    def __init__(self, message: str, status: int, retry_after_s: float | None) -> None:
        super().__init__("http-status", message, retryable=status in RETRYABLE or status >= 500)
        self.status = status
        self.retry_after_s = retry_after_s


def outputs_of(response: httpx.Response, content: bytes, mask: Mask) -> dict[str, Any]:
    """`{status, headers, body, json}`, without secrets.

    headers: names in lower case; several of one name are joined by ", ".  json: the document, where the answer declares
    one; integers beyond 64 bits are texts.  body: otherwise the text; null where `json` is there.  encoding: `base64`,
    and only there, where the body is neither.  NUL characters and halves of surrogate pairs become U+FFFD.
    """
    outputs: dict[str, Any] = {
        "status": response.status_code,
        "headers": masked({name: _clean(response.headers[name]) for name in _told(response.headers)}),
        "body": None,
        "json": None,
    }
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    declares_json = kind in {"application/json", "text/json"} or kind.endswith("+json")
    found = _document(content) if declares_json else None
    if found is not None:
        (outputs["json"],) = found
    else:
        text = _text(response, content, is_text=declares_json or kind.startswith(_TEXTUAL) or kind.endswith("+xml"))
        if text is None:
            outputs["body"], outputs["encoding"] = base64.b64encode(content).decode("ascii"), "base64"
        else:
            outputs["body"] = text
    cleaned: dict[str, Any] = mask.apply(outputs)
    return cleaned


def status_error(what: str, response: httpx.Response, outputs: Mapping[str, Any]) -> HttpStatusError:
    """What is said of an answer that was not expected, with the beginning of its body.

    what: the request, as people know it.  outputs: of `outputs_of`.
    """
    told = outputs["json"] if outputs["body"] is None else outputs["body"]
    excerpt = ""
    if told not in (None, "") and "encoding" not in outputs:
        # Masked whole: a cut may leave half a secret that nobody recognises.
        shown = masked(told)
        text = " ".join((shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)).split())
        excerpt = f": {text[:EXCERPT_CHARACTERS]}{'…' if len(text) > EXCERPT_CHARACTERS else ''}"
    status = response.status_code
    message = f"{what} answered {f'{status} {httpx.codes.get_reason_phrase(status)}'.strip()}{excerpt}"
    return HttpStatusError(message, status, _retry_after(response) if status in {429, 503} else None)


def _told(headers: httpx.Headers) -> list[str]:
    return sorted({name.lower() for name in headers} - LEFT_OUT)


def _text(response: httpx.Response, content: bytes, *, is_text: bool) -> str | None:
    charset = response.charset_encoding or "utf-8"
    try:
        text = content.decode(charset)
    except (UnicodeDecodeError, LookupError):
        return _clean(content.decode("utf-8", "replace")) if is_text else None
    return _clean(text) if is_text or "\x00" not in text else None


def _document(content: bytes) -> tuple[Any] | None:
    """The JSON document, alone in a tuple; None for what is none or could not be stored."""
    try:
        return (_storable(json.loads(content, parse_constant=_refuse_constant), MAXIMUM_DEPTH),)
    except (ValueError, RecursionError):
        return None


def _storable(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, int) and not -MAXIMUM_INTEGER <= value < MAXIMUM_INTEGER:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is too large")
    if isinstance(value, dict | list) and not levels:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {_clean(name): _storable(member, levels - 1) for name, member in value.items()}
    if isinstance(value, list):
        return [_storable(member, levels - 1) for member in value]
    return value


def _clean(text: str) -> str:
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _retry_after(response: httpx.Response) -> float | None:
    """Source: RFC 9110, section 10.2.3: seconds, or a moment."""
    told = response.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return min(float(told), LONGEST_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - utc_now()).total_seconds()), LONGEST_RETRY_AFTER_S)


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is not JSON"
    raise ValueError(message)

"""Where the platform is and what its answers mean, for synchronous and asynchronous callers alike."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from spectral.client.errors import NotConfiguredError, RefusedError, UnavailableError

try:
    AGENT = f"spectral-client/{version('spectral')}"
except PackageNotFoundError:
    AGENT = "spectral-client"

TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
CONNECT_S = 5.0


@dataclass(frozen=True)
class Endpoint:
    """url: of the server, without a path.  key: an API key or a service account's.

    workspace_id: asked for with the key where it is None.
    """

    url: str
    key: str = field(repr=False)
    workspace_id: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise NotConfiguredError(f"{self.url!r} is not an address that starts with http:// or https://")
        if not self.key.isascii() or not self.key.isprintable() or not self.key or " " in self.key:
            raise NotConfiguredError("the API key is empty or holds characters that no key has")
        object.__setattr__(self, "url", self.url.rstrip("/"))

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        named = {} if self.workspace_id is None else {"X-Workspace-Id": self.workspace_id}
        return {"Authorization": f"Bearer {self.key}", "User-Agent": AGENT, "Accept": "application/json"} | named


def endpoint_of_environment(environment: Mapping[str, str] | None = None) -> Endpoint:
    """`SPECTRAL_URL`, `SPECTRAL_API_KEY` and `SPECTRAL_WORKSPACE_ID`.

    What is missing of the first two is read off the variables with which the process sends its traces
    (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`), where these lead to Spectral. Raises
    NotConfiguredError.
    """
    given = os.environ if environment is None else environment
    url = given.get("SPECTRAL_URL") or _url_of_exporter(given)
    key = given.get("SPECTRAL_API_KEY") or _key_of_exporter(given)
    if not url:
        raise NotConfiguredError("set SPECTRAL_URL to the server's address")
    if not key:
        raise NotConfiguredError("set SPECTRAL_API_KEY to an API key of the workspace")
    return Endpoint(url, key, given.get("SPECTRAL_WORKSPACE_ID") or None)


def _url_of_exporter(environment: Mapping[str, str]) -> str | None:
    address = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").rstrip("/")
    return address.removesuffix("/otel") if address.endswith("/otel") else None


def _key_of_exporter(environment: Mapping[str, str]) -> str | None:
    for header in environment.get("OTEL_EXPORTER_OTLP_HEADERS", "").split(","):
        name, _, value = header.partition("=")
        scheme, _, key = unquote(value.strip()).partition(" ")
        if name.strip().lower() == "authorization" and scheme.lower() == "bearer" and key.startswith("sk_"):
            return key.strip()
    return None


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer itself where it is one. Raises UnavailableError and RefusedError."""
    if answer.status_code < httpx.codes.BAD_REQUEST:
        return answer
    type_, detail = _problem(answer)
    if answer.status_code in TRY_AGAIN:
        raise UnavailableError(f"{detail} ({answer.status_code} {type_})", _retry_after(answer))
    raise RefusedError(answer.status_code, type_, detail)


def unreachable(error: httpx.TransportError, url: str) -> UnavailableError:
    """What a failed connection means."""
    return UnavailableError(f"{url} cannot be reached: {type(error).__name__} {error}".rstrip())


def json_of(answer: httpx.Response) -> Any:
    """The document of an answer. Raises UnavailableError for what is none: something in between has answered."""
    try:
        return answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UnavailableError(f"{answer.url} answered something that is not JSON") from error


def _problem(answer: httpx.Response) -> tuple[str, str]:
    """Type and detail of a problem document. Source: RFC 9457."""
    try:
        document = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        document = None
    if not isinstance(document, dict):
        return "unknown", answer.reason_phrase or "refused"
    type_ = str(document.get("type") or "unknown").rstrip("/").rpartition("/")[2]
    detail = str(document.get("detail") or document.get("title") or answer.reason_phrase)
    for wrong in document.get("errors") or []:
        if isinstance(wrong, dict):
            detail += f"; {wrong.get('pointer', '')} {wrong.get('detail', '')}"
    return type_, detail


def _retry_after(answer: httpx.Response) -> float | None:
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdecimal() else None

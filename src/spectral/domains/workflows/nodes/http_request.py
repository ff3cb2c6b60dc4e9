"""What an `http` step sends, read from its parameters, and what of it a redirect may take along."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

import httpx

from spectral.domains.workflows.nodes.calls import NodeError

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SENT = ("url", "headers", "query", "json", "body")
"""The parameters in which secrets are filled."""

MAXIMUM_URL = 8_000
MAXIMUM_HEADERS = 50
MAXIMUM_HEADER = 16_384
MAXIMUM_CONTENT_BYTES = 1024 * 1024
MAXIMUM_RESPONSE_BYTES = 1024 * 1024
DEFAULT_RESPONSE_BYTES = 512 * 1024
DEFAULT_TIMEOUT_S = 30.0
MAXIMUM_TIMEOUT_S = 300.0

# The connection is ours, and so is what was agreed on it.
REFUSED_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# A redirect to somebody else takes these along and nothing else: any other header may be a credential.
HARMLESS_HEADERS = frozenset({"accept", "accept-language", "content-type", "user-agent"})

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CLASS = re.compile(r"([1-5])xx", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What does not go over the wire.

    expected: statuses that are a success.  max_bytes: of the answer's body.  follows: whether redirects are followed.
    """

    expected: frozenset[int]
    max_bytes: int
    timeout_s: float
    follows: bool

    @classmethod
    def of(cls, params: Mapping[str, Any], default_timeout_s: float | None) -> "HttpLimits":
        """Raises NodeError of type `invalid-params`."""
        max_bytes = _number(params, "max_bytes", DEFAULT_RESPONSE_BYTES, 1, MAXIMUM_RESPONSE_BYTES)
        default = min(default_timeout_s or DEFAULT_TIMEOUT_S, MAXIMUM_TIMEOUT_S)
        follows = params.get("follow_redirects")
        if follows is not None and not isinstance(follows, bool):
            refuse("follow_redirects must be true or false")
        return cls(
            expected=_statuses(params.get("expect_status")),
            max_bytes=int(max_bytes),
            timeout_s=_number(params, "timeout_s", default, 0.001, MAXIMUM_TIMEOUT_S),
            follows=bool(follows),
        )


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. headers: names in lower case."""

    method: str
    url: httpx.URL
    headers: Mapping[str, bytes]
    content: bytes | None

    @classmethod
    def of(cls, params: Mapping[str, Any], idempotency_key: str) -> "HttpRequest":
        """Raises NodeError of type `invalid-params`, whose message names the parameter and never holds its value."""
        method = str(params.get("method") or "GET").upper()
        if method not in METHODS:
            refuse(f"method must be one of {', '.join(sorted(METHODS))}")
        headers = _headers(params.get("headers"))
        content, content_type = _content(params)
        if content is not None:
            headers.setdefault("content-type", content_type.encode())
        if method not in SAFE_METHODS:
            headers.setdefault("idempotency-key", quote(idempotency_key, safe="!$&'()*+,;=:@/[]#").encode())
        return cls(method, _url(params.get("url"), params.get("query")), headers, content)

    def redirected(self, response: httpx.Response) -> "HttpRequest":
        """The request that follows this answer. Another origin is not given credentials.

        As browsers do, 303 turns everything but HEAD into GET, 301 and 302 turn POST into it.
        Source: RFC 9110, section 15.4; Fetch, "HTTP-redirect fetch".

        Raises NodeError of type `outbound-refused` for a redirect from https to http, to what is no web address, and
        for one that would hand the body to another origin.
        """
        target = _target(self.url, response)
        if response.status_code == httpx.codes.SEE_OTHER:
            becomes_get = self.method != "HEAD"
        else:
            becomes_get = self.method == "POST" and response.status_code in {301, 302}
        following = replace(self, url=target)
        if becomes_get:
            kept = {
                name: value
                for name, value in self.headers.items()
                if not name.startswith("content-") and name != "idempotency-key"
            }
            following = replace(following, method="GET", content=None, headers=kept)
        if _origin(target) != _origin(self.url):
            if following.content is not None:
                raise _refused("a redirect would hand the body to another origin")
            kept = {name: value for name, value in following.headers.items() if name in HARMLESS_HEADERS}
            following = replace(following, headers=kept)
        return following


def refuse(message: str) -> NoReturn:
    """Raises NodeError: the step's parameters cannot be what they are."""
    raise NodeError("invalid-params", message, retryable=False)


def _refused(message: str) -> NodeError:
    return NodeError("outbound-refused", message, retryable=False)


def _url(text: Any, query: Any) -> httpx.URL:
    if not isinstance(text, str) or not text:
        refuse("url must be a text")
    if len(text) > MAXIMUM_URL:
        refuse(f"url is longer than {MAXIMUM_URL} characters")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        refuse("url is not a URL")
    if url.scheme not in {"http", "https"} or not url.host:
        refuse("url must begin with http:// or https:// and name a host")
    if url.userinfo:
        refuse("url must not contain a user name or password; send them in a header")
    if query is not None:
        if not isinstance(query, Mapping):
            refuse("query must be an object")
        pairs = [(str(name), text) for name, value in query.items() for text in _texts(f"query.{name}", value)]
        url = url.copy_with(params=httpx.QueryParams([*url.params.multi_items(), *pairs]))
        if len(str(url)) > MAXIMUM_URL:
            refuse(f"url is longer than {MAXIMUM_URL} characters with its query")
    return url.copy_with(fragment=None)


def _headers(given: Any) -> dict[str, bytes]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or len(given) > MAXIMUM_HEADERS:
        refuse(f"headers must be an object of at most {MAXIMUM_HEADERS} members")
    headers = {}
    for name, value in given.items():
        lower = str(name).lower()
        if _HEADER_NAME.fullmatch(lower) is None:
            refuse("headers has a name that is not one of a header")
        if lower in REFUSED_HEADERS or lower.startswith("proxy-"):
            refuse(f"headers cannot set {lower}")
        texts = _texts(f"headers.{lower}", value)
        if not texts:
            continue
        text = ", ".join(texts).strip()
        if len(text) > MAXIMUM_HEADER or _CONTROL.search(text):
            refuse(f"headers.{lower} is too long, or holds a line break or another control character")
        headers[lower] = _encoded(text, f"headers.{lower}")
    return headers


def _content(params: Mapping[str, Any]) -> tuple[bytes | None, str]:
    """The body, and the content type that it has where no header says another."""
    body = params.get("body")
    if "json" in params and params["json"] is not None:
        if body is not None:
            refuse("json and body exclude each other")
        content, kind = json.dumps(params["json"], ensure_ascii=False).encode("utf-8", "replace"), "application/json"
    elif body is None:
        return None, ""
    elif isinstance(body, str):
        content, kind = _encoded(body, "body"), "text/plain; charset=utf-8"
    elif isinstance(body, Mapping):
        fields = [(str(name), text) for name, value in body.items() for text in _texts(f"body.{name}", value)]
        content, kind = _encoded(urlencode(fields, errors="replace"), "body"), "application/x-www-form-urlencoded"
    else:
        refuse("body must be a text, or an object of form fields")
    if len(content) > MAXIMUM_CONTENT_BYTES:
        refuse(f"the body is larger than {MAXIMUM_CONTENT_BYTES} bytes")
    return content, kind


def _texts(name: str, value: Any) -> Sequence[str]:
    """A value, or the values of a list, as text; null is none."""
    if isinstance(value, list | tuple):
        return [text for one in value for text in _texts(name, one)]
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, str | int | float):
        return [str(value)]
    refuse(f"{name} must be a text, a number or a list of them")


def _encoded(text: str, name: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        refuse(f"{name} holds half a surrogate pair")


def _number(params: Mapping[str, Any], name: str, default: float, least: float, most: float) -> float:
    value = params.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        refuse(f"{name} must be a number from {least:g} to {most:g}")
    return value


def _statuses(expected: Any) -> frozenset[int]:
    """`200`, `"2xx"`, or a list of such; null is `2xx`."""
    if expected is None:
        return frozenset(range(200, 300))
    found: set[int] = set()
    for one in expected if isinstance(expected, list | tuple) else [expected]:
        text = str(one).strip()
        if matched := _CLASS.fullmatch(text):
            found |= set(range(int(matched[1]) * 100, int(matched[1]) * 100 + 100))
        elif re.fullmatch(r"[1-5][0-9]{2}", text):
            found.add(int(text))
        else:
            refuse('expect_status must be a status such as 200, a class such as "2xx", or a list of them')
    return frozenset(found)


def _target(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    try:
        target = url.join(response.headers["location"]).copy_with(fragment=None)
    except httpx.InvalidURL as error:
        raise _refused("a redirect leads to what is no URL") from error
    if target.scheme not in {"http", "https"} or not target.host or target.userinfo:
        raise _refused("a redirect leads to what is no plain web address")
    if url.scheme == "https" and target.scheme != "https":
        raise _refused("a redirect leads from https to http")
    return target


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)

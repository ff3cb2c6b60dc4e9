"""How tokens reach a client: in the body, or, for the browser application, as a cookie that no script can read.

A client that says `X-Spectral-Client: web` gets its refresh token as a cookie that is sent to the refresh route only.
Because browsers send cookies by themselves, a refresh by cookie must say that it comes from our own pages.
"""

from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response
from litestar.datastructures import Cookie

from spectral.domains.auth.errors import OriginRefusedError
from spectral.domains.auth.schemas import RefreshIn, TokensOut
from spectral.domains.auth.sessions import Device, SignedIn
from spectral.platform.request_context import client_address
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.settings import Settings

AnyRequest = Request[Any, Any, Any]

CLIENT_HEADER = "X-Spectral-Client"
WEB = "web"
REFRESH_PATH = "/api/v1/auth/refresh"
COOKIE = "spectral-refresh"
NO_STORE = {"Cache-Control": "no-store"}
DEFAULT_PORTS = {"http": 80, "https": 443}


def device_of(request: AnyRequest) -> Device:
    """Where the request came from."""
    return Device(request.headers.get("user-agent"), client_address(request))


def tokens_response(request: AnyRequest, signed_in: SignedIn, status: int) -> Response[TokensOut]:
    """The answer to every way of signing in; never stored by anybody in between."""
    answer = TokensOut.model_validate(signed_in)
    if not is_web(request):
        return Response(answer, status_code=status, headers=NO_STORE)
    cookie = _cookie(request, signed_in.refresh_token, signed_in.refresh_expires_in)
    return Response(
        answer.model_copy(update={"refresh_token": None}), status_code=status, headers=NO_STORE, cookies=[cookie]
    )


def cleared_cookies(request: AnyRequest) -> list[Cookie]:
    """What makes the browser application's browser forget its refresh token; nothing for other clients."""
    return [_cookie(request, "", 0)] if is_web(request) else []


def presented_refresh_token(request: AnyRequest, data: RefreshIn | None) -> str:
    """The refresh token of the body, else of the cookie.

    Raises OriginRefusedError for a cookie that comes from elsewhere, ValidationFailedError when there is neither.
    """
    if data is not None and data.refresh_token is not None:
        return data.refresh_token
    token = request.cookies.get(cookie_name(_settings(request)))
    if not token:
        missing = FieldError("/refresh_token", "is required where there is no refresh cookie")
        raise ValidationFailedError("The request failed validation", errors=[missing])
    if not _is_ours(request):
        raise OriginRefusedError
    return token


def _is_ours(request: AnyRequest) -> bool:
    """Whether a page of this installation sent this: of its address, or of the very host that was asked.

    Where people reach it by a second name (`localhost` and `127.0.0.1`), the cookie belongs to the name they used: a
    browser sends it to no other.
    """
    origin = _origin(request.headers.get("origin", ""))
    if origin is None:
        return False
    return origin in {_origin(_settings(request).address), _origin(f"{origin[0]}://{request.headers.get('host', '')}")}


def is_web(request: AnyRequest) -> bool:
    """Whether the tokens go to the browser application; who came with the cookie keeps the cookie."""
    if request.headers.get(CLIENT_HEADER.lower(), "").strip().lower() == WEB:
        return True
    return cookie_name(_settings(request)) in request.cookies


def cookie_name(settings: Settings) -> str:
    """With the prefix that makes browsers insist on `Secure`, wherever the installation is reached by https."""
    return f"__Secure-{COOKIE}" if _is_secure(settings) else COOKIE


def _cookie(request: AnyRequest, value: str, seconds: int) -> Cookie:
    settings = _settings(request)
    return Cookie(
        key=cookie_name(settings),
        value=value,
        path=REFRESH_PATH,
        max_age=seconds,
        secure=_is_secure(settings),
        httponly=True,
        samesite="strict",
    )


def _settings(request: AnyRequest) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _is_secure(settings: Settings) -> bool:
    return settings.address.startswith("https://")


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port (RFC 6454); None for what names no origin, which equals no address."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or port is None:
        return None
    return parts.scheme, parts.hostname, port

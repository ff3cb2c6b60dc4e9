"""What can be said of a target before it is called: its form. Where its name leads is checked at every delivery."""

import socket
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from spectral.platform.outbound import Address, Network, is_allowed
from spectral.platform.shared.errors import FieldError, ValidationFailedError


def check_url(url: str, *, https_only: bool, allowed: Sequence[Network]) -> str:
    """The URL, when it can be a target. Raises ValidationFailedError (422) that says what is wrong with it.

    https_only: refuses http.  allowed: networks that are not refused although private.
    """
    try:
        parsed = httpx.URL(url)
        has_user = urlsplit(url).username is not None or bool(parsed.userinfo)
    except (httpx.InvalidURL, ValueError) as error:
        raise _wrong("is not a URL") from error
    schemes = ["https"] if https_only else ["https", "http"]
    if parsed.scheme not in schemes:
        raise _wrong(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if not parsed.host:
        raise _wrong("names no host")
    if has_user:
        raise _wrong("must not contain a user name or password")
    if parsed.fragment:
        raise _wrong("must not contain a fragment (#)")
    address = _number(parsed.host)
    if address is not None and not is_allowed(address, allowed):
        raise _wrong("is a private or reserved address")
    return url


def _number(host: str) -> Address | None:
    """The address that the host is, in any spelling that an operating system reads as a number; None for a name."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ip_address(socket.inet_aton(host))
    except OSError:
        return None


def _wrong(detail: str) -> ValidationFailedError:
    return ValidationFailedError("The request failed validation", [FieldError("/url", detail)])

"""Who is counted against which limit, and how an answer says so.

Source of the headers: IETF draft "RateLimit header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers).
"""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from spectral.platform.access.principal import Principal
from spectral.platform.dependencies import service_of
from spectral.platform.limits.limiter import RateLimiter, RatePolicy, Standing
from spectral.platform.request_context import add_answer_header, client_address
from spectral.platform.shared.errors import NotAuthenticatedError, RateLimitedError

LIMITER = "rate_limiter"
POLICIES = "rate_policies"
"""What the application has these under."""

IPV6_NETWORK_BITS = 64
# Of a WebSocket the one request that opens it.
COUNTED = frozenset({ScopeType.HTTP, ScopeType.WEBSOCKET})


@dataclass(frozen=True, slots=True)
class RatePolicies:
    """The limits of one installation."""

    credential: RatePolicy
    workspace: RatePolicy
    address: RatePolicy


class RateLimits:
    """Stands behind authentication: counts a caller against its credential and its workspace, others by address.

    Routes marked `opt={"uncounted": True}` are left alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in COUNTED and not scope["route_handler"].opt.get("uncounted"):
            await count(scope, _limits_of(scope))
        await self.app(scope, receive, send)


class RefusedCredentials:
    """Stands before authentication: who shows credentials that are refused is counted by address too.

    Callers with a good credential behind the same address are not affected.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except NotAuthenticatedError:
            await count(scope, [(_policies_of(scope).address, address_bucket(scope))])
            raise


def _policies_of(scope: Scope) -> RatePolicies:
    policies: RatePolicies = service_of(scope, POLICIES)
    return policies


def _limits_of(scope: Scope) -> list[tuple[RatePolicy, str]]:
    policies, principal = _policies_of(scope), scope.get("user")
    if not isinstance(principal, Principal):
        return [(policies.address, address_bucket(scope))]
    limits = [(policies.credential, str(principal.credential_id))]
    if principal.workspace is not None:
        limits.append((policies.workspace, str(principal.workspace.workspace_id)))
    return limits


async def count(scope: Scope, limits: list[tuple[RatePolicy, str]]) -> None:
    """Count one request against each of these limits. Raises RateLimitedError at the first that is used up."""
    limits = [(policy, who) for policy, who in limits if policy.limit]
    if not limits:
        return
    limiter: RateLimiter = service_of(scope, LIMITER)
    policies = ", ".join(f'"{policy.name}";q={policy.limit};w={policy.window_s}' for policy, _ in limits)
    add_answer_header(scope, b"ratelimit-policy", policies.encode())
    tightest: Standing | None = None
    for policy, who in limits:
        standing = await limiter.spend(policy, who)
        if tightest is None or not standing.allowed or standing.remaining < tightest.remaining:
            tightest = standing
        if not standing.allowed:
            break
    if tightest is None:
        return
    said = f'"{tightest.policy.name}";r={tightest.remaining};t={tightest.reset_s}'
    add_answer_header(scope, b"ratelimit", said.encode())
    if not tightest.allowed:
        raise RateLimitedError(
            f"More than {tightest.policy.limit} requests in {tightest.policy.window_s} s by this "
            f"{tightest.policy.name}; try again in {tightest.reset_s} s",
            tightest.reset_s,
            policy=tightest.policy.name,
        )


def address_bucket(scope: Scope) -> str:
    """The caller's address; of IPv6 the /64, because that many addresses are one caller's."""
    text = client_address(scope)
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if not isinstance(address, IPv6Address):
        return text
    return f"{IPv6Address(int(address) >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS)}/{IPV6_NETWORK_BITS}"

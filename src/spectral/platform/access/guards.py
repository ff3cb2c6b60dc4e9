"""Guards are pure over the `Principal` that the authentication middleware has resolved."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard

from spectral.platform.access.principal import Principal, PrincipalKind
from spectral.platform.access.refusals import SsoRequiredError, StepUpRequiredError
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.errors import ForbiddenError, MalformedRequestError, NotAuthenticatedError, NotFoundError

AnyConnection = ASGIConnection[Any, Any, Any, Any]

WORKSPACE_WIDE = frozenset(
    {
        Scope.READ_WORKSPACE,
        Scope.WRITE_WORKSPACE,
        Scope.APPROVE_AGENTS,
        Scope.ADMIN_WORKSPACE,
        Scope.READ_AGENTS,
        Scope.WRITE_TRACES,
    }
)

SENSITIVE = frozenset(
    {
        Scope.APPROVE_AGENTS,
        Scope.ADMIN_WORKSPACE,
        Scope.ADMIN_ACCOUNT,
        Scope.ADMIN_OPERATIONS,
        Scope.DELETE_OPERATIONS,
    }
)
"""Whoever has a second factor must have shown it lately to change something under one of these."""

READING = frozenset({"GET", "HEAD", "OPTIONS"})


def principal_of(connection: AnyConnection) -> Principal:
    """The caller. Raises NotAuthenticatedError when there is none."""
    principal = connection.scope.get("user")
    if not isinstance(principal, Principal):
        raise NotAuthenticatedError
    return principal


def requires(*any_of: Scope) -> Guard:
    """A guard that lets through callers who hold at least one of the scopes.

    Anonymous is 401; a workspace that is not the caller's is 404; one's own without the scope is 403, and so is one's
    own without the account's identity provider, or a sensitive change without a recent second factor.
    """
    wanted = frozenset(any_of)

    # A coroutine, because Litestar runs plain functions in a thread of its own for every request.
    async def guard(connection: AnyConnection, handler: BaseRouteHandler) -> None:
        del handler
        principal = principal_of(connection)
        if principal.sso_provider is not None:
            raise SsoRequiredError(principal.sso_provider)
        if principal.workspace is None:
            named = connection.path_params.get("workspace_id") or connection.headers.get("x-workspace-id")
            if named is not None:
                raise NotFoundError("Workspace", named)
            if wanted & WORKSPACE_WIDE and not wanted - WORKSPACE_WIDE:
                message = "Name the workspace with the X-Workspace-Id header"
                raise MalformedRequestError(message)
        if not principal.scopes & wanted:
            message = f"This needs the scope {' or '.join(sorted(wanted))}"
            raise ForbiddenError(message, required_scopes=sorted(wanted))
        if principal.needs_step_up and wanted <= SENSITIVE and connection.scope.get("method") not in READING:
            raise StepUpRequiredError

    guard.required_scopes = wanted  # type: ignore[attr-defined]
    return guard


async def people_only(connection: AnyConnection, handler: BaseRouteHandler) -> None:
    """Lets through any signed-in person; an API key gets 403."""
    del handler
    if principal_of(connection).kind is not PrincipalKind.USER:
        message = "API keys cannot use routes about people; sign in instead"
        raise ForbiddenError(message)

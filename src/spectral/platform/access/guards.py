"""Guards are pure over the `Principal` that the authentication middleware has resolved."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard

from spectral.platform.access.principal import Principal, PrincipalKind
from spectral.platform.access.refusals import (
    AccountBeingDeletedError,
    AccountNotChosenError,
    SecondFactorMissingError,
    SsoRequiredError,
    StepUpRequiredError,
)
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

ACCOUNT_WIDE = frozenset(
    {
        Scope.ADMIN_ACCOUNT,
        Scope.READ_OPERATIONS,
        Scope.WRITE_OPERATIONS,
        Scope.ADMIN_OPERATIONS,
        Scope.DELETE_OPERATIONS,
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

    Anonymous is 401; a workspace that is not the caller's is 404; an account that must be chosen and was not is 400;
    one's own without the scope is 403, and so is one's own without the account's identity provider, or a sensitive
    change without a recent second factor.
    """
    wanted = frozenset(any_of)

    # A coroutine, because Litestar runs plain functions in a thread of its own for every request.
    async def guard(connection: AnyConnection, handler: BaseRouteHandler) -> None:
        del handler
        principal = principal_of(connection)
        if principal.sso_provider is not None:
            raise SsoRequiredError(principal.sso_provider)
        if principal.second_factor_missing:
            raise SecondFactorMissingError
        if principal.workspace is None:
            named = connection.path_params.get("workspace_id") or connection.headers.get("x-workspace-id")
            if named is not None:
                raise NotFoundError("Workspace", named)
            if wanted & WORKSPACE_WIDE and not wanted - WORKSPACE_WIDE:
                message = "Name the workspace with the X-Workspace-Id header"
                raise MalformedRequestError(message)
            if wanted <= ACCOUNT_WIDE and principal.account_id is None and "x-account-id" not in connection.headers:
                raise AccountNotChosenError
        if not principal.scopes & wanted:
            message = f"This needs the scope {' or '.join(sorted(wanted))}"
            raise ForbiddenError(message, required_scopes=sorted(wanted))
        if (
            principal.account_deleting
            and Scope.ADMIN_ACCOUNT in wanted
            and connection.scope.get("method") not in READING
        ):
            raise AccountBeingDeletedError
        if principal.needs_step_up and wanted <= SENSITIVE and connection.scope.get("method") not in READING:
            raise StepUpRequiredError

    guard.required_scopes = wanted  # type: ignore[attr-defined]
    return guard


def requires_unless_oneself(scope: Scope) -> Guard:
    """A guard as `requires`, which also lets through the very person whom the path names as `user_id`.

    The service decides what people may do about themselves; here they need to be somebody in the workspace or account.
    """
    others = requires(scope)

    async def guard(connection: AnyConnection, handler: BaseRouteHandler) -> None:
        principal = principal_of(connection)
        is_inside = principal.workspace if "workspace_id" in connection.path_params else principal.account_id
        is_oneself = principal.kind is PrincipalKind.USER and connection.path_params.get("user_id") == principal.user_id
        if not (is_oneself and is_inside):
            await others(connection, handler)  # type: ignore[misc]

    guard.required_scopes = frozenset({scope})  # type: ignore[attr-defined]
    return guard


async def people_only(connection: AnyConnection, handler: BaseRouteHandler) -> None:
    """Lets through any signed-in person; API keys and service accounts get 403."""
    del handler
    if principal_of(connection).kind is not PrincipalKind.USER:
        message = "API keys and service accounts cannot use routes about people; sign in instead"
        raise ForbiddenError(message)

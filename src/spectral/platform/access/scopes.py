"""The eleven scopes, and which role holds which. Imports nothing of the project."""

from enum import StrEnum


class Scope(StrEnum):
    """`action:resource`; every route is guarded by at least one."""

    READ_WORKSPACE = "read:workspace"
    WRITE_WORKSPACE = "write:workspace"
    APPROVE_AGENTS = "approve:agents"
    ADMIN_WORKSPACE = "admin:workspace"
    ADMIN_ACCOUNT = "admin:account"
    READ_AGENTS = "read:agents"
    WRITE_TRACES = "write:traces"
    READ_OPERATIONS = "read:operations"
    WRITE_OPERATIONS = "write:operations"
    ADMIN_OPERATIONS = "admin:operations"
    DELETE_OPERATIONS = "delete:operations"


class AccountRole(StrEnum):
    """What someone is in an account."""

    OWNER = "owner"
    OPERATIONS = "operations"
    MEMBER = "member"


class WorkspaceRole(StrEnum):
    """What someone is in one workspace."""

    ADMIN = "admin"
    CONTRIBUTOR = "contributor"
    OBSERVER = "observer"


WORKSPACE_SCOPES: dict[WorkspaceRole, frozenset[Scope]] = {
    WorkspaceRole.ADMIN: frozenset(
        {
            Scope.READ_WORKSPACE,
            Scope.WRITE_WORKSPACE,
            Scope.APPROVE_AGENTS,
            Scope.ADMIN_WORKSPACE,
            Scope.READ_AGENTS,
            Scope.WRITE_TRACES,
        }
    ),
    WorkspaceRole.CONTRIBUTOR: frozenset(
        {Scope.READ_WORKSPACE, Scope.WRITE_WORKSPACE, Scope.READ_AGENTS, Scope.WRITE_TRACES}
    ),
    WorkspaceRole.OBSERVER: frozenset({Scope.READ_WORKSPACE}),
}

ACCOUNT_SCOPES: dict[AccountRole, frozenset[Scope]] = {
    AccountRole.OWNER: frozenset({Scope.ADMIN_ACCOUNT}),
    AccountRole.OPERATIONS: frozenset(
        {Scope.READ_OPERATIONS, Scope.WRITE_OPERATIONS, Scope.ADMIN_OPERATIONS, Scope.DELETE_OPERATIONS}
    ),
    AccountRole.MEMBER: frozenset(),
}

API_KEY_SCOPES: frozenset[Scope] = frozenset({Scope.READ_AGENTS, Scope.WRITE_TRACES})
"""What an API key may hold at most."""

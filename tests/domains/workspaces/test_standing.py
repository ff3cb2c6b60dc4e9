"""What roles add up to."""

import itertools

import pytest

from spectral.domains.workspaces.standing import Roles
from spectral.platform.access.scopes import WORKSPACE_SCOPES, AccountRole, Scope, WorkspaceRole

NOTHING: frozenset[Scope] = frozenset()
EVERYTHING = {
    Scope.READ_WORKSPACE,
    Scope.WRITE_WORKSPACE,
    Scope.APPROVE_AGENTS,
    Scope.ADMIN_WORKSPACE,
    Scope.READ_AGENTS,
    Scope.WRITE_TRACES,
}


def test_what_each_workspace_role_holds() -> None:
    assert WORKSPACE_SCOPES[WorkspaceRole.ADMIN] == EVERYTHING
    assert WORKSPACE_SCOPES[WorkspaceRole.CONTRIBUTOR] == EVERYTHING - {Scope.APPROVE_AGENTS, Scope.ADMIN_WORKSPACE}
    assert WORKSPACE_SCOPES[WorkspaceRole.OBSERVER] == {Scope.READ_WORKSPACE}


@pytest.mark.parametrize("workspace", [None, *WorkspaceRole])
@pytest.mark.parametrize("support", [None, *WorkspaceRole])
def test_every_combination(workspace: WorkspaceRole | None, support: WorkspaceRole | None) -> None:
    admin = WORKSPACE_SCOPES[WorkspaceRole.ADMIN]
    by_grant = WORKSPACE_SCOPES[support] if support else NOTHING
    inside = WORKSPACE_SCOPES[workspace] if workspace else by_grant
    assert Roles(AccountRole.OWNER, workspace, support).scopes == admin
    assert Roles(AccountRole.MEMBER, workspace, support).scopes == inside
    # Staff and strangers get what a grant says; that somebody let them in before counts for nothing.
    for outside in (AccountRole.OPERATIONS, None):
        assert Roles(outside, workspace, support).scopes == by_grant


def test_no_combination_reaches_beyond_a_workspace() -> None:
    choices = itertools.product([None, *AccountRole], [None, *WorkspaceRole], [None, *WorkspaceRole])
    assert all(Roles(*chosen).scopes <= EVERYTHING for chosen in choices)

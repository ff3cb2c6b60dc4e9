"""Every account role with every workspace role, against every scope, through the API."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.accounts.models import AccountMember
from spectral.domains.workspaces.models import WorkspaceMember
from spectral.platform.access.scopes import AccountRole, Scope, WorkspaceRole
from spectral.platform.db.session import Database
from tests.fixtures.people import Person, join
from tests.fixtures.project import operations
from tests.fixtures.tenants import Tenant

OBSERVER = {Scope.READ_WORKSPACE}
CONTRIBUTOR = OBSERVER | {Scope.WRITE_WORKSPACE, Scope.READ_AGENTS, Scope.WRITE_TRACES}
ADMIN = CONTRIBUTOR | {Scope.APPROVE_AGENTS, Scope.ADMIN_WORKSPACE}
OWNER = ADMIN | {Scope.ADMIN_ACCOUNT}
STAFF = {Scope.READ_OPERATIONS, Scope.WRITE_OPERATIONS, Scope.ADMIN_OPERATIONS, Scope.DELETE_OPERATIONS}
NOTHING: set[Scope] = set()

# Said here a second time, so that a slip in the tables of `platform/access/scopes.py` is seen.
EXPECTED: dict[tuple[str | None, str | None], set[Scope]] = {
    ("owner", None): OWNER,
    ("owner", "admin"): OWNER,
    ("owner", "contributor"): OWNER,
    ("owner", "observer"): OWNER,
    ("member", None): NOTHING,
    ("member", "admin"): ADMIN,
    ("member", "contributor"): CONTRIBUTOR,
    ("member", "observer"): OBSERVER,
    ("operations", None): STAFF,
    ("operations", "admin"): STAFF,
    ("operations", "contributor"): STAFF,
    ("operations", "observer"): STAFF,
    (None, None): NOTHING,
    # A row that somebody left behind opens nothing.
    (None, "admin"): NOTHING,
}

WORKSPACE_WIDE = ADMIN
ADMITTED = {200, 201, 400, 409, 415, 422}


@dataclass(frozen=True)
class Probe:
    """A request that needs this one scope, and comes to nothing when it is admitted.

    What may be read with `read:agents` may be read with `read:workspace` too.
    """

    method: str
    path: str
    body: Any = None
    header: bool = False


PROBES: dict[Scope, Probe] = {
    Scope.READ_WORKSPACE: Probe("GET", "{workspace}"),
    Scope.WRITE_WORKSPACE: Probe("POST", "{workspace}/agents", {}),
    Scope.APPROVE_AGENTS: Probe("POST", "{workspace}/agents/{agent}/promote", {}),
    Scope.ADMIN_WORKSPACE: Probe("GET", "{workspace}/keys"),
    Scope.ADMIN_ACCOUNT: Probe("POST", "/api/v1/account/invites", {}),
    Scope.READ_AGENTS: Probe("GET", "{workspace}/agents"),
    Scope.WRITE_TRACES: Probe("POST", "/otel/v1/traces", {"resourceSpans": []}, header=True),
}


def test_the_table_names_every_combination_and_every_scope() -> None:
    roles = {(account, workspace) for account in AccountRole for workspace in (None, *WorkspaceRole)}
    assert roles <= set(EXPECTED)
    assert set(PROBES) | STAFF == set(Scope)
    assert len(Scope) == 11


async def test_what_each_combination_of_roles_may_do(
    client: httpx.AsyncClient, app: Litestar, tenant: Tenant, identity: Database
) -> None:
    person = await join(client, tenant, "grace")
    agent = await client.post(f"{tenant.url}/agents", json={"name": "Agent"}, headers=tenant.client_headers)
    places = defaultdict(lambda: str(uuid4()), workspace=tenant.url, agent=agent.json()["id"])
    probes = PROBES | staff_probes(app)
    guarded = {scope for operation in operations(app) for group in operation.scopes for scope in group}
    assert guarded <= set(probes)
    wrong = []
    for (account, workspace), expected in EXPECTED.items():
        await give(identity, tenant, person.user_id, account, workspace)
        app.state["authenticator"].forget()
        for scope, probe in probes.items():
            headers = {"X-Workspace-Id": str(tenant.workspace_id)} if probe.header else {}
            answer = await client.request(
                probe.method,
                probe.path.format_map(places),
                json=probe.body,
                headers=(person.token_headers if scope in WORKSPACE_WIDE else person.headers) | headers,
            )
            inside = account != "operations" and bool(expected & WORKSPACE_WIDE)
            refusal = 404 if scope in WORKSPACE_WIDE and not inside else 403
            # Staff's routes name things of other accounts, of which there are none.
            admitted = ADMITTED | ({404} if scope in STAFF else set())
            enough = {scope} | ({Scope.READ_WORKSPACE} if scope is Scope.READ_AGENTS else set())
            if answer.status_code not in (admitted if expected & enough else {refusal}):
                wrong.append(f"{account}, {workspace}: {scope}: {answer.status_code} {answer.text[:120]}")
        told = await told_scopes(client, person, tenant)
        if told != expected & WORKSPACE_WIDE:
            wrong.append(f"{account}, {workspace}: auth/me tells {sorted(told)}")
    assert not wrong, "\n".join(wrong)


async def told_scopes(client: httpx.AsyncClient, person: Person, tenant: Tenant) -> set[Scope]:
    """What `auth/me` says that the person holds in the tenant's workspace."""
    me = (await client.get("/api/v1/auth/me", headers=person.token_headers)).json()
    found = [entry["scopes"] for entry in me["workspaces"] if entry["workspace_id"] == str(tenant.workspace_id)]
    return {Scope(scope) for scopes in found for scope in scopes}


def staff_probes(app: Litestar) -> dict[Scope, Probe]:
    """A route of operations staff for each of their scopes, with nothing in its body and nobody's ids."""
    found: dict[Scope, Probe] = {}
    for operation in operations(app):
        groups = operation.scopes
        if operation.is_for_staff and len(groups) == 1 and len(groups[0]) == 1:
            found.setdefault(Scope(groups[0][0]), Probe(operation.method, operation.path, {}))
    return found


async def give(identity: Database, tenant: Tenant, user_id: Any, account: str | None, workspace: str | None) -> None:
    """The person is this in the account and that in its workspace."""
    async with identity.transaction() as session:
        mine = (AccountMember.account_id == tenant.account_id, AccountMember.user_id == user_id)
        await session.execute(sa.delete(AccountMember).where(*mine))
        await session.execute(sa.delete(WorkspaceMember).where(WorkspaceMember.user_id == user_id))
        if account:
            session.add(AccountMember(account_id=tenant.account_id, user_id=user_id, role=account))
        if workspace:
            session.add(WorkspaceMember(workspace_id=tenant.workspace_id, user_id=user_id, role=workspace))
        await session.flush()


@pytest.mark.databases("sqlite")
async def test_a_workspace_scope_without_a_workspace_is_400(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.post("/otel/v1/traces", json={"resourceSpans": []}, headers=tenant.client_headers)
    assert answer.status_code == 400

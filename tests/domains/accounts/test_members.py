"""The people of an account through the API: roles, removal, leaving, the last owner."""

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.accounts.errors import LastOwnerError
from spectral.domains.accounts.members import MemberService
from spectral.domains.accounts.service import AccountService
from spectral.platform.access.principal import Principal, PrincipalKind
from spectral.platform.access.scopes import ACCOUNT_SCOPES, AccountRole
from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.fixtures.people import Person, invite, join
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import Tenant

MEMBERS = "/api/v1/account/members"


async def roles(client: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, str]:
    """What everybody of the account is, by e-mail address."""
    listed = await client.get(MEMBERS, headers=headers)
    assert listed.status_code == 200, listed.text
    return {member["email"]: member["role"] for member in listed.json()["results"]}


async def set_role(client: httpx.AsyncClient, headers: dict[str, str], user_id: object, role: str) -> httpx.Response:
    return await client.patch(f"{MEMBERS}/{user_id}", json={"role": role}, headers=headers)


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).rpartition("/")[2]


async def test_a_role_changes_at_once_and_is_noted(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    person = await join(client, tenant, "grace")
    assert (await client.get(MEMBERS, headers=person.headers)).status_code == 403
    promoted = await set_role(client, tenant.client_headers, person.user_id, "owner")
    assert (promoted.status_code, promoted.json()["role"], promoted.json()["email"]) == (200, "owner", person.email)
    assert await roles(client, person.headers) == {tenant.email: "owner", person.email: "owner"}
    assert (await client.get(tenant.url, headers=person.token_headers)).status_code == 200
    demoted = await set_role(client, person.headers, tenant.user_id, "member")
    assert demoted.status_code == 200
    assert (await client.get(tenant.url, headers=tenant.client_headers)).status_code == 404
    async with database.transaction(tenant.access, read_only=True) as session:
        statement = sa.text("SELECT actor, subject FROM audit_entry WHERE action = 'account_member.role_changed'")
        noted = (await session.execute(statement)).all()
    assert sorted(noted) == sorted(
        [
            (f"user:{tenant.user_id}", f"user:{person.user_id}"),
            (f"user:{person.user_id}", f"user:{tenant.user_id}"),
        ]
    )


async def test_the_last_owner_stays(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await join(client, tenant, "grace")
    mine = f"{MEMBERS}/{tenant.user_id}"
    for refused in (
        await client.patch(mine, json={"role": "member"}, headers=tenant.client_headers),
        await client.delete(mine, headers=tenant.client_headers),
    ):
        assert (refused.status_code, slug(refused)) == (400, "last-owner")
    same = await client.patch(mine, json={"role": "owner"}, headers=tenant.client_headers)
    assert (same.status_code, same.json()["role"]) == (200, "owner")


@pytest.mark.parametrize("how", ["demoting each other", "removing each other", "leaving"])
async def test_two_owners_who_go_at_once_leave_one(
    client: httpx.AsyncClient,
    tenant: Tenant,
    database: Database,
    settings: Settings,
    create_app: Callable[[Settings], Litestar],
    how: str,
) -> None:
    person = await join(client, tenant, "grace", role="owner")
    async with in_process(create_app(settings)) as elsewhere:

        async def go(where: httpx.AsyncClient, headers: dict[str, str], user_id: object) -> httpx.Response:
            if how.startswith("demoting"):
                return await set_role(where, headers, user_id, "member")
            return await where.delete(f"{MEMBERS}/{user_id}", headers=headers)

        # Both are known as owners in their process before either goes.
        await roles(client, tenant.client_headers)
        await roles(elsewhere, person.headers)
        whom = (tenant.user_id, person.user_id) if how == "leaving" else (person.user_id, tenant.user_id)
        answers = await asyncio.gather(
            go(client, tenant.client_headers, whom[0]), go(elsewhere, person.headers, whom[1])
        )
    assert sorted(answer.is_success for answer in answers) == [False, True]
    (refused,) = (answer for answer in answers if not answer.is_success)
    # Or, where it was not even asked before the other had gone through, an owner no more.
    assert slug(refused) in {"last-owner", "forbidden", "account-not-chosen"}, refused.text
    async with database.transaction(tenant.access, read_only=True) as session:
        statement = sa.text("SELECT count(*) FROM account_member WHERE role = 'owner' AND account_id = :account")
        owners = await session.execute(statement.bindparams(sa.bindparam("account", tenant.account_id, sa.Uuid())))
        assert owners.scalar() == 1


async def test_who_demotes_an_owner_waits_for_who_is_demoting_another(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    person = await join(client, tenant, "grace", role="owner")
    ours, theirs = (
        Principal(PrincipalKind.USER, uuid4(), tenant.account_id, user_id, ACCOUNT_SCOPES[AccountRole.OWNER])
        for user_id in (tenant.user_id, person.user_id)
    )

    async def demote(principal: Principal, user_id: UUID) -> None:
        async with database.transaction(tenant.access) as session:
            await MemberService(session).change_role(principal, user_id, AccountRole.MEMBER)

    async with database.transaction(tenant.access) as session:
        await MemberService(session).change_role(ours, person.user_id, AccountRole.MEMBER)
        second = asyncio.create_task(demote(theirs, tenant.user_id))
        done, _ = await asyncio.wait({second}, timeout=0.3)
        assert not done
    with pytest.raises(LastOwnerError):
        await second


async def test_removal_ends_what_the_account_gave_and_nothing_else(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    person = await join(client, tenant, "grace", inside="contributor")
    assert (await client.get(tenant.url, headers=person.token_headers)).status_code == 200
    removed = await client.delete(f"{MEMBERS}/{person.user_id}", headers=tenant.client_headers)
    assert removed.status_code == 204
    assert (await client.get(tenant.url, headers=person.token_headers)).status_code == 404
    assert (await client.get("/api/v1/account", headers=person.headers)).status_code == 400
    me = (await client.get("/api/v1/auth/me", headers=person.token_headers)).json()
    assert [found["account_id"] for found in me["accounts"]] == [str(person.own_account_id)]
    assert {found["account_id"] for found in me["workspaces"]} == {str(person.own_account_id)}
    assert await roles(client, tenant.client_headers) == {tenant.email: "owner"}
    async with database.transaction(tenant.access, read_only=True) as session:
        assert (await session.execute(sa.text("SELECT count(*) FROM workspace_member"))).scalar() == 0
        statement = sa.text("SELECT subject FROM audit_entry WHERE action = 'account_member.removed'")
        assert (await session.scalars(statement)).all() == [f"user:{person.user_id}"]
    # Whoever comes back starts without the former workspaces.
    again = await invite(client, tenant.client_headers, person.email)
    body = {"token": again["token"]}
    accepted = await client.post("/api/v1/account/invites/accept", json=body, headers=person.token_headers)
    assert accepted.status_code == 200
    assert (await client.get(tenant.url, headers=person.token_headers)).status_code == 404


async def test_a_member_leaves_without_a_scope_and_only_for_themselves(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    leaver = await join(client, tenant, "grace", inside="observer")
    other = await join(client, tenant, "heidi")
    for user_id in (other.user_id, tenant.user_id, uuid4()):
        assert (await client.delete(f"{MEMBERS}/{user_id}", headers=leaver.headers)).status_code == 403
    mine = f"{MEMBERS}/{leaver.user_id}"
    assert (await client.delete(mine)).status_code == 401
    assert (await client.delete(mine, headers=tenant.key_headers)).status_code == 403
    unsaid = await client.delete(mine, headers=leaver.token_headers)
    assert (unsaid.status_code, slug(unsaid)) == (400, "account-not-chosen")
    assert (await client.delete(mine, headers=leaver.headers)).status_code == 204
    assert set(await roles(client, tenant.client_headers)) == {tenant.email, other.email}
    async with database.transaction(tenant.access, read_only=True) as session:
        statement = sa.text("SELECT actor FROM audit_entry WHERE action = 'account_member.left'")
        assert (await session.scalars(statement)).all() == [f"user:{leaver.user_id}"]


async def test_the_chosen_account_is_the_one_that_changes(client: httpx.AsyncClient, tenant: Tenant) -> None:
    """Somebody owns two accounts; a third person is in one of them."""
    owner = await join(client, tenant, "grace", role="owner")
    third = await join(client, tenant, "heidi")
    own = owner.token_headers | {"X-Account-Id": str(owner.own_account_id)}
    for method in ("PATCH", "DELETE"):
        body = {"role": "owner"} if method == "PATCH" else None
        elsewhere = await client.request(method, f"{MEMBERS}/{third.user_id}", json=body, headers=own)
        assert elsewhere.status_code == 404
    renamed = await client.patch("/api/v1/account", json={"name": "Chosen"}, headers=own)
    assert renamed.json()["id"] == str(owner.own_account_id)
    assert (await client.get("/api/v1/account", headers=owner.headers)).json()["name"] == "Ours"
    assert (await client.delete(f"{MEMBERS}/{third.user_id}", headers=owner.headers)).status_code == 204
    refused = await client.delete(f"{MEMBERS}/{owner.user_id}", headers=own)
    assert slug(refused) == "last-owner"
    # A workspace chooses its own account; the two headers cannot be played off against each other.
    for headers in (own, owner.headers | {"X-Account-Id": str(uuid4())}):
        both = headers | {"X-Workspace-Id": str(tenant.workspace_id)}
        assert (await client.patch("/api/v1/account", json={"name": "Mixed"}, headers=both)).status_code == 400
        assert (await client.get(tenant.url, headers=headers)).status_code == 400
    assert (await client.get("/api/v1/account", headers=owner.headers)).json()["name"] == "Ours"


async def test_nobody_becomes_operations_staff_through_the_api(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    person = await join(client, tenant, "grace")
    for wrong in (
        {"role": "operations"},
        {"role": "admin"},
        {"role": None},
        {},
        {"role": "member", "account_id": str(person.own_account_id)},
        {"role": "member", "user_id": str(tenant.user_id)},
    ):
        for user_id in (person.user_id, tenant.user_id):
            refused = await client.patch(f"{MEMBERS}/{user_id}", json=wrong, headers=tenant.client_headers)
            assert refused.status_code == 422, wrong
    async with identity.transaction() as session:
        await AccountService(session).promote_to_operations(person.email)
    unmade = await set_role(client, tenant.client_headers, person.user_id, "member")
    assert (unmade.status_code, slug(unmade)) == (400, "operations-role")


async def test_nobody_becomes_staff_who_would_leave_others_without_an_owner(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    person = await join(client, tenant, "grace")
    with pytest.raises(LastOwnerError):
        async with identity.transaction() as session:
            await AccountService(session).promote_to_operations(tenant.email)
    assert (await client.get(MEMBERS, headers=tenant.client_headers)).status_code == 200
    assert (await set_role(client, tenant.client_headers, person.user_id, "owner")).is_success
    async with identity.transaction() as session:
        await AccountService(session).promote_to_operations(tenant.email)


REGISTRATION = {"email": "a@example.com", "password": "a long test password", "tenant_name": "A"}


async def test_a_role_or_an_account_cannot_be_smuggled_in(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for method, path, body in (
        ("POST", "/api/v1/auth/register", REGISTRATION),
        ("PATCH", "/api/v1/auth/me", {"name": "Grace"}),
        ("PATCH", "/api/v1/account", {"name": "Account"}),
        ("POST", "/api/v1/workspaces", {"name": "Workspace"}),
        ("PATCH", tenant.url, {"name": "Workspace"}),
    ):
        for smuggled in ({"role": "operations"}, {"account_id": str(uuid4())}, {"account_role": "owner"}):
            answer = await client.request(method, path, json=body | smuggled, headers=tenant.client_headers)
            assert answer.status_code == 422, (path, smuggled)
            assert {error["pointer"].strip("/") for error in answer.json()["errors"]} == set(smuggled)


async def test_who_may_not(client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant) -> None:
    member = await join(client, tenant, "grace", inside="admin")
    foreign = other_tenant.client_headers | {"X-Account-Id": str(tenant.account_id)}
    for method in ("PATCH", "DELETE"):
        body = {"role": "owner"} if method == "PATCH" else None
        for headers, status in (
            ({}, 401),
            (tenant.key_headers, 403),
            (member.headers, 403),
            (foreign, 403),
            (other_tenant.client_headers, 404),
        ):
            answer = await client.request(method, f"{MEMBERS}/{tenant.user_id}", json=body, headers=headers)
            assert answer.status_code == status, (method, status)
    for unknown, status in ((uuid4(), 404), ("nobody", 404), ("%2e%2e%2faccount", 404)):
        path = f"{MEMBERS}/{unknown}"
        assert (await client.delete(path, headers=tenant.client_headers)).status_code == status, path
    assert await roles(client, tenant.client_headers) == {tenant.email: "owner", member.email: "member"}


async def test_another_process_knows_within_a_second(
    client: httpx.AsyncClient, tenant: Tenant, settings: Settings, create_app: Callable[[Settings], Litestar]
) -> None:
    """Removal, demotion and removal from one workspace, seen by a process that nobody told."""
    removed = await join(client, tenant, "removed", inside="admin")
    demoted = await join(client, tenant, "demoted", role="owner")
    taken_out = await join(client, tenant, "taken-out", inside="contributor")

    async def statuses(where: httpx.AsyncClient) -> list[int]:
        people: list[Person] = [removed, demoted, taken_out]
        return [(await where.get(tenant.url, headers=person.token_headers)).status_code for person in people]

    async with in_process(create_app(settings)) as elsewhere:
        assert await statuses(client) == await statuses(elsewhere) == [200, 200, 200]
        headers = tenant.client_headers
        assert (await client.delete(f"{MEMBERS}/{removed.user_id}", headers=headers)).is_success
        assert (await set_role(client, headers, demoted.user_id, "member")).is_success
        assert (await client.delete(f"{tenant.url}/members/{taken_out.user_id}", headers=headers)).is_success
        assert await statuses(client) == [404, 404, 404]
        await asyncio.sleep(1.0)
        assert await statuses(elsewhere) == [404, 404, 404]

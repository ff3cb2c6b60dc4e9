"""Invites into an account: made, mailed, listed, revoked, refused."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.workspaces.models import Invite
from spectral.platform.db.session import Database
from spectral.platform.mail.models import MailMessage
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.tokens import token_hash
from spectral.settings import Settings
from tests.fixtures.people import INVITES, accept, invite, join, register
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import Tenant, register_tenant


async def test_an_invite_is_made_mailed_and_listed_without_its_token(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database, app: Litestar
) -> None:
    body = {
        "email": "Grace@Example.com",
        "role": "member",
        "workspaces": [{"workspace_id": str(tenant.workspace_id), "role": "contributor"}],
    }
    created = await client.post(INVITES, json=body, headers=tenant.client_headers)
    assert created.status_code == 201
    assert created.headers["cache-control"] == "no-store"
    made = created.json()
    token = made.pop("token")
    assert made | {"id": "", "created_at": "", "expires_at": ""} == {
        "id": "",
        "email": "grace@example.com",
        "role": "member",
        "workspaces": body["workspaces"],
        "status": "pending",
        "invited_by": str(tenant.user_id),
        "created_at": "",
        "expires_at": "",
        "closed_at": None,
    }
    listed = await client.get(INVITES, headers=tenant.client_headers)
    assert listed.json()["results"] == [made]
    read = await client.get(created.headers["location"], headers=tenant.client_headers)
    assert read.json() == made
    async with identity.transaction(read_only=True) as session:
        kept = (await session.scalars(sa.select(Invite))).one()
        mail = (await session.scalars(sa.select(MailMessage))).one()
        noted = (await session.execute(sa.text("SELECT detail FROM audit_entry WHERE action = 'invite.created'"))).one()
    assert kept.token_hash == token_hash(token)
    assert kept.expires_at - kept.created_at == timedelta(days=7)
    assert mail.recipient == "grace@example.com"
    assert mail.body is not None
    text = app.state["mail_box"].open(mail.body)
    assert f"{app.state['settings'].address}/invites/accept#token={token}" in text
    assert token not in listed.text + read.text + str(noted) + mail.body


async def test_an_address_has_one_open_invite(client: httpx.AsyncClient, tenant: Tenant, identity: Database) -> None:
    first = await invite(client, tenant.client_headers, "grace@example.com")
    again = await client.post(INVITES, json={"email": "GRACE@example.com"}, headers=tenant.client_headers)
    assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (409, "invite-pending")
    gone = await client.delete(f"{INVITES}/{first['id']}", headers=tenant.client_headers)
    assert gone.status_code == 204
    second = await invite(client, tenant.client_headers, "grace@example.com")
    async with identity.transaction() as session:
        await session.execute(
            sa.update(Invite).where(Invite.id == UUID(second["id"])).values(expires_at=utc_now() - timedelta(seconds=1))
        )
    await invite(client, tenant.client_headers, "grace@example.com")
    listed = (await client.get(INVITES, headers=tenant.client_headers)).json()["results"]
    assert [found["status"] for found in listed] == ["pending", "expired", "revoked"]


async def test_a_revoked_invite_stays_revoked_and_an_accepted_one_cannot_be(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    invited = await invite(client, tenant.client_headers, "grace@example.com")
    for _ in range(2):
        gone = await client.delete(f"{INVITES}/{invited['id']}", headers=tenant.client_headers)
        assert gone.status_code == 204
    person = await join(client, tenant, "heidi")
    accepted = (await client.get(INVITES, headers=tenant.client_headers)).json()["results"][0]
    assert (accepted["email"], accepted["status"]) == (person.email, "accepted")
    late = await client.delete(f"{INVITES}/{accepted['id']}", headers=tenant.client_headers)
    assert (late.status_code, late.json()["type"].rpartition("/")[2]) == (400, "invalid-transition")


async def test_an_account_mails_so_many_invites_a_day(
    settings: Settings, create_app: Callable[[Settings], Litestar], identity: Database
) -> None:
    async with in_process(create_app(settings.model_copy(update={"invites_per_day": 2}))) as client:
        tenant, other = await register_tenant(client, "ours"), await register_tenant(client, "theirs")
        first = await invite(client, tenant.client_headers, "a@example.com")
        await client.delete(f"{INVITES}/{first['id']}", headers=tenant.client_headers)
        await invite(client, tenant.client_headers, "b@example.com")
        third = await client.post(INVITES, json={"email": "c@example.com"}, headers=tenant.client_headers)
        assert (third.status_code, third.json()["type"].rpartition("/")[2]) == (429, "too-many-invites")
        assert 86_000 < int(third.headers["retry-after"]) <= 86_400
        await invite(client, other.client_headers, "c@example.com")
        async with identity.transaction() as session:
            yesterday = utc_now() - timedelta(days=1, seconds=1)
            await session.execute(sa.update(Invite).where(Invite.id == UUID(first["id"])).values(created_at=yesterday))
        await invite(client, tenant.client_headers, "c@example.com")


async def test_who_belongs_already_is_not_invited(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for email in (tenant.email.upper(), (await join(client, tenant, "grace")).email):
        refused = await client.post(INVITES, json={"email": email}, headers=tenant.client_headers)
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "already-a-member")


WRONG: list[dict[str, object]] = [
    {},
    {"email": "nobody"},
    {"email": "a@example.com\r\nBcc: b@example.com"},
    {"email": "a@example.com", "role": "operations"},
    {"email": "a@example.com", "role": "admin"},
    {"email": "a@example.com", "account_id": str(uuid4())},
    {"email": "a@example.com", "status": "accepted"},
    {"email": "a@example.com", "workspaces": [{"workspace_id": str(uuid4()), "role": "owner"}]},
    {"email": "a@example.com", "workspaces": [{"workspace_id": str(UUID(int=5)), "role": "admin"}] * 2},
    {"email": "a@example.com", "workspaces": [{"workspace_id": str(uuid4()), "role": "admin"}] * 101},
]


async def test_a_wrong_invite_is_422_and_nothing_happens(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for wrong in WRONG:
        answer = await client.post(INVITES, json=wrong, headers=tenant.client_headers)
        assert answer.status_code == 422, wrong
        assert answer.json()["errors"], wrong
    assert (await client.get(INVITES, headers=tenant.client_headers)).json()["pagination"]["total"] == 0


async def test_another_account_s_workspace_cannot_be_given(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    body = {"email": "a@example.com", "workspaces": [{"workspace_id": str(other_tenant.workspace_id), "role": "admin"}]}
    assert (await client.post(INVITES, json=body, headers=tenant.client_headers)).status_code == 404
    assert (await client.get(INVITES, headers=tenant.client_headers)).json()["pagination"]["total"] == 0


async def test_only_who_administers_the_account_invites(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    invited = await invite(client, tenant.client_headers, "grace@example.com")
    admin = await join(client, tenant, "workspace-admin", inside="admin")
    for headers, status in (({}, 401), (tenant.key_headers, 403), (admin.headers, 403)):
        for method, path in (("GET", ""), ("POST", ""), ("GET", f"/{invited['id']}"), ("DELETE", f"/{invited['id']}")):
            body = {"email": "a@example.com"} if method == "POST" else None
            answer = await client.request(method, f"{INVITES}{path}", json=body, headers=headers)
            assert answer.status_code == status, (method, path)
    for method in ("GET", "DELETE"):
        answer = await client.request(method, f"{INVITES}/{invited['id']}", headers=other_tenant.client_headers)
        assert answer.status_code == 404
    foreign = other_tenant.client_headers | {"X-Account-Id": str(tenant.account_id)}
    assert (await client.post(INVITES, json={"email": "a@example.com"}, headers=foreign)).status_code == 403
    status = (await client.get(f"{INVITES}/{invited['id']}", headers=tenant.client_headers)).json()["status"]
    assert status == "pending"


async def test_an_answer_that_holds_a_token_is_not_kept_for_repeats(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = tenant.client_headers | {"Idempotency-Key": "once"}
    assert (await client.post(INVITES, json={"email": "a@example.com"}, headers=headers)).status_code == 400


async def test_with_several_accounts_the_chosen_one_invites(client: httpx.AsyncClient, tenant: Tenant) -> None:
    person = await join(client, tenant, "grace", role="owner")
    unsaid = await client.post(INVITES, json={"email": "a@example.com"}, headers=person.token_headers)
    assert (unsaid.status_code, unsaid.json()["type"].rpartition("/")[2]) == (400, "account-not-chosen")
    theirs = person.token_headers | {"X-Account-Id": str(person.own_account_id)}
    into_own = await invite(client, theirs, "a@example.com")
    into_ours = await invite(client, person.headers, "a@example.com")
    ours = (await client.get(INVITES, headers=tenant.client_headers)).json()["results"]
    assert [found["id"] for found in ours if found["status"] == "pending"] == [into_ours["id"]]
    assert (await client.get(f"{INVITES}/{into_own['id']}", headers=person.headers)).status_code == 404
    newcomer = await register(client, "a@example.com")
    headers = {"Authorization": f"Bearer {newcomer['access_token']}"}
    for made, account_id in ((into_own, person.own_account_id), (into_ours, tenant.account_id)):
        assert (await accept(client, headers, made["token"])).json()["account_id"] == str(account_id)
    accounts = (await client.get("/api/v1/auth/me", headers=headers)).json()["accounts"]
    assert {found["account_id"] for found in accounts} == {
        newcomer["account_id"],
        str(person.own_account_id),
        str(tenant.account_id),
    }

"""What a workspace decides for its workflows, through the API."""

from collections.abc import Callable

import httpx
from litestar import Litestar

from spectral.settings import Settings
from tests.fixtures.people import join
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import Tenant, register_tenant


async def test_settings_are_chosen_and_audited(client: httpx.AsyncClient, tenant: Tenant) -> None:
    url, headers = f"{tenant.url}/workflow-settings", tenant.client_headers
    before = await client.get(url, headers=headers)
    assert before.json() == {"allowed_networks": [], "retention_days": None, "updated_at": None}
    for networks, days in ((["10.0.0.0/8", "127.0.0.1"], 30), (["10.1.0.0/16"], None)):
        body = {"allowed_networks": networks, "retention_days": days}
        chosen = await client.put(url, json=body, headers=headers)
        assert chosen.status_code == 200, chosen.text
        assert chosen.json()["retention_days"] == days
    assert chosen.json()["allowed_networks"] == ["10.1.0.0/16"]
    assert (await client.get(url, headers=headers)).json() == chosen.json()
    log = await client.get("/api/v1/account/audit-log", params={"action": "workflow_settings.chosen"}, headers=headers)
    latest = log.json()["results"][0]
    assert latest["detail"] == {
        "before": {"allowed_networks": ["10.0.0.0/8", "127.0.0.1/32"], "retention_days": 30},
        "after": {"allowed_networks": ["10.1.0.0/16"], "retention_days": None},
    }


async def test_a_wrong_choice_is_refused_as_a_whole_and_by_who_may_not(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    url, headers = f"{tenant.url}/workflow-settings", tenant.client_headers
    for body, pointer in (
        ({"allowed_networks": ["10.0.0.0/8", "0.0.0.0/0"]}, "/allowed_networks/1"),
        ({"allowed_networks": ["10.0.0.1"] * 51}, "/allowed_networks"),
        ({"allowed_networks": [7]}, "/allowed_networks/0"),
        ({"retention_days": 0}, "/retention_days"),
        ({"retention_days": 4_000}, "/retention_days"),
        ({"allowed": []}, "/allowed"),
    ):
        refused = await client.put(url, json=body, headers=headers)
        assert refused.status_code == 422, refused.text
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert (await client.get(url, headers=headers)).json()["updated_at"] is None
    colleague = await join(client, tenant, "colleague", "member", "contributor")
    denied = await client.put(url, json={"allowed_networks": []}, headers=colleague.headers)
    assert denied.status_code == 403
    assert (await client.get(url, headers=colleague.headers)).status_code == 200


async def test_the_operator_decides_what_may_be_opened(
    settings: Settings, create_app: Callable[[Settings], Litestar]
) -> None:
    closed = settings.model_copy(update={"workspace_networks": ()})
    async with in_process(create_app(closed)) as client:
        tenant = await register_tenant(client, "ours")
        body = {"allowed_networks": ["10.0.0.0/8"]}
        refused = await client.put(f"{tenant.url}/workflow-settings", json=body, headers=tenant.client_headers)
    assert refused.status_code == 422
    assert "SPECTRAL_WORKSPACE_NETWORKS" in refused.json()["errors"][0]["detail"]

"""A key is made in the page, shown once, used by a program, exchanged for another one, and refused once revoked."""

import json
import re
from typing import Any

import httpx
from playwright.async_api import Locator, Page, expect

from tests.fixtures.browsers import violations
from tests.fixtures.tenants import Tenant

ASKED = "Where is my parcel?"
TRACE = {"name": "answer_customer", "input": ASKED, "output": "In Marsund.", "latency_ms": 840}


async def choose(page: Page, row: Locator, action: str) -> None:
    """An action of a credential's menu."""
    await row.get_by_role("button", name=re.compile("^Actions of")).click()
    await page.get_by_role("menuitem", name=action).click()


async def taken(page: Page) -> str:
    """The secret that is shown this once."""
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("Copy it now")).to_be_visible()
    secret = await dialog.get_by_test_id("secret").inner_text()
    await dialog.get_by_role("button", name="I have copied it").click()
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_text(secret)).to_have_count(0)
    return secret


async def test_a_key_from_its_first_trace_to_its_end(owner: Page, api: httpx.AsyncClient, tenant: Tenant) -> None:
    async def send(key: str) -> httpx.Response:
        return await api.post(f"{tenant.url}/traces", json=TRACE, headers={"Authorization": f"Bearer {key}"})

    await owner.goto(f"/w/{tenant.workspace_id}/settings/keys")
    await owner.get_by_role("button", name="New key").click()
    dialog = owner.get_by_role("dialog", name="New API key")
    await dialog.get_by_label("Name").fill("Checkout")
    await dialog.get_by_role("button", name="Make the key").click()
    shown = owner.get_by_role("dialog", name="The key Checkout")
    environment = shown.get_by_role("group", name=re.compile("^Code"))
    await expect(environment).to_contain_text("OTEL_EXPORTER_OTLP_ENDPOINT")
    await expect(shown.get_by_role("button", name="Copy the key")).to_be_visible()
    assert await violations(owner) == []
    first = await taken(owner)

    sent = await send(first)
    assert sent.is_success, sent.text
    await owner.get_by_role("navigation", name="Workspace").get_by_role("link", name="Traces", exact=True).click()
    grid = owner.get_by_role("grid", name="Traces")
    await expect(grid.get_by_role("row", name=ASKED)).to_be_visible()

    await owner.goto(f"/w/{tenant.workspace_id}/settings/keys")
    keys = owner.get_by_role("table", name="API keys")
    row = keys.get_by_role("row", name="Checkout").filter(has=owner.get_by_role("button"))
    await choose(owner, row, "Rotate…")
    rotating = owner.get_by_role("alertdialog", name="Rotate Checkout")
    await rotating.get_by_label("The old key stops").click()
    await owner.get_by_role("option", name="At once").click()
    await rotating.get_by_role("button", name="Make the new key").click()
    second = await taken(owner)
    assert second != first
    assert (await send(first)).status_code == httpx.codes.UNAUTHORIZED
    assert (await send(second)).is_success

    await choose(owner, row, "Revoke…")
    await owner.get_by_role("alertdialog", name="Revoke Checkout").get_by_role("button", name="Revoke").click()
    await expect(keys.get_by_role("row", name="Checkout").filter(has_text="Revoked").first).to_be_visible()
    await expect(row).to_have_count(0)
    assert (await send(second)).status_code == httpx.codes.UNAUTHORIZED


async def test_a_service_account_signs_a_pipeline_in(owner: Page, api: httpx.AsyncClient, tenant: Tenant) -> None:
    async def read(key: str) -> httpx.Response:
        return await api.get(f"{tenant.url}/scans", headers={"Authorization": f"Bearer {key}"})

    await owner.goto(f"/w/{tenant.workspace_id}/settings/service-accounts")
    await owner.get_by_role("button", name="New service account").click()
    dialog = owner.get_by_role("dialog", name="New service account")
    await dialog.get_by_label("Name").fill("Pipeline")
    await dialog.get_by_label("Role").click()
    await owner.get_by_role("option", name="Observer").click()
    async with owner.expect_response(lambda answer: answer.request.method == "POST") as made:
        await dialog.get_by_role("button", name="Make").click()
    body: dict[str, Any] = json.loads(await (await made.value).body())
    assert (body["role"], body["approve"]) == ("observer", False)
    key = await taken(owner)
    assert (await read(key)).is_success

    row = owner.get_by_role("table", name="Service accounts").get_by_role("row", name="Pipeline")
    await choose(owner, row, "Revoke…")
    await owner.get_by_role("alertdialog", name="Revoke Pipeline").get_by_role("button", name="Revoke").click()
    await expect(row).to_contain_text("Revoked")
    assert (await read(key)).status_code == httpx.codes.UNAUTHORIZED

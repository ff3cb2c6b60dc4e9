"""Somebody is invited by mail, joins with a new account, and may do what their role says and no more."""

import asyncio
import re
import time
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS, Demo, sign_in
from tests.fixtures.browsers import Complaints, violations
from tests.fixtures.people import join
from tests.fixtures.tenants import PASSWORD, Tenant


def mailed(outbox: Path, recipient: str) -> str:
    """The text of the letter that comes to this address."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < deadline:
        for path in outbox.glob("*.eml"):
            letter = message_from_bytes(path.read_bytes(), policy=default)
            body = letter.get_body()
            if letter["To"] == recipient and body is not None:
                return str(body.get_content())
        time.sleep(0.05)
    pytest.fail(f"no mail to {recipient}")


async def test_an_invite_leads_a_stranger_into_the_workspace(
    owner: Page, browser: Browser, demo: Demo, tenant: Tenant
) -> None:
    invited = f"invited-{uuid4().hex[:8]}@example.com"
    await owner.goto(f"/w/{tenant.workspace_id}/settings/members")
    await owner.get_by_role("button", name="Add or invite").click()
    dialog = owner.get_by_role("dialog", name="Add or invite")
    await dialog.get_by_label("E-mail").fill(invited)
    await dialog.get_by_label("Role").click()
    await owner.get_by_role("option", name="Contributor").click()
    assert await violations(owner) == []
    await dialog.get_by_role("button", name="Send an invite").click()
    await expect(owner.get_by_role("table", name="Invited").get_by_role("row", name=invited)).to_be_visible()

    link = re.search(r"https?://\S+", await asyncio.to_thread(mailed, demo.data / "outbox", invited))
    assert link is not None
    parts = urlsplit(link[0])
    context = await browser.new_context(base_url=demo.url)
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = await context.new_page()
        complaints = Complaints(page, demo.url)
        await page.goto(f"{parts.path}#{parts.fragment}")
        await expect(page.get_by_role("heading", name="You are invited")).to_be_visible()
        # The token is nowhere that a neighbour, a history or another site could read it.
        await expect(page).to_have_url(f"{demo.url}/invites/accept")
        assert await violations(page) == []
        await page.get_by_role("link", name="Create an account and join").click()
        await page.get_by_label("E-mail").fill(invited)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Create the account").click()
        await expect(page).to_have_url(f"{demo.url}/w/{tenant.workspace_id}")
        await expect(page.get_by_role("navigation", name="Workspace")).to_be_visible()
        assert complaints.found == []
    finally:
        await context.close()

    await owner.reload()
    await expect(owner.get_by_role("table", name="Members").get_by_role("row", name=invited)).to_contain_text(
        "Contributor"
    )
    await expect(owner.get_by_role("table", name="Invited")).to_have_count(0)


async def test_an_observer_reads_and_is_told_why_not_more(page: Page, api: httpx.AsyncClient, tenant: Tenant) -> None:
    person = await join(api, tenant, f"observer-{uuid4().hex[:8]}", inside="observer")
    await sign_in(page.context, person.email, PASSWORD)
    for path, button, scope in (
        ("workflows/new", "Store", "write:workspace"),
        ("settings/keys", "New key", "admin:workspace"),
        ("settings/members", "Add or invite", "admin:workspace"),
        ("settings/models", "Add a key", "admin:workspace"),
    ):
        await page.goto(f"/w/{tenant.workspace_id}/{path}")
        control = page.get_by_role("button", name=button)
        await expect(control).to_be_disabled()
        await expect(control).to_have_attribute("title", re.compile(scope))
    await page.goto(f"/w/{tenant.workspace_id}/agents")
    await expect(page.get_by_role("heading", level=1, name="Agents")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)

"""The path that sells it, done by hand: from what happened to a better version that is live, and back."""

import json
import re
from dataclasses import dataclass
from typing import Any

import httpx
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from spectral.demo.dataset import demo_config, generate_tickets
from tests.browser.conftest import Demo
from tests.fixtures.tenants import Tenant

TICKETS = 900
SCAN_LIMIT_MS = 60_000


@dataclass(frozen=True)
class Prepared:
    """An agent with a version that nobody has tried yet, and what a scan of it needs."""

    tenant: Tenant
    agent_id: str

    @property
    def path(self) -> str:
        return f"/w/{self.tenant.workspace_id}"


@pytest_asyncio.fixture(loop_scope="session")
async def prepared(api: httpx.AsyncClient, demo: Demo, tenant: Tenant) -> Prepared:
    """Version 1 is live; version 2 is the one that the demo's scan found to be better."""

    async def made(path: str, body: Any, headers: dict[str, str] = tenant.client_headers) -> dict[str, Any]:
        answer = await api.post(f"{tenant.url}/{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        document: dict[str, Any] = answer.json()
        return document

    signed_in = await api.post("/api/v1/auth/login", json={"email": demo.email, "password": demo.password})
    better = await api.get(
        f"/api/v1/workspaces/{demo.workspace_id}/agents/{demo.agent_id}/configs/2",
        headers={"Authorization": f"Bearer {signed_in.json()['access_token']}"},
    )
    agent = await made("agents", {"name": "Mail sorter", "config": demo_config()})
    await made(f"agents/{agent['id']}/configs", {"config": better.json()["config"], "note": "More words per intent"})
    tickets = generate_tickets(7, TICKETS)
    samples = await made("samples", {"name": "Mail of a month", "group_by": ["session_id"]})
    imported = await api.post(
        f"{tenant.url}/samples/{samples['id']}/import",
        content="\n".join(json.dumps(ticket.as_sample()) for ticket in tickets),
        headers={**tenant.client_headers, "Content-Type": "application/x-ndjson"},
    )
    assert imported.is_success, imported.text
    await made(f"samples/{samples['id']}/holdouts", None)
    rubric = await made(
        "evaluations/rubrics",
        {"name": "Right intent", "dimensions": [{"name": "intent", "scorer": "label", "weight": 1}]},
    )
    await made("evaluations/objectives", {"name": "Accuracy", "rubric_id": rubric["id"]})
    traces = [
        {"name": "sort_mail", "input": ticket.text, "output": ticket.intent, "agent_id": agent["id"]}
        for ticket in tickets[:12]
    ]
    await made("traces", traces, tenant.key_headers)
    return Prepared(tenant, agent["id"])


def go_to(page: Page, name: str) -> Locator:
    return page.get_by_role("navigation", name="Workspace").get_by_role("link", name=name, exact=True)


async def test_from_traces_to_a_better_version_and_back(page: Page, prepared: Prepared) -> None:
    await page.goto("/")
    await page.get_by_label("E-mail").fill(prepared.tenant.email)
    await page.get_by_label("Password").fill(prepared.tenant.password)
    await page.get_by_role("button", name="Sign in").click()

    # What happened: the list, one trace beside it, and all of it.
    await go_to(page, "Traces").click()
    row = page.get_by_role("grid", name="Traces").get_by_role("row", name=re.compile("sort_mail")).first
    await row.click()
    peek = page.get_by_role("dialog", name=re.compile("sort_mail"))
    await expect(peek.get_by_role("tree", name="Spans").get_by_role("treeitem")).not_to_have_count(0)
    await expect(page).to_have_url(re.compile(r"peek=[0-9a-f]{32}"))
    await peek.get_by_role("button", name="Open the whole trace").click()
    await expect(page).to_have_url(re.compile(r"/traces/[0-9a-f]{32}"))
    await expect(page.get_by_role("heading", level=1, name="sort_mail")).to_be_visible()
    await expect(page.get_by_role("region", name="Selected span").get_by_role("tab", name="Content")).to_be_visible()

    # A scan that tries version 2, watched to its end without a reload.
    await go_to(page, "Scans").click()
    await page.get_by_role("link", name="New scan").first.click()
    await page.get_by_role("checkbox", name="Template").check()
    await page.get_by_label("Versions to try").click()
    await page.get_by_role("option", name=re.compile("^Version 2")).click()
    await page.keyboard.press("Escape")
    await page.get_by_label("US dollars").fill("2.50")
    await expect(page.get_by_text("Ready to start")).to_be_visible()
    await page.get_by_role("button", name="Start scan").click()
    phases = page.get_by_role("list", name="Phases").get_by_role("listitem")
    await expect(phases).to_have_count(7)
    await expect(phases.filter(has_text=": done")).to_have_count(7, timeout=SCAN_LIMIT_MS)
    await expect(page.get_by_text(re.compile(r"^Ended · \d+ events$"))).to_be_visible()
    await expect(page.get_by_text("The holdout shows that the change is better")).to_be_visible()

    # What it proposes, and why.
    await page.get_by_role("link", name="Open the change set").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Mail sorter")
    banner = page.get_by_role("status").filter(has_text="The candidate gains")
    await expect(banner).to_contain_text(re.compile(r"gains \+\d.*held-out samples"))
    about = page.get_by_role("tablist", name="About the change set")
    await about.get_by_role("tab", name="What changes").click()
    await expect(page.get_by_role("tabpanel")).to_contain_text("order_tracking")
    await about.get_by_role("tab", name="Failures").click()
    await expect(page).to_have_url(re.compile("section=failures"))

    # Accepted, it is live, and the agent's timeline says so.
    await page.get_by_role("button", name="Accept…").click()
    dialog = page.get_by_role("dialog", name=re.compile("^Accept: Mail sorter, version 1 → 2"))
    await expect(dialog).to_contain_text("goes live in production instead of version 1")
    await dialog.get_by_role("button", name="Promote to production").click()
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("button", name="Roll back…")).to_be_visible()
    changeset = page.url
    await page.get_by_role("heading", level=1).get_by_role("link", name="Mail sorter").click()
    await expect(page.get_by_role("list", name="Environments")).to_contain_text("Version 2")
    await expect(page.get_by_text(re.compile("production runs version 2"))).to_be_visible()

    # And back again.
    await page.goto(changeset)
    await page.get_by_role("button", name="Roll back…").click()
    confirm = page.get_by_role("alertdialog", name="Roll back Mail sorter to version 1?")
    await confirm.get_by_label(re.compile("^Reason")).fill("Only to see the way back")
    await confirm.get_by_role("button", name="Roll back to version 1").click()
    await expect(confirm).to_have_count(0)
    await page.get_by_role("heading", level=1).get_by_role("link", name="Mail sorter").click()
    await expect(page.get_by_role("list", name="Environments")).to_contain_text("Version 1")
    await expect(page.get_by_text(re.compile("rolled back from version 2 to 1"))).to_be_visible()

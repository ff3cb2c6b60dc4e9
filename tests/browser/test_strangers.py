"""Whoever follows a link into somebody else's workspace is told the same as for one that does not exist."""

import re
from uuid import uuid4

from playwright.async_api import Page, expect

from tests.browser.conftest import Demo
from tests.fixtures.browsers import violations
from tests.fixtures.tenants import Tenant

NOTHING = "There is nothing here"
# Of the demo: its agents, what it was sent, and what was found.
THEIRS = re.compile("Ticket triage|Halden|order_tracking|Validated")


async def test_another_tenant_s_links_show_that_nothing_is_there(
    owner: Page, demo: Demo, things: dict[str, str]
) -> None:
    told: set[str] = set()
    for place in ("", "traces", "settings/keys", *things.values()):
        await owner.goto(f"{demo.path}/{place}")
        await expect(owner.get_by_text(NOTHING)).to_be_visible()
        await expect(owner.get_by_text(THEIRS)).to_have_count(0)
        told.add(await owner.get_by_role("main").inner_text())
    await owner.goto(f"/w/{uuid4()}/traces")
    await expect(owner.get_by_text(NOTHING)).to_be_visible()
    assert told == {await owner.get_by_role("main").inner_text()}
    assert await violations(owner) == []
    await owner.get_by_role("link", name="Go to your workspace").click()
    await expect(owner.get_by_role("heading", level=1)).to_be_visible()


async def test_another_tenant_s_things_under_one_s_own_address(
    owner: Page, tenant: Tenant, things: dict[str, str]
) -> None:
    for place in things.values():
        await owner.goto(f"/w/{tenant.workspace_id}/{place}")
        await expect(owner.get_by_text(re.compile("Not found|is not here|not exist")).first).to_be_visible()
        await expect(owner.get_by_text(THEIRS)).to_have_count(0)


async def test_a_path_that_no_page_has(owner: Page, tenant: Tenant) -> None:
    for path in ("/no-such-page", f"/w/{tenant.workspace_id}/no-such-page"):
        await owner.goto(path)
        await expect(owner.get_by_text(NOTHING)).to_be_visible()
        await expect(owner.get_by_role("link", name="Go to your workspace")).to_be_visible()

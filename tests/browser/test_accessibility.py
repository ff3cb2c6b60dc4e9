"""Nothing of WCAG 2.2 AA speaks against any page or dialog, in either theme; and the keyboard alone is enough."""

import re
from collections.abc import AsyncIterator
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS, Demo, sign_in
from tests.fixtures.browsers import Complaints, violations

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# A colour that fades goes from each element to those inside of it, frame by frame.
FADED = """async () => {
  for (let still = 0; still < 3; ) {
    await new Promise(requestAnimationFrame);
    still = document.getAnimations().some((one) => one instanceof CSSTransition) ? 0 : still + 1;
  }
}"""
PLACES = {
    "observe and measure": ["", "traces", "sessions", "agents", "samples", "rubrics", "objectives"],
    "improve": ["scans", "scans/new", "scans/schedules", "changesets", "clusters", "experiments", "experiments/new"],
    "automate": ["workflows", "workflows/new", "runs", "questions", "settings/workflows", "settings/webhooks"],
    "settings": [
        f"settings/{name}"
        for name in ("general", "members", "keys", "service-accounts", "models", "autonomy", "traces")
    ],
    "account": [
        f"/account/{section}"
        for section in ("profile", "security", "sessions", "account", "people", "usage", "audit-log")
    ],
    "what was found": ["{trace}", "{samples}", "{samples}?tab=holdout", "{rubric}", "{objective}", "{run}"],
    "what is proposed": [
        "{agent}",
        "{agent}?a=1&b=2",
        "{agent}?tab=playground",
        "{scan}",
        "{scan}?tab=events",
        "{change set}",
        "{change set}?section=changes",
        "{change set}?section=failures",
    ],
}


@pytest_asyncio.fixture(loop_scope="session")
async def still(browser: Browser, demo: Demo) -> AsyncIterator[Page]:
    """A page of the demo account in which nothing moves: half a fade has other colours than a theme."""
    context = await browser.new_context(
        base_url=demo.url, viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE_MS)
    await sign_in(context, demo.email, demo.password)
    page = await context.new_page()
    complaints = Complaints(page, demo.url)
    yield page
    await context.close()
    assert complaints.found == []


async def settled(page: Page) -> None:
    """What was asked for has come; nothing stands in for it any more."""
    await page.wait_for_load_state("networkidle")
    await expect(page.get_by_role("status").filter(has_text=re.compile("^Loading"))).to_have_count(0)


async def held_against(page: Page, what: str) -> list[str]:
    """What speaks against the page as it is now, in either theme."""
    await settled(page)
    found = []
    for theme in THEMES:
        await page.emulate_media(color_scheme=theme)
        await page.evaluate(FADED)
        found += [f"{what}, {theme}: {violation}" for violation in await violations(page)]
    return found


@pytest.mark.parametrize("kind", PLACES)
async def test_nothing_speaks_against_a_page(still: Page, demo: Demo, things: dict[str, str], kind: str) -> None:
    found: list[str] = []
    for place in PLACES[kind]:
        path = place.format(**things)
        await still.goto(path if path.startswith("/") else f"{demo.path}/{path}")
        await expect(still.get_by_role("heading", level=1).first).to_be_visible()
        found += await held_against(still, place)
    assert found == []


async def test_nothing_speaks_against_a_dialog(still: Page, demo: Demo, things: dict[str, str]) -> None:
    found: list[str] = []
    for place, button in (
        ("settings/keys", "New key"),
        ("settings/members", "Add or invite"),
        (things["change set"], "Accept…"),
        (things["change set"], "Reject…"),
        (things["agent"], "Promote version 2…"),
        ("", "Go to…"),
    ):
        await still.goto(f"{demo.path}/{place}")
        await still.get_by_role("button", name=button).first.click()
        await expect(still.get_by_role("dialog").or_(still.get_by_role("alertdialog"))).to_be_visible()
        found += await held_against(still, button)
    await still.goto(f"{demo.path}/traces")
    await still.get_by_role("grid", name="Traces").get_by_role("row").nth(1).click()
    await expect(still.get_by_role("treeitem").first).to_be_visible()
    found += await held_against(still, "peek")
    assert found == []


async def test_the_keyboard_alone_finds_a_trace(still: Page, demo: Demo) -> None:
    page, keys = still, still.keyboard
    await page.goto(demo.path)
    await settled(page)
    await keys.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await keys.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()

    await keys.press("ControlOrMeta+k")
    await expect(page.get_by_role("dialog", name="Go to")).to_be_visible()
    await keys.type("traces")
    await expect(page.get_by_role("option", name="Traces", exact=True).first).to_be_visible()
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await expect(page).to_have_url(re.compile(rf"{demo.path}/traces"))

    rows = page.get_by_role("grid", name="Traces").get_by_role("row").filter(has=page.get_by_role("gridcell"))
    await rows.first.focus()
    await keys.press("j")
    await expect(rows.nth(1)).to_be_focused()
    await keys.press("k")
    await expect(rows.first).to_be_focused()
    await keys.press("p")
    panel = page.get_by_role("dialog")
    await expect(panel.get_by_role("treeitem").first).to_be_visible()
    first = page.url
    await keys.press("j")
    await expect(page).not_to_have_url(first)
    await keys.press("Escape")
    await expect(panel).to_have_count(0)
    await expect(page).not_to_have_url(re.compile("peek="))
    await rows.first.focus()
    await keys.press("Enter")
    await expect(page).to_have_url(re.compile(r"/traces/[0-9a-f]{32}"))
    await expect(page.get_by_role("treeitem").first).to_be_visible()

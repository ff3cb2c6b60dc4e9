"""What narrows the list of traces stands in its address: facets, the filter bar, and views saved under a name."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.conftest import PATIENCE_MS, Demo, sign_in
from tests.fixtures.tenants import Tenant

TRACES = (
    {"input": "Where is my parcel?", "model": "small", "user_id": "ada", "latency_ms": 300},
    {"input": "Where is my refund?", "model": "large", "user_id": "ben", "latency_ms": 4_000},
    {"input": "My tent is torn", "model": "large", "user_id": "ada", "latency_ms": 900, "error": "The tool broke"},
)


@pytest_asyncio.fixture(loop_scope="session")
async def traces(owner: Page, api: httpx.AsyncClient, tenant: Tenant) -> Page:
    """The page of a list of three traces."""
    answer = await api.post(f"{tenant.url}/traces", json=list(TRACES), headers=tenant.key_headers)
    assert answer.is_success, answer.text
    await owner.goto(f"/w/{tenant.workspace_id}/traces")
    await shown(owner, "Where is my parcel?", "Where is my refund?", "My tent is torn")
    return owner


def rows(page: Page) -> Locator:
    grid = page.get_by_role("grid", name="Traces")
    return grid.get_by_role("row").filter(has=page.get_by_role("gridcell"))


async def shown(page: Page, *inputs: str) -> None:
    """The list shows these traces and no others."""
    await expect(rows(page)).to_have_count(len(inputs))
    for words in inputs:
        await expect(rows(page).filter(has_text=words)).to_have_count(1)


def asked(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


async def test_facets_and_the_bar_narrow_the_list_and_its_address(traces: Page) -> None:
    facets = traces.get_by_role("complementary", name="Facets")
    failed = facets.get_by_role("region", name="Status").get_by_role("checkbox", name="error")
    await failed.check()
    await shown(traces, "My tent is torn")
    assert "error" in asked(traces)["filter"][0]
    await failed.uncheck()
    await shown(traces, *(str(trace["input"]) for trace in TRACES))
    assert "filter" not in asked(traces)

    bar = traces.get_by_role("combobox", name="Filter traces")
    await bar.fill("duration_ms:>2s")
    await bar.press("Enter")
    await shown(traces, "Where is my refund?")
    await traces.get_by_role("button", name="Clear all filters").first.click()
    await bar.fill("parcel")
    await bar.press("Enter")
    await shown(traces, "Where is my parcel?")
    assert asked(traces)["q"] == ["parcel"]
    await traces.go_back()
    await shown(traces, *(str(trace["input"]) for trace in TRACES))


async def test_the_bar_completes_fields_and_their_values(traces: Page) -> None:
    bar = traces.get_by_role("combobox", name="Filter traces")
    await bar.press_sequentially("user")
    offered = traces.get_by_role("listbox", name="Suggestions")
    await offered.get_by_role("option", name="user_id").first.click()
    await offered.get_by_role("option", name="ben").click()
    await shown(traces, "Where is my refund?")
    await bar.press("Backspace")
    await expect(bar).not_to_have_value("")


async def test_a_saved_view_outlives_a_reload_and_its_link_is_for_everybody(
    traces: Page, browser: Browser, demo: Demo, tenant: Tenant
) -> None:
    bar = traces.get_by_role("combobox", name="Filter traces")
    await bar.fill("user_id:ada")
    await bar.press("Enter")
    await shown(traces, "Where is my parcel?", "My tent is torn")
    link = traces.url
    await traces.get_by_role("button", name="Saved views").click()
    await traces.get_by_role("textbox", name="Name of the view").fill("What Ada asks")
    await traces.get_by_role("button", name="Save", exact=True).click()
    await expect(traces.get_by_role("button", name="Saved views: What Ada asks")).to_be_visible()

    await traces.goto(f"/w/{tenant.workspace_id}/traces")
    await shown(traces, *(str(trace["input"]) for trace in TRACES))
    await traces.get_by_role("button", name="Saved views").click()
    await traces.get_by_role("button", name="What Ada asks", exact=True).click()
    await shown(traces, "Where is my parcel?", "My tent is torn")
    assert asked(traces) == parse_qs(urlsplit(link).query)

    context = await browser.new_context(base_url=demo.url)
    context.set_default_timeout(PATIENCE_MS)
    try:
        await sign_in(context, tenant.email, tenant.password)
        elsewhere = await context.new_page()
        await elsewhere.goto(link)
        await shown(elsewhere, "Where is my parcel?", "My tent is torn")
    finally:
        await context.close()

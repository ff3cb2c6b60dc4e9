"""Sessions end, tokens expire, servers restart and cables are pulled: nobody loses the place where they were."""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, Route, expect

from spectral.demo.server import DemoServer
from tests.browser.conftest import PATIENCE_MS, SETTINGS, sign_in
from tests.fixtures.browsers import Complaints
from tests.fixtures.servers import free_port
from tests.fixtures.tenants import Tenant, register_tenant

RESTART_LIMIT_MS = 40_000
REFRESH = "/api/v1/auth/refresh"
WAITS = """\
name: waits
steps:
  - id: paid
    kind: wait_event
    event: paid
    timeout: 2d
"""


async def test_an_expired_token_is_renewed_and_nobody_notices(owner: Page, tenant: Tenant) -> None:
    """The token that the page holds is answered by the server as one that has ended, once."""
    await owner.goto(f"/w/{tenant.workspace_id}/traces")
    again = owner.get_by_role("button", name="Load the list again")
    await expect(again).to_be_visible()
    await expect(owner.get_by_text("No traces yet")).to_be_visible()
    where = owner.url
    answered: list[int] = []
    renewals: list[str] = []

    async def too_late(route: Route, request: Request) -> None:
        answer = await route.fetch(headers=request.headers | {"authorization": "Bearer ended"})
        answered.append(answer.status)
        await route.fulfill(response=answer)

    await owner.route(re.compile(r"/traces\?"), too_late, times=1)
    owner.on("request", lambda request: renewals.append(request.url) if request.url.endswith(REFRESH) else None)
    async with owner.expect_response(lambda answer: "/traces?" in answer.url and answer.ok):
        await again.click()
    assert answered == [httpx.codes.UNAUTHORIZED]
    assert len(renewals) == 1
    await expect(owner).to_have_url(where)
    await expect(owner.get_by_role("alert")).to_have_count(0)


async def test_who_leaves_a_page_while_it_renews_the_token_stays_signed_in(owner: Page, tenant: Tenant) -> None:
    """The cookie is spent and its follower on the way: the next page waits for it."""
    for after_ms in (40, 80, 120, 160):
        await owner.goto(f"/w/{tenant.workspace_id}/agents", wait_until="commit")
        await owner.wait_for_timeout(after_ms)
    await owner.goto(f"/w/{tenant.workspace_id}/agents")
    await expect(owner.get_by_role("heading", level=1, name="Agents")).to_be_visible()


async def test_a_session_that_was_ended_elsewhere_leads_back_to_where_one_was(
    owner: Page, api: httpx.AsyncClient, tenant: Tenant
) -> None:
    await owner.goto(f"/w/{tenant.workspace_id}/agents?archived=true")
    await expect(owner.get_by_role("heading", level=1, name="Agents")).to_be_visible()
    where = owner.url
    ended = await api.delete("/api/v1/auth/sessions", headers=tenant.client_headers)
    assert ended.json()["ended_sessions"] == 1
    await owner.reload()
    await expect(owner).to_have_url(re.compile(r"/sign-in\?"))
    await owner.get_by_label("E-mail").fill(tenant.email)
    await owner.get_by_label("Password").fill(tenant.password)
    await owner.get_by_role("button", name="Sign in").click()
    await expect(owner).to_have_url(where)
    await expect(owner.get_by_role("heading", level=1, name="Agents")).to_be_visible()


async def test_a_session_that_ends_under_an_open_page_says_so(
    owner: Page, api: httpx.AsyncClient, tenant: Tenant
) -> None:
    await owner.goto(f"/w/{tenant.workspace_id}/settings/keys")
    await expect(owner.get_by_role("table", name="API keys")).to_be_visible()
    assert (await api.delete("/api/v1/auth/sessions", headers=tenant.client_headers)).is_success
    await owner.get_by_role("button", name="New key").click()
    dialog = owner.get_by_role("dialog", name="New API key")
    await dialog.get_by_label("Name").fill("Too late")
    await dialog.get_by_role("button", name="Make the key").click()
    await expect(owner.get_by_role("status").filter(has_text="Your session has ended")).to_be_visible()
    assert "settings%2Fkeys" in owner.url


async def test_what_cannot_be_reached_is_said_and_comes_back(owner: Page, tenant: Tenant) -> None:
    await owner.goto(f"/w/{tenant.workspace_id}/traces")
    await expect(owner.get_by_text("No traces yet")).to_be_visible()
    await owner.context.set_offline(True)
    await owner.get_by_role("button", name="Load the list again").click()
    notice = owner.get_by_role("alert").filter(has_text="The server cannot be reached")
    await expect(notice).to_be_visible()
    await owner.context.set_offline(False)
    await notice.get_by_role("button", name="Try again").click()
    await expect(notice).to_have_count(0)
    await expect(owner.get_by_text("No traces yet")).to_be_visible()


class Restarted:
    """A server of the test's own, which may go away and come back under the same address."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._server: DemoServer | None = None

    def start(self) -> None:
        environment = SETTINGS | {"SPECTRAL_DATA_DIR": str(self._data)}
        self._server = DemoServer("127.0.0.1", self._port, environment, self._data / "server.log")
        self._server.__enter__()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def restarted(demo_folder: Path, tmp_path: Path) -> AsyncIterator[Restarted]:
    data = tmp_path / "data"
    shutil.copytree(demo_folder / "data", data)
    server = Restarted(data)
    server.start()
    yield server
    server.stop()


async def test_a_live_page_outlives_a_restart_of_the_server(browser: Browser, restarted: Restarted) -> None:
    context = await browser.new_context(base_url=restarted.url)
    context.set_default_timeout(PATIENCE_MS)
    try:
        async with httpx.AsyncClient(base_url=restarted.url, timeout=30) as api:
            tenant = await register_tenant(api, "waiting")
            headers = tenant.client_headers
            assert (await api.post(f"{tenant.url}/workflows", json={"source": WAITS}, headers=headers)).is_success
            run = (await api.post(f"{tenant.url}/workflows/waits/runs", json={}, headers=headers)).json()
            await sign_in(context, tenant.email, tenant.password)
            page = await context.new_page()
            complaints = Complaints(page, restarted.url)
            await page.goto(f"/w/{tenant.workspace_id}/runs/{run['id']}")
            await expect(page.get_by_text(re.compile(r"^Live · \d+ events?$"))).to_be_visible()
            await expect(page.get_by_text("Waits for the signal paid")).to_be_visible()

            restarted.stop()
            await expect(page.get_by_text(re.compile(r"^Reconnecting; goes on from event \d+$"))).to_be_visible()
            restarted.start()
            await expect(page.get_by_text(re.compile(r"^Live · "))).to_be_visible(timeout=RESTART_LIMIT_MS)
            sent = await api.post(f"{tenant.url}/runs/{run['id']}/signals", json={"type": "paid"}, headers=headers)
            assert sent.is_success, sent.text
            await expect(page.get_by_role("heading", level=1)).to_contain_text("Succeeded")
            await expect(page.get_by_text(re.compile(r"^Ended · \d+ events$"))).to_be_visible()
            assert complaints.found == []
    finally:
        await context.close()

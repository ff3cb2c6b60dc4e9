"""A browser, and a server with the demo's data that it shows.

The demo takes half a minute, so it is done once for all workers; each worker serves a copy of its own. Tests of one
worker share that copy: what a test changes it makes itself, or no other test looks at.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

import hatch_build
from spectral.demo.server import DemoServer
from spectral.demo.story import EMAIL, PASSWORD
from tests.fixtures.browsers import WHERE, Complaints, find_browser, flags
from tests.fixtures.databases import TestRun
from tests.fixtures.postgres import locked
from tests.fixtures.servers import free_port
from tests.fixtures.tenants import Tenant, register_tenant

HERE = Path(__file__).parent
KEPT_IN = "SPECTRAL_TEST_DEMO"
"""Names a folder that keeps the demo's data between runs, while working on something."""
DEMO_LIMIT_S = 240.0
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)
# All browsers come from one address, and sign in far more often than a person does.
SETTINGS = {
    "SPECTRAL_ENVIRONMENT": "development",
    "SPECTRAL_RATE_LIMIT_PER_ADDRESS": "0",
    "SPECTRAL_RATE_LIMIT_PER_CREDENTIAL": "0",
    "SPECTRAL_RATE_LIMIT_PER_WORKSPACE": "0",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The browser lives in one loop, as long as the worker does.
    for item in items:
        if item.path.is_relative_to(HERE) and isinstance(item, pytest.Function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.slow)


@dataclass(frozen=True)
class Demo:
    """An installation on which `spectral demo --serve` has run. printed: what it said."""

    url: str
    data: Path
    printed: str
    workspace_id: str
    agent_id: str
    scan_id: str
    changeset_id: str
    email: str = EMAIL
    password: str = PASSWORD

    @property
    def path(self) -> str:
        """The page of the demo's workspace."""
        return f"/w/{self.workspace_id}"


@pytest.fixture(scope="session")
def executable() -> Path:
    """The browser. Continuous integration has one; elsewhere its tests are skipped where there is none."""
    found = find_browser()
    if found is None:
        if "CI" in os.environ:
            pytest.fail(WHERE)
        pytest.skip(WHERE)
    return found


@pytest.fixture(scope="session")
def demo_folder(test_run: TestRun, executable: Path) -> Path:
    """The data that the demo left, and what it printed; the page that it was made for is the one of `web/`."""
    del executable  # where there is none, nothing of this is needed
    folder = Path(os.environ.get(KEPT_IN, test_run.directory / "demo"))
    with locked(test_run.directory / "demo.lock"):
        hatch_build.build()
        if not (folder / "printed").exists():
            folder.mkdir(parents=True)
            (folder / "printed").write_text(_do_the_demo(folder), encoding="utf-8")
    return folder


def _do_the_demo(folder: Path) -> str:
    """As `make run` does it, until it says how to go on; then it is interrupted, as by Ctrl-C."""
    said = folder / "saying"
    chosen = {
        "SPECTRAL_DATA_DIR": str(folder / "data"),
        "SPECTRAL_PORT": str(free_port()),
        "COLUMNS": "200",
    }
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "spectral", "demo", "--serve"],
            env={**os.environ, **SETTINGS, **chosen},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    deadline = time.monotonic() + DEMO_LIMIT_S
    try:
        while "\nstop " not in said.read_text(encoding="utf-8"):
            assert process.poll() is None, said.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, said.read_text(encoding="utf-8")
            time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    return said.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def demo(demo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A server of this worker's own, with the demo's data."""
    data = tmp_path_factory.mktemp("demo") / "data"
    shutil.copytree(demo_folder / "data", data)
    result = json.loads((data / "demo.json").read_bytes())
    with DemoServer(
        "127.0.0.1", free_port(), SETTINGS | {"SPECTRAL_DATA_DIR": str(data)}, data / "server.log"
    ) as server:
        yield Demo(
            server.url,
            data,
            (demo_folder / "printed").read_text(encoding="utf-8"),
            result["workspace_id"],
            result["agent_id"],
            result["scan_id"],
            result["changeset_id"],
        )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(executable: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=flags())
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser, demo: Demo) -> AsyncIterator[BrowserContext]:
    """A browser that nobody has used, at the demo's server."""
    context = await browser.new_context(base_url=demo.url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext, demo: Demo) -> AsyncIterator[Page]:
    """A page, of nobody yet. At its end it must have done nothing that a page of ours does not do."""
    page = await context.new_page()
    complaints = Complaints(page, demo.url)
    yield page
    assert complaints.found == []


@pytest_asyncio.fixture(loop_scope="session")
async def signed_in(page: Page, demo: Demo) -> Page:
    """A page of somebody who has the demo account's cookie; going anywhere shows it."""
    await sign_in(page.context, demo.email, demo.password)
    return page


async def sign_in(context: BrowserContext, email: str, password: str) -> None:
    """Give the browser somebody's cookie."""
    answer = await context.request.post(
        "/api/v1/auth/login", data={"email": email, "password": password}, headers={"X-Spectral-Client": "web"}
    )
    assert answer.ok, await answer.text()


# ------------------------------------------------------------------------------------------------ what tests change


@pytest_asyncio.fixture(loop_scope="session")
async def api(demo: Demo) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the same server; nobody is signed in."""
    async with httpx.AsyncClient(base_url=demo.url, timeout=30) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def things(api: httpx.AsyncClient, demo: Demo) -> dict[str, str]:
    """One of each kind of thing in the demo's workspace: its path there."""
    signed_in = await api.post("/api/v1/auth/login", json={"email": demo.email, "password": demo.password})
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}

    async def newest(kind: str, name: str = "id") -> str:
        listed = await api.get(f"/api/v1/workspaces/{demo.workspace_id}/{kind}", params={"limit": 1}, headers=headers)
        return f"{kind.removeprefix('evaluations/')}/{listed.json()['results'][0][name]}"

    return {
        "agent": f"agents/{demo.agent_id}",
        "scan": f"scans/{demo.scan_id}",
        "change set": f"changesets/{demo.changeset_id}",
        "trace": await newest("traces", "trace_id"),
        "run": await newest("runs"),
        "samples": await newest("samples"),
        "rubric": await newest("evaluations/rubrics"),
        "objective": await newest("evaluations/objectives"),
    }


@pytest_asyncio.fixture(loop_scope="session")
async def tenant(api: httpx.AsyncClient) -> Tenant:
    """Somebody with an account of their own, which nothing else looks at."""
    return await register_tenant(api, f"owner-{uuid4().hex[:8]}")


@pytest_asyncio.fixture(loop_scope="session")
async def owner(page: Page, tenant: Tenant) -> Page:
    """A page of the owner of `tenant`; going anywhere shows it."""
    await sign_in(page.context, tenant.email, tenant.password)
    return page

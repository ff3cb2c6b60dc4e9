"""`python -m benchmarks.page_tasks`: eight everyday tasks in the page, each with its clicks and seconds.

The demo's workspace in a real browser. Seconds are those of the machine: what the page and the server take when nobody
stops to read. `--pictures FOLDER` takes the pictures of docs/page.md instead.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.async_api import Locator, Page, async_playwright

import hatch_build
from benchmarks.figures import Figure, print_table
from spectral.demo.story import EMAIL, PASSWORD
from tests.fixtures.browsers import WHERE, find_browser, flags
from tests.fixtures.servers import free_port

DEMO_LIMIT_S = 300.0
PATIENCE_MS = 60_000
SLOW = {"name": "answer_customer", "input": "Where is my refund?", "error": "the ledger timed out", "latency_ms": 9400}


class Person:
    """Somebody at the page. Counts clicks; a text that is typed counts as none, nor does a key."""

    def __init__(self, page: Page, workspace: str) -> None:
        self.page = page
        self.workspace = workspace
        self.clicks = 0

    async def click(self, what: Locator) -> None:
        await what.click()
        self.clicks += 1

    async def go_to(self, name: str) -> None:
        navigation = self.page.get_by_role("navigation", name="Workspace")
        await self.click(navigation.get_by_role("link", name=name, exact=True))

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)


@dataclass(frozen=True)
class Place:
    """The demo's installation."""

    url: str
    workspace_id: str
    agent: str
    api_key: str
    pages: dict[str, str]

    async def send(self, trace: dict[str, object], key: str | None = None) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            headers = {"Authorization": f"Bearer {key or self.api_key}"}
            answer = await client.post(f"/api/v1/workspaces/{self.workspace_id}/traces", json=trace, headers=headers)
            answer.raise_for_status()


async def first_trace(person: Person, place: Place) -> None:
    page = person.page
    await person.go_to("Settings")
    await person.click(page.get_by_role("link", name="API keys"))
    await person.click(person.button("New key"))
    await page.get_by_label("Name").fill("My agent")
    await person.click(person.button("Make the key"))
    key = await page.get_by_test_id("secret").inner_text()
    await place.send({"name": "first_trace", "input": "Hello", "output": "Hello to you"}, key)
    await person.click(person.button("I have copied it"))
    await person.go_to("Traces")
    await page.get_by_role("grid").get_by_role("row", name="first_trace").first.wait_for()


async def slow_failing_trace(person: Person, place: Place) -> None:
    await place.send(SLOW)
    page = person.page
    await person.go_to("Traces")
    filters = page.get_by_label("Filter traces")
    await filters.fill("status:error duration_ms:>2s")
    await filters.press("Enter")
    await person.click(page.get_by_role("grid").get_by_role("row", name=str(SLOW["name"])).first)
    await page.get_by_role("tree").get_by_role("treeitem").first.wait_for()
    await page.get_by_text(str(SLOW["error"])).first.wait_for()


async def samples_from_traces(person: Person, place: Place) -> None:
    del place
    page = person.page
    await person.go_to("Traces")
    await page.get_by_role("grid").get_by_role("row").nth(3).wait_for()
    await person.click(page.get_by_role("grid").get_by_role("checkbox").first)
    await person.click(person.button("Add to samples"))
    dialog = page.get_by_role("dialog")
    name = dialog.get_by_label("Name of the new set")
    if not await name.is_visible():
        await person.click(dialog.get_by_label("Sample set"))
        await person.click(page.get_by_role("option", name="new").first)
    await name.fill(f"From traces {time.time_ns()}")
    await person.click(dialog.locator("button[type=submit]"))
    await dialog.get_by_role("status").wait_for()


async def compare_configs(person: Person, place: Place) -> None:
    page = person.page
    await person.go_to("Agents")
    await person.click(page.get_by_text(place.agent, exact=True).first)
    await person.click(page.get_by_label("Compare version 1"))
    await person.click(page.get_by_label("Compare version 2"))
    await page.locator(".cm-editor").first.wait_for()


async def start_scan(person: Person, place: Place) -> None:
    del place
    page = person.page
    await person.click(page.get_by_role("link", name="Start a scan"))
    await page.get_by_text("Ready to start").wait_for()
    await person.click(person.button("Start scan"))
    await page.get_by_role("list", name="Phases").wait_for()


async def why_it_is_proposed(person: Person, place: Place) -> None:
    del place
    page = person.page
    await person.click(page.get_by_role("region", name="Change sets to review").get_by_text("Validated").first)
    await person.click(page.get_by_role("tab", name="Why"))
    await page.get_by_role("tabpanel").get_by_role("heading").first.wait_for()


async def accept_and_roll_back(person: Person, place: Place) -> None:
    del place
    page = person.page
    await person.click(page.get_by_role("region", name="Change sets to review").get_by_text("Validated").first)
    await person.click(person.button("Accept…"))
    await person.click(page.get_by_role("dialog").get_by_role("button", name="Promote to production"))
    await person.click(person.button("Roll back…"))
    confirm = page.get_by_role("alertdialog")
    await confirm.get_by_label("Reason").fill("Only to see the way back")
    await person.click(confirm.get_by_role("button", name="Roll back"))
    await confirm.wait_for(state="detached")


async def key_for_ci(person: Person, place: Place) -> None:
    del place
    page = person.page
    await person.go_to("Settings")
    await person.click(page.get_by_role("link", name="Service accounts"))
    await person.click(person.button("New service account"))
    await page.get_by_label("Name").fill("CI")
    await person.click(person.button("Make the account"))
    await page.get_by_test_id("secret").wait_for()


Task = Callable[[Person, Place], Awaitable[None]]

TASKS: dict[str, Task] = {
    "see the first trace of an agent": first_trace,
    "find the slow failing trace": slow_failing_trace,
    "make a sample set from traces": samples_from_traces,
    "compare two configurations": compare_configs,
    "start a scan": start_scan,
    "read why a change is proposed": why_it_is_proposed,
    "accept it, and roll it back": accept_and_roll_back,
    "give CI a key": key_for_ci,
}


def main() -> None:
    """Do each task once and print what it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page_tasks", description=__doc__)
    parser.add_argument("--pictures", type=Path, help="a folder for the pictures")
    options = parser.parse_args()
    if options.pictures is not None:
        options.pictures.mkdir(parents=True, exist_ok=True)
    hatch_build.build()
    with running_demo() as place:
        if options.pictures is not None:
            asyncio.run(take_pictures(place, options.pictures))
            return
        figures = asyncio.run(measure_tasks(place))
    print_table(figures, "the demo's workspace in a real browser; one server process, SQLite")


async def measure_tasks(place: Place) -> list[Figure]:
    """Each task from the overview, signed in."""
    figures = []
    async with _signed_in(place) as page:
        for what, task in TASKS.items():
            person = Person(page, place.workspace_id)
            await _overview(person)
            started = time.perf_counter()
            await task(person, place)
            took = time.perf_counter() - started
            figures.append(Figure(what, person.clicks, "clicks", f"{took:.1f} s"))
    return figures


async def take_pictures(place: Place, folder: Path) -> None:
    """The main path, a page each."""
    async with _signed_in(place) as page:
        for name, path in place.pages.items():
            await page.goto(f"/w/{place.workspace_id}/{path}")
            await page.get_by_role("heading", level=1).first.wait_for()
            await page.wait_for_load_state("networkidle")
            await page.screenshot(path=folder / f"{name}.png")


@asynccontextmanager
async def _signed_in(place: Place) -> AsyncIterator[Page]:
    executable = find_browser()
    if executable is None:
        raise RuntimeError(WHERE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=flags())
        context = await browser.new_context(base_url=place.url, viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        await page.goto("/")
        await page.get_by_label("E-mail").fill(EMAIL)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"**/w/{place.workspace_id}")
        yield page
        await browser.close()


async def _overview(person: Person) -> None:
    """Where each task begins; the way there, out of a dialog perhaps, is not counted."""
    await person.page.keyboard.press("Escape")
    await person.go_to("Overview")
    await person.page.get_by_role("region", name="Traffic").wait_for()
    person.clicks = 0


@contextmanager
def running_demo() -> Iterator[Place]:
    """A server with the demo's workspace, on data of its own; both are gone at the end."""
    with tempfile.TemporaryDirectory(prefix="spectral-tasks-") as folder:
        port = free_port()
        said = Path(folder) / "said"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SPECTRAL_")}
        environment |= {"SPECTRAL_DATA_DIR": f"{folder}/data", "SPECTRAL_PORT": str(port)}
        with said.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "spectral", "demo", "--serve"],
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            deadline = time.monotonic() + DEMO_LIMIT_S
            while "\nstop " not in said.read_text(encoding="utf-8"):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(said.read_text(encoding="utf-8"))
                time.sleep(0.2)
            yield _place(f"http://127.0.0.1:{port}", Path(folder) / "data")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def _place(url: str, data: Path) -> Place:
    result = json.loads((data / "demo.json").read_bytes())
    workspace = result["workspace_id"]
    with httpx.Client(base_url=url, timeout=30) as client:
        signed_in = client.post("/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD}).raise_for_status()
        headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        base = f"/api/v1/workspaces/{workspace}"
        agent = client.get(f"{base}/agents/{result['agent_id']}", headers=headers).raise_for_status().json()
        key = client.post(f"{base}/keys", json={"name": "tasks"}, headers=headers).raise_for_status().json()
        traces = client.get(f"{base}/traces", params={"limit": 1}, headers=headers).raise_for_status().json()["results"]
    pages = {
        "traces": f"traces?peek={traces[0]['trace_id']}",
        "trace": f"traces/{traces[0]['trace_id']}",
        "scan": f"scans/{result['scan_id']}",
        "changeset": f"changesets/{result['changeset_id']}",
        "agent": f"agents/{result['agent_id']}",
        "workflow": "workflows/new?example=order-approval",
    }
    return Place(url, workspace, agent["name"], key["key"], pages)


if __name__ == "__main__":
    main()

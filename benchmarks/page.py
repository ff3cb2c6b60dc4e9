"""The page in a real browser, on data of the sizes it is made for. Ratios to an idle page say more than times."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from playwright.async_api import BrowserContext, Page, async_playwright

from benchmarks.client import deliver, export_request, percentile
from benchmarks.figures import Figure
from benchmarks.server import PASSWORD, BenchServer
from benchmarks.traffic import SECOND_NS
from tests.fixtures.browsers import WHERE, find_browser, flags

TRACES = 100_000
SPANS_A_REQUEST = 500
LARGE_TRACE_SPANS = 5_000
LARGE_TRACE_BYTES = 10_000_000
DIFF_LINES = 2_000
SCROLL_S = 8.0
SCROLL_PIXELS = 240
ROUNDS = 5
KIBIBYTE = 1024
PATIENCE_MS = 60_000

# The time between two frames, for as long as it is asked to, while the wheel turns or nothing happens.
FRAMES = """(ms) => new Promise((resolve) => {
    const gaps = []; let last = performance.now(); const end = last + ms;
    const frame = (now) => {
        gaps.push(now - last); last = now;
        if (now < end) requestAnimationFrame(frame); else resolve(gaps);
    };
    requestAnimationFrame(frame);
})"""
SCRIPTS = """() => performance.getEntriesByType('resource')
    .filter((one) => new URL(one.name).pathname.endsWith('.js'))
    .reduce((sum, one) => sum + one.encodedBodySize, 0)"""


async def measure_page(server: BenchServer) -> list[Figure]:
    """What a person waits for: first page, list, large trace, large difference. Needs a browser."""
    sent = await _store_traces(server)
    large = await _store_large_trace(server)
    agent = await _store_versions(server)
    figures = []
    async with _browser(server) as context:
        page = await context.new_page()
        figures += await _first_page(page, server)
        await _sign_in(page, server)
        figures += await _list(page, server, sent)
        figures.append(await _large_trace(page, server, large))
        figures.append(await _difference(page, server, agent))
    return figures


async def _first_page(page: Page, server: BenchServer) -> list[Figure]:
    """Signing in, from an empty cache."""
    started = time.perf_counter()
    await page.goto(f"{server.url}/sign-in")
    await page.get_by_label("Password").wait_for()
    shown = time.perf_counter() - started
    scripts = await page.evaluate(SCRIPTS)
    return [
        Figure("first page, JavaScript over the wire", scripts / KIBIBYTE, "KiB", "gzip, empty cache"),
        Figure("first page, until one can type", shown * 1000, "ms", "empty cache"),
    ]


async def _list(page: Page, server: BenchServer, traces: int) -> list[Figure]:
    path = f"{server.url}/w/{server.workspace_id}/traces"
    opened = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await page.goto(path)
        await page.get_by_role("row").nth(5).wait_for()
        opened.append((time.perf_counter() - started) * 1000)
    await asyncio.sleep(1)
    idle = await page.evaluate(FRAMES, 2000)
    grid = page.get_by_role("grid")
    await grid.hover()
    rows_before = await grid.evaluate("(grid) => grid.querySelectorAll('[role=row]').length")
    measuring = asyncio.create_task(page.evaluate(FRAMES, SCROLL_S * 1000))
    end = time.perf_counter() + SCROLL_S
    turns = 0
    while time.perf_counter() < end:
        await page.mouse.wheel(0, SCROLL_PIXELS)
        turns += 1
    gaps = await measuring
    idle_p50, p50, p95 = percentile(idle, 50), percentile(gaps, 50), percentile(gaps, 95)
    # A frame and a half of sixty a second.
    smooth = sum(gap < 25 for gap in gaps) / len(gaps) * 100
    detail = (
        f"p95 {p95:.1f} ms; {smooth:.0f} % within 25 ms; an idle page: p50 {idle_p50:.1f} ms; {turns} turns of the "
        f"wheel, {rows_before} rows in the document"
    )
    return [
        Figure(f"{traces:,} traces, until the list shows", percentile(opened, 50), "ms", f"median of {ROUNDS} loads"),
        Figure("the same, a frame while it scrolls, p50", p50, "ms", detail),
    ]


async def _large_trace(page: Page, server: BenchServer, trace_id: str) -> Figure:
    took = []
    for _ in range(ROUNDS):
        await page.goto("about:blank")
        started = time.perf_counter()
        await page.goto(f"{server.url}/w/{server.workspace_id}/traces/{trace_id}")
        await page.get_by_role("treeitem").nth(10).wait_for()
        took.append((time.perf_counter() - started) * 1000)
    detail = f"{LARGE_TRACE_BYTES / 1e6:.0f} MB, whole page load; slowest of {ROUNDS}: {max(took):,.0f} ms"
    return Figure(f"a trace of {LARGE_TRACE_SPANS:,} spans, until it shows", percentile(took, 50), "ms", detail)


async def _difference(page: Page, server: BenchServer, agent: str) -> Figure:
    took = []
    for _ in range(ROUNDS):
        await page.goto("about:blank")
        started = time.perf_counter()
        await page.goto(f"{server.url}/w/{server.workspace_id}/agents/{agent}?a=1&b=2")
        await page.locator(".cm-mergeView, .cm-editor").first.wait_for()
        took.append((time.perf_counter() - started) * 1000)
    name = f"a difference of {DIFF_LINES:,} lines, until it shows"
    return Figure(name, percentile(took, 50), "ms", f"whole page load; slowest of {ROUNDS}: {max(took):,.0f} ms")


# -------------------------------------------------------------------------------------------------------------- data


async def _store_traces(server: BenchServer) -> int:
    """As many traces of one span each as a busy week has."""
    dice = random.Random(5)  # noqa: S311
    now = time.time_ns()
    left = TRACES // SPANS_A_REQUEST
    while left:
        count = min(left, 32)
        requests = [export_request(server.api_key, _traces(dice, now), compressed=False) for _ in range(count)]
        await deliver(server.port, requests, 8)
        left -= count
    return TRACES


def _traces(dice: random.Random, now: int) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "support"
    spans = resource.scope_spans.add().spans
    for _ in range(SPANS_A_REQUEST):
        start = now - dice.randrange(60, 6 * 86_400) * SECOND_NS
        span = spans.add(
            trace_id=dice.randbytes(16),
            span_id=dice.randbytes(8),
            name="chat",
            start_time_unix_nano=start,
            end_time_unix_nano=start + dice.randrange(50, 4000) * 1_000_000,
        )
        _say(span, "gen_ai.operation.name", "chat")
        _say(span, "gen_ai.request.model", "gpt-4o-mini")
        _say(span, "gen_ai.agent.name", f"support-{dice.randrange(5)}")
        _say(span, "session.id", f"session-{dice.randrange(20_000)}")
        _say(span, "input.value", f"Where is my parcel {dice.randrange(10**6)}? It was to come on Monday.")
        _say(span, "output.value", "It is on its way.")
    return bytes(request.SerializeToString())


async def _store_large_trace(server: BenchServer) -> str:
    dice = random.Random(6)  # noqa: S311
    trace_id = dice.randbytes(16)
    start = time.time_ns() - 3600 * SECOND_NS
    content = "The carrier's answer, word by word. " * (LARGE_TRACE_BYTES // LARGE_TRACE_SPANS // 36)
    ids = [dice.randbytes(8) for _ in range(LARGE_TRACE_SPANS)]
    requests = []
    for first in range(0, LARGE_TRACE_SPANS, SPANS_A_REQUEST):
        request = ExportTraceServiceRequest()
        spans = request.resource_spans.add().scope_spans.add().spans
        for number in range(first, first + SPANS_A_REQUEST):
            span = spans.add(
                trace_id=trace_id,
                span_id=ids[number],
                parent_span_id=ids[dice.randrange(max(0, number - 40), number)] if number else b"",
                name=f"step {number}",
                start_time_unix_nano=start + number * 1_000_000,
                end_time_unix_nano=start + (number + 400) * 1_000_000,
            )
            _say(span, "input.value", content)
        requests.append(export_request(server.api_key, request.SerializeToString(), compressed=False))
    await deliver(server.port, requests, 4)
    return trace_id.hex()


def _say(span: Any, key: str, value: str) -> None:
    span.attributes.add(key=key).value.string_value = value


async def _store_versions(server: BenchServer) -> str:
    """An agent with two versions that differ in every tenth of two thousand lines."""
    workspace = f"/api/v1/workspaces/{server.workspace_id}"

    def config(version: int) -> dict[str, Any]:
        rules = (f"Rule {n}: be kind{' and quick' if version > 1 and n % 10 == 0 else ''}." for n in range(DIFF_LINES))
        message = {"role": "system", "content": "\n".join(rules)}
        return {"model": "spectral-local/small", "prompts": {"main": {"messages": [message]}}}

    async with httpx.AsyncClient(base_url=server.url, headers=server.headers, timeout=60) as client:
        made = await client.post(f"{workspace}/agents", json={"name": "Long", "config": config(1)})
        agent: str = made.raise_for_status().json()["id"]
        added = await client.post(f"{workspace}/agents/{agent}/configs", json={"config": config(2)})
        added.raise_for_status()
    return agent


# ----------------------------------------------------------------------------------------------------------- browser


@asynccontextmanager
async def _browser(server: BenchServer) -> AsyncIterator[BrowserContext]:
    executable = find_browser()
    if executable is None:
        raise RuntimeError(WHERE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=flags())
        context = await browser.new_context(base_url=server.url, viewport={"width": 1440, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        yield context
        await browser.close()


async def _sign_in(page: Page, server: BenchServer) -> None:
    await page.get_by_label("E-mail").fill("bench@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"**/w/{server.workspace_id}")

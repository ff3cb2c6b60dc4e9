"""A workflow is written in the page, stored and run; the page of its run shows each step as it happens."""

import re
from uuid import uuid4

import httpx
from playwright.async_api import Locator, Page, expect

from tests.fixtures.browsers import violations
from tests.fixtures.tenants import Tenant

DOCUMENT = """\
name: {name}
inputs:
  subject: {{type: string, default: a refund of 80 EUR}}
outputs:
  said: ${{steps.tell.outputs.said}}
steps:
  - id: decide
    kind: interrupt
    title: "Approve: ${{inputs.subject}}?"
    timeout: 1d
    on_timeout: reject
  - id: tell
    kind: map
    mapping:
      said: "${{'yes' if steps.decide.outputs.approved else 'no'}}"
"""
MISTAKE = ("steps.decide.outputs", "steps.decides.outputs")


def step(graph: Locator, name: str) -> Locator:
    """A box of a graph, of which the whole name is what it is called, its kind, and what has become of it."""
    return graph.get_by_role("group", name=re.compile(f"^{name}"))


async def write(page: Page, text: str) -> None:
    """Takes the place of the document, from the clipboard: what is typed is indented by the editor."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    editor = page.get_by_role("textbox", name="The workflow's document")
    await editor.click()
    await page.evaluate("(text) => navigator.clipboard.writeText(text)", text)
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.press("ControlOrMeta+v")


async def test_the_editor_names_the_line_of_a_mistake_and_draws_what_is_right(owner: Page, tenant: Tenant) -> None:
    text = DOCUMENT.format(name="refunds")
    await owner.goto(f"/w/{tenant.workspace_id}/workflows/new")
    graph = owner.get_by_role("group", name="The workflow's graph", exact=True)
    await expect(step(graph, "hello")).to_be_visible()
    await write(owner, text.replace(*MISTAKE))
    line = 1 + text.splitlines().index(next(row for row in text.splitlines() if MISTAKE[0] in row))
    said = owner.get_by_role("listitem").filter(has_text=f"Line {line}")
    await expect(said).to_contain_text("decides")
    await expect(owner.get_by_text("As it was before the mistake")).to_be_visible()
    await expect(step(graph, "hello")).to_be_visible()
    assert await violations(owner) == []
    await write(owner, text)
    await expect(owner.get_by_text("Valid", exact=True)).to_be_visible()
    await expect(step(graph, "decide")).to_be_visible()
    await expect(step(graph, "tell")).to_be_visible()
    await expect(step(graph, "hello")).to_have_count(0)


async def test_a_run_asks_somebody_and_a_reload_tells_the_same(
    owner: Page, api: httpx.AsyncClient, tenant: Tenant
) -> None:
    name = f"refunds-{uuid4().hex[:8]}"
    await owner.goto(f"/w/{tenant.workspace_id}/workflows/new")
    await write(owner, DOCUMENT.format(name=name))
    await expect(step(owner.get_by_role("group", name="The workflow's graph", exact=True), "decide")).to_be_visible()
    await owner.get_by_role("button", name="Store", exact=True).click()
    await expect(owner.get_by_role("heading", level=1, name=re.compile(name))).to_contain_text("version 1")

    await owner.get_by_role("button", name="Run…").click()
    dialog = owner.get_by_role("dialog", name=f"Run {name}")
    await expect(dialog.get_by_role("textbox", name="Inputs, as JSON")).to_contain_text("a refund of 80 EUR")
    await dialog.get_by_role("button", name="Start").click()
    await expect(owner).to_have_url(re.compile("/runs/"))
    graph = owner.get_by_role("group", name=f"Graph of {name}")
    await expect(owner.get_by_text("Approve: a refund of 80 EUR?", exact=True)).to_be_visible()
    await expect(graph.get_by_role("group", name=re.compile("^decide, interrupt, interrupted"))).to_be_visible()
    assert await violations(owner) == []

    await owner.get_by_role("button", name="Answer", exact=True).click()
    question = owner.get_by_role("dialog", name="Approve: a refund of 80 EUR?")
    await question.get_by_label("Comment").fill("It was broken when it came")
    await question.get_by_role("button", name="Approve").click()
    await expect(question).to_have_count(0)
    for _ in range(2):
        # The second time everything is told again from the beginning.
        await expect(owner.get_by_role("heading", level=1)).to_contain_text("Succeeded")
        for finished in ("decide", "tell"):
            await expect(graph.get_by_role("group", name=re.compile(f"^{finished}, .*, succeeded"))).to_be_visible()
        await expect(owner.get_by_role("tab", name=re.compile("^Steps"))).to_contain_text("2")
        await owner.reload()
    run = await api.get(f"{tenant.url}/runs/{owner.url.rpartition('/')[2]}", headers=tenant.client_headers)
    assert run.json()["outputs"] == {"said": "yes"}

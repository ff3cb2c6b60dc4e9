"""From an address that was printed to one's own workspace; and whoever was somewhere comes back there."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Demo
from tests.fixtures.browsers import violations


async def enter(page: Page, password: str) -> None:
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def test_the_printed_address_opens_on_the_demo_s_workspace(page: Page, demo: Demo) -> None:
    printed = re.search(r"^page +(\S+)$", demo.printed, re.MULTILINE)
    assert printed is not None, demo.printed
    assert demo.password not in printed[1]
    parts = urlsplit(printed[1])
    await page.goto(f"{parts.path}?{parts.query}")
    await expect(page.get_by_label("E-mail")).to_have_value(demo.email)
    assert await violations(page) == []
    await enter(page, demo.password)
    await expect(page).to_have_url(f"{demo.url}{demo.path}")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_role("navigation", name="Workspace")).to_be_visible()


@pytest.mark.parametrize("name", ["change set", "scan", "traces"])
async def test_the_other_printed_addresses_open_too(signed_in: Page, demo: Demo, name: str) -> None:
    printed = re.search(rf"^{name} +(\S+)$", demo.printed, re.MULTILINE)
    assert printed is not None, demo.printed
    await signed_in.goto(urlsplit(printed[1]).path)
    await expect(signed_in.get_by_role("heading", level=1)).to_be_visible()
    await expect(signed_in.get_by_role("alert")).to_have_count(0)


async def test_a_wrong_password_is_told_and_nothing_is_lost(page: Page, demo: Demo) -> None:
    await page.goto(f"/sign-in?email={demo.email}")
    await enter(page, "not-the-password-of-anybody")
    await expect(page.get_by_role("alert")).to_have_text("E-mail or password is wrong.")
    assert await violations(page) == []
    await expect(page.get_by_label("E-mail")).to_have_value(demo.email)
    await enter(page, demo.password)
    await expect(page).to_have_url(re.compile(re.escape(demo.path)))


async def test_a_link_survives_signing_in(page: Page, demo: Demo) -> None:
    wanted = f"{demo.path}/traces?status=error"
    await page.goto(wanted)
    await expect(page).to_have_url(re.compile(r"/sign-in\?"))
    await page.get_by_label("E-mail").fill(demo.email)
    await enter(page, demo.password)
    await expect(page).to_have_url(re.compile(rf"{re.escape(demo.path)}/traces\?.*status=error"))


async def test_a_reload_keeps_the_session_and_signing_out_ends_it(signed_in: Page, demo: Demo) -> None:
    await signed_in.goto(demo.path)
    workspace = signed_in.get_by_role("navigation", name="Workspace")
    await expect(workspace).to_be_visible()
    for _ in range(2):
        # Each takes a new access token for the cookie, which changes with it.
        await signed_in.reload()
        await expect(workspace).to_be_visible()
    await expect(signed_in).to_have_url(f"{demo.url}{demo.path}")
    await signed_in.context.clear_cookies()
    await signed_in.reload()
    await expect(signed_in).to_have_url(re.compile(r"/sign-in\?"))
    await expect(signed_in.get_by_label("Password")).to_be_visible()

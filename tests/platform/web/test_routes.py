"""The page is served wherever no route of the API is, and nowhere else; its files for ever, itself never unasked."""

import base64
import gzip
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from spectral.platform.logs import configure_logs
from spectral.platform.shared.problems import MEDIA_TYPE
from spectral.platform.web.page import read_page
from spectral.platform.web.routes import PAGE, takes_gzip
from spectral.settings import Settings
from tests.fixtures.databases import make_settings
from tests.fixtures.servers import BASE_URL

THEME = "\n  document.documentElement.classList.add('a' && \"b\");\n"
INDEX = f"<!doctype html><script>{THEME}</script><script type=module src=/assets/main-AbC_-123.js></script>".encode()
SCRIPT = b"export const answer = 42;" * 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built page, as small as one can be."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "assets").mkdir()
    for name, content in {"index.html": INDEX, "assets/main-AbC_-123.js": SCRIPT}.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    (folder / "assets" / "inter-0aB9_xYz.woff2").write_bytes(b"\0font")
    (folder / "assets" / "spectral.svg").write_bytes(b"<svg/>")
    (folder / "icon.svg").write_bytes(b"<svg/>")
    (folder / ".digest").write_text("0")
    return folder


@pytest.fixture
def pageless(tmp_path: Path, create_app: Callable[[Settings], Litestar]) -> Litestar:
    settings = make_settings(tmp_path)
    configure_logs(settings.log_format, settings.log_level)
    app = create_app(settings)
    app.state[PAGE] = None
    return app


@pytest.fixture
def browser(pageless: Litestar, folder: Path) -> httpx.AsyncClient:
    """A client on an application with that page. It is not started: nothing of this needs a database."""
    pageless.state[PAGE] = read_page(folder)
    return client_of(pageless)


def client_of(app: Litestar) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE_URL)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/", "/sign-in", "/w/0b1c/traces?q=a%20b", "/w/0b1c/traces/", "/index.html", "/x.y"])
async def test_every_address_of_the_application_is_the_page(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path)
    assert (answer.status_code, answer.content) == (200, INDEX)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "sandbox" not in answer.headers["content-security-policy"]
    head = await browser.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1/nothing",
        "/api/v2/workspaces",
        "/otel/v1/nothing",
        "/ws/nothing",
        "/assets",
        "/assets/",
        "/assets/gone-AbC_-123.js",
        "/assets/%2e%2e/.digest",
        "/docs/nothing",
        "/docs/static/nothing.js",
        "/.well-known/nothing",
    ],
)
async def test_what_programs_ask_for_is_not_the_page(browser: httpx.AsyncClient, pageless: Litestar, path: str) -> None:
    answer = await browser.get(path)
    pageless.state[PAGE] = None
    without = await client_of(pageless).get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, without.headers["content-type"])
    assert path.startswith("/otel") or answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_find_nothing_there(browser: httpx.AsyncClient, method: str) -> None:
    answer = await browser.request(method, "/w/0b1c/traces")
    assert (answer.status_code, answer.headers["content-type"]) == (404, MEDIA_TYPE)


async def test_hidden_and_compressed_files_are_no_files_of_the_page(browser: httpx.AsyncClient) -> None:
    for path in ("/.digest", "/index.html.gz"):
        assert (await browser.get(path)).content == INDEX
    assert (await browser.get("/assets/main-AbC_-123.js.gz")).status_code == 404


async def test_files_named_after_their_content_are_kept_for_ever(browser: httpx.AsyncClient) -> None:
    for name in ("main-AbC_-123.js", "inter-0aB9_xYz.woff2"):
        answer = await browser.get(f"/assets/{name}")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path, media_type in {"/assets/spectral.svg": "image/svg+xml", "/icon.svg": "image/svg+xml"}.items():
        answer = await browser.get(path)
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-type"] == media_type


async def test_text_is_sent_compressed_to_who_takes_it(browser: httpx.AsyncClient) -> None:
    path = "/assets/main-AbC_-123.js"
    plain = await browser.get(path, headers={"accept-encoding": "identity"})
    packed = await browser.get(path, headers={"accept-encoding": "br, gzip"})
    assert plain.content == packed.content == SCRIPT
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(SCRIPT) == int(plain.headers["content-length"])
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert plain.headers["etag"] != packed.headers["etag"]
    assert "content-encoding" not in (await browser.get("/assets/inter-0aB9_xYz.woff2")).headers


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP;q=0.1", True),
        ("br;q=1, gzip; q=0", False),
        ("*", True),
        ("*;q=0", False),
        ("identity, *;q=0.5", True),
        ("gzip;q=nonsense", False),
    ],
)
def test_an_accept_encoding_is_read_as_it_is_meant(accepted: str, takes: bool) -> None:  # noqa: FBT001 - a parameter
    assert takes_gzip(accepted) is takes


async def test_who_has_the_page_is_told_so(browser: httpx.AsyncClient) -> None:
    for encoding in ("gzip", "identity"):
        first = await browser.get("/", headers={"accept-encoding": encoding})
        again = await browser.get("/w", headers={"accept-encoding": encoding, "if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["content-security-policy"] == first.headers["content-security-policy"]


async def test_the_policy_admits_the_page_s_own_scripts_and_no_other_origin(browser: httpx.AsyncClient) -> None:
    policy = policy_of(await browser.get("/"))
    known = base64.b64encode(hashlib.sha256(THEME.encode()).digest()).decode()
    assert policy["script-src"] == f"'self' 'sha256-{known}'"
    assert policy["style-src"] == "'self'"
    assert policy["style-src-elem"] == "'self' 'unsafe-inline'"
    names = ("default-src", "style-src-attr", "object-src", "base-uri", "form-action", "frame-ancestors")
    assert {policy[name] for name in names} == {"'none'"}
    assert not any("http" in sources or "*" in sources or "eval" in sources for sources in policy.values())


async def test_a_server_without_a_page_says_what_to_do(pageless: Litestar) -> None:
    answer = await client_of(pageless).get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "pip install ." in answer.text
    assert "make run" in answer.text
    assert set(re.findall(r'(?:src|href)="([^"]+)"', answer.text)) == {"/docs"}
    assert policy_of(answer)["script-src"] == "'self'"
    for path in ("/w/0b1c", "/assets/main-AbC_-123.js"):
        missing = await client_of(pageless).get(path)
        assert (missing.status_code, missing.headers["content-type"]) == (404, MEDIA_TYPE)


def policy_of(answer: httpx.Response) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: sources for name, _, sources in parts}

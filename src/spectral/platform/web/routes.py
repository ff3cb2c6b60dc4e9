"""How the page is served: its files under `/assets`, itself wherever no route of the API is."""

import re
from collections.abc import Callable
from typing import Any

from litestar import HttpMethod, MediaType, Request, Response, route
from litestar.exceptions import NotFoundException
from litestar.types import ControllerRouterHandler

from spectral.platform.dependencies import service_of
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.web.page import Page, PageFile, security_policy

PAGE = "web_page"
"""What the application has its `Page` under; None when it was built without."""

AnyRequest = Request[Any, Any, Any]
Render = Callable[[AnyRequest, Exception], Response[bytes]]

READING = (HttpMethod.GET, HttpMethod.HEAD)
# Who asks for something below these is a program, and is told that it is not there.
NOT_THE_PAGE_S = frozenset({".well-known", "api", "assets", "docs", "otel", "ws"})
# Vite names a file after its content.
NAMED_AFTER_CONTENT = re.compile(r"-[\w-]{8}\.\w+$")
FOR_EVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"

NOT_BUILT = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Spectral</title></head>
<body>
<h1>This server has no page</h1>
<p>Spectral was installed without its browser application (<code>SPECTRAL_SKIP_WEB=1</code>, or files that were copied
rather than built). The API works without it: <a href="/docs">its reference</a>.</p>
<p>To get the page, install Spectral again with <code>pip install .</code> in its source folder, or start it there with
<code>make run</code>, and restart this server.</p>
</body>
</html>
"""


@route(
    "/",
    http_method=READING,
    operation_id="showPage",
    opt={"public": True, "uncounted": True},
    include_in_schema=False,
    sync_to_thread=False,
)
def show_page(request: AnyRequest) -> Response[bytes]:
    page: Page | None = service_of(request.scope, PAGE)
    if page is None:
        policy = {"Content-Security-Policy": security_policy(NOT_BUILT), "Cache-Control": ASK_EACH_TIME}
        return Response(NOT_BUILT.encode(), media_type=MediaType.HTML, headers=policy)
    return _answer(request, page, page.index, ASK_EACH_TIME)


@route(
    "/assets/{file_path:path}",
    http_method=READING,
    operation_id="readPageFile",
    opt={"public": True, "uncounted": True},
    include_in_schema=False,
    sync_to_thread=False,
)
def read_page_file(request: AnyRequest, file_path: str) -> Response[bytes]:
    page: Page | None = service_of(request.scope, PAGE)
    file = page.files.get(f"/assets{file_path}") if page else None
    if page is None or file is None:
        raise NotFoundError("Resource")
    return _answer(request, page, file, FOR_EVER if NAMED_AFTER_CONTENT.search(file_path) else ASK_EACH_TIME)


def page_routes() -> list[ControllerRouterHandler]:
    """`/` and `/assets/…`; the page's other addresses are what `page_or_problem` answers."""
    return [show_page, read_page_file]


def page_or_problem(render: Render) -> Render:
    """Renders what was not found: as the page where a browser asks for an address that no route matched.

    No route of ours stands for these addresses, so that every other method, and whatever was looked for and is not
    there, is answered as if there were no page.
    """

    def rendered(request: AnyRequest, error: Exception) -> Response[bytes]:
        page: Page | None = service_of(request.scope, PAGE)
        if page is None or not isinstance(error, NotFoundException) or not _is_of_the_page(request):
            return render(request, error)
        return _answer(request, page, page.files.get(request.scope["path"], page.index), ASK_EACH_TIME)

    return rendered


def _is_of_the_page(request: AnyRequest) -> bool:
    """Whether no route matched this request and the page has an answer to it."""
    first = request.scope["path"].strip("/").partition("/")[0]
    return "route_handler" not in request.scope and request.method in READING and first not in NOT_THE_PAGE_S


def _answer(request: AnyRequest, page: Page, file: PageFile, cache_control: str) -> Response[bytes]:
    """A file as the caller can take it; 304 where they have it already."""
    is_gzipped = file.gzipped is not None and takes_gzip(request.headers.get("accept-encoding", ""))
    tag = f'"{file.digest}{"-gzip" if is_gzipped else ""}"'
    headers = {"Cache-Control": cache_control, "ETag": tag, "Vary": "Accept-Encoding"}
    if file is page.index:
        headers["Content-Security-Policy"] = page.security_policy
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, media_type=file.media_type, headers=headers)
    if is_gzipped:
        headers["Content-Encoding"] = "gzip"
    content = file.gzipped if is_gzipped and file.gzipped is not None else file.content
    return Response(content, status_code=200, media_type=file.media_type, headers=headers)


def takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` names gzip, or anything, with a weight above nothing.  Source: RFC 9110 §12.5.3."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        coding, _, parameters = part.partition(";")
        name, _, weight = parameters.strip().partition("=")
        try:
            weights[coding.strip()] = float(weight) if name.strip() == "q" else 1.0
        except ValueError:
            weights[coding.strip()] = 0.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0

"""The routes of the reference. No page of it asks another origin for anything."""

from pathlib import Path
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.datastructures import CacheControlHeader
from litestar.serialization import encode_json
from litestar.static_files import create_static_files_router
from litestar.types import ControllerRouterHandler

from spectral.platform.docs.document import openapi_document

STATIC = Path(__file__).parent / "static"

# Redoc styles its parts at run time and searches in a worker made from a blob; nothing else is let in.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; worker-src blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def _page(name: str) -> Response[bytes]:
    return Response(
        (STATIC / name).read_bytes(),
        media_type=MediaType.HTML,
        headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY, "X-Content-Type-Options": "nosniff"},
    )


@get("/docs", operation_id="showSwaggerUi", opt={"public": True}, include_in_schema=False, sync_to_thread=False)
def show_swagger_ui() -> Response[bytes]:
    return _page("swagger.html")


@get("/redoc", operation_id="showRedoc", opt={"public": True}, include_in_schema=False, sync_to_thread=False)
def show_redoc() -> Response[bytes]:
    return _page("redoc.html")


@get(
    "/openapi.json",
    operation_id="readOpenApiDocument",
    opt={"public": True},
    include_in_schema=False,
    sync_to_thread=False,
)
def read_openapi_document(request: Request[Any, Any, Any]) -> Response[bytes]:
    return Response(encode_json(openapi_document(request.app)), media_type=MediaType.JSON)


def docs_routes() -> list[ControllerRouterHandler]:
    """`/docs` (Swagger UI), `/redoc`, `/openapi.json` and the files the two pages load."""
    files = create_static_files_router(
        "/docs/static",
        directories=[STATIC],
        name="docs-files",
        opt={"public": True},
        cache_control=CacheControlHeader(public=True, max_age=3600),
    )
    return [show_swagger_ui, show_redoc, read_openapi_document, files]

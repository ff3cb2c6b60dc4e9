"""The reference is complete, and its pages ask no other origin for anything."""

import re
from typing import Annotated, Any

import httpx
import pytest
from litestar import Litestar, get, post
from litestar.di import Provide
from pydantic import BaseModel, PlainSerializer

from spectral.platform.access.guards import requires
from spectral.platform.access.scopes import Scope
from spectral.platform.docs.document import openapi_config, openapi_document
from spectral.platform.docs.pages import STATIC, docs_routes
from tests.fixtures.tenants import Tenant

PAGES = ("/docs", "/redoc")


class Thing(BaseModel):
    name: str


@get("/api/v1/things", operation_id="list_things", opt={"public": True}, tags=["things"])
async def list_things(limit: int = 20) -> list[Thing]:
    return [Thing(name="one")][:limit]


@post(
    "/api/v1/things/{thing_id:uuid}",
    operation_id="change_thing",
    guards=[requires(Scope.WRITE_WORKSPACE, Scope.APPROVE_AGENTS)],
    opt={"idempotent": True},
    tags=["things"],
    dependencies={"nothing": Provide(lambda: None, sync_to_thread=False)},
)
async def change_thing(data: Thing) -> Thing:
    """The thing is changed."""
    return data


class Priced(BaseModel):
    cost_usd: Annotated[int, PlainSerializer(str, return_type=str)]


@post("/api/v1/prices", operation_id="set_price", opt={"public": True}, tags=["things"])
async def set_price(data: Priced) -> Priced:
    return data


@post("/otel/v1/things", operation_id="push_things", opt={"public": True}, tags=["things"])
async def push_things(data: Thing) -> Thing:
    return data


@pytest.fixture(scope="module")
def documented() -> Litestar:
    return Litestar(
        [list_things, change_thing, set_price, push_things, *docs_routes()],
        openapi_config=openapi_config("1.2.3"),
        logging_config=None,
    )


@pytest.fixture
def browser(documented: Litestar) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=documented)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://spectral.test")


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_loads_everything_from_its_own_origin(browser: httpx.AsyncClient, page: str) -> None:
    answer = await browser.get(page)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert loaded
    for address in loaded:
        assert address.startswith("/"), f"{page} loads {address}"
        assert (await browser.get(address)).status_code == 200, address


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_s_policy_forbids_other_origins_and_inline_scripts(browser: httpx.AsyncClient, page: str) -> None:
    answer = await browser.get(page)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert {policy[name] for name in ("object-src", "base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert not any("http" in sources or "*" in sources for sources in policy.values())
    assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text)


def test_the_copied_files_name_their_licences() -> None:
    listed = (STATIC / "LICENSES.md").read_text()
    for path in STATIC.iterdir():
        copied = path.name.startswith(("swagger-ui", "redoc."))
        if copied and path.suffix in {".js", ".css"}:
            assert f"`{path.name}`" in listed
    assert "https://cdn" not in (STATIC / "redoc.standalone.js").read_text()


async def test_only_files_of_the_reference_are_served(browser: httpx.AsyncClient) -> None:
    for path in ("/docs/static/", "/docs/static/../pages.py", "/docs/static/%2e%2e/pages.py", "/docs/static/none.js"):
        assert (await browser.get(path)).status_code == 404, path


async def test_reading_the_document_changes_no_answer(client: httpx.AsyncClient, tenant: Tenant) -> None:
    async def refused() -> list[str]:
        answer = await client.get(f"{tenant.url}/runs?sort=sideways", headers=tenant.client_headers)
        assert answer.status_code == 422
        return [error["pointer"] for error in answer.json()["errors"]]

    before = await refused()
    assert (await client.get("/openapi.json")).status_code == 200
    assert await refused() == before == ["sort"]


async def test_the_document_is_served_and_the_framework_s_own_pages_are_not(browser: httpx.AsyncClient) -> None:
    document = (await browser.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == "1.2.3"
    for path in ("/schema", "/schema/openapi.json", "/openapi"):
        assert (await browser.get(path)).status_code == 404


def test_every_operation_documents_its_problems(documented: Litestar) -> None:
    paths = openapi_document(documented)["paths"]
    listing = paths["/api/v1/things"]["get"]
    change = paths["/api/v1/things/{thing_id}"]["post"]
    assert set(listing["responses"]) == {"200", "400", "422", "429", "500", "503"}
    assert set(change["responses"]) == {
        *("201", "400", "401", "403", "404", "408", "409", "413", "415", "422", "429", "500", "503")
    }
    assert change["responses"]["404"] == {"$ref": "#/components/responses/NotFound"}


def test_every_reference_in_the_document_leads_somewhere(documented: Litestar) -> None:
    document = openapi_document(documented)
    for reference in _references(document):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
    problem = document["components"]["responses"]["NotFound"]["content"]
    assert list(problem) == ["application/problem+json"]


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        found = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return found + [reference for part in value.values() for reference in _references(part)]
    if isinstance(value, list):
        return [reference for part in value for reference in _references(part)]
    return []


def test_who_may_call_stands_in_the_document(documented: Litestar) -> None:
    paths = openapi_document(documented)["paths"]
    change = paths["/api/v1/things/{thing_id}"]["post"]
    assert change["x-required-scopes"] == [["approve:agents", "write:workspace"]]
    assert change["security"] == [{"bearer": []}, {"apiKey": []}]
    assert change["description"].startswith("The thing is changed.")
    assert paths["/api/v1/things"]["get"]["security"] == []


def test_a_model_is_documented_as_it_is_written_and_read(documented: Litestar) -> None:
    document = openapi_document(documented)
    schemas = document["components"]["schemas"]
    written = schemas["Priced-Output"]["properties"]["cost_usd"]
    read = schemas["Priced-Input"]["properties"]["cost_usd"]
    assert (written["type"], read["type"]) == ("string", "integer")
    body = document["paths"]["/api/v1/prices"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["$ref"] == "#/components/schemas/Priced-Input"


def test_an_idempotent_operation_takes_a_key(documented: Litestar) -> None:
    paths = openapi_document(documented)["paths"]
    named = [parameter["name"] for parameter in paths["/api/v1/things/{thing_id}"]["post"]["parameters"]]
    assert "Idempotency-Key" in named


def test_a_surface_with_errors_of_its_own_documents_no_problems(documented: Litestar) -> None:
    push = openapi_document(documented)["paths"]["/otel/v1/things"]["post"]
    assert "500" not in push["responses"]

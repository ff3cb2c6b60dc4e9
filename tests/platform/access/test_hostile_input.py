"""Members that nobody asked for and ids in every disguise change nothing and reach nobody else's things."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from spectral.platform.db.session import Database
from spectral.platform.docs.document import openapi_document
from spectral.settings import Settings
from tests.fixtures.databases import PostgresTemplate
from tests.fixtures.examples import EXAMPLES, JSON, names_in
from tests.fixtures.project import Operation, operations
from tests.fixtures.snapshots import differences, snapshot
from tests.fixtures.world import World, WorldBuilder

WRITING = {"POST", "PUT", "PATCH"}
# OTLP tells receivers to ignore members that they do not know.
LENIENT = {"exportTraces", "exportLogs", "exportMetrics"}


@pytest.fixture
async def worlds(client: httpx.AsyncClient, database: Database) -> tuple[World, World]:
    ours = await WorldBuilder(client, database, "ours").build()
    return ours, await WorldBuilder(client, database, "theirs").build()


def writing(app: Litestar) -> list[Operation]:
    found = [operation for operation in operations(app) if operation.method in WRITING]
    bodies = {operation.name: EXAMPLES[operation.name] for operation in found if operation.name in EXAMPLES}
    return [o for o in found if o.name in bodies and isinstance(bodies[o.name].body, dict) and o.name not in LENIENT]


def named_members(app: Litestar) -> dict[str, set[str]]:
    """The members that each operation's body documents, by the operation's id."""
    document = openapi_document(app)
    found = {}
    for item in document["paths"].values():
        for operation in item.values():
            content = operation.get("requestBody", {}).get("content", {}).get(JSON)
            if content is not None:
                found[operation["operationId"]] = set(_properties(content["schema"], document))
    return found


def _properties(schema: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    yield from schema.get("properties", {})
    for part in [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]:
        yield from _properties(part, document)


async def test_a_body_sets_nothing_but_what_its_schema_names(
    app: Litestar,
    client: httpx.AsyncClient,
    worlds: tuple[World, World],
    settings: Settings,
    request: pytest.FixtureRequest,
) -> None:
    """Role, account, workspace, id, creator and the like, at the top of each body that has a schema."""
    ours, theirs = worlds
    template: PostgresTemplate | None = None if settings.uses_sqlite else request.getfixturevalue("postgres_template")
    extras = {
        "role": "owner",
        "scopes": ["admin:account"],
        "account_id": theirs.ids["account_id"],
        "workspace_id": theirs.ids["workspace_id"],
        "user_id": theirs.ids["user_id"],
        "id": str(uuid4()),
        "created_by": theirs.ids["user_id"],
        "is_admin": True,
        "__proto__": {"role": "owner"},
    }
    members = named_members(app)
    before, faults, tried = snapshot(settings, template), [], 0
    for operation in writing(app):
        if operation.is_for_staff:
            continue  # the rule on schemas below covers them
        example = EXAMPLES[operation.name]
        body = json.loads(example.content(ours.ids) or b"{}")
        for name in extras.keys() - members[operation.name]:
            answer = await client.request(
                operation.method,
                example.url(operation.path, ours.ids),
                json=body | {name: extras[name]},
                headers={} if operation.is_public else ours.headers,
            )
            tried += 1
            refused = {error["pointer"] for error in answer.json().get("errors", [])}
            if answer.status_code != 422 or f"/{name}" not in refused:
                faults.append(f"{operation} with {name}: {answer.status_code} {answer.text[:200]}")
    assert not faults, "\n".join(faults)
    assert tried > 100
    assert differences(before, snapshot(settings, template)) == {}


@pytest.mark.databases("sqlite")
def test_no_part_of_any_body_takes_members_that_it_does_not_name(app: Litestar) -> None:
    document = openapi_document(app)
    open_schemas = {
        name
        for item in document["paths"].values()
        for operation in item.values()
        if operation["operationId"] not in LENIENT
        for name, schema in _reachable(operation.get("requestBody"), document, {})
        if schema.get("properties") and schema.get("additionalProperties") is not False
    }
    assert not open_schemas


def _reachable(value: Any, document: dict[str, Any], seen: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        name = str(value.get("$ref", "")).rpartition("/")[2]
        if name and name not in seen:
            seen[name] = schema = document["components"]["schemas"][name]
            yield name, schema
            yield from _reachable(schema, document, seen)
        for part in value.values():
            yield from _reachable(part, document, seen)
    elif isinstance(value, list):
        for part in value:
            yield from _reachable(part, document, seen)


def disguises(identifier: str) -> list[str]:
    """The ways in which the id of somebody else's thing might slip past a comparison of texts."""
    wide = identifier.translate({ord(digit): 0xFF10 + int(digit) for digit in "0123456789"})
    return [
        identifier,
        identifier.upper(),
        identifier.replace("-", ""),
        f"%7B{identifier}%7D",
        f"urn:uuid:{identifier}",
        wide,
        f"{identifier}/",
        f"/{identifier}",
        f"{identifier}%00",
        f"{identifier}%20",
        f"%20{identifier}",
        f"{identifier}%0a",
        f"{identifier}.json",
        f"{identifier};a=b",
        f"..%2f{identifier}",
        f"%2e%2e/{identifier}",
        f"x%2f..%2f{identifier}",
        f"{identifier}%2f",
        f"*,{identifier}",
        f"{identifier},{identifier}",
        f"'{identifier}'",
        identifier * 100,
        "0",
        "-1",
        "null",
        "%F0%9F%92%A9",
        "a" * 5000,
        "%",
    ]


async def test_ids_in_disguise_reach_nobody_else_s_things(
    app: Litestar, client: httpx.AsyncClient, worlds: tuple[World, World]
) -> None:
    """Every reading route, with somebody else's id in each place, in every spelling: never a 2xx and never a 500."""
    ours, theirs = worlds
    faults, tried = [], 0
    secrets = {theirs.marker, theirs.tenant.email}
    for operation in operations(app):
        example = EXAMPLES.get(operation.name)
        names = names_in(operation.path)
        if operation.method != "GET" or example is None or operation.is_public or operation.is_for_staff:
            continue
        for name in sorted(name for name in names if name.endswith("_id")):
            known = example.path.get(name, name)
            for disguised in disguises(theirs.ids[known]):
                path = example.url(operation.path, ours.ids | {known: "\N{BULLET}"}).replace("\N{BULLET}", disguised)
                answer = await client.get(path, headers=ours.headers | example_headers(example, ours))
                tried += 1
                if answer.status_code not in {400, 404} or any(secret in answer.text for secret in secrets):
                    faults.append(f"{path}: {answer.status_code} {answer.text[:200]}")
    assert not faults, f"{len(faults)} of {tried}:\n" + "\n".join(faults[:40])
    assert tried > 500


def example_headers(example: Any, world: World) -> dict[str, str]:
    return {name: value.format_map(world.ids) for name, value in example.headers.items()}

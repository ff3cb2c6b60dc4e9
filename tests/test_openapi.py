"""The OpenAPI document is true: whatever is sent, the server answers as documented, and never with 500."""

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from litestar import Litestar
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import response_schema_conformance

from spectral.platform.db.session import Database
from spectral.platform.docs.document import openapi_document
from spectral.platform.shared.problems import MEDIA_TYPE
from tests.fixtures.servers import ServerProcess
from tests.fixtures.world import World, WorldBuilder

# Lines of JSON are sent as the text that they are.
schemathesis.serializer.alias("application/x-ndjson", "text/plain")

CASES = 5
# They end what the other requests need: the session, and what paths name.
LAST = {"logout", "changePassword"}
WAITS = ("wait", "wait_s")
LONGEST_WAIT_S = 60
PROBLEM = {"type", "title", "status", "detail", "instance", "request_id"}


@pytest.mark.databases("sqlite")
@pytest.mark.slow
def test_every_operation_answers_as_documented(app: Litestar, start_server: Callable[..., ServerProcess]) -> None:
    server = start_server(executes=False)
    world = asyncio.run(_world(server))
    document = copy.deepcopy(openapi_document(app))
    for item in document["paths"].values():
        for operation in item.values():
            # Who may call has tests of its own; here the caller is always the owner.
            operation.pop("security", None)
    schema = schemathesis.openapi.from_dict(document)
    faults: list[str] = []
    tried = 0
    for operation in _operations(schema):
        if operation.definition.raw["operationId"] not in LAST and operation.method.upper() != "DELETE":
            _try(operation, server.url, world, faults)
            tried += 1
    assert tried > 50
    assert not faults, f"{len(faults)} of them:\n" + "\n\n".join(faults)


def _operations(schema: Any) -> list[Any]:
    return [result.ok() for result in schema.get_all_operations()]


def _try(operation: Any, url: str, world: World, faults: list[str]) -> None:
    """Send valid and invalid requests of one operation, with existing ids in its path; their first fault is noted."""
    negative = schemathesis.GenerationMode.NEGATIVE

    @hypothesis.settings(
        max_examples=CASES,
        phases=[hypothesis.Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy() | operation.as_strategy(generation_mode=negative))
    def answers_as_documented(case: schemathesis.Case[Any]) -> None:
        case.path_parameters.update({name: world.ids[name] for name in case.path_parameters if name in world.ids})
        for name in WAITS:
            # Nothing is executed here, so whoever waits waits for all of it.
            wait = case.body.get(name) if isinstance(case.body, dict) else None
            if isinstance(case.body, dict) and isinstance(wait, int | float) and 0.1 < wait <= LONGEST_WAIT_S:
                case.body[name] = 0.1
        response = case.call(base_url=url, headers=world.headers)
        fault = _fault(case, response, operation)
        if fault is not None and not found:
            sent = case.as_curl_command().replace(world.tenant.access_token, "…")
            found.append(f"{operation.label}: {fault}\n  {response.status_code} {response.text[:400]}\n  {sent[:700]}")

    found: list[str] = []
    answers_as_documented()
    faults += found


def _fault(case: schemathesis.Case[Any], response: Any, operation: Any) -> str | None:
    """What is not as documented, if anything."""
    has_problems = not operation.path.startswith("/otel/")
    if response.status_code >= 500:
        return "failed"
    if not has_problems:
        return None
    if str(response.status_code) not in operation.definition.raw["responses"]:
        return "has this status undocumented"
    if response.status_code >= 400:
        kind = response.headers["content-type"][0]
        is_problem = kind.startswith(MEDIA_TYPE) and set(response.json()) >= PROBLEM
        return None if is_problem else "is no problem document"
    try:
        case.validate_response(response, checks=[response_schema_conformance])
    except (Failure, FailureGroup) as failure:
        first = failure.exceptions[0] if isinstance(failure, FailureGroup) else failure
        return f"violates its schema: {' '.join(str(first).split())[:400]}"
    return None


async def _world(server: ServerProcess) -> World:
    database = Database(server.settings.url)
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        world = await WorldBuilder(client, database, "fuzzed").build()
    await database.close()
    return world

"""Workflows over HTTP: stored as they were sent, in versions that never change, or refused with every mistake."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.workflows.definitions.built_in import examples
from spectral.domains.workflows.definitions.publishing import Draft, Publisher
from spectral.domains.workflows.definitions.service import WorkflowService
from spectral.domains.workflows.errors import InvalidDefinitionError
from spectral.domains.workflows.models import Workflow, WorkflowVersion
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import NotFoundError
from tests.fixtures.tenants import Tenant

SOURCE = """name: greet  # a comment stays
description: Says hello
inputs:
  who: {type: string, default: you}
outputs: {text: "${steps.hello.outputs.text}"}
steps:
  - id: hello
    kind: map
    mapping: {text: "Hello ${inputs.who}"}
  - id: each
    kind: foreach
    items: [1, 2]
    body:
      - {id: ask, kind: interrupt, title: Sure?, schema: {type: object}, timeout: 5m}
      - {id: think, kind: agent, model: m, prompt: "${secrets.NONE}"}
"""
GOOD = SOURCE.replace("${secrets.NONE}", "x")
BAD = "name: bad\nsteps:\n  - {id: a, kind: tsk}\n  - {id: a, kind: sleep, seconds: x}\n"
YAML = {"Content-Type": "application/yaml"}


@pytest.fixture
def url(tenant: Tenant) -> str:
    return f"{tenant.url}/workflows"


@pytest.fixture
def signed_in(client: httpx.AsyncClient, tenant: Tenant) -> httpx.AsyncClient:
    client.headers.update(tenant.client_headers)
    return client


async def rows(database: Database, tenant: Tenant) -> tuple[int, int]:
    """How many workflows and versions there are."""
    async with database.transaction(tenant.access, read_only=True) as session:
        counts = [
            (await session.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()
            for table in (Workflow, WorkflowVersion)
        ]
    return counts[0], counts[1]


async def test_a_workflow_is_stored_read_changed_and_deleted(
    signed_in: httpx.AsyncClient, url: str, database: Database, tenant: Tenant
) -> None:
    made = await signed_in.post(url, json={"source": GOOD})
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"{url}/greet"
    first = made.json()
    assert (first["name"], first["version"], first["origin"], first["format"]) == ("greet", 1, "api", "yaml")
    assert (first["step_count"], first["changed"], first["warnings"]) == (4, True, [])
    assert first["inputs"]["properties"] == {"who": {"type": "string", "default": "you"}}

    # The same again is the same; another text is another version.
    same = await signed_in.put(f"{url}/greet", content=GOOD, headers=YAML)
    assert (same.status_code, same.json()["version"], same.json()["changed"]) == (200, 1, False)
    other = GOOD.replace("Hello", "Good day")
    changed = await signed_in.put(f"{url}/greet", json={"source": other, "format": "yaml"})
    assert (changed.json()["version"], changed.json()["changed"]) == (2, True)
    assert changed.json()["digest"] != first["digest"]

    read = (await signed_in.get(f"{url}/greet")).json()
    assert (read["version"], read["description"]) == (2, "Says hello")
    listed = (await signed_in.get(url)).json()
    assert [one["name"] for one in listed["results"]] == ["greet"]
    assert (listed["pagination"]["total"], listed["broken_files"]) == (1, [])
    assert (await signed_in.get(url, params={"search": "GRE", "origin": "api"})).json()["pagination"]["total"] == 1
    assert (await signed_in.get(url, params={"search": "%"})).json()["pagination"]["total"] == 0

    versions = (await signed_in.get(f"{url}/greet/versions")).json()
    assert [one["version"] for one in versions["results"]] == [2, 1]
    old = (await signed_in.get(f"{url}/greet/versions/1")).json()
    assert (old["source"], old["digest"], old["created_by"]) == (GOOD, first["digest"], f"user:{tenant.user_id}")
    assert old["definition"]["graph"]["nodes"][0]["id"] == "hello"
    for missing in ("/greet/versions/3", "/greet/versions/0", "/greet/versions/99999999999", "/nope", "/nope/dag"):
        assert (await signed_in.get(url + missing)).status_code == 404, missing

    raw = await signed_in.get(f"{url}/greet/source", params={"version": 1})
    assert (raw.text, raw.headers["content-type"]) == (GOOD, "application/yaml")
    assert raw.headers["x-workflow-version"] == "1"

    assert (await signed_in.delete(f"{url}/greet")).status_code == 204
    assert (await signed_in.get(f"{url}/greet")).status_code == 404
    assert (await signed_in.delete(f"{url}/greet")).status_code == 404
    # Versions stay for their runs, the name is free.
    assert await rows(database, tenant) == (1, 2)
    again = await signed_in.put(
        f"{url}/greet", json={"definition": {"steps": [{"id": "a", "kind": "sleep", "seconds": 1}]}}
    )
    assert (again.status_code, again.json()["version"], again.json()["format"]) == (201, 1, "json")
    async with database.transaction(tenant.access, read_only=True) as session:
        actions = (await session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.created_at))).all()
    assert [action for action in actions if action.startswith("workflow.")] == [
        "workflow.created",
        "workflow.changed",
        "workflow.deleted",
        "workflow.created",
    ]


async def test_what_a_workflow_looks_like(signed_in: httpx.AsyncClient, url: str) -> None:
    assert (await signed_in.post(url, content=GOOD, headers=YAML)).status_code == 201
    dag = (await signed_in.get(f"{url}/greet/dag")).json()
    assert [(node["id"], node["type"], node["parent"], node["body"]) for node in dag["nodes"]] == [
        ("hello", "task", None, None),
        ("each", "foreach", None, None),
        ("each[body]/ask", "interrupt", "each", "body"),
        ("each[body]/think", "agent", "each", "body"),
    ]
    assert dag["edges"] == [
        {"source": "hello", "target": "each", "condition": None, "is_loopback": False},
        {"source": "each[body]/ask", "target": "each[body]/think", "condition": None, "is_loopback": False},
    ]
    told = (await signed_in.get(f"{url}/greet/capabilities")).json()
    assert told["capabilities"] == {"inputs": {"who": "string"}, "outputs": {"text": "any"}}
    assert (told["kinds"], told["asks_people"]) == (["agent", "foreach", "interrupt", "task"], True)
    schemas = (await signed_in.get(f"{url}/greet/schema", params={"version": 1})).json()
    assert schemas["inputs"]["type"] == "object"
    assert schemas["steps"] == [{"step": "each[body]/ask", "kind": "interrupt", "json_schema": {"type": "object"}}]


async def test_a_document_with_mistakes_names_all_of_them_and_stores_nothing(
    signed_in: httpx.AsyncClient, url: str, database: Database, tenant: Tenant
) -> None:
    wanted = [(3, 19, "unknown-kind"), (4, 10, "duplicate-id"), (4, 35, "invalid-duration")]
    for answer in (
        await signed_in.post(url, json={"source": BAD}),
        await signed_in.put(f"{url}/bad", content=BAD, headers=YAML),
    ):
        assert answer.status_code == 422
        problem = answer.json()
        assert problem["type"].endswith("/invalid-definition")
        assert [(error["line"], error["column"], error["code"]) for error in problem["errors"]] == wanted
        assert problem["errors"][0]["pointer"] == "/steps/0/kind"
        assert problem["errors"][0]["detail"] == "there is no kind `tsk`; did you mean `task`?"
        assert problem["detail"].startswith("Line 3, column 19: there is no kind `tsk`")
    checked = await signed_in.post(f"{url}/validate", json={"source": BAD})
    assert checked.status_code == 200
    assert not checked.json()["is_valid"]
    assert checked.json()["errors"] == problem["errors"]
    assert checked.json()["graph"] is None
    assert await rows(database, tenant) == (0, 0)
    # Names are those of the workspace.
    named = await signed_in.post(f"{url}/validate", content=SOURCE, headers=YAML)
    assert [error["code"] for error in named.json()["errors"]] == ["unknown-secret"]
    good = (await signed_in.post(f"{url}/validate", content=GOOD, headers=YAML)).json()
    assert (good["is_valid"], good["name"], good["format"], good["errors"]) == (True, "greet", "yaml", [])
    assert await rows(database, tenant) == (0, 0)
    # What is not stored yet can be drawn already, as it will be.
    assert (await signed_in.put(f"{url}/greet", content=GOOD, headers=YAML)).status_code == 201
    drawn = (await signed_in.get(f"{url}/greet/dag")).json()
    assert good["graph"] == {"nodes": drawn["nodes"], "edges": drawn["edges"]}
    assert good["graph"]["nodes"]


JSON = {"Content-Type": "application/json"}
NO_DOCUMENTS: list[tuple[bytes, dict[str, str], int, str | None]] = [
    (b"{", JSON, 400, None),
    (b"\xff\xfe", YAML, 400, None),
    (b"name: x", {"Content-Type": "text/plain"}, 415, None),
    (b"{}", JSON, 422, ""),
    (b'{"source": "a", "definition": {}}', JSON, 422, ""),
    (b'{"source": "a", "colour": 1}', JSON, 422, "/colour"),
    (b'{"source": "a", "format": "xml"}', JSON, 422, "/format"),
    (b'{"source": 5}', JSON, 422, "/source"),
    (b'{"definition": {"a": "\\u0000"}}', JSON, 422, "/definition/a"),
    (b'{"source": "\\ud800"}', JSON, 422, "/source"),
    (b"[1]", JSON, 422, ""),
    (b"x" * 2_200_000, YAML, 413, None),
]


async def test_bodies_that_are_no_documents(signed_in: httpx.AsyncClient, url: str) -> None:
    for body, headers, status, pointer in NO_DOCUMENTS:
        for path in ("", "/validate"):
            answer = await signed_in.post(url + path, content=body, headers=headers)
            assert answer.status_code == status, (body[:40], answer.text)
            if pointer is not None:
                assert answer.json()["errors"][0]["pointer"] == pointer, body[:40]
    large = b"a: " + b"x" * 700_000
    assert (await signed_in.post(url, content=large, headers=YAML)).json()["errors"][0]["code"] == "too-large"
    # To validate a document that is too large is to be told so.
    told = await signed_in.post(f"{url}/validate", content=large, headers=YAML)
    assert (told.status_code, told.json()["errors"][0]["code"]) == (200, "too-large")


async def test_names(signed_in: httpx.AsyncClient, url: str) -> None:
    # A repetition under the same key is answered as before.
    once = YAML | {"Idempotency-Key": "once"}
    answers = [await signed_in.post(url, content=GOOD, headers=once) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    taken = await signed_in.post(url, json={"source": GOOD})
    assert (taken.status_code, taken.json()["type"].rpartition("/")[2]) == (409, "duplicate-workflow")
    renamed = await signed_in.put(f"{url}/other", json={"source": GOOD})
    assert [(e["code"], e["line"], e["column"]) for e in renamed.json()["errors"]] == [("name-mismatch", 1, 7)]
    contradicting = await signed_in.put(f"{url}/greet", json={"source": GOOD, "name": "other"})
    assert (contradicting.status_code, contradicting.json()["errors"][0]["pointer"]) == (422, "/name")
    steps: list[dict[str, Any]] = [{"id": f"s{n}", "kind": "sleep", "seconds": 1} for n in range(500)]
    answer = await signed_in.post(url, json={"definition": {"name": "large", "steps": steps}})
    assert (answer.status_code, answer.json()["step_count"]) == (201, 500)
    for name in ("a b", "x" * 129, "examples"):
        bad = await signed_in.put(
            f"{url}/{name}", json={"definition": {"steps": [{"id": "a", "kind": "sleep", "seconds": 1}]}}
        )
        assert bad.status_code in {404, 405, 422}, name


async def test_workflows_of_others_are_not_there(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    made = await client.post(f"{tenant.url}/workflows", json={"source": GOOD}, headers=tenant.client_headers)
    assert made.status_code == 201
    theirs = other_tenant.client_headers
    assert (await client.get(f"{other_tenant.url}/workflows", headers=theirs)).json()["pagination"]["total"] == 0
    for path in ("", "/versions", "/versions/1", "/dag", "/capabilities", "/schema", "/source"):
        assert (await client.get(f"{tenant.url}/workflows/greet{path}", headers=theirs)).status_code == 404
        assert (await client.get(f"{other_tenant.url}/workflows/greet{path}", headers=theirs)).status_code == 404
    # An API key may run agents, not read or write workflows.
    key = tenant.key_headers
    assert (await client.get(f"{tenant.url}/workflows/greet", headers=key)).status_code == 403
    assert (await client.put(f"{tenant.url}/workflows/greet", json={"source": GOOD}, headers=key)).status_code == 403
    # What another workspace has cannot be named.
    source = "name: x\nsteps: [{id: a, kind: subflow, workflow: greet}]"
    named = await client.post(f"{other_tenant.url}/workflows/validate", json={"source": source}, headers=theirs)
    assert [error["code"] for error in named.json()["errors"]] == ["unknown-workflow"]


async def test_agents_rubrics_secrets_and_workflows_are_known_by_their_names(
    signed_in: httpx.AsyncClient, url: str, tenant: Tenant
) -> None:
    agent = (await signed_in.post(f"{tenant.url}/agents", json={"name": "support"})).json()
    assert (await signed_in.put(f"{tenant.url}/workflow-secrets/KEY", json={"value": "s3cret"})).status_code in {
        200,
        201,
        404,
    }
    assert (await signed_in.post(url, json={"source": GOOD})).status_code == 201
    source = (
        "name: uses\nsteps:\n  - {id: a, kind: agent, agent: support}\n"
        f"  - {{id: b, kind: agent, agent: {agent['id']}}}\n  - {{id: c, kind: subflow, workflow: greet, version: 1}}\n"
    )
    assert (await signed_in.post(url, json={"source": source})).status_code == 201
    wrong = source.replace("agent: support", "agent: suport").replace("version: 1", "version: 2")
    wrong = wrong.replace("name: uses", "name: wrong\nevaluation: nope")
    answer = (await signed_in.post(f"{url}/validate", json={"source": wrong})).json()
    assert [(error["code"], error["line"]) for error in answer["errors"]] == [
        ("unknown-rubric", 2),
        ("unknown-agent", 4),
        ("unknown-workflow", 6),
    ]
    assert "did you mean `support`?" in answer["errors"][1]["detail"]
    # `greet` may not start what starts it.
    circle = "name: greet\nsteps: [{id: a, kind: subflow, workflow: uses}]"
    refused = await signed_in.put(f"{url}/greet", json={"source": circle})
    assert [error["code"] for error in refused.json()["errors"]] == ["recursive-workflow"]
    assert "greet → uses → greet" in refused.json()["detail"]


async def test_examples_are_listed(signed_in: httpx.AsyncClient, url: str) -> None:
    listed = (await signed_in.get(f"{url}/examples", params={"limit": 3, "offset": 1})).json()
    assert [one["name"] for one in listed["results"]] == [one.name for one in examples()][1:4]
    assert listed["pagination"]["total"] == len(examples())
    for one in examples():
        if one.name != "publish":
            assert (await signed_in.post(url, content=one.source, headers=YAML)).status_code == 201, one.name
    (publish,) = [one for one in examples() if one.name == "publish"]
    assert (await signed_in.post(url, content=publish.source, headers=YAML)).status_code == 201


async def test_inline_documents_are_found_again_and_workflows_resolved(
    signed_in: httpx.AsyncClient, url: str, database: Database, tenant: Tenant
) -> None:
    publisher = Publisher(database, tenant.access, {"spectral.pass"})
    nameless = "steps: [{id: a, kind: sleep, seconds: 1}]"
    first = await publisher.inline(Draft(nameless))
    again = await publisher.inline(Draft(f"# told again\n{nameless}\n"))
    assert (first.id, first.workflow_id, first.version) == (again.id, None, None)
    other = await publisher.inline(Draft(f"name: x\n{nameless}"))
    assert other.id != first.id
    with pytest.raises(InvalidDefinitionError):
        await publisher.inline(Draft("steps: []"))
    assert (await signed_in.get(url)).json()["pagination"]["total"] == 0

    await publisher.create(Draft(GOOD))
    await publisher.replace("greet", Draft(GOOD.replace("Hello", "Hi")))
    async with database.transaction(tenant.access, read_only=True) as session:
        service = WorkflowService(session, tenant.access)
        assert [(await service.resolve("greet", version)).version for version in (None, 1, 2)] == [2, 1, 2]
        for name, version in (("greet", 3), ("nope", None)):
            with pytest.raises(NotFoundError):
                await service.resolve(name, version)

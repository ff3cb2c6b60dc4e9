"""Every route, as nobody, without the scope, and as somebody else who knows existing ids.

Routes are discovered from the application; a route without an example (`tests/fixtures/examples.py`) fails.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.fixtures.databases import PostgresTemplate
from tests.fixtures.examples import EXAMPLES, Example
from tests.fixtures.project import Operation, operations, workspace_tables
from tests.fixtures.snapshots import Rows, differences, mentioning, snapshot
from tests.fixtures.world import World, WorldBuilder

# The pages of the reference and the application's; they take nothing and know nobody.
PAGES = {"showSwaggerUi", "showRedoc", "readOpenApiDocument", "showPage", "readPageFile"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass
class Sweep:
    """The application with two tenants, and what was found wrong."""

    client: httpx.AsyncClient
    settings: Settings
    template: PostgresTemplate | None
    ours: World
    theirs: World
    operations: list[Operation]
    faults: list[str]

    def rows(self) -> Rows:
        return snapshot(self.settings, self.template)

    async def send(self, operation: Operation, ids: Mapping[str, str], headers: Mapping[str, str]) -> httpx.Response:
        """The example of this operation, with these ids."""
        example = EXAMPLES[operation.name]
        kind = {"Content-Type": example.media_type} if example.body is not None else {}
        named = {name: value.format_map(ids) for name, value in example.headers.items()}
        return await self.client.request(
            operation.method,
            example.url(operation.path, ids),
            params=example.parameters(ids),
            content=example.content(ids),
            headers={**kind, **named, **headers},
        )

    def expect(self, what: str, answer: httpx.Response, *statuses: int) -> None:
        if answer.status_code not in statuses:
            request = answer.request
            wanted = " or ".join(map(str, statuses))
            self.faults.append(
                f"{what}: {request.method} {request.url.path} answered {answer.status_code}, not {wanted}: "
                f"{answer.text[:300]}"
            )

    def expect_no_trace_of(self, owner: World, what: str, answer: httpx.Response) -> None:
        """What somebody else is answered holds nothing of the owner's, except what they sent themselves."""
        request = answer.request
        sent = f"{request.url} {request.content.decode(errors='replace')} {request.headers}"
        known = {value for name, value in owner.ids.items() if name.endswith("_id")} | {
            owner.marker,
            owner.tenant.email,
        }
        leaked = [value for value in known if value not in sent and value in answer.text]
        if leaked:
            self.faults.append(f"{what}: {request.method} {request.url.path} shows {leaked}: {answer.text[:300]}")


@pytest.fixture
async def sweep(
    app: Litestar, client: httpx.AsyncClient, database: Database, settings: Settings, request: pytest.FixtureRequest
) -> Sweep:
    template = None if settings.uses_sqlite else request.getfixturevalue("postgres_template")
    found = [operation for operation in operations(app) if operation.method in METHODS]
    return Sweep(
        client=client,
        settings=settings,
        template=template,
        ours=await WorldBuilder(client, database, "ours").build(),
        theirs=await WorldBuilder(client, database, "theirs").build(),
        operations=[o for o in found if o.name not in PAGES and not o.path.startswith("/docs/static")],
        faults=[],
    )


@pytest.mark.databases("sqlite")
def test_every_operation_has_an_example_and_every_example_an_operation(app: Litestar) -> None:
    named = {operation.name for operation in operations(app) if not operation.path.startswith("/docs/static")} - PAGES
    assert not named - set(EXAMPLES), "operations without an example"
    assert not set(EXAMPLES) - named, "examples without an operation"


async def test_nobody_else_gets_in_sees_or_changes_anything(sweep: Sweep) -> None:
    before = sweep.rows()
    for operation in sweep.operations:
        if operation.is_public or operation.name not in EXAMPLES:
            continue
        await try_without_credential(sweep, operation)
        await try_without_scope(sweep, operation)
        await try_as_stranger(sweep, operation)
        if operation.method != "GET":
            after = sweep.rows()
            if changed := differences(before, after):
                sweep.faults.append(f"{operation}: changed rows: {changed}")
            before = after
    changed = differences(before, sweep.rows())
    assert not changed, f"reading changed rows: {changed}"
    assert not sweep.faults, "\n".join(sweep.faults)


@pytest.mark.databases("sqlite")
async def test_the_sweep_sees_a_boundary_that_is_missing(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WorkspaceRepository, "_mine", property(lambda _repository: sa.true()))
    for operation in sweep.operations:
        if operation.name in {"readAgent", "updateAgent", "deleteRubric"}:
            before = sweep.rows()
            await try_as_stranger(sweep, operation)
            if operation.method != "GET":
                assert differences(before, sweep.rows())
    seen = "\n".join(sweep.faults)
    for what in ("GET", "PATCH", "DELETE", "shows"):
        assert what in seen


async def try_without_credential(sweep: Sweep, operation: Operation) -> None:
    for what, headers in (
        ("anonymous", {}),
        ("not a token", {"Authorization": "Bearer nonsense"}),
        ("not a key", {"Authorization": "Bearer sk_live_000000000000000000000000000000000000"}),
    ):
        answer = await sweep.send(operation, sweep.ours.ids, headers)
        sweep.expect(what, answer, 401)
        sweep.expect_no_trace_of(sweep.ours, what, answer)


async def try_without_scope(sweep: Sweep, operation: Operation) -> None:
    """A key of the same workspace that lacks the scope; for operations staff's routes also the account's owner."""
    for scope, key in sweep.ours.keys.items():
        if not operation.scopes or not operation.admits({scope}):
            answer = await sweep.send(operation, sweep.ours.ids, {"Authorization": f"Bearer {key}"})
            sweep.expect(f"with {scope} only", answer, 403)
            sweep.expect_no_trace_of(sweep.ours, f"with {scope} only", answer)
    if operation.is_for_staff:
        sweep.expect("as an owner", await sweep.send(operation, sweep.ours.ids, sweep.ours.headers), 403)


async def try_as_stranger(sweep: Sweep, operation: Operation) -> None:
    """Somebody else's credentials with our ids: all of them, then one at a time among their own."""
    ours, theirs = sweep.ours, sweep.theirs
    example = EXAMPLES[operation.name]
    for what, ids, refused in foreign_requests(example, operation.path, ours.ids, theirs.ids):
        # Staff's routes refuse whoever is not staff before they look at what is named.
        statuses = (403,) if operation.is_for_staff else refused
        for credential, headers in (("a stranger", theirs.headers), ("a stranger's key", theirs.tenant.key_headers)):
            if credential != "a stranger" and not (operation.scopes and operation.admits(set(theirs.keys))):
                continue
            answer = await sweep.send(operation, ids, headers)
            sweep.expect(f"{credential} with our {what}", answer, *statuses)
            sweep.expect_no_trace_of(ours, f"{credential} with our {what}", answer)


def foreign_requests(
    example: Example, path: str, ours: Mapping[str, str], theirs: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, str], tuple[int, ...]]]:
    """What of ours is named, the ids to send, and the statuses that may answer it."""
    names = sorted(name for name in example.names(path) if name.endswith("_id") and ours[name] != theirs[name])
    required, in_path = sorted(set(names) - example.filters()), example.path_names(path)
    if required:
        status = 404 if in_path & set(names) else example.parts
        yield "everything", {**theirs, **{name: ours[name] for name in names}}, (status,)
    for name in names:
        # A filter that fits nothing of the caller's own is an empty list.
        statuses = (404,) if name in in_path else (404, example.parts) if name in required else (200, 404)
        yield name, {**theirs, name: ours[name]}, statuses


async def test_the_examples_work_for_their_own_tenant_and_touch_nobody_else(sweep: Sweep) -> None:
    """Otherwise a refusal of them would prove nothing."""
    ours, theirs = sweep.ours, sweep.theirs
    before = mentioning(sweep.rows(), *identity(ours))
    ordered = sorted(
        (operation for operation in sweep.operations if operation.name in EXAMPLES),
        key=lambda operation: (EXAMPLES[operation.name].turn, METHODS.index(operation.method), operation.path),
    )
    for operation in ordered:
        if operation.is_for_staff:
            continue
        answer = await sweep.send(operation, theirs.ids, {} if operation.is_public else theirs.headers)
        sweep.expect("its own tenant", answer, *EXAMPLES[operation.name].works)
        sweep.expect_no_trace_of(ours, "its own tenant", answer)
    changed = differences(before, mentioning(sweep.rows(), *identity(ours)))
    assert not sweep.faults, "\n".join(sweep.faults)
    assert not changed


def identity(world: World) -> tuple[str, ...]:
    return (world.ids["workspace_id"], world.ids["account_id"], world.ids["user_id"])


@pytest.mark.databases("postgresql")
async def test_the_database_itself_shows_a_transaction_only_its_workspace(sweep: Sweep, database: Database) -> None:
    """The second net: without the setting nothing, with it one's own, whatever the statement says."""
    ours = sweep.ours.tenant
    rows = sweep.rows()
    for table in workspace_tables():
        everybody = sa.select(table.c.workspace_id)
        async with database.transaction(read_only=True) as session:
            assert (await session.execute(everybody)).all() == [], f"{table.name} is seen without a workspace"
        async with database.transaction(ours.access, read_only=True) as session:
            seen = set((await session.scalars(everybody)).all())
        assert seen <= {ours.workspace_id}, f"{table.name} shows another workspace"
        mine = mentioning({table.name: rows[f"public.{table.name}"]}, str(ours.workspace_id))
        assert bool(seen) == bool(mine[table.name]), f"{table.name} hides its own workspace's rows"


@pytest.mark.databases("postgresql")
async def test_the_database_itself_refuses_rows_for_another_workspace(sweep: Sweep, database: Database) -> None:
    ours, theirs = sweep.ours.tenant, sweep.theirs.tenant
    before = sweep.rows()
    for table in workspace_tables():
        async with database.transaction(theirs.access) as session:
            taken = await session.execute(sa.delete(table).where(table.c.workspace_id == ours.workspace_id))
            assert taken.rowcount == 0, table.name  # type: ignore[attr-defined]
    assert differences(before, sweep.rows()) == {}

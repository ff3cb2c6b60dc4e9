"""The house's rules that a machine can check."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from litestar import Litestar
from litestar.routes import HTTPRoute

from spectral.platform.db.base import Base
from spectral.platform.db.session import Database
from spectral.platform.docs.document import openapi_document
from spectral.platform.shared.errors import SpectralError
from spectral.settings import Settings
from tests.fixtures.databases import make_settings
from tests.fixtures.exemptions import (
    ACCOUNT,
    BESIDE_THE_MODELS,
    NOT_A_WORKSPACES,
    OPEN_INDEXES,
    OPEN_POLICIES,
    PUBLIC,
)
from tests.fixtures.project import (
    ROOT,
    domain_modules,
    import_everything,
    operations,
    python_files,
    tables,
    workspace_models,
    workspace_tables,
)

MAXIMUM_LINES = 600
MAXIMUM_SERVICE_LINES = 400
BANNED_FILES = {"utils", "util", "helpers", "helper", "manager", "managers", "base_service", "common", "misc", "v2"}
BANNED_CLASS = re.compile(r"(Utils?|Helpers?|Manager)$")
ADR_SECTIONS = ("## Context", "## Decision", "## Consequences", "## Alternatives", "## Enforced by")


# -------------------------------------------------------------------------------------------------------------- files


def test_no_file_is_too_long() -> None:
    long = {}
    for path in python_files("src", "tests", "migrations", "benchmarks"):
        limit = MAXIMUM_SERVICE_LINES if path.name == "service.py" else MAXIMUM_LINES
        count = len(path.read_text().splitlines())
        if count > limit:
            long[str(path.relative_to(ROOT))] = count
    assert not long


def test_no_name_says_nothing() -> None:
    banned = [
        str(path.relative_to(ROOT))
        for path in python_files("src", "tests", "benchmarks")
        if {path.stem, path.parent.name} & BANNED_FILES
    ]
    for path in python_files("src"):
        banned += [
            f"{path.relative_to(ROOT)}: {node.name}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ClassDef) and BANNED_CLASS.search(node.name)
        ]
    assert not banned


def test_annotations_are_real_where_litestar_reads_them() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in python_files("src")
        if "from __future__ import annotations" in path.read_text()
    ]
    wrong += [
        str(path.relative_to(ROOT)) for path in domain_modules("controller.py") if "TYPE_CHECKING" in path.read_text()
    ]
    assert not wrong


def test_decisions_are_recorded_in_the_template_s_form() -> None:
    pages = sorted((ROOT / "ADR").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert len(set(numbers)) == len(numbers)
    for page in pages:
        text = page.read_text()
        assert re.match(r"# (\d{4}|NNNN) – ", text), page.name
        missing = [section for section in ("Status: ", *ADR_SECTIONS) if section not in text]
        assert not missing, f"{page.name} lacks {missing}"


def test_the_import_rules_hold() -> None:
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]


# ------------------------------------------------------------------------------------------------------------- layers


def test_a_controller_neither_queries_nor_opens_a_session() -> None:
    wrong = []
    for path in domain_modules("controller.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlalchemy":
                names = {alias.name for alias in node.names}
                if node.module != "sqlalchemy.ext.asyncio" or names != {"AsyncSession"}:
                    wrong.append(f"{path.parent.name}: imports {node.module}")
            if isinstance(node, ast.Import) and any(alias.name.startswith("sqlalchemy") for alias in node.names):
                wrong.append(f"{path.parent.name}: imports sqlalchemy")
    assert not wrong


def test_only_the_unit_of_work_commits() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files("src/spectral/domains")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]
    assert not wrong


def test_a_service_is_a_plain_class() -> None:
    frameworks = {"litestar", "advanced_alchemy"}
    wrong = [
        f"{path.parent.name}: imports {node.module}"
        for path in domain_modules("service.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in frameworks
    ]
    assert not wrong


def test_no_relationship_crosses_a_domain_or_loads_by_itself() -> None:
    import_everything()
    wrong = []
    for mapper in Base.registry.mappers:
        for relationship in mapper.relationships:
            here, there = (owner.class_.__module__.rpartition(".")[0] for owner in (mapper, relationship.mapper))
            if here != there or relationship.lazy != "raise":
                wrong.append(str(relationship))
    assert not wrong


# ------------------------------------------------------------------------------------------------------------- errors


def test_every_problem_has_a_type_of_its_own() -> None:
    import_everything()
    kinds: list[type[SpectralError]] = []
    waiting: list[type[SpectralError]] = [SpectralError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if "slug" in vars(kind):
            kinds.append(kind)
        assert 400 <= kind.status < 600
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.slug), kind
        assert kind.title
    twice = [slug for slug, count in Counter(kind.slug for kind in kinds).items() if count > 1]
    assert not twice


# ------------------------------------------------------------------------------------------------------------- routes


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory, create_app: Callable[[Settings], Litestar]) -> Litestar:
    """The application, wired and not started."""
    return create_app(make_settings(tmp_path_factory.mktemp("wired")))


def test_every_route_is_guarded_or_marked(wired: Litestar) -> None:
    wrong = [
        f"{operation}: needs a guard or the mark `public`, and not both"
        for operation in operations(wired)
        if bool(operation.handler.resolve_guards()) == operation.is_public
    ]
    assert not wrong


def test_only_the_documented_routes_are_public(wired: Litestar) -> None:
    public = {str(operation) for operation in operations(wired) if operation.is_public and operation.method != "HEAD"}
    assert public <= PUBLIC, f"public without being documented so: {sorted(public - PUBLIC)}"


# Answer 200 and start or create something all the same.
STARTING = {"importSamples", "invokeAgent"}


def test_a_repeated_post_creates_nothing_twice(wired: Litestar) -> None:
    """Whoever creates or starts something takes an `Idempotency-Key`, or refuses it to keep no secret."""
    wrong = []
    for operation in operations(wired):
        opt = operation.handler.opt
        marks = [mark for mark in ("idempotent", "secret_answer") if opt.get(mark)]
        creates = operation.handler.status_code in {201, 202} or operation.name in STARTING
        if operation.method == "POST" and creates and len(marks) != 1:
            wrong.append(f"{operation} ({operation.name}): needs exactly one of idempotent, secret_answer: {marks}")
        if operation.method != "POST" and marks:
            wrong.append(f"{operation}: only POSTs take a key")
    assert not wrong, "\n".join(wrong)
    assert {operation.name for operation in operations(wired)} >= STARTING


def test_no_other_kind_of_route_escapes_the_guards(wired: Litestar) -> None:
    unguarded = [
        route.path
        for route in wired.routes
        if not isinstance(route, HTTPRoute) and not getattr(route.route_handler, "guards", None)
    ]
    assert not unguarded


def test_every_operation_has_an_id_and_documented_problems(wired: Litestar) -> None:
    ids = Counter(operation.name for operation in operations(wired) if operation.method != "HEAD")
    unnamed = [
        str(operation)
        for operation in operations(wired)
        if operation.handler.operation_id is None and not operation.path.startswith("/docs/static")
    ]
    assert not unnamed
    # A handler with two paths or two methods shares its id by necessity; two handlers never do.
    handlers = {
        (operation.name, id(operation.handler))
        for operation in operations(wired)
        if not operation.path.startswith("/docs/static")
    }
    assert len(handlers) == len({name for name, _ in handlers}), [name for name, count in ids.items() if count > 1]
    document = openapi_document(wired)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if path.startswith("/otel/"):
                continue
            answers = operation["responses"]
            assert operation.get("tags"), f"{method} {path} has no tag"
            assert "500" in answers, f"{method} {path}"
            assert not operation["security"] or {"401", "403"} <= set(answers), f"{method} {path}"
            assert operation.get("summary"), f"{method} {path}"


# ------------------------------------------------------------------------------------------------------------- tables


def test_every_table_of_a_workspace_is_keyed_by_it() -> None:
    wrong = []
    owned = {table.name for table in workspace_tables()}
    for table in workspace_tables():
        key = [column.name for column in table.primary_key.columns]
        if key[0] != "workspace_id" or len(key) < 2:
            wrong.append(f"{table.name}: primary key {key}")
        for constraint in table.constraints:
            columns = [column.name for column in constraint.columns] if hasattr(constraint, "columns") else []
            if isinstance(constraint, sa.UniqueConstraint) and columns[0] != "workspace_id":
                wrong.append(f"{table.name}: unique {columns}")
            if isinstance(constraint, sa.ForeignKeyConstraint):
                wrong += _foreign_key_faults(table, constraint, owned)
        for index in table.indexes:
            first = next(iter(index.columns), None)
            if str(index.name) not in OPEN_INDEXES and (first is None or first.name != "workspace_id"):
                wrong.append(f"{table.name}: index {index.name}")
    assert not wrong


def _foreign_key_faults(table: sa.Table, constraint: sa.ForeignKeyConstraint, owned: set[str]) -> list[str]:
    target = constraint.referred_table.name
    columns = list(constraint.column_keys)
    faults = []
    if target in owned and columns[0] != "workspace_id":
        faults.append(f"{table.name}: foreign key {columns} to {target} leaves the workspace open")
    if (constraint.ondelete or "").upper() not in {"CASCADE", "RESTRICT"}:
        faults.append(f"{table.name}: foreign key {columns} to {target} is ON DELETE {constraint.ondelete}")
    return faults


def test_exemptions_name_real_tables() -> None:
    assert set(NOT_A_WORKSPACES) <= {table.name for table in tables()}


async def test_models_and_migrations_agree(database: Database) -> None:
    import_everything()

    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": lambda _o, name, kind, *_: _is_ours(kind, name)}
        )
        return list(compare_metadata(context, Base.metadata))

    async with database.reader.connect() as connection:
        assert await connection.run_sync(differences) == []


def _is_ours(kind: str, name: str | None) -> bool:
    if kind == "index":
        return name not in BESIDE_THE_MODELS
    return kind != "table" or name in Base.metadata.tables


@pytest.mark.databases("postgresql")
async def test_row_security_is_enabled_forced_and_bound_to_the_workspace(database: Database) -> None:
    async with database.transaction(read_only=True) as session:
        flags = {
            name: (enabled, forced)
            for name, enabled, forced in await session.execute(
                sa.text("SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relkind IN ('r', 'p')")
            )
        }
        listed = sa.text("SELECT tablename, policyname, qual, with_check FROM pg_policies")
        policies = (await session.execute(listed)).all()
    for table in [*(table.name for table in workspace_tables()), *ACCOUNT]:
        column, setting = ("account_id", "account") if table in ACCOUNT else ("workspace_id", "workspace")
        assert flags[table] == (True, True), f"{table}: row security is not enabled and forced"
        mine = [policy for policy in policies if policy.tablename == table]
        bound = [
            policy
            for policy in mine
            if column in policy.qual and f"spectral.{setting}" in policy.qual and policy.with_check == policy.qual
        ]
        assert bound, f"{table} has no policy on spectral.{setting}"
        assert len(mine) == len(bound) or table in OPEN_POLICIES, f"{table} has further policies: {mine}"


@pytest.mark.databases("postgresql")
async def test_the_application_owns_nothing(database: Database) -> None:
    async with database.transaction(read_only=True) as session:
        owned = await session.execute(sa.text("SELECT tablename FROM pg_tables WHERE tableowner = current_user"))
        assert owned.all() == []


# ------------------------------------------------------------------------------------------------------------ tenancy


def test_a_workspace_s_rows_are_reached_through_its_repository() -> None:
    """A statement over a workspace's model says its workspace, or says in a `tenancy:` comment why not."""
    models = workspace_models()
    faults = [
        fault
        for path in python_files("src/spectral/domains", "src/spectral/dialects")
        for fault in unbound(path, models)
    ]
    assert not faults, "\n".join(faults)


def test_the_tenancy_lint_sees_what_it_should(tmp_path: Path) -> None:
    source = tmp_path / "repository.py"
    source.write_text(
        "async def find(self, session):\n"
        "    one = sa.select(Agent)\n"
        "    two = sa.select(Agent).where(self._mine)\n"
        "    three = sa.delete(Agent).where(Agent.workspace_id == here)\n"
        "    # tenancy: counts what the whole installation has\n"
        "    four = sa.select(sa.func.count(Agent.id))\n"
        "    five = await session.get(Agent, key)\n"
        "    six = sa.select(Account)\n"
    )
    assert [fault.rpartition(":")[2] for fault in unbound(source, {"Agent"})] == ["2", "7"]


STATEMENTS = {"select", "update", "delete", "insert", "exists", "get", "get_one", "query", "merge"}
BINDINGS = ("_mine", "workspace_id")


def unbound(path: Path, models: set[str]) -> list[str]:
    """The places in a file where a statement over one of these models does not mention its workspace."""
    text = path.read_text()
    lines = text.splitlines()
    tree = ast.parse(text)
    faults = []
    for statement in (node for node in ast.walk(tree) if isinstance(node, SIMPLE_STATEMENTS)):
        last = statement.end_lineno or statement.lineno
        said = "\n".join(lines[statement.lineno - 1 : last])
        if any(word in said for word in BINDINGS) or _is_excused(lines, statement.lineno, last):
            continue
        if any(_builds_a_statement(node, models) for node in ast.walk(statement)):
            faults.append(f"{path}:{statement.lineno}")
    return faults


def _is_excused(lines: list[str], first: int, last: int) -> bool:
    """Whether a comment on the statement, or directly above it, says `tenancy:`."""
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return any("tenancy:" in line for line in lines[first - 1 : last])


SIMPLE_STATEMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return)


def _builds_a_statement(node: ast.AST, models: set[str]) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    # `self.select(…)` and `self._agents.select(…)` are bound by a repository; `sa.select(…)`, `session.get(…)` are not.
    raw = owner is None or (isinstance(owner, ast.Name) and owner.id in {"sa", "sqlalchemy", "sql", "session"})
    raw = raw or (isinstance(owner, ast.Attribute) and owner.attr == "session")
    named = {part.id for argument in node.args for part in ast.walk(argument) if isinstance(part, ast.Name)}
    return called in STATEMENTS and raw and bool(named & models)

"""What every test may ask for. A test that asks for a database runs on SQLite and on a real PostgreSQL."""

import gc
import importlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Protocol

import httpx
import hypothesis
import pytest
from litestar import Litestar

from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.fixtures.databases import (
    KINDS,
    POSTGRESQL,
    PostgresTemplate,
    SqliteTemplate,
    TestRun,
    drop_databases,
)
from tests.fixtures.servers import ServerProcess, in_process
from tests.fixtures.tenants import Tenant, register_tenant

RUN = pytest.StashKey[TestRun]()
# What is for the tests; the rest is for the installations of whoever runs them.
KEPT = ("SPECTRAL_TEST_", "SPECTRAL_CHROMIUM")

hypothesis.settings.register_profile(
    "tests",
    deadline=None,
    max_examples=60,
    derandomize="CI" in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("tests")


# ------------------------------------------------------------------------------------------------- the run as a whole


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=KINDS, help="run on this database only, while working on something")


def pytest_configure(config: pytest.Config) -> None:
    # Each test builds an application: thousands of objects that live as long as it does, not worth looking at so often.
    gc.set_threshold(50_000, 20, 20)
    for name in [name for name in os.environ if name.startswith("SPECTRAL_") and not name.startswith(KEPT)]:
        del os.environ[name]
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        directory, pid = workerinput["spectral_run"]
        config.stash[RUN] = TestRun(Path(directory), pid)
        return
    directory = Path(tempfile.mkdtemp(prefix="spectral-tests-"))
    directory.chmod(0o755)  # PostgreSQL may run as another user
    config.stash[RUN] = TestRun(directory, os.getpid())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: "WorkerNode") -> None:
    run = node.config.stash[RUN]
    node.workerinput["spectral_run"] = (str(run.directory), run.pid)


def pytest_unconfigure(config: pytest.Config) -> None:
    run = config.stash.get(RUN, None)
    if run is None or hasattr(config, "workerinput"):
        return
    drop_databases(run)
    if (run.directory / "postgres.address").exists():
        (run.directory / "postgres.stop").touch()
        deadline = time.monotonic() + 10
        while run.directory.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    shutil.rmtree(run.directory, ignore_errors=True)


class WorkerNode(Protocol):
    """What of xdist's worker controller is used here."""

    config: pytest.Config
    workerinput: dict[str, object]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("databases")
    kinds = marker.args if marker else KINDS
    only = metafunc.config.getoption("--database")
    metafunc.parametrize("database_kind", [kind for kind in kinds if only in {None, kind}], scope="session")


# ---------------------------------------------------------------------------------------------------------- databases


@pytest.fixture(scope="session")
def test_run(pytestconfig: pytest.Config) -> TestRun:
    """What the processes of this test run share."""
    return pytestconfig.stash[RUN]


@pytest.fixture(scope="session")
def sqlite_template(test_run: TestRun) -> SqliteTemplate:
    return SqliteTemplate(test_run)


@pytest.fixture(scope="session")
def postgres_template(test_run: TestRun) -> Iterator[PostgresTemplate]:
    template = PostgresTemplate(test_run)
    yield template
    template.close()


@pytest.fixture
def settings(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """The settings of an installation with a fresh, migrated database of its own; nothing executes jobs."""
    name = "postgres_template" if database_kind == POSTGRESQL else "sqlite_template"
    template: SqliteTemplate | PostgresTemplate = request.getfixturevalue(name)
    with template.fresh(tmp_path / "data") as fresh:
        yield fresh


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The database of `settings`, as the application's role."""
    database = Database(settings.url, pool_size=settings.database_pool_size)
    yield database
    await database.close()


@pytest.fixture
async def identity(settings: Settings, database: Database) -> AsyncIterator[Database]:
    """The same database as the role that may read credentials; on SQLite there is no other."""
    if settings.identity_url == settings.url:
        yield database
        return
    identity = Database(settings.identity_url, pool_size=2)
    yield identity
    await identity.close()


# -------------------------------------------------------------------------------------------------------- application


@pytest.fixture(scope="session")
def create_whole_app() -> Callable[[Settings], Litestar]:
    """`spectral.app.create_app`, imported when the first test needs it: tests of pure modules start without it."""
    return importlib.import_module("spectral.app").create_app  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def create_app(create_whole_app: Callable[..., Litestar]) -> Callable[[Settings], Litestar]:
    """As `create_whole_app`, with routes that all tests of the worker share: do not register any more of them."""
    made: dict[int, Litestar] = {}

    def create(settings: Settings) -> Litestar:
        limit = settings.request_body_limit_bytes
        app = create_whole_app(settings, like=made.get(limit))
        made.setdefault(limit, app)
        return app

    return create


@pytest.fixture
def app(settings: Settings, create_app: Callable[[Settings], Litestar]) -> Litestar:
    """The application; it enqueues jobs and executes none."""
    return create_app(settings)


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """Anonymous, on the application in this process."""
    async with in_process(app) as client:
        yield client


@pytest.fixture
async def engine_client(
    settings: Settings, create_app: Callable[[Settings], Litestar]
) -> AsyncIterator[httpx.AsyncClient]:
    """As `client`, on an application that executes jobs."""
    async with in_process(create_app(settings.model_copy(update={"engine_executes": True}))) as client:
        yield client


@pytest.fixture
async def tenant(client: httpx.AsyncClient) -> Tenant:
    """An account with an owner, a workspace and an API key."""
    return await register_tenant(client, "ours")


@pytest.fixture
async def other_tenant(client: httpx.AsyncClient) -> Tenant:
    """Somebody else."""
    return await register_tenant(client, "theirs")


@pytest.fixture
def start_server(settings: Settings) -> Iterator[Callable[..., ServerProcess]]:
    """Starts real server processes on the same installation: `start_server(executes=False)`."""
    started: list[ServerProcess] = []

    def start(*, executes: bool = True, ticked: bool = False) -> ServerProcess:
        server = ServerProcess(settings, executes=executes, ticked=ticked)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def server(start_server: Callable[..., ServerProcess]) -> ServerProcess:
    """A real server process on a free loopback port, which executes jobs."""
    return start_server()

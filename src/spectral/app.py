"""The one place that wires: settings in, application out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from litestar import Litestar, Request
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.types import ControllerRouterHandler
from sqlalchemy.ext.asyncio import AsyncSession

from spectral import __version__
from spectral.domains.accounts.controller import AccountController
from spectral.domains.agents.controller import (
    AgentController,
    AgentInvocationController,
    AgentTemplateController,
)
from spectral.domains.auth.controller import AuthController, read_signing_keys
from spectral.domains.auth.passwords import Passwords
from spectral.domains.auth.service import AccessTokenVerifier, AuthService, Lifetimes
from spectral.domains.changesets.controller import (
    ChangesetController,
    ClusterController,
    ExperimentController,
    ValidationController,
)
from spectral.domains.changesets.looks import validation_handler
from spectral.domains.changesets.validation import KIND as VALIDATION
from spectral.domains.evaluations.controller import ObjectiveController, RubricController
from spectral.domains.keys.controller import ApiKeyController
from spectral.domains.keys.service import ApiKeyVerifier, Peppers
from spectral.domains.operations.controller import OperationsController
from spectral.domains.samples.controller import SampleController
from spectral.domains.scans.controller import ScanController
from spectral.domains.scans.run import KIND as SCAN
from spectral.domains.scans.run import scan_handler
from spectral.domains.traces.answers import OTLP_PREFIX, otlp_problem_renderer
from spectral.domains.traces.controller import FeedbackController, OtlpController, TraceController
from spectral.domains.traces.ingestion import IngestionLimits, TraceIngestor
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.partitions import PartitionWindow
from spectral.domains.workspaces.controller import WorkspaceController
from spectral.platform.access.authentication import AuthenticationMiddleware, Authenticator
from spectral.platform.access.guards import principal_of
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.migrations import head_revision
from spectral.platform.db.session import Database
from spectral.platform.db.unit_of_work import RequestTransaction, UnitOfWork
from spectral.platform.docs.document import openapi_config
from spectral.platform.docs.pages import docs_routes
from spectral.platform.engine.engine import Engine
from spectral.platform.health import DatabaseCheck, EngineCheck, Health, HealthController
from spectral.platform.idempotency import IdempotencyMiddleware
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from spectral.platform.logs import configure_logs
from spectral.platform.request_checks import require_readable
from spectral.platform.request_context import RequestContext
from spectral.platform.shared.errors import SpectralError
from spectral.platform.shared.pagination import provide_page
from spectral.platform.shared.problems import ProblemRenderer
from spectral.platform.shared.tokens import TokenSigner
from spectral.settings import Settings

START_PATIENCE_S = 2.0
SCHEMA_POLL_S = 0.5

CONTROLLERS: tuple[ControllerRouterHandler, ...] = (
    HealthController,
    AuthController,
    read_signing_keys,
    AccountController,
    WorkspaceController,
    ApiKeyController,
    AgentController,
    AgentTemplateController,
    AgentInvocationController,
    OperationsController,
    SampleController,
    OtlpController,
    TraceController,
    FeedbackController,
    RubricController,
    ObjectiveController,
    ScanController,
    ChangesetController,
    ClusterController,
    ExperimentController,
    ValidationController,
)


def provide_session(request: Request[Any, Any, Any]) -> AsyncSession:
    """The request's one transaction."""
    transaction: RequestTransaction = request.scope["state"]["transaction"]
    return transaction.session()


def provide_access(request: Request[Any, Any, Any]) -> WorkspaceAccess:
    """The proof that the caller may touch the workspace of the URL, or of `X-Workspace-Id`."""
    return principal_of(request).access_to(request.path_params.get("workspace_id"))


def create_app(settings: Settings) -> Litestar:
    """The application. Opens nothing before its lifespan starts."""
    database = Database(settings.url, pool_size=settings.database_pool_size)
    # On SQLite, and where no other role is named, both are the same; so is the one connection that writes.
    identity = (
        database
        if settings.identity_url == settings.url
        else Database(settings.identity_url, pool_size=settings.database_pool_size)
    )
    signer = TokenSigner(settings.secrets, settings.token_issuer)
    peppers = Peppers.from_secrets(settings.secrets)
    lifetimes = Lifetimes(settings.access_token_lifetime_s, settings.refresh_token_lifetime_s)
    auth = AuthService(identity, signer, Passwords(settings.password_minimum), lifetimes)
    authenticator = Authenticator(
        [ApiKeyVerifier(identity, peppers), AccessTokenVerifier(identity, signer, settings.step_up_lifetime_s)]
    )
    engine = Engine(database, executes=settings.engine_executes)
    door = ModelDoor([LocalProvider()])
    engine.register(VALIDATION, validation_handler(door), max_per_workspace=settings.engine_jobs_per_workspace)
    engine.register(SCAN, scan_handler(door), max_per_workspace=settings.engine_jobs_per_workspace)
    database_check = DatabaseCheck(database, head_revision())
    health = Health(__version__, {"database": database_check, "engine": EngineCheck(engine)})
    renderer = ProblemRenderer({OTLP_PREFIX: otlp_problem_renderer})
    span_mapper = SpanMapper()
    trace_ingestor = TraceIngestor(
        database,
        span_mapper,
        IngestionLimits(
            body_bytes=settings.otlp_body_limit_bytes,
            partitions=PartitionWindow(settings.span_partition_days_behind, settings.span_partition_days_ahead),
        ),
    )
    values = {
        "settings": settings,
        "database": database,
        "identity": identity,
        "signer": signer,
        "peppers": peppers,
        "auth": auth,
        "authenticator": authenticator,
        "health": health,
        "engine": engine,
        "span_mapper": span_mapper,
        "trace_ingestor": trace_ingestor,
        "door": door,
    }

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        configure_logs(settings.log_format, settings.log_level)
        starting = asyncio.create_task(_start_when_current(engine, database_check))
        # A current schema is the rule: then the engine runs before the first request.
        await asyncio.wait({starting}, timeout=START_PATIENCE_S)
        await trace_ingestor.start()
        try:
            yield
        finally:
            starting.cancel()
            with suppress(asyncio.CancelledError):
                await starting
            await trace_ingestor.stop()
            await engine.stop()
            await database.close()
            if identity is not database:
                await identity.close()

    app = Litestar(
        route_handlers=[*CONTROLLERS, *docs_routes()],
        dependencies={
            "session": Provide(provide_session, sync_to_thread=False),
            "access": Provide(provide_access, sync_to_thread=False),
            "page": Provide(provide_page, sync_to_thread=False),
        }
        | {name: _constant(value) for name, value in values.items()},
        before_request=require_readable,
        middleware=[
            DefineMiddleware(AuthenticationMiddleware, authenticator=authenticator),
            DefineMiddleware(
                IdempotencyMiddleware,
                database=database,
                lease_s=settings.idempotency_lease_s,
                lifetime_s=settings.idempotency_lifetime_s,
            ),
            DefineMiddleware(UnitOfWork, database=database, renderer=renderer),
        ],
        exception_handlers={Exception: renderer, HTTPException: renderer, SpectralError: renderer},
        lifespan=[lifespan],
        openapi_config=openapi_config(__version__),
        request_max_body_size=settings.request_body_limit_bytes,
        logging_config=None,
        signature_types=[AsyncSession, WorkspaceAccess],
    )
    # Around the router, so that requests that meet no route have an id and a log line too.
    app.asgi_handler = RequestContext(app.asgi_handler)
    app.state.update(values)
    return app


async def _start_when_current(engine: Engine, database: DatabaseCheck) -> None:
    """Until somebody has migrated the database there is nothing for the engine to work on."""
    while (await database.check()).status != "ok":  # noqa: ASYNC110 - another process migrates; nobody can tell us
        await asyncio.sleep(SCHEMA_POLL_S)
    await engine.start()


def _constant(value: Any) -> Provide:
    def provide() -> Any:
        return value

    return Provide(provide, use_cache=True, sync_to_thread=False)

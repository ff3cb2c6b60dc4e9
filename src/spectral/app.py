"""The one place that wires: settings in, application out."""

import asyncio
import copy
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from litestar import Litestar, Request
from litestar.datastructures import State
from litestar.di import Provide
from litestar.events import SimpleEventEmitter
from litestar.exceptions import HTTPException, NotFoundException
from litestar.middleware import DefineMiddleware
from litestar.types import ControllerRouterHandler
from sqlalchemy.ext.asyncio import AsyncSession

from spectral import __version__
from spectral.domains.accounts.controller import AccountController
from spectral.domains.accounts.members_controller import AccountMemberController
from spectral.domains.agents.controller import (
    AgentController,
    AgentInvocationController,
    AgentTemplateController,
)
from spectral.domains.auth.controller import AuthController, read_signing_keys
from spectral.domains.auth.federation_controller import FederationController, SingleSignOnController
from spectral.domains.auth.second_factor_controller import SecondFactorController
from spectral.domains.auth.session_controller import SessionController
from spectral.domains.changesets.cluster_controller import ClusterController, WorkspaceClusterController
from spectral.domains.changesets.controller import ChangesetController, ValidationController
from spectral.domains.changesets.experiment_controller import ExperimentController
from spectral.domains.changesets.guarding_controller import PromotionGuardController
from spectral.domains.changesets.replica_controller import ReplicaCheckController
from spectral.domains.changesets.suggestions_controller import SuggestionController
from spectral.domains.dashboard.controller import AccountUsageController, WorkspaceHealthController
from spectral.domains.evaluations.calibration_controller import CalibrationController
from spectral.domains.evaluations.controller import ObjectiveController, RubricController
from spectral.domains.evaluations.online_controller import OnlineEvaluationController, TraceScoreController
from spectral.domains.inference.controller import CredentialController, ModelController
from spectral.domains.keys.controller import ApiKeyController, ServiceAccountController
from spectral.domains.operations.controller import CustomerController, ModelConfigController, OperationsController
from spectral.domains.samples.controller import SampleController
from spectral.domains.scans.controller import ScanController
from spectral.domains.scans.inference.controller import InferenceController
from spectral.domains.scans.schedules_controller import ScheduleController
from spectral.domains.traces.collecting.controller import import_samples
from spectral.domains.traces.controller import FeedbackController, TraceController
from spectral.domains.traces.ingestion.ingestor import IngestionLimits, TraceIngestor
from spectral.domains.traces.ingestion.partitions import PartitionWindow
from spectral.domains.traces.ingestion.policy import PolicyBook, shorter
from spectral.domains.traces.lifecycle.controller import (
    TraceDeletionController,
    TraceSettingsController,
    delete_trace,
)
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.otlp.answers import OTLP_PREFIX, otlp_problem_renderer
from spectral.domains.traces.otlp.controller import OtlpController
from spectral.domains.traces.otlp.logs_controller import LogsController, MetricsController
from spectral.domains.traces.plain.controller import create_trace, import_traces
from spectral.domains.traces.plain.documents import PlainTraces
from spectral.domains.traces.plain.importing import TraceImport
from spectral.domains.traces.search.export_controller import TraceExportController
from spectral.domains.traces.search.insights_controller import TraceInsightsController
from spectral.domains.workflows.definitions.controller import WorkflowController
from spectral.domains.workflows.execution.tracing import KIND as RUN_TRACE
from spectral.domains.workflows.execution.tracing import MAX_PER_WORKSPACE as RUN_TRACES_PER_WORKSPACE
from spectral.domains.workflows.execution.tracing import RunTracer
from spectral.domains.workflows.remote.controller import AgentWorkController, WorkController, read_runner
from spectral.domains.workflows.runs.controller import (
    EngineAdapterController,
    EngineTickController,
    RunActionController,
    SignalController,
    WorkflowRunController,
)
from spectral.domains.workflows.runs.interrupts_controller import InterruptController, RunInterruptController
from spectral.domains.workflows.runs.reading_controller import RunReadingController, list_runs, read_run
from spectral.domains.workflows.runs.socket import watch_run
from spectral.domains.workflows.runs.waiting import RunWaiter
from spectral.domains.workflows.settings.controller import WorkflowSettingsController
from spectral.domains.workflows.settings.memory_controller import WorkflowMemoryController
from spectral.domains.workflows.settings.secrets_controller import WorkflowSecretController
from spectral.domains.workspaces.controller import WorkspaceController
from spectral.domains.workspaces.invites_controller import InviteController
from spectral.domains.workspaces.lifecycle_controller import (
    AutonomyController,
    DeletionController,
    SupportGrantController,
    delete_account,
    delete_workspace,
)
from spectral.domains.workspaces.members_controller import WorkspaceMemberController, remove_account_member
from spectral.platform import idempotency
from spectral.platform.access.authentication import AUTHENTICATOR, AuthenticationMiddleware
from spectral.platform.access.guards import principal_of
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.signing import TokenSigner
from spectral.platform.access.sockets import SocketRefusals
from spectral.platform.audit.controller import AuditController
from spectral.platform.db.migrations import head_revision
from spectral.platform.db.unit_of_work import RequestTransaction, UnitOfWork
from spectral.platform.dependencies import from_application, resolve_in_turn
from spectral.platform.docs.document import openapi_config
from spectral.platform.docs.pages import docs_routes
from spectral.platform.engine.engine import Engine
from spectral.platform.health import DatabaseCheck, EngineCheck, Health, HealthController
from spectral.platform.limits import middleware as limits
from spectral.platform.limits.counter import RateCounter
from spectral.platform.limits.limiter import RateLimiter, RatePolicy
from spectral.platform.logs import configure_logs
from spectral.platform.request_bodies import BodyDeadline
from spectral.platform.request_checks import require_readable
from spectral.platform.request_context import RequestContext
from spectral.platform.shared.errors import SpectralError
from spectral.platform.shared.pagination import provide_page
from spectral.platform.shared.problems import ProblemRenderer
from spectral.platform.web.page import built_page
from spectral.platform.web.routes import PAGE, page_or_problem, page_routes
from spectral.platform.webhooks.controller import EventController, WebhookController
from spectral.settings import Settings
from spectral.wiring.databases import Databases
from spectral.wiring.people import People
from spectral.wiring.work import Work

START_PATIENCE_S = 2.0
SCHEMA_POLL_S = 0.5
ROUTES, LIFESPAN = "routes", "lifespan"

CONTROLLERS: tuple[ControllerRouterHandler, ...] = (
    HealthController,
    AuthController,
    SessionController,
    SecondFactorController,
    FederationController,
    SingleSignOnController,
    read_signing_keys,
    AccountController,
    AccountMemberController,
    remove_account_member,
    InviteController,
    WorkspaceController,
    delete_workspace,
    delete_account,
    DeletionController,
    AutonomyController,
    SupportGrantController,
    WorkspaceMemberController,
    ApiKeyController,
    ServiceAccountController,
    AgentController,
    AgentTemplateController,
    AgentInvocationController,
    InferenceController,
    OperationsController,
    ModelConfigController,
    CustomerController,
    ModelController,
    CredentialController,
    SampleController,
    import_samples,
    OtlpController,
    LogsController,
    MetricsController,
    TraceSettingsController,
    TraceDeletionController,
    TraceController,
    TraceInsightsController,
    TraceExportController,
    delete_trace,
    create_trace,
    import_traces,
    FeedbackController,
    RubricController,
    CalibrationController,
    SuggestionController,
    ObjectiveController,
    OnlineEvaluationController,
    TraceScoreController,
    ScanController,
    ScheduleController,
    ChangesetController,
    ClusterController,
    WorkspaceClusterController,
    ExperimentController,
    ValidationController,
    ReplicaCheckController,
    PromotionGuardController,
    read_runner,
    AgentWorkController,
    WorkController,
    WorkflowController,
    WorkflowSecretController,
    WorkflowSettingsController,
    WorkflowMemoryController,
    WorkflowRunController,
    RunActionController,
    SignalController,
    RunInterruptController,
    InterruptController,
    EngineAdapterController,
    EngineTickController,
    AccountUsageController,
    WorkspaceHealthController,
    RunReadingController,
    list_runs,
    read_run,
    watch_run,
    AuditController,
    EventController,
    WebhookController,
)


def provide_session(request: Request[Any, Any, Any]) -> AsyncSession:
    """The request's one transaction."""
    transaction: RequestTransaction = request.scope["state"]["transaction"]
    return transaction.session()


def provide_access(request: Request[Any, Any, Any]) -> WorkspaceAccess:
    """The proof that the caller may touch the workspace of the URL, or of `X-Workspace-Id`."""
    return principal_of(request).access_to(request.path_params.get("workspace_id"))


def create_app(settings: Settings, like: Litestar | None = None) -> Litestar:
    """The application. Opens nothing before its lifespan starts.

    like: one that was made before with the same `request_body_limit_bytes`; its routes serve this one as well, which
    spares most of the time that an application takes.
    """
    databases = Databases(settings)
    counter = RateCounter(databases.identity)
    limiter = RateLimiter(counter)
    people = People(settings, databases.identity, counter)
    span_mapper = SpanMapper()
    work = Work(settings, databases, people, counter, span_mapper)
    database_check = DatabaseCheck(databases.application, head_revision())
    policy_book = PolicyBook(databases.ingestion, settings.trace_retention_days)
    # A day that is not kept any more has no partition.
    days_behind = shorter(settings.span_partition_days_behind, settings.trace_retention_days) or 0
    partitions = PartitionWindow(days_behind, settings.span_partition_days_ahead)
    trace_ingestor = TraceIngestor(
        databases.ingestion,
        span_mapper,
        IngestionLimits(
            body_bytes=settings.otlp_body_limit_bytes,
            pending_bytes=settings.otlp_pending_bytes,
            pending_requests=settings.otlp_pending_requests,
            partitions=partitions,
        ),
        policies=policy_book,
        listeners=(work.observer,),
    )
    work.engine.register(RUN_TRACE, RunTracer(trace_ingestor).export, max_per_workspace=RUN_TRACES_PER_WORKSPACE)
    injected = people.values | {
        "settings": settings,
        "database": databases.application,
        "identity": databases.identity,
        "health": Health(__version__, {"database": database_check, "engine": EngineCheck(work.engine)}),
        "engine": work.engine,
        "run_fanout": work.runs.fanout,
        "span_mapper": span_mapper,
        "trace_ingestor": trace_ingestor,
        "policy_book": policy_book,
        "plain_traces": PlainTraces(trace_ingestor, policy_book),
        "trace_import": TraceImport(trace_ingestor, settings.otlp_body_limit_bytes),
        "door": work.models.door,
        "model_catalogue": work.models.catalogue,
        "provider_credentials": work.models.credentials,
        "provider_credential_box": work.models.credential_box,
        "runtimes": work.runs.runtimes,
        "runtime_secret_box": work.runs.runtime_secret_box,
        "live": work.live,
        "launcher": work.runs.launcher,
        "run_waiter": RunWaiter(databases.application, work.live),
        "remote_queue": work.runs.queue,
        "work_waiting": work.runs.waiting,
        "webhook_box": work.webhook_box,
        "workflow_folder": work.workflow_folder,
        "workflow_secret_box": work.runs.secret_box,
        "task_registry": work.runs.tasks,
    }

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        configure_logs(settings.log_format, settings.log_level)
        starting = asyncio.create_task(_start_when_current(work.engine, database_check, people.signer))
        reloading = asyncio.create_task(people.signer.keep_fresh())
        # A current schema is the rule: then the engine runs before the first request.
        await asyncio.wait({starting}, timeout=START_PATIENCE_S)
        await work.live.start()
        await trace_ingestor.start()
        try:
            yield
        finally:
            for task in (starting, reloading):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            # Work in progress may still store traces.
            await work.close()
            await trace_ingestor.stop()
            await people.close()
            await limiter.close()
            await databases.close()

    routes: Litestar = like.state[ROUTES] if like else _routes(settings.request_body_limit_bytes, tuple(injected))
    app = copy.copy(routes)
    app.asgi_router = copy.copy(routes.asgi_router)
    app.asgi_router.app = app
    app.event_emitter = SimpleEventEmitter([])
    # Around the router, so that requests that meet no route have an id and a log line too.
    app.asgi_handler = RequestContext(
        BodyDeadline(routes.asgi_handler, settings.request_body_timeout_s),
        settings.trusted_proxies,
        is_encrypted=settings.address.startswith("https://"),
    )
    app.state = State()
    app.state.update(injected)
    app.state[limits.LIMITER], app.state[limits.POLICIES] = limiter, _rate_policies(settings)
    app.state[AUTHENTICATOR] = people.authenticator
    app.state[idempotency.KEYS] = idempotency.IdempotencyKeys(
        databases.application, settings.idempotency_lease_s, settings.idempotency_lifetime_s
    )
    app.state[ROUTES], app.state[LIFESPAN] = routes, lifespan
    app.state[PAGE] = built_page()
    # What holds requests open lets go of them first: the server's end waits for theirs.
    app.state["before_stop"] = (work.runs.waiting.stop, work.runs.fanout.close)
    return app


def _routes(body_limit_bytes: int, injected: Sequence[str]) -> Litestar:
    """An application that knows every route and has nothing to serve them with. injected: names that handlers use."""
    renderer = ProblemRenderer({OTLP_PREFIX: otlp_problem_renderer})
    app = Litestar(
        route_handlers=[*CONTROLLERS, *docs_routes(), *page_routes()],
        dependencies={
            "session": Provide(provide_session, sync_to_thread=False),
            "access": Provide(provide_access, sync_to_thread=False),
            "page": Provide(provide_page, sync_to_thread=False),
        }
        | {name: from_application(name) for name in injected},
        before_request=require_readable,
        # Around every handler, outermost first.
        middleware=[
            SocketRefusals,
            limits.RefusedCredentials,
            AuthenticationMiddleware,
            limits.RateLimits,
            idempotency.IdempotencyMiddleware,
            DefineMiddleware(UnitOfWork, renderer=renderer),
        ],
        exception_handlers={
            Exception: renderer,
            HTTPException: renderer,
            SpectralError: renderer,
            NotFoundException: page_or_problem(renderer),
        },
        lifespan=[_live],
        openapi_config=openapi_config(__version__),
        request_max_body_size=body_limit_bytes,
        logging_config=None,
        signature_types=[AsyncSession, WorkspaceAccess],
    )
    resolve_in_turn(app)
    return app


@asynccontextmanager
async def _live(app: Litestar) -> AsyncIterator[None]:
    async with app.state[LIFESPAN]():
        yield


def _rate_policies(settings: Settings) -> limits.RatePolicies:
    return limits.RatePolicies(
        RatePolicy("credential", settings.rate_limit_per_credential),
        RatePolicy("workspace", settings.rate_limit_per_workspace),
        RatePolicy("address", settings.rate_limit_per_address),
    )


async def _start_when_current(engine: Engine, database: DatabaseCheck, signer: TokenSigner) -> None:
    """Until somebody has migrated the database there is nothing for the engine to work on."""
    while (await database.check()).status != "ok":  # noqa: ASYNC110 - another process migrates; nobody can tell us
        await asyncio.sleep(SCHEMA_POLL_S)
    await signer.ready()
    await engine.start()

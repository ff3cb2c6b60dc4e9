"""The one place that wires: settings in, application out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from litestar import Litestar, Request
from litestar.di import Provide
from litestar.exceptions import HTTPException
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
from spectral.domains.auth.access_tokens import AccessTokenVerifier
from spectral.domains.auth.attempts import AttemptLimits, Attempts
from spectral.domains.auth.cleanup import INTERVAL_S as AUTH_CLEANUP_INTERVAL_S
from spectral.domains.auth.cleanup import SCHEDULE as AUTH_CLEANUP
from spectral.domains.auth.cleanup import AuthCleanup
from spectral.domains.auth.controller import AuthController, read_signing_keys
from spectral.domains.auth.federation import FederationService, IdentityService
from spectral.domains.auth.federation_controller import FederationController, SingleSignOnController
from spectral.domains.auth.federation_http import ProviderHttp
from spectral.domains.auth.federation_registry import identity_providers
from spectral.domains.auth.letters import Letters
from spectral.domains.auth.passwords import Passwords
from spectral.domains.auth.resets import PasswordResets
from spectral.domains.auth.second_factor import PURPOSE as TOTP
from spectral.domains.auth.second_factor import SecondFactors
from spectral.domains.auth.second_factor_controller import SecondFactorController
from spectral.domains.auth.service import AuthService
from spectral.domains.auth.session_controller import SessionController
from spectral.domains.auth.sessions import Lifetimes, Sessions
from spectral.domains.auth.sign_in import SignIn
from spectral.domains.changesets.controller import (
    ChangesetController,
    ClusterController,
    ExperimentController,
    ValidationController,
)
from spectral.domains.changesets.looks import ValidationEnding, validation_task
from spectral.domains.changesets.validation import KIND as VALIDATION
from spectral.domains.changesets.validation import TASK as VALIDATION_TASK
from spectral.domains.dashboard.controller import AccountUsageController, WorkspaceHealthController
from spectral.domains.evaluations.arrival_scoring import InProcessScorer
from spectral.domains.evaluations.arrivals import INTERVAL_S as ARRIVALS_INTERVAL_S
from spectral.domains.evaluations.arrivals import KIND as ARRIVALS
from spectral.domains.evaluations.arrivals import SCHEDULE as ARRIVALS_SCHEDULE
from spectral.domains.evaluations.arrivals import ArrivalSchedule, arrival_handler
from spectral.domains.evaluations.controller import ObjectiveController, RubricController
from spectral.domains.evaluations.online_controller import OnlineEvaluationController, TraceScoreController
from spectral.domains.keys.controller import ApiKeyController, ServiceAccountController
from spectral.domains.keys.peppers import Peppers
from spectral.domains.keys.uses import UseNotes
from spectral.domains.keys.verifier import ApiKeyVerifier, ServiceAccountVerifier
from spectral.domains.operations.controller import CustomerController, OperationsController
from spectral.domains.samples.controller import SampleController
from spectral.domains.scans.controller import ScanController
from spectral.domains.scans.run import KIND as SCAN
from spectral.domains.scans.run import TASK as SCAN_TASK
from spectral.domains.scans.run import ScanEnding, scan_task
from spectral.domains.traces.controller import FeedbackController, TraceController
from spectral.domains.traces.ingestion.ingestor import IngestionLimits, TraceIngestor
from spectral.domains.traces.ingestion.merging import INTERVAL_S as MERGING_INTERVAL_S
from spectral.domains.traces.ingestion.merging import SCHEDULE as MERGING
from spectral.domains.traces.ingestion.merging import ChunkMerger
from spectral.domains.traces.ingestion.partitions import PartitionWindow
from spectral.domains.traces.ingestion.policy import PolicyBook, shorter
from spectral.domains.traces.lifecycle.controller import (
    TraceDeletionController,
    TraceSettingsController,
    delete_trace,
)
from spectral.domains.traces.lifecycle.deletion import KIND as TRACE_DELETION
from spectral.domains.traces.lifecycle.deletion import MAX_PER_WORKSPACE as TRACE_DELETIONS_PER_WORKSPACE
from spectral.domains.traces.lifecycle.deletion import trace_deletion_handler
from spectral.domains.traces.lifecycle.retention import INTERVAL_S as TRACE_RETENTION_INTERVAL_S
from spectral.domains.traces.lifecycle.retention import SCHEDULE as TRACE_RETENTION
from spectral.domains.traces.lifecycle.retention import TraceRetention
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.observing import INTERVAL_S as OBSERVING_INTERVAL_S
from spectral.domains.traces.observing import SCHEDULE as OBSERVING
from spectral.domains.traces.observing import AgentObserver
from spectral.domains.traces.otlp.answers import OTLP_PREFIX, otlp_problem_renderer
from spectral.domains.traces.otlp.controller import OtlpController
from spectral.domains.traces.otlp.logs_controller import LogsController, MetricsController
from spectral.domains.traces.plain.controller import create_trace, import_traces
from spectral.domains.traces.plain.documents import PlainTraces
from spectral.domains.traces.plain.importing import TraceImport
from spectral.domains.traces.search.export_controller import TraceExportController
from spectral.domains.traces.search.insights_controller import TraceInsightsController
from spectral.domains.workflows.definitions.controller import WorkflowController
from spectral.domains.workflows.definitions.folders import INTERVAL_S as WORKFLOW_FOLDER_INTERVAL_S
from spectral.domains.workflows.definitions.folders import SCHEDULE as WORKFLOW_FOLDER
from spectral.domains.workflows.definitions.folders import FolderSync, folder_of
from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.execution.children import Subflows
from spectral.domains.workflows.execution.launching import KIND as WORKFLOW
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.scoring import RunScoring
from spectral.domains.workflows.execution.segment import Workshop, workflow_handler
from spectral.domains.workflows.execution.tracing import KIND as RUN_TRACE
from spectral.domains.workflows.execution.tracing import MAX_PER_WORKSPACE as RUN_TRACES_PER_WORKSPACE
from spectral.domains.workflows.execution.tracing import RunTracer
from spectral.domains.workflows.models import SECRET_PURPOSE as WORKFLOW_SECRETS
from spectral.domains.workflows.nodes.agent import AgentWork
from spectral.domains.workflows.nodes.calls import NodeWork
from spectral.domains.workflows.nodes.http import HttpWork
from spectral.domains.workflows.nodes.memory import MemoryRecallWork, MemoryStoreWork
from spectral.domains.workflows.nodes.prompt import PromptWork
from spectral.domains.workflows.nodes.secrets import Secrets
from spectral.domains.workflows.nodes.standard_tasks import standard_registry
from spectral.domains.workflows.nodes.structured_output import StructuredOutputWork
from spectral.domains.workflows.nodes.tasks import TaskWork
from spectral.domains.workflows.remote.controller import AgentWorkController, WorkController, read_runner
from spectral.domains.workflows.remote.expiry import INTERVAL_S as REMOTE_INTERVAL_S
from spectral.domains.workflows.remote.expiry import SCHEDULE as REMOTE
from spectral.domains.workflows.remote.expiry import LeaseExpiry
from spectral.domains.workflows.remote.service import RemoteQueue
from spectral.domains.workflows.remote.steps import RemoteSteps
from spectral.domains.workflows.remote.waiting import WorkWaiting
from spectral.domains.workflows.runs.controller import (
    EngineAdapterController,
    RunActionController,
    SignalController,
    WorkflowRunController,
)
from spectral.domains.workflows.runs.fanout import RunFanout
from spectral.domains.workflows.runs.interrupts_controller import InterruptController, RunInterruptController
from spectral.domains.workflows.runs.reading_controller import RunReadingController, list_runs, read_run
from spectral.domains.workflows.runs.retention import INTERVAL_S as RUN_RETENTION_INTERVAL_S
from spectral.domains.workflows.runs.retention import SCHEDULE as RUN_RETENTION
from spectral.domains.workflows.runs.retention import RunRetention
from spectral.domains.workflows.runs.socket import watch_run
from spectral.domains.workflows.runs.surroundings import RunSurroundings
from spectral.domains.workflows.runs.waiting import RunWaiter
from spectral.domains.workflows.settings.controller import WorkflowSettingsController
from spectral.domains.workflows.settings.memory_controller import WorkflowMemoryController
from spectral.domains.workflows.settings.secrets_controller import WorkflowSecretController
from spectral.domains.workspaces.controller import WorkspaceController
from spectral.domains.workspaces.deletions import DELETING, DELETING_INTERVAL_S, go_on_deleting
from spectral.domains.workspaces.erasure import KIND as ERASURE
from spectral.domains.workspaces.erasure import erasure_handler
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
from spectral.platform.access.authentication import AuthenticationMiddleware, Authenticator
from spectral.platform.access.guards import principal_of
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.signing import ROTATION, ROTATION_INTERVAL_S, TokenSigner
from spectral.platform.access.sockets import SocketRefusals
from spectral.platform.audit.controller import AuditController
from spectral.platform.audit.sealing import SEAL, SEAL_INTERVAL_S, Sealer
from spectral.platform.db.migrations import head_revision
from spectral.platform.db.session import Database
from spectral.platform.db.unit_of_work import RequestTransaction, UnitOfWork
from spectral.platform.dependencies import constant, resolve_in_turn
from spectral.platform.docs.document import openapi_config
from spectral.platform.docs.pages import docs_routes
from spectral.platform.engine.engine import Engine
from spectral.platform.health import DatabaseCheck, EngineCheck, Health, HealthController
from spectral.platform.limits import counter as limits
from spectral.platform.limits.counter import RateCounter
from spectral.platform.limits.limiter import RateLimiter, RatePolicy
from spectral.platform.limits.middleware import RateLimits, RatePolicies, RefusedCredentials
from spectral.platform.live import LiveChannel
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from spectral.platform.logs import configure_logs
from spectral.platform.mail.delivery import delivery_for
from spectral.platform.mail.outbox import MailBox
from spectral.platform.mail.sender import INTERVAL_S as MAIL_INTERVAL_S
from spectral.platform.mail.sender import SCHEDULE as MAIL
from spectral.platform.mail.sender import MailSender
from spectral.platform.outbound import OutboundCalls, outbound_client
from spectral.platform.request_bodies import BodyDeadline
from spectral.platform.request_checks import require_readable
from spectral.platform.request_context import RequestContext
from spectral.platform.shared.errors import SpectralError
from spectral.platform.shared.pagination import provide_page
from spectral.platform.shared.problems import ProblemRenderer
from spectral.platform.shared.secret_box import SecretBox
from spectral.platform.webhooks.controller import EventController, WebhookController
from spectral.platform.webhooks.delivering import MAX_PER_WORKSPACE, WebhookDeliverer
from spectral.platform.webhooks.models import PURPOSE as WEBHOOK_SECRETS
from spectral.platform.webhooks.outgoing import DELIVER
from spectral.settings import Settings

START_PATIENCE_S = 2.0
SCHEMA_POLL_S = 0.5
# One writer, and one that makes partitions.
INGESTION_POOL_SIZE = 2

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
    OperationsController,
    CustomerController,
    SampleController,
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
    ObjectiveController,
    OnlineEvaluationController,
    TraceScoreController,
    ScanController,
    ChangesetController,
    ClusterController,
    ExperimentController,
    ValidationController,
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


class Databases:
    """The database of an installation, as each of the roles that serve it (ADR 0012)."""

    def __init__(self, settings: Settings) -> None:
        self.application = Database(settings.url, pool_size=settings.database_pool_size)
        self.identity = self._as(settings.identity_url, settings, settings.database_pool_size)
        self.ingestion = self._as(settings.ingestion_url, settings, INGESTION_POOL_SIZE)

    def _as(self, url: str, settings: Settings, pool_size: int) -> Database:
        # On SQLite, and where no other role is named, it is the same; so is the one connection that writes.
        return self.application if url == settings.url else Database(url, pool_size=pool_size)

    async def close(self) -> None:
        for database in {self.application, self.identity, self.ingestion}:
            await database.close()


class People:
    """Who may do what: signing in, recognising credentials, and the mail that goes with it."""

    def __init__(self, settings: Settings, identity: Database, counter: RateCounter) -> None:
        self.signer = TokenSigner.of(identity, settings)
        self.peppers = Peppers.from_secrets(settings.secrets)
        self.lifetimes = Lifetimes.of(settings)
        self.mail_box = MailBox(settings.secrets)
        self.mail_sender = MailSender(identity, self.mail_box, delivery_for(settings))
        if settings.engine_executes:
            # What this process posts leaves at once; a process that only serves requests leaves it to the others.
            self.mail_box.wakes(self.mail_sender.poke)
        letters = Letters(settings.address)
        passwords = Passwords(settings.password_minimum)
        attempts = Attempts(counter, AttemptLimits.of(settings))
        totp_box = SecretBox(settings.secrets, TOTP)
        self.sessions = Sessions(identity, self.signer, self.lifetimes)
        self.second_factors = SecondFactors(identity, totp_box, passwords, attempts, self.mail_box, letters)
        self.sign_in = SignIn(identity, self.sessions, passwords, self.second_factors, attempts)
        self.resets = PasswordResets(identity, passwords, attempts, self.mail_box, letters)
        self.auth = AuthService(identity, self.sessions, passwords, attempts, self.mail_box, letters)
        self.uses = UseNotes(identity)
        machines = [
            ApiKeyVerifier(identity, self.peppers, self.uses),
            ServiceAccountVerifier(identity, self.peppers, self.uses),
        ]
        persons = AccessTokenVerifier(
            identity,
            self.signer,
            settings.step_up_lifetime_s,
            second_factor_required=settings.second_factor_required,
        )
        self.authenticator = Authenticator([*machines, persons], [*machines, persons])
        self.provider_http = ProviderHttp()
        self.providers = identity_providers(settings, self.provider_http)
        self.federation = FederationService(identity, self.auth, self.providers, self.mail_box, settings)
        self.identities = IdentityService(identity, self.providers, self.mail_box)
        self.cleanup = AuthCleanup(identity, self.lifetimes)

    @property
    def values(self) -> dict[str, Any]:
        """What handlers may ask for."""
        return {
            "signer": self.signer,
            "peppers": self.peppers,
            "uses": self.uses,
            "auth": self.auth,
            "sessions": self.sessions,
            "sign_in": self.sign_in,
            "second_factors": self.second_factors,
            "resets": self.resets,
            "mail_box": self.mail_box,
            "mail_sender": self.mail_sender,
            "authenticator": self.authenticator,
            "identity_providers": self.providers,
            "federation": self.federation,
            "identity_service": self.identities,
        }

    def schedule(self, engine: Engine) -> None:
        """What is due at intervals."""
        engine.every(MAIL, MAIL_INTERVAL_S, self.mail_sender.run)
        engine.every(AUTH_CLEANUP, AUTH_CLEANUP_INTERVAL_S, self.cleanup.run)
        engine.every(ROTATION, ROTATION_INTERVAL_S, self.signer.rotate_when_due)

    async def close(self) -> None:
        await self.mail_sender.stop()
        await self.uses.drain()
        await self.provider_http.close()


class Work:
    """What is done outside requests: the engine with every kind of work and everything that is due at intervals."""

    def __init__(
        self, settings: Settings, databases: Databases, people: People, counter: RateCounter, mapper: SpanMapper
    ) -> None:
        application, identity = databases.application, databases.identity
        self.door = ModelDoor([LocalProvider()])
        self.outbound = outbound_client(settings)
        self.webhook_box = SecretBox(settings.secrets, WEBHOOK_SECRETS)
        deliverer = WebhookDeliverer(
            self.outbound, self.webhook_box, people.mail_box, settings.webhook_retry_intervals_s
        )
        self.live = LiveChannel(application)
        self.engine = Engine(application, executes=settings.engine_executes, live=self.live)
        jobs = settings.engine_jobs_per_workspace
        self.engine.register(ERASURE, erasure_handler(identity), max_per_workspace=1)
        self.engine.register(TRACE_DELETION, trace_deletion_handler(), max_per_workspace=TRACE_DELETIONS_PER_WORKSPACE)
        self.engine.register(DELIVER, deliverer.deliver, max_per_workspace=MAX_PER_WORKSPACE)
        self.engine.register(ARRIVALS, arrival_handler(mapper, InProcessScorer()), max_per_workspace=1)
        people.schedule(self.engine)
        every = self.engine.every
        every(limits.CLEANUP, limits.CLEANUP_INTERVAL_S, counter.forget_ended)
        every(idempotency.CLEANUP, idempotency.CLEANUP_INTERVAL_S, partial(idempotency.forget_expired, application))
        every(DELETING, DELETING_INTERVAL_S, partial(go_on_deleting, application, identity, self.engine))
        retention = TraceRetention(application, identity, self.engine, settings.trace_retention_days)
        every(TRACE_RETENTION, TRACE_RETENTION_INTERVAL_S, retention.run)
        self.run_fanout = RunFanout(application, self.live)
        self.launcher = Launcher(self.engine, self.live)
        self.workflow_secret_box = SecretBox(settings.secrets, WORKFLOW_SECRETS)
        self.workflow_secrets = Secrets(application, self.workflow_secret_box)
        self.task_registry = standard_registry()
        self.task_registry.register(VALIDATION_TASK, validation_task(self.door), public=False)
        self.task_registry.register(SCAN_TASK, scan_task(self.door), public=False)
        self.launcher.listen(VALIDATION, ValidationEnding())
        self.launcher.listen(SCAN, ScanEnding())
        self.node_works: dict[NodeKind, NodeWork] = {
            NodeKind.TASK: TaskWork(self.task_registry),
            NodeKind.HTTP: HttpWork(OutboundCalls(settings), self.workflow_secrets, settings.networks_for_workspaces),
            NodeKind.MEMORY_STORE: MemoryStoreWork(),
            NodeKind.MEMORY_RECALL: MemoryRecallWork(),
            NodeKind.PROMPT: PromptWork(self.door),
            NodeKind.STRUCTURED_OUTPUT: StructuredOutputWork(self.door),
            NodeKind.AGENT: AgentWork(self.door),
        }
        self.remote_queue = RemoteQueue(self.live, self.launcher)
        workshop = Workshop(
            launcher=self.launcher,
            works=self.node_works,
            children=Subflows(self.launcher),
            remote=partial(RemoteSteps, self.remote_queue),
            surroundings=RunSurroundings(self.launcher),
            scoring=RunScoring(self.door),
        )
        runs = settings.engine_runs_per_workspace
        self.engine.register(WORKFLOW, workflow_handler(workshop), max_per_workspace=runs)
        # The platform's own runs take a long time each: they have slots of their own.
        self.engine.register(VALIDATION, workflow_handler(workshop), max_per_workspace=jobs)
        self.engine.register(SCAN, workflow_handler(workshop), max_per_workspace=jobs)
        self.work_waiting = WorkWaiting(application, self.live, self.remote_queue)
        run_retention = RunRetention(application, identity, settings.run_retention_days)
        every(RUN_RETENTION, RUN_RETENTION_INTERVAL_S, run_retention.run)
        every(REMOTE, REMOTE_INTERVAL_S, LeaseExpiry(application, identity, self.remote_queue).run)
        self.workflow_folder = folder_of(settings)
        if self.workflow_folder is not None:
            names = frozenset(self.task_registry.public())
            every(
                WORKFLOW_FOLDER,
                WORKFLOW_FOLDER_INTERVAL_S,
                FolderSync(self.workflow_folder, application, identity, names).run,
            )
        self.observer = AgentObserver(application, identity)
        every(OBSERVING, OBSERVING_INTERVAL_S, self.observer.reconcile)
        every(ARRIVALS_SCHEDULE, ARRIVALS_INTERVAL_S, ArrivalSchedule(application, self.engine).run)
        every(MERGING, MERGING_INTERVAL_S, ChunkMerger(application, identity, mapper).run)
        every(SEAL, SEAL_INTERVAL_S, Sealer(identity).run)

    async def close(self) -> None:
        self.work_waiting.stop()
        await self.run_fanout.stop()
        await self.observer.stop()
        await self.engine.stop()
        await self.live.stop()
        await self.outbound.aclose()


def create_app(settings: Settings) -> Litestar:
    """The application. Opens nothing before its lifespan starts."""
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
    values = people.values | {
        "settings": settings,
        "database": databases.application,
        "identity": databases.identity,
        "rate_counter": counter,
        "health": Health(__version__, {"database": database_check, "engine": EngineCheck(work.engine)}),
        "engine": work.engine,
        "run_fanout": work.run_fanout,
        "span_mapper": span_mapper,
        "trace_ingestor": trace_ingestor,
        "policy_book": policy_book,
        "plain_traces": PlainTraces(trace_ingestor, policy_book),
        "trace_import": TraceImport(trace_ingestor, settings.otlp_body_limit_bytes),
        "agent_observer": work.observer,
        "door": work.door,
        "live": work.live,
        "launcher": work.launcher,
        "run_waiter": RunWaiter(databases.application, work.live),
        "remote_queue": work.remote_queue,
        "work_waiting": work.work_waiting,
        "webhook_box": work.webhook_box,
        "workflow_folder": work.workflow_folder,
        "workflow_secret_box": work.workflow_secret_box,
        "workflow_secrets": work.workflow_secrets,
        "task_registry": work.task_registry,
    }

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
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
            await trace_ingestor.stop()
            await work.close()
            await people.close()
            await limiter.close()
            await databases.close()

    renderer = ProblemRenderer({OTLP_PREFIX: otlp_problem_renderer})
    app = Litestar(
        route_handlers=[*CONTROLLERS, *docs_routes()],
        dependencies={
            "session": Provide(provide_session, sync_to_thread=False),
            "access": Provide(provide_access, sync_to_thread=False),
            "page": Provide(provide_page, sync_to_thread=False),
        }
        | {name: constant(value) for name, value in values.items()},
        before_request=require_readable,
        middleware=_middleware(settings, databases.application, people.authenticator, limiter, renderer),
        exception_handlers={Exception: renderer, HTTPException: renderer, SpectralError: renderer},
        lifespan=[lifespan],
        openapi_config=openapi_config(__version__),
        request_max_body_size=settings.request_body_limit_bytes,
        logging_config=None,
        signature_types=[AsyncSession, WorkspaceAccess],
    )
    resolve_in_turn(app)
    # Around the router, so that requests that meet no route have an id and a log line too.
    app.asgi_handler = RequestContext(
        BodyDeadline(app.asgi_handler, settings.request_body_timeout_s),
        settings.trusted_proxies,
        is_encrypted=settings.address.startswith("https://"),
    )
    app.state.update(values)
    # What holds requests open lets go of them first: the server's end waits for theirs.
    app.state["before_stop"] = (work.work_waiting.stop,)
    return app


def _middleware(
    settings: Settings,
    database: Database,
    authenticator: Authenticator,
    limiter: RateLimiter,
    renderer: ProblemRenderer,
) -> list[DefineMiddleware]:
    """Around every handler, outermost first."""
    policies = RatePolicies(
        RatePolicy("credential", settings.rate_limit_per_credential),
        RatePolicy("workspace", settings.rate_limit_per_workspace),
        RatePolicy("address", settings.rate_limit_per_address),
    )
    return [
        DefineMiddleware(SocketRefusals),
        DefineMiddleware(RefusedCredentials, limiter=limiter, policies=policies),
        DefineMiddleware(AuthenticationMiddleware, authenticator=authenticator),
        DefineMiddleware(RateLimits, limiter=limiter, policies=policies),
        DefineMiddleware(
            idempotency.IdempotencyMiddleware,
            database=database,
            lease_s=settings.idempotency_lease_s,
            lifetime_s=settings.idempotency_lifetime_s,
        ),
        DefineMiddleware(UnitOfWork, database=database, renderer=renderer),
    ]


async def _start_when_current(engine: Engine, database: DatabaseCheck, signer: TokenSigner) -> None:
    """Until somebody has migrated the database there is nothing for the engine to work on."""
    while (await database.check()).status != "ok":  # noqa: ASYNC110 - another process migrates; nobody can tell us
        await asyncio.sleep(SCHEMA_POLL_S)
    await signer.ready()
    await engine.start()

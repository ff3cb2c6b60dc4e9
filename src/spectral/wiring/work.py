"""What is done outside requests."""

from functools import partial

from spectral.domains.changesets.looks import ValidationEnding, validation_task
from spectral.domains.changesets.validation import KIND as VALIDATION
from spectral.domains.changesets.validation import TASK as VALIDATION_TASK
from spectral.domains.evaluations.arrival_scoring import InProcessScorer
from spectral.domains.evaluations.arrivals import INTERVAL_S as ARRIVALS_INTERVAL_S
from spectral.domains.evaluations.arrivals import KIND as ARRIVALS
from spectral.domains.evaluations.arrivals import SCHEDULE as ARRIVALS_SCHEDULE
from spectral.domains.evaluations.arrivals import ArrivalSchedule, arrival_handler
from spectral.domains.scans.run import KIND as SCAN
from spectral.domains.scans.run import TASK as SCAN_TASK
from spectral.domains.scans.run import ScanEnding, scan_task
from spectral.domains.traces.ingestion.merging import INTERVAL_S as MERGING_INTERVAL_S
from spectral.domains.traces.ingestion.merging import SCHEDULE as MERGING
from spectral.domains.traces.ingestion.merging import ChunkMerger
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
from spectral.domains.workflows.definitions.folders import INTERVAL_S as WORKFLOW_FOLDER_INTERVAL_S
from spectral.domains.workflows.definitions.folders import SCHEDULE as WORKFLOW_FOLDER
from spectral.domains.workflows.definitions.folders import FolderSync, folder_of
from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.execution.children import Subflows
from spectral.domains.workflows.execution.launching import KIND as WORKFLOW
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.scoring import RunScoring
from spectral.domains.workflows.execution.segment import Workshop, workflow_handler
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
from spectral.domains.workflows.remote.expiry import INTERVAL_S as REMOTE_INTERVAL_S
from spectral.domains.workflows.remote.expiry import SCHEDULE as REMOTE
from spectral.domains.workflows.remote.expiry import LeaseExpiry
from spectral.domains.workflows.remote.service import RemoteQueue
from spectral.domains.workflows.remote.steps import RemoteSteps
from spectral.domains.workflows.remote.waiting import WorkWaiting
from spectral.domains.workflows.runs.fanout import RunFanout
from spectral.domains.workflows.runs.retention import INTERVAL_S as RUN_RETENTION_INTERVAL_S
from spectral.domains.workflows.runs.retention import SCHEDULE as RUN_RETENTION
from spectral.domains.workflows.runs.retention import RunRetention
from spectral.domains.workflows.runs.surroundings import RunSurroundings
from spectral.domains.workspaces.deletions import DELETING, DELETING_INTERVAL_S, go_on_deleting
from spectral.domains.workspaces.erasure import KIND as ERASURE
from spectral.domains.workspaces.erasure import erasure_handler
from spectral.platform import idempotency
from spectral.platform.audit.sealing import SEAL, SEAL_INTERVAL_S, Sealer
from spectral.platform.engine.engine import Engine
from spectral.platform.limits import counter as limits
from spectral.platform.limits.counter import RateCounter
from spectral.platform.live import LiveChannel
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from spectral.platform.outbound import OutboundCalls, outbound_client
from spectral.platform.shared.secret_box import SecretBox
from spectral.platform.webhooks.delivering import MAX_PER_WORKSPACE, WebhookDeliverer
from spectral.platform.webhooks.models import PURPOSE as WEBHOOK_SECRETS
from spectral.platform.webhooks.outgoing import DELIVER
from spectral.settings import Settings
from spectral.wiring.databases import Databases
from spectral.wiring.people import People

RUNS_PER_PROCESS = 200


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
        # Executions of runs are tasks of the loop, and most of them wait for something else.
        handler = workflow_handler(workshop)
        self.engine.register(WORKFLOW, handler, max_per_workspace=runs, max_per_process=RUNS_PER_PROCESS)
        # The platform's own runs take a long time each: they have slots of their own.
        self.engine.register(VALIDATION, handler, max_per_workspace=jobs)
        self.engine.register(SCAN, handler, max_per_workspace=jobs)
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

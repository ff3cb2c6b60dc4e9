"""Runs of workflows: users' own, and those that are the platform's long work."""

from functools import partial

from spectral.domains.agents.models import SECRET_PURPOSE as RUNTIME_SECRETS
from spectral.domains.changesets.experiment_launching import KIND as EXPERIMENT
from spectral.domains.changesets.experiment_launching import TASK as EXPERIMENT_TASK
from spectral.domains.changesets.experiment_runs import ExperimentEnding, experiment_task
from spectral.domains.changesets.looks import ValidationEnding, validation_task
from spectral.domains.changesets.replica_checks import KIND as REPLICA
from spectral.domains.changesets.replica_checks import TASK as REPLICA_TASK
from spectral.domains.changesets.replica_runs import ReplicaCheckEnding, replica_check_task
from spectral.domains.changesets.validation import KIND as VALIDATION
from spectral.domains.changesets.validation import TASK as VALIDATION_TASK
from spectral.domains.scans.run import KIND as SCAN
from spectral.domains.scans.run import TASK as SCAN_TASK
from spectral.domains.scans.run import ScanEnding, scan_task
from spectral.domains.workflows.definitions.folders import INTERVAL_S as WORKFLOW_FOLDER_INTERVAL_S
from spectral.domains.workflows.definitions.folders import SCHEDULE as WORKFLOW_FOLDER
from spectral.domains.workflows.definitions.folders import DefinitionFolder, FolderSync
from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.execution.children import Subflows
from spectral.domains.workflows.execution.launching import KIND as WORKFLOW
from spectral.domains.workflows.execution.launching import Launcher, RunListener
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
from spectral.domains.workflows.nodes.tasks import TaskFunction, TaskWork
from spectral.domains.workflows.remote.expiry import FORGETTING, FORGETTING_INTERVAL_S, LeaseExpiry, TaskRetention
from spectral.domains.workflows.remote.expiry import INTERVAL_S as REMOTE_INTERVAL_S
from spectral.domains.workflows.remote.expiry import SCHEDULE as REMOTE
from spectral.domains.workflows.remote.service import RemoteQueue
from spectral.domains.workflows.remote.steps import RemoteSteps
from spectral.domains.workflows.remote.waiting import WorkWaiting
from spectral.domains.workflows.runs.fanout import RunFanout
from spectral.domains.workflows.runs.retention import INTERVAL_S as RUN_RETENTION_INTERVAL_S
from spectral.domains.workflows.runs.retention import SCHEDULE as RUN_RETENTION
from spectral.domains.workflows.runs.retention import RunRetention
from spectral.domains.workflows.runs.surroundings import RunSurroundings
from spectral.platform.engine.engine import Engine
from spectral.platform.live import LiveChannel
from spectral.platform.outbound import OutboundCalls
from spectral.platform.shared.secret_box import SecretBox
from spectral.settings import Settings
from spectral.wiring.databases import Databases
from spectral.wiring.models import Models
from spectral.wiring.runtimes import agent_runtimes

RUNS_PER_PROCESS = 200


class Runs:
    """What begins, wakes and executes runs, and what their nodes do."""

    def __init__(
        self, settings: Settings, databases: Databases, models: Models, engine: Engine, live: LiveChannel
    ) -> None:
        application = databases.application
        door = models.door
        self._engine = engine
        self.fanout = RunFanout(application, live)
        self.launcher = Launcher(engine, live)
        self.secret_box = SecretBox(settings.secrets, WORKFLOW_SECRETS)
        self.secrets = Secrets(application, self.secret_box)
        self.queue = RemoteQueue(live, self.launcher)
        self.waiting = WorkWaiting(application, live, self.queue)
        self.runtime_secret_box = SecretBox(settings.secrets, RUNTIME_SECRETS)
        self.runtimes = agent_runtimes(
            settings, application, door, live, self.launcher, self.queue, self.runtime_secret_box
        )
        self.tasks = standard_registry()
        self._node_works: dict[NodeKind, NodeWork] = {
            NodeKind.TASK: TaskWork(self.tasks),
            NodeKind.HTTP: HttpWork(OutboundCalls(settings), self.secrets, settings.networks_for_workspaces),
            NodeKind.MEMORY_STORE: MemoryStoreWork(),
            NodeKind.MEMORY_RECALL: MemoryRecallWork(),
            NodeKind.PROMPT: PromptWork(door),
            NodeKind.STRUCTURED_OUTPUT: StructuredOutputWork(door),
            NodeKind.AGENT: AgentWork(door, self.runtimes),
        }
        workshop = Workshop(
            launcher=self.launcher,
            works=self._node_works,
            children=Subflows(self.launcher),
            remote=partial(RemoteSteps, self.queue),
            surroundings=RunSurroundings(self.launcher),
            scoring=RunScoring(door),
        )
        # Executions of runs are tasks of the loop, and most of them wait for something else.
        self._handler = workflow_handler(workshop)
        limit = settings.engine_runs_per_workspace
        engine.register(WORKFLOW, self._handler, max_per_workspace=limit, max_per_process=RUNS_PER_PROCESS)
        jobs = settings.engine_jobs_per_workspace
        looks, phases = validation_task(door, self.runtimes), scan_task(door, self.runtimes, self.launcher)
        self._add(VALIDATION, VALIDATION_TASK, looks, ValidationEnding(), jobs)
        self._add(SCAN, SCAN_TASK, phases, ScanEnding(), jobs)
        self._add(EXPERIMENT, EXPERIMENT_TASK, experiment_task(door, self.runtimes), ExperimentEnding(), jobs)
        self._add(REPLICA, REPLICA_TASK, replica_check_task(door, self.runtimes), ReplicaCheckEnding(), jobs)

    def _add(self, kind: str, task: str, function: TaskFunction, ending: RunListener, jobs: int) -> None:
        """The platform's own runs of a kind: they take a long time each, so they have slots of their own."""
        self.tasks.register(task, function, public=False)
        self.launcher.listen(kind, ending)
        self._engine.register(kind, self._handler, max_per_workspace=jobs)

    def schedule(self, settings: Settings, databases: Databases) -> None:
        """What is due at intervals."""
        application, identity = databases.application, databases.identity
        every = self._engine.every
        retention = RunRetention(application, identity, settings.run_retention_days)
        every(RUN_RETENTION, RUN_RETENTION_INTERVAL_S, retention.run)
        every(FORGETTING, FORGETTING_INTERVAL_S, TaskRetention(application, identity).run)
        every(REMOTE, REMOTE_INTERVAL_S, LeaseExpiry(application, identity, self.queue).run)

    def keep_folder(self, folder: DefinitionFolder, databases: Databases) -> None:
        """A folder's workflows are those of its workspace."""
        names = frozenset(self.tasks.public())
        sync = FolderSync(folder, databases.application, databases.identity, names)
        self._engine.every(WORKFLOW_FOLDER, WORKFLOW_FOLDER_INTERVAL_S, sync.run)

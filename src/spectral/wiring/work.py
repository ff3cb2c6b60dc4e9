"""What is done outside requests."""

from functools import partial

from spectral.domains.changesets.guarding_work import INTERVAL_S as GUARDS_INTERVAL_S
from spectral.domains.changesets.guarding_work import SCHEDULE as GUARDS
from spectral.domains.changesets.guarding_work import GuardSchedule
from spectral.domains.evaluations.arrival_scoring import RubricScorer
from spectral.domains.evaluations.arrivals import INTERVAL_S as ARRIVALS_INTERVAL_S
from spectral.domains.evaluations.arrivals import KIND as ARRIVALS
from spectral.domains.evaluations.arrivals import SCHEDULE as ARRIVALS_SCHEDULE
from spectral.domains.evaluations.arrivals import ArrivalSchedule, arrival_handler
from spectral.domains.scans.launch import ScanLauncher
from spectral.domains.scans.schedules_firing import INTERVAL_S as SCAN_SCHEDULES_INTERVAL_S
from spectral.domains.scans.schedules_firing import SCHEDULE as SCAN_SCHEDULES
from spectral.domains.scans.schedules_firing import ScheduleFiring
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
from spectral.domains.workflows.definitions.folders import folder_of
from spectral.domains.workspaces.deletions import DELETING, DELETING_INTERVAL_S, go_on_deleting
from spectral.domains.workspaces.erasure import KIND as ERASURE
from spectral.domains.workspaces.erasure import erasure_handler
from spectral.platform import idempotency
from spectral.platform.audit.sealing import SEAL, SEAL_INTERVAL_S, Sealer
from spectral.platform.engine.engine import Engine
from spectral.platform.limits import counter as limits
from spectral.platform.limits.counter import RateCounter
from spectral.platform.live import LiveChannel
from spectral.platform.outbound import outbound_client
from spectral.platform.shared.secret_box import SecretBox
from spectral.platform.webhooks.delivering import MAX_PER_WORKSPACE, WebhookDeliverer
from spectral.platform.webhooks.models import PURPOSE as WEBHOOK_SECRETS
from spectral.platform.webhooks.outgoing import DELIVER
from spectral.settings import Settings
from spectral.wiring.databases import Databases
from spectral.wiring.models import Models
from spectral.wiring.people import People
from spectral.wiring.runs import Runs


class Work:
    """What is done outside requests: the engine with every kind of work and everything that is due at intervals."""

    def __init__(
        self, settings: Settings, databases: Databases, people: People, counter: RateCounter, mapper: SpanMapper
    ) -> None:
        application, identity = databases.application, databases.identity
        self.models = Models(settings, databases)
        self.outbound = outbound_client(settings)
        self.webhook_box = SecretBox(settings.secrets, WEBHOOK_SECRETS)
        deliverer = WebhookDeliverer(
            self.outbound, self.webhook_box, people.mail_box, settings.webhook_retry_intervals_s
        )
        self.live = LiveChannel(application)
        self.engine = Engine(
            application, executes=settings.engine_executes, ticked=settings.engine_ticks, live=self.live
        )
        self.engine.register(ERASURE, erasure_handler(identity), max_per_workspace=1)
        self.engine.register(TRACE_DELETION, trace_deletion_handler(), max_per_workspace=TRACE_DELETIONS_PER_WORKSPACE)
        self.engine.register(DELIVER, deliverer.deliver, max_per_workspace=MAX_PER_WORKSPACE)
        self.engine.register(ARRIVALS, arrival_handler(mapper, RubricScorer(self.models.door)), max_per_workspace=1)
        self.runs = Runs(settings, databases, self.models, self.engine, self.live)
        self.workflow_folder = folder_of(settings)
        if self.workflow_folder is not None:
            self.runs.keep_folder(self.workflow_folder, databases)
        self.observer = AgentObserver(application, identity)
        for room in (people, self.models):
            room.schedule(self.engine)
        self.runs.schedule(settings, databases)
        self._schedule(settings, databases, counter, mapper)

    def _schedule(self, settings: Settings, databases: Databases, counter: RateCounter, mapper: SpanMapper) -> None:
        """What is due at intervals and belongs to no room of its own."""
        application, identity = databases.application, databases.identity
        every = self.engine.every
        every(limits.CLEANUP, limits.CLEANUP_INTERVAL_S, counter.forget_ended)
        every(idempotency.CLEANUP, idempotency.CLEANUP_INTERVAL_S, partial(idempotency.forget_expired, application))
        every(DELETING, DELETING_INTERVAL_S, partial(go_on_deleting, application, identity, self.engine))
        retention = TraceRetention(application, identity, self.engine, settings.trace_retention_days)
        every(TRACE_RETENTION, TRACE_RETENTION_INTERVAL_S, retention.run)
        every(OBSERVING, OBSERVING_INTERVAL_S, self.observer.reconcile)
        every(ARRIVALS_SCHEDULE, ARRIVALS_INTERVAL_S, ArrivalSchedule(application, self.engine).run)
        every(MERGING, MERGING_INTERVAL_S, ChunkMerger(application, identity, mapper).run)
        starting = partial(
            ScanLauncher, door=self.models.door, runtimes=self.runs.runtimes, launcher=self.runs.launcher
        )
        every(SCAN_SCHEDULES, SCAN_SCHEDULES_INTERVAL_S, ScheduleFiring(application, starting).run)
        every(GUARDS, GUARDS_INTERVAL_S, GuardSchedule(application).run)
        every(SEAL, SEAL_INTERVAL_S, Sealer(identity).run)

    async def close(self) -> None:
        self.runs.waiting.stop()
        await self.runs.fanout.stop()
        await self.observer.stop()
        await self.engine.stop()
        await self.models.door.close()
        await self.live.stop()
        await self.outbound.aclose()

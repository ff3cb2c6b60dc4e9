"""DBOS behind the engine's door: queue, delays and recovery of jobs. Nothing else in the project imports it.

A job names a piece of work and carries nothing else: it brings the news to a process that has room. Its body is
synchronous, in one of DBOS's own threads, and ends once the application's loop knows: asynchronous bodies would make
DBOS replace that loop's thread pool.
"""

import json
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, Serializer
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.engine.connections import synchronous_url
from spectral.platform.engine.errors import EngineStateError

APPLICATION = "spectral"
APPLICATION_VERSION = "engine-1"
SCHEMA = "dbos"
QUEUE = "spectral-work"
JOB = "spectral.segment"
POLLING_INTERVAL_S = 0.1
MAX_EXECUTOR_THREADS = 32
# Below the thread count, so that recovery gets a thread whatever arrives.
MAX_JOBS = 24
LIVE_STATES = frozenset({"ENQUEUED", "DELAYED", "PENDING"})

JobBody = Callable[["JobRef"], None]


@dataclass(frozen=True, slots=True)
class JobRef:
    """The piece of work that a job carries."""

    workspace_id: UUID
    account_id: UUID
    kind: str
    key: UUID

    def job_id(self, segment_no: int) -> str:
        """Deterministic, so that enqueueing the same segment twice makes one job."""
        return f"{self.key}:{segment_no}"


class JsonSerializer(Serializer):
    """Job arguments as JSON; the default is pickle, which executes what it reads."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=repr, separators=(",", ":"))

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "spectral-json"


class _Executing:
    """What this process does with a job; DBOS allows one instance and one registry per process."""

    body: JobBody | None = None


@DBOS.workflow(name=JOB, max_recovery_attempts=None)
def run_segment(workspace_id: str, account_id: str, kind: str, key: str) -> None:
    """The job's body; ends once this process knows of the work."""
    if _Executing.body is not None:
        _Executing.body(JobRef(UUID(workspace_id), UUID(account_id), kind, UUID(key)))


class JobQueue:
    """Jobs in the database of the installation. `engine` stays the caller's to dispose of."""

    def __init__(self, engine: sa.Engine) -> None:
        _quiet()
        self._engine = engine
        self._client = DBOSClient(
            system_database_engine=engine,
            dbos_system_schema=SCHEMA,
            serializer=JsonSerializer(),
            application_name=APPLICATION,
            lazy=True,
        )

    async def enqueue(self, session: AsyncSession, ref: JobRef, segment_no: int) -> None:
        """A job for the work exists when, and only if, the caller's transaction commits."""
        connection = await session.connection()
        await connection.run_sync(self.enqueue_on, ref, segment_no)

    def enqueue_on(self, connection: sa.Connection, ref: JobRef, segment_no: int) -> None:
        """As `enqueue`, on a synchronous connection."""
        options: EnqueueOptions = {
            "workflow_name": JOB,
            "queue_name": QUEUE,
            "workflow_id": ref.job_id(segment_no),
            "app_version": APPLICATION_VERSION,
            "queue_partition_key": f"{ref.workspace_id}:{ref.kind}",
        }
        arguments = (str(ref.workspace_id), str(ref.account_id), ref.kind, str(ref.key))
        self._client.enqueue_in_transaction(connection, options, *arguments)

    def live_among(self, job_ids: Sequence[str]) -> set[str]:
        """Those of these jobs that are waiting, delayed or running."""
        if not job_ids:
            return set()
        jobs = self._client.list_workflows(workflow_ids=list(job_ids), load_input=False, load_output=False)
        return {job.workflow_id for job in jobs if job.status in LIVE_STATES}

    def resume_jobs_of_dead(self, alive: Collection[str]) -> int:
        """Jobs that a process outside `alive` took and never ended are waiting again; answers how many."""
        taken = self._client.list_workflows(status="PENDING", load_input=False, load_output=False)
        orphans = [job.workflow_id for job in taken if job.executor_id not in alive]
        if orphans:
            self._client.resume_workflows(orphans, queue_name=QUEUE)
        return len(orphans)

    def forget_jobs(self, before: datetime, limit: int) -> int:
        """Remove up to `limit` jobs that ended before that moment; answers how many."""
        ended = self._client.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=before.isoformat(),
            load_input=False,
            load_output=False,
            limit=limit,
        )
        if ended:
            self._client.delete_workflows([job.workflow_id for job in ended])
        return len(ended)

    def launch(self, executor_id: str, body: JobBody, *, jobs_per_partition: int) -> None:
        """This process takes jobs from now on. Blocks for the database; call it off the loop.

        Raises EngineStateError when the process executes already, and whatever the database says when DBOS's tables
        are missing or too old (`migrate_jobs`).
        """
        if _Executing.body is not None:
            raise EngineStateError("one engine executes in a process")
        _Executing.body = body
        try:
            config: DBOSConfig = {
                "name": APPLICATION,
                "application_version": APPLICATION_VERSION,
                "executor_id": executor_id,
                "system_database_engine": self._engine,
                "dbos_system_schema": SCHEMA,
                "serializer": JsonSerializer(),
                "run_migrations": False,
                "max_executor_threads": MAX_EXECUTOR_THREADS,
                "enable_otlp": False,
                # Nothing waits for DBOS's notifications, so neither a listening connection nor its 10 ms thread.
                "use_listen_notify": False,
                "notification_listener_polling_interval_sec": POLLING_INTERVAL_S,
                "log_level": "WARNING",
            }
            DBOS(config=config)
            self._client.register_queue(
                QUEUE,
                partition_concurrency=jobs_per_partition,
                worker_concurrency=MAX_JOBS,
                polling_interval_sec=POLLING_INTERVAL_S,
            )
            DBOS.launch()
        except BaseException:
            self.destroy()
            raise

    def destroy(self) -> None:
        """This process takes no more jobs. Blocks until DBOS's threads have ended; call it off the loop."""
        DBOS.destroy()
        _Executing.body = None

    def close(self) -> None:
        """Nothing can be enqueued any more."""
        self._client.destroy()


def migrate_jobs(url: str, application_role: str | None = None) -> None:
    """DBOS's tables are current: in the same file on SQLite, in schema `dbos` on PostgreSQL. Safe to repeat.

    url: of the role that owns the schema.  application_role: on PostgreSQL the role that runs the engine; if it exists
    and is not the owner, it is granted the rows (no DDL). Blocks; runs under DBOS's own lock.
    """
    _quiet()
    target = synchronous_url(url)
    if target.get_backend_name() == "sqlite":
        DBOS.migrate(target.render_as_string(hide_password=False))
        return
    plain = target.set(drivername="postgresql").render_as_string(hide_password=False)
    grantee = application_role if application_role and _is_another_role(target, application_role) else None
    DBOS.migrate(plain, schema=SCHEMA, application_role=grantee)


def _is_another_role(url: sa.URL, role: str) -> bool:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        found = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role AND rolname <> current_user")
        return connection.execute(found, {"role": role}).scalar() is not None


def _quiet() -> None:
    """DBOS logs through the application's logging, from WARNING on; without a handler it would write to the console."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.setLevel(logging.WARNING)

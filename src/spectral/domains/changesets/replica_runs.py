"""A replica check is carried out: every recorded input executed once, what it gives compared. Resumable."""

from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.runtime import Runtimes
from spectral.domains.agents.service import AgentService
from spectral.domains.changesets.looks import Execution, RunExecution
from spectral.domains.changesets.replica_checks import ENDED, KIND, ReplicaCheckRepository
from spectral.domains.changesets.replica_models import ReplicaCheck
from spectral.domains.changesets.statistics import wilson
from spectral.domains.evaluations.budget import Budget
from spectral.domains.evaluations.measurement import Measurement
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.samples.service import SampleService
from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.nodes.tasks import TaskContext, TaskFunction
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.engine.errors import LeaseLostError, WorkCancelledError
from spectral.platform.engine.passing import is_passing
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import SpectralError

AGREEMENT = RubricSpec.model_validate({"dimensions": [{"name": "agreement", "scorer": "label", "weight": 1}]})
"""As labels are compared: case, quotes and punctuation at the edges do not count."""

log = structlog.get_logger(__name__)


def replica_check_task(door: ModelDoor, runtimes: Runtimes) -> TaskFunction:
    """What the node of `WORKFLOW` calls."""

    async def compare(context: TaskContext) -> Any:
        check = await run_check(RunExecution(context), UUID(context.inputs["check_id"]), door=door, runtimes=runtimes)
        return {"status": check.status, "lower": check.lower}

    return compare


class ReplicaCheckEnding:
    """A check whose run ended before it did; what the run's listener is for."""

    async def run_ended(self, session: AsyncSession, access: WorkspaceAccess, run: WorkflowRun) -> None:
        """It is failed or cancelled; nothing if it had ended."""
        checks = ReplicaCheckRepository(session, access)
        check = await checks.find(ReplicaCheck.id == run.id)
        if check is None or check.status in ENDED:
            return
        check.finished_at = utc_now()
        check.status = "cancelled" if run.status == RunStatus.CANCELLED else "failed"
        if check.status == "failed":
            error = run.error or {}
            check.failure = {"type": str(error.get("type")), "detail": str(error.get("message"))}
        await checks.flush()


async def run_check(execution: Execution, check_id: UUID, *, door: ModelDoor, runtimes: Runtimes) -> ReplicaCheck:
    """The check is completed with its agreement; one that has ended is answered as it is.

    What was executed before a crash is read from the journal. A refusal (a spent budget, an unknown model) ends as
    `failed`. Raises what the execution raises when it is cancelled or has lost its lease.
    """
    access = execution.access
    async with execution.database.transaction(access) as session:
        await execution.fence(session)
        check = await ReplicaCheckRepository(session, access).get(check_id)
        if check.status in ENDED:
            return check
        check.status = "running"
    values: dict[str, Any]
    try:
        values = await _agreement(execution, check, door, runtimes)
    except (LeaseLostError, WorkCancelledError):
        raise
    except SpectralError as error:
        values = {"status": "failed", "failure": {"type": error.slug, "detail": error.detail}}
    except Exception as error:
        if is_passing(error):
            raise  # a database that is away is not the check's failure: whoever executes tries again
        log.exception("replica_check_failed", check_id=str(check_id))
        raise
    async with execution.database.transaction(access) as session:
        await execution.fence(session)
        check = await ReplicaCheckRepository(session, access).get(check_id)
        for name, value in values.items():
            setattr(check, name, value)
        check.finished_at = utc_now()
    return check


async def _agreement(execution: Execution, check: ReplicaCheck, door: ModelDoor, runtimes: Runtimes) -> dict[str, Any]:
    access = execution.access
    async with execution.database.transaction(access, read_only=True) as session:
        agents = AgentService(session, access)
        agent = await agents.read_agent(check.agent_id)
        config = (await agents.read_config(check.agent_id, check.version)).read_document()
        wanted = [UUID(one) for one in check.item_ids]
        items = await SampleService(session, access).searchable_items(check.sample_set_id, wanted)
    measurement = Measurement(
        execution.database,
        access,
        runtimes.of(access, agent, subject=f"{KIND}:{check.id}"),
        AGREEMENT,
        subject_kind=KIND,
        subject_id=check.id,
        budget=Budget(len(wanted), check.max_cost_nano_usd),
        checkpoint=execution.raise_if_cancelled,
        fence=execution.fence,
        door=door,
        counts_once=True,
    )
    measured = await measurement.measure(config, items, purpose="agent")
    known = [one for one in measured if not one.missing]
    rate = wilson(sum(one.passed for one in known), len(known))
    return {
        "status": "completed",
        "compared": rate.n,
        "agreed": rate.successes,
        "missing": len(wanted) - rate.n,
        "lower": rate.low,
        "upper": rate.high,
    }

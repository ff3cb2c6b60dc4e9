"""How a run's outputs are judged where its definition names a rubric."""

from typing import Any

from spectral.domains.workflows.definitions.expressions import Scope
from spectral.domains.workflows.definitions.model import Evaluation
from spectral.domains.workflows.execution.evaluation import evaluate_run
from spectral.domains.workflows.models import WorkflowRun
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.clock import utc_now


class RunScoring:
    """Scores with the workspace's rubrics."""

    def __init__(self, door: ModelDoor) -> None:
        self._door = door

    async def __call__(
        self,
        database: Database,
        access: WorkspaceAccess,
        evaluation: Evaluation,
        run: WorkflowRun,
        outputs: Any,
        scope: Scope,
    ) -> dict[str, Any]:
        """`{scores, summary, error}`; what goes wrong is part of it. scope: what `expected` may ask for."""
        latency_ms = None if run.started_at is None else (utc_now() - run.started_at).total_seconds() * 1000
        cost = None if run.spent.get("unknown_cost_calls") else run.spent.get("cost_nano_usd", 0)
        scored = await evaluate_run(
            database,
            access,
            self._door,
            evaluation,
            run.inputs,
            outputs,
            scope=scope,
            latency_ms=latency_ms,
            cost_nano_usd=cost,
        )
        return scored.to_document()

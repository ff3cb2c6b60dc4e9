"""What a rubric says of a run's outputs, before the run's last event."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from uuid import UUID

import structlog

from spectral.domains.agents.json_values import json_text
from spectral.domains.evaluations.judgements import SCORED_BY_HAND
from spectral.domains.evaluations.judging import score_items
from spectral.domains.evaluations.previews import Example
from spectral.domains.evaluations.scorers.base import ScoredCase
from spectral.domains.evaluations.scorers.usage import Latency
from spectral.domains.evaluations.scoring import ItemScore
from spectral.domains.evaluations.service import RubricService, spec_of
from spectral.domains.workflows.definitions.expressions import ExpressionError, Scope, evaluate
from spectral.domains.workflows.definitions.model import Evaluation
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.passing import is_passing
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.errors import NotFoundError, SpectralError

MODEL_OUTPUTS: Final = frozenset({"model", "usage", "cost_usd"})
TEXTS: Final = ("text", "output")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The scores of a run's outputs, or why there are none.

    scores: by dimension `{score, explanation, scorer, error}`; score is None where the scorer failed.
    summary: `{rubric_id, rubric, rubric_version, total, passed, threshold}`; total is None exactly when there is an
    error, and then nothing passed.  error: `{type, message}`.
    """

    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    error: dict[str, str] | None = None

    def to_document(self) -> dict[str, Any]:
        """The result as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Ends:
    """What expressions in `expected` may ask for where nobody knows more of the run."""

    inputs: Mapping[str, Any]
    outputs: Any

    def lookup(self, name: str) -> Any:
        if name == "inputs":
            return self.inputs
        if name == "output":
            return self.outputs
        raise ExpressionError(f"`{name}` is not known once a run has ended; `inputs` and `output` are")


async def evaluate_run(
    database: Database,
    access: WorkspaceAccess,
    door: ModelDoor,
    evaluation: Evaluation,
    inputs: Mapping[str, Any],
    outputs: Any,
    *,
    scope: Scope | None = None,
    latency_ms: float | None = None,
    cost_nano_usd: int | None = None,
) -> EvaluationResult:
    """The outputs scored with the rubric's version, else its latest; with no transaction open meanwhile.

    Scored as text: outputs of one member are that member, those of a model's node are its text, others are JSON.
    `evaluation.expected` may hold expressions; they are resolved here, and must not have been before.
    scope: what these see; without one `inputs`, and as `output` the outputs.
    Models that the rubric asks are paid for by the workspace and kept among its model calls.
    latency_ms: from the run's start to its outputs; None where nobody measured it.  cost_nano_usd: None is unknown.
    Never fails a run: what goes wrong is the result's error, and no score of 0. Only a database that is away is raised.
    """
    try:
        async with database.transaction(access, read_only=True) as session:
            service = RubricService(session, access)
            found = await service.read_rubric(_rubric_id(evaluation.rubric_id), evaluation.rubric_version)
        rubric = spec_of(found)
        expected = evaluate(evaluation.expected, scope or _Ends(inputs, outputs))
        if latency_ms is None and any(isinstance(dimension.built, Latency) for dimension in rubric.dimensions):
            return _failed("unknown-latency", "the rubric looks at the latency, and nobody measured it")
        example = Example(
            ScoredCase(dict(inputs), expected), text_of_outputs(outputs), None, latency_ms or 0.0, cost_nano_usd
        )
        subject = f"{SCORED_BY_HAND}:{found.rubric.id}"
        (score,) = await score_items(rubric, [example.case], [example], door=door, access=access, subject=subject)
    except SpectralError as error:
        return _failed(error.slug, error.detail)
    except ExpressionError as error:
        return _failed("expression", f"expected: {error}")
    except Exception as error:
        if is_passing(error):
            raise
        log.exception("run_evaluation_failed", rubric_id=evaluation.rubric_id)
        return _failed("internal-error", "The evaluation met an error that it was not built for")
    facts = {
        "rubric_id": str(found.rubric.id),
        "rubric": found.rubric.name,
        "rubric_version": found.version.version,
        "threshold": rubric.threshold,
    }
    return _result(score, facts)


def text_of_outputs(outputs: Any) -> str | None:
    """The outputs as scorers read them; None for none."""
    if isinstance(outputs, Mapping):
        if outputs.keys() >= MODEL_OUTPUTS:
            outputs = next((outputs[name] for name in TEXTS if name in outputs), outputs)
        elif len(outputs) == 1:
            outputs = next(iter(outputs.values()))
    if outputs is None or isinstance(outputs, str):
        return outputs
    return json_text(outputs)


def _rubric_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFoundError("Rubric", text) from error


def _result(score: ItemScore, facts: dict[str, Any]) -> EvaluationResult:
    error = None
    if score.missing:
        error = {"type": score.error_type or "scorer_failed", "message": score.error_message or "could not be scored"}
    scores = {name: asdict(dimension) for name, dimension in score.dimensions.items()}
    return EvaluationResult(scores, {**facts, "total": score.total, "passed": score.passed}, error)


def _failed(type: str, message: str) -> EvaluationResult:
    return EvaluationResult(error={"type": type, "message": message})

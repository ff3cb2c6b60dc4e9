"""The wire shapes of experiments by hand."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.json_values import STORABLE
from spectral.domains.changesets.schemas import ComparisonOut, ExperimentArmOut, ExperimentStatus
from spectral.platform.shared.money import UsdAmount, UsdAmountIn
from spectral.platform.shared.wire import WireIn, WireOut

MAXIMUM_ARMS = 10
MAXIMUM_SEED = 2**53 - 1
MAXIMUM_EVALUATIONS = 200_000

Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), STORABLE]


class ArmIn(WireIn):
    """One configuration: a stored version of the agent, or a document that is only tried."""

    label: Label
    version: int | None = Field(default=None, ge=1)
    config: ConfigDocument | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.version is None) is (self.config is None):
            message = "an arm has either a version or a config"
            raise ValueError(message)
        return self


class ExperimentBudgetIn(WireIn):
    """The most that the experiment may spend; it is never exceeded."""

    max_evaluations: int | None = Field(default=None, ge=1, le=MAXIMUM_EVALUATIONS)
    max_cost_usd: UsdAmountIn | None = None


class ExperimentIn(WireIn):
    """Configurations to compare on the same items; the first arm is the baseline.

    Of a larger split 2,000 items are used, chosen by their content. At least one of rubric and objective is named.
    """

    agent_id: UUID
    name: Label | None = None
    arms: list[ArmIn] = Field(min_length=2, max_length=MAXIMUM_ARMS, description="the first is the baseline")
    sample_set_id: UUID
    sample_set_version: int | None = Field(default=None, ge=1, description="refused unless it is the current one")
    split: Literal["reflect", "select"] = "select"
    rubric_id: UUID | None = Field(default=None, description="Left out: the rubric that the objective is for.")
    rubric_version: int | None = Field(default=None, ge=1, description="Left out: the latest.")
    objective_id: UUID | None = Field(default=None, description="Left out: the rubric's total alone.")
    repeats: int = Field(default=1, ge=1, le=10, description="Executions of each item, for models that are not certain")
    budget: ExperimentBudgetIn = Field(default_factory=ExperimentBudgetIn)
    execution: Literal["agent", "outputs"] = Field(
        default="agent", description="outputs: you execute the agent and bring what it answered"
    )
    margin: float | None = Field(
        default=None, ge=0, lt=1, description="A loss up to this is no regression. Left out: the minimum effect."
    )
    seed: int = Field(default=0, ge=0, le=MAXIMUM_SEED)

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        labels = [arm.label for arm in self.arms]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            message = f"two arms are called {twice[0]!r}"
            raise ValueError(message)
        if self.rubric_version is not None and self.rubric_id is None:
            message = "rubric_version needs a rubric_id"
            raise ValueError(message)
        return self


class ItemOutcomeOut(WireOut):
    """One execution of one arm on one item, scored. `output` null: there was none, or an error."""

    repeat: int
    total: float | None
    passed: bool
    dimensions: dict[str, Any]
    output: str | None
    error_type: str | None
    error_message: str | None
    missing_reason: str | None
    cost_usd: UsdAmount | None
    latency_ms: float
    input_tokens: int
    output_tokens: int


class ItemArmOut(WireOut):
    """What one arm did on an item."""

    label: str
    config_hash: str
    results: list[ItemOutcomeOut]


class ItemResultOut(WireOut):
    """An item with what every arm did on it. Input and expected are null once the item was deleted from its set."""

    item_id: UUID
    input: Any
    expected: Any
    group_key: str | None
    arms: list[ItemArmOut]


class ComparedArmOut(ComparisonOut):
    """An arm of one of several experiments against the first one's baseline."""

    experiment_id: UUID
    summary: ExperimentArmOut


class ExperimentComparisonOut(WireOut):
    """The arms of several experiments on the items that all of them share, by the first one's objective.

    Paired by item; Holm's correction is over all arms shown.
    """

    sample_set_id: UUID
    sample_set_version: int
    split: str
    rubric_id: UUID
    rubric_version: int
    objective: dict[str, Any]
    margin: float
    items: int
    baseline_experiment_id: UUID
    baseline: ExperimentArmOut
    arms: list[ComparedArmOut]


class OutputsOut(WireOut):
    """What became of the lines: all of them are kept. The experiment is scored once `missing` is 0."""

    experiment_id: UUID
    lines: int
    outputs: int
    expected: int
    missing: int
    status: ExperimentStatus

"""What callers send to start runs and to act on them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from spectral.domains.agents.json_values import STORABLE, StorableJson
from spectral.domains.workflows.models import NAME_MAXIMUM
from spectral.domains.workflows.runs.reading_schemas import InterruptOut, RunOut
from spectral.platform.shared.wire import WireIn, WireOut

MAXIMUM_WAIT_S = 60.0
MAXIMUM_BATCH = 100
MAXIMUM_SOURCE_CHARACTERS = 512 * 1024
MAXIMUM_TAGS = 32
MAXIMUM_LABELS = 64
RUN_NAME = r"^[A-Za-z0-9._:-]+$"
RESERVED = frozenset({"summary", "batch"})
"""Paths of their own."""


def _not_reserved(name: str) -> str:
    if name in RESERVED or set(name) <= {"."}:
        message = "is a path of its own and cannot be the name of a run"
        raise ValueError(message)
    return name


RunName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=NAME_MAXIMUM, pattern=RUN_NAME),
    AfterValidator(_not_reserved),
]
"""What a caller calls a run: 1 to 128 of `A-Z a-z 0-9 . _ : -`."""
Text = Annotated[str, StringConstraints(max_length=2_000), STORABLE]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=200), STORABLE]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64), STORABLE]
StepKey = Annotated[str, StringConstraints(min_length=1, max_length=512), STORABLE]
Wait = Annotated[
    float,
    Field(
        ge=0,
        le=MAXIMUM_WAIT_S,
        allow_inf_nan=False,
        description="Seconds to wait for the run's end or suspension; the answer is then 200, else 202.",
    ),
]
Document = Annotated[dict[str, StorableJson], Field(description="An object.")]


SignalKey = Annotated[str, StringConstraints(min_length=1, max_length=NAME_MAXIMUM, pattern=RUN_NAME)]


def _without_controls(text: str) -> str:
    if not text.isprintable():
        message = "holds characters that cannot be printed"
        raise ValueError(message)
    return text


SignalType = Annotated[
    str, StringConstraints(min_length=1, max_length=NAME_MAXIMUM), STORABLE, AfterValidator(_without_controls)
]


class IdReuse(StrEnum):
    """Whether a name may be given again. if_finished: a finished run gives it up, and is known by its id instead."""

    NEVER = "never"
    IF_FINISHED = "if_finished"


class RunOptionsIn(WireIn):
    """How the run is to be treated."""

    id_reuse: IdReuse = IdReuse.NEVER


class RunIn(WireIn):
    """A run that is to be started.

    context: what expressions see as `run.context`.  metadata: values that runs can be found by.
    """

    inputs: Document = Field(default_factory=dict, description="Checked against the workflow's `inputs` schema.")
    run_id: RunName | None = Field(default=None, description="What paths call the run; its UUID where left out.")
    user_id: Reference | None = None
    conversation_id: Reference | None = None
    context: Document = Field(default_factory=dict)
    metadata: Document = Field(default_factory=dict, max_length=MAXIMUM_LABELS)
    tags: list[Tag] = Field(default_factory=list, max_length=MAXIMUM_TAGS)
    options: RunOptionsIn = RunOptionsIn()


class NamedRunIn(RunIn):
    """A run of a workflow that the path names."""

    version: int | None = Field(default=None, ge=1, le=2**31 - 1, description="The latest where left out.")
    wait: Wait = 0


class AnyRunIn(NamedRunIn):
    """A run of a workflow by its name, or of a document that comes with it: exactly one of the three."""

    workflow: Annotated[str, StringConstraints(min_length=1, max_length=NAME_MAXIMUM), STORABLE] | None = None
    definition: Document | None = Field(default=None, description="The document as JSON.")
    source: Annotated[str, StringConstraints(max_length=MAXIMUM_SOURCE_CHARACTERS), STORABLE] | None = Field(
        default=None, description="The document as text, YAML or JSON."
    )

    @model_validator(mode="after")
    def _names_one(self) -> "AnyRunIn":
        given = [name for name in ("workflow", "definition", "source") if getattr(self, name) is not None]
        if len(given) != 1:
            message = f"needs exactly one of workflow, definition and source, not {' and '.join(given) or 'none'}"
            raise ValueError(message)
        if self.version is not None and self.workflow is None:
            message = "version goes with workflow only"
            raise ValueError(message)
        return self


class BatchIn(WireIn):
    """Several runs of one workflow, all in one transaction.

    on_conflict: what a name that is taken means. fail: nothing is started.  skip: the others are.
    """

    runs: list[RunIn] = Field(min_length=1, max_length=MAXIMUM_BATCH)
    version: int | None = Field(default=None, ge=1, le=2**31 - 1, description="The latest where left out.")
    on_conflict: Literal["fail", "skip"] = "fail"


class BatchItemOut(WireOut):
    """What became of one run of a batch; `run` is null for one that was skipped."""

    index: int
    run_id: str = Field(description="The run's name.")
    status: Literal["created", "skipped"]
    run: RunOut | None


class BatchOut(WireOut):
    """What became of a batch, in its order."""

    results: list[BatchItemOut]
    created: int
    skipped: int


class PauseIn(WireIn):
    """mode: `boundary` lets the steps in flight end; `now` stops them, and they are done again after the resume."""

    reason: Text | None = None
    mode: Literal["boundary", "now"] = "boundary"


class ResumeIn(WireIn):
    """Without `data` and `step` a paused run goes on; with one of them a suspended step is answered.

    step: needed where several steps ask.
    """

    data: StorableJson = None
    step: StepKey | None = None
    wait: Wait = 0

    @property
    def answers(self) -> bool:
        """Whether a step is answered; null is an answer too."""
        return self.step is not None or "data" in self.model_fields_set


class RestartIn(WireIn):
    """The run begins again with the inputs it has."""

    wait: Wait = 0


class TerminateIn(WireIn):
    """Why the run ends here."""

    reason: Text | None = None


class SignalIn(WireIn):
    """An event for the run. id: the same one again is the same signal."""

    type: SignalType
    payload: StorableJson = None
    id: SignalKey | None = None


class AnswerIn(WireIn):
    """The answer to a question: `approved` or `status`, or neither where data is asked for.

    responded_by: who answered, as the caller knows them; who was signed in is kept as well.
    """

    approved: bool | None = None
    status: Literal["approved", "rejected", "answered"] | None = None
    comment: Text | None = None
    data: StorableJson = None
    responded_by: Reference | None = None
    wait: Wait = 0

    @property
    def decision(self) -> str | None:
        """`status`, else what `approved` says."""
        if self.status is not None or self.approved is None:
            return self.status
        return "approved" if self.approved else "rejected"

    @field_validator("status")
    @classmethod
    def _agrees(cls, status: str | None, info: ValidationInfo) -> str | None:
        approved = info.data.get("approved")
        if status is not None and approved is not None and approved != (status != "rejected"):
            message = f"contradicts approved: {str(approved).lower()}"
            raise ValueError(message)
        return status


class AnsweredOut(WireOut):
    """A question with its answer, and the run that asked."""

    interrupt: InterruptOut
    run: RunOut


class StatePatch(WireIn):
    """What is different in the state that the new run begins with: merge patches (RFC 7396), null takes a member out.

    nodes: new outputs of steps that had ended, by their keys.
    """

    context: dict[str, StorableJson] = Field(default_factory=dict)
    artifacts: dict[str, StorableJson] = Field(default_factory=dict)
    nodes: dict[StepKey, "NodePatch"] = Field(default_factory=dict, max_length=500)


class NodePatch(WireIn):
    """outputs: takes the place of what the step gave."""

    outputs: StorableJson


class ForkIn(WireIn):
    """A new run that begins at a checkpoint of this one. inputs: instead of this one's."""

    checkpoint_index: int = Field(ge=0, le=2**31 - 1)
    run_id: RunName | None = None
    state: StatePatch = StatePatch()
    inputs: Document | None = None
    wait: Wait = 0


class ReplayIn(WireIn):
    """A new run that begins where a step of this one began, for the last time.

    input: what the step is given, instead of what its mapping gives.
    """

    step: StepKey
    run_id: RunName | None = None
    input: StorableJson = None
    state: StatePatch = StatePatch()
    wait: Wait = 0

    @property
    def gives_input(self) -> bool:
        """Whether the step gets another input; null is one too."""
        return "input" in self.model_fields_set


class TickIn(WireIn):
    """How much one tick may do: executions of runs, and steps that begin in them."""

    max_runs: int = Field(default=10, ge=1, le=100)
    max_steps: int = Field(default=100, ge=1, le=1_000)


class TickOut(WireOut):
    """What a tick did. processed: executions of runs.  steps: how many steps began in them.

    next_at: when a tick has something to do again, if nothing else comes; a moment that has passed: right away.
    """

    processed: int
    steps: int
    next_at: datetime | None


class AdapterOut(WireOut):
    """An engine that can run workflows."""

    name: str
    description: str
    available: bool

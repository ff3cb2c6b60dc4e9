"""Outputs that somebody brings who executes the agent: taken line by line, all lines of a request or none of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints, ValidationError, model_validator

from spectral.domains.agents.json_values import pointer_of
from spectral.domains.agents.runtime import Execution, ExecutionFault
from spectral.domains.changesets.errors import NotWaitingForOutputsError, OutputsRefusedError
from spectral.domains.changesets.experiment_launching import ExperimentLauncher
from spectral.domains.changesets.experiment_schemas import OutputsOut
from spectral.domains.changesets.models import Experiment, ExperimentOutput
from spectral.domains.changesets.repository import ArmRepository, ExperimentRepository, OutputRepository
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.scorers.base import printable
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.evaluations.service import RubricService
from spectral.domains.samples.service import SampleService
from spectral.domains.workflows.execution.launching import Launcher
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.body_lines import BodyLine, body_lines
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import FieldError, PayloadTooLargeError
from spectral.platform.shared.money import UsdAmountIn
from spectral.platform.shared.wire import WireIn

LINE_BYTES = 1024 * 1024
BODY_BYTES = 256 * 1024 * 1024
BATCH_LINES = 200
BATCH_BYTES = 2 * 1024 * 1024
KEPT_IN_MEMORY = 4 * 1024 * 1024
MAXIMUM_ERRORS = 50
"""Of a refused request that are named; the rest is counted."""

MAXIMUM_COUNT = 2**53
LATENCY = "latency"
"""A term or guard of an objective, and a scorer."""


class OutputError(WireIn):
    """Why there is no output. `missing`: it says nothing about the agent (a provider was down), so it counts as missing
    and not as the agent's own error.
    """  # noqa: D205 - one sentence

    type: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    message: str = ""
    missing: bool = False


class Usage(WireIn):
    """Tokens of the execution."""

    input_tokens: int = Field(default=0, ge=0, le=MAXIMUM_COUNT)
    output_tokens: int = Field(default=0, ge=0, le=MAXIMUM_COUNT)


class OutputLine(WireIn):
    """One execution: what the configuration with this hash answered to this item. A cost left out is unknown."""

    item_id: UUID
    config_hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    repeat: int = Field(default=0, ge=0, le=9)
    output: str | None = None
    error: OutputError | None = None
    usage: Usage = Field(default_factory=Usage)
    cost_usd: UsdAmountIn | None = None
    latency_ms: float | None = Field(default=None, ge=0, le=1e9, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_of_two(self) -> "OutputLine":
        if (self.output is None) is (self.error is None):
            message = "needs either an output or an error"
            raise ValueError(message)
        return self


@dataclass(slots=True)
class _Expected:
    """Which executions an experiment waits for, and which of them the request has brought."""

    experiment_id: UUID
    places: Mapping[UUID, int]
    arms: Mapping[str, int]
    repeats: int
    needs_latency: bool
    seen: bytearray

    @property
    def executions(self) -> int:
        return len(self.places) * len(self.arms) * self.repeats

    def problem(self, line: OutputLine) -> FieldError | None:
        """What is wrong with where the line belongs; remembers that it came."""
        if line.item_id not in self.places:
            return FieldError("/item_id", "is no item of the experiment")
        if line.config_hash not in self.arms:
            return FieldError("/config_hash", "is no arm of the experiment")
        if line.repeat >= self.repeats:
            return FieldError("/repeat", f"is not below {self.repeats}")
        if self.needs_latency and line.latency_ms is None:
            return FieldError("/latency_ms", "is needed: the experiment looks at latency")
        place = (self.places[line.item_id] * len(self.arms) + self.arms[line.config_hash]) * self.repeats + line.repeat
        if self.seen[place]:
            return FieldError("", "is about an execution that an earlier line was about")
        self.seen[place] = 1
        return None


@dataclass(slots=True)
class _Reading:
    """What a request has brought so far."""

    kept: IO[bytes]
    lines: int = 0
    wrong: int = 0
    errors: list[FieldError] = field(default_factory=list)

    def note(self, number: int, pointer: str, detail: str) -> None:
        self.wrong += 1
        if len(self.errors) < MAXIMUM_ERRORS:
            self.errors.append(FieldError(f"/lines/{number}{pointer}", detail))


class ExperimentOutputs:
    """Takes the outputs of one workspace's experiments; holds no transaction while a body is read."""

    def __init__(self, database: Database, access: WorkspaceAccess, launcher: Launcher) -> None:
        self._database = database
        self._access = access
        self._launcher = launcher

    async def take(self, experiment_id: UUID, stream: AsyncIterator[bytes]) -> OutputsOut:
        """Every line is kept, and a run scores the experiment once the last execution is there.

        Raises NotFoundError, NotWaitingForOutputsError (400), OutputsRefusedError (422) that names the wrong lines, and
        PayloadTooLargeError (413); nothing of the request is kept then.
        """
        self._access.require(Scope.WRITE_WORKSPACE)
        expected = await self._expected(experiment_id)
        with SpooledTemporaryFile(max_size=KEPT_IN_MEMORY) as kept:
            reading = _Reading(kept)
            await self._read(stream, expected, reading)
            if reading.wrong:
                raise OutputsRefusedError(
                    f"Nothing was kept; {reading.wrong} errors, {len(reading.errors)} named", reading.errors
                )
            if not reading.lines:
                raise OutputsRefusedError("Nothing was kept", [FieldError("", "holds no outputs")])
            return await self._store(expected, reading)

    async def _expected(self, experiment_id: UUID) -> _Expected:
        async with self._database.transaction(self._access, read_only=True) as session:
            experiments = ExperimentRepository(session, self._access)
            experiment = await experiments.get(experiment_id)
            _require_waiting(experiment)
            items = await experiments.item_ids(experiment_id)
            arms = (await ArmRepository(session, self._access).of_experiments([experiment_id]))[experiment_id]
            rubrics = RubricService(session, self._access)
            rubric = await rubrics.read_rubric_spec(experiment.rubric_id, experiment.rubric_version)
        objective = ObjectiveSpec.model_validate(experiment.objective)
        places = {item_id: place for place, item_id in enumerate(items)}
        hashes = {arm.config_hash: arm.position for arm in arms}
        seen = bytearray(len(places) * len(hashes) * experiment.repeats)
        return _Expected(experiment_id, places, hashes, experiment.repeats, _needs_latency(rubric, objective), seen)

    async def _read(self, stream: AsyncIterator[bytes], expected: _Expected, reading: _Reading) -> None:
        batch: list[BodyLine] = []
        size = total = 0
        async for line in body_lines(stream, LINE_BYTES):
            batch.append(line)
            length = len(line.text or b"")
            size, total = size + length, total + length
            if total > BODY_BYTES:
                raise PayloadTooLargeError("The outputs are too many for one request", limit_bytes=BODY_BYTES)
            if len(batch) >= BATCH_LINES or size >= BATCH_BYTES:
                await asyncio.to_thread(_keep, batch, expected, reading)
                batch, size = [], 0
        await asyncio.to_thread(_keep, batch, expected, reading)

    async def _store(self, expected: _Expected, reading: _Reading) -> OutputsOut:
        reading.kept.seek(0)
        async with self._database.transaction(self._access) as session:
            experiment = await ExperimentRepository(session, self._access).lock(expected.experiment_id)
            _require_waiting(experiment)
            outputs = OutputRepository(session, self._access)
            for rows in _batches(reading.kept):
                await outputs.store(rows)
            stored = await outputs.count(ExperimentOutput.experiment_id == experiment.id)
            await audit.record(
                session,
                account_id=self._access.account_id,
                workspace_id=self._access.workspace_id,
                actor=self._access.actor,
                action="experiment.outputs_added",
                subject=f"experiment:{experiment.id}",
                detail={"lines": reading.lines},
            )
            if stored == expected.executions:
                experiment.status = "queued"
                await session.flush()
                await ExperimentLauncher(session, self._access, self._launcher).launch(experiment)
            return OutputsOut(
                experiment_id=experiment.id,
                lines=reading.lines,
                outputs=stored,
                expected=expected.executions,
                missing=expected.executions - stored,
                status="queued" if stored == expected.executions else "waiting",
            )


class ExperimentItems:
    """Offers the inputs of an experiment to whoever executes the agent."""

    def __init__(self, database: Database, access: WorkspaceAccess) -> None:
        self._database = database
        self._access = access

    async def require(self, experiment_id: UUID) -> None:
        """Raises NotFoundError."""
        async with self._database.transaction(self._access, read_only=True) as session:
            await ExperimentRepository(session, self._access).get(experiment_id)

    async def stream(self, experiment_id: UUID) -> AsyncIterator[bytes]:
        """`{"item_id", "input"}` a line, without what is expected; each part is read in a transaction of its own."""
        async with self._database.transaction(self._access, read_only=True) as session:
            experiments = ExperimentRepository(session, self._access)
            experiment = await experiments.get(experiment_id)
            items = await experiments.item_ids(experiment_id)
        for start in range(0, len(items), BATCH_LINES):
            async with self._database.transaction(self._access, read_only=True) as session:
                samples = SampleService(session, self._access)
                some = items[start : start + BATCH_LINES]
                found = await samples.searchable_items(experiment.sample_set_id, some)
            lines = [{"item_id": str(one.id), "input": one.input} for one in found]
            yield b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in lines)


def execution_of(output: ExperimentOutput | None) -> Execution:
    """What was brought, as an execution; nothing brought is missing."""
    if output is None:
        return Execution(None, ExecutionFault("runtime_error", "no output was brought"), 0, 0, None, 0.0, "")
    fault: ExecutionFault | None = None
    if output.error_type is not None:
        message = ": ".join(part for part in (output.error_type, output.error_message) if part)
        fault = ExecutionFault("runtime_error" if output.missing else "agent_error", message)
    return Execution(
        output=output.output,
        error=fault,
        input_tokens=output.input_tokens,
        output_tokens=output.output_tokens,
        cost_nano_usd=output.cost_nano_usd,
        latency_ms=output.latency_ms,
        model="",
    )


def _needs_latency(rubric: RubricSpec, objective: ObjectiveSpec) -> bool:
    """Whether a latency that nobody told would count as none at all."""
    sources = [term.source for term in objective.terms] + [guard.kind for guard in objective.guards]
    return LATENCY in {*sources, *(dimension.scorer for dimension in rubric.dimensions)}


def _require_waiting(experiment: Experiment) -> None:
    if experiment.status != "waiting":
        raise NotWaitingForOutputsError(
            f"The experiment is {experiment.status} and takes no outputs", state=experiment.status
        )


def _keep(batch: Sequence[BodyLine], expected: _Expected, reading: _Reading) -> None:
    """Checks the lines and spools them as rows. Runs in a thread."""
    for line in batch:
        reading.lines += 1
        if line.text is None:
            reading.note(line.number, "", f"has more than {LINE_BYTES} bytes")
            continue
        try:
            read = OutputLine.model_validate_json(line.text)
        except ValidationError as error:
            for problem in error.errors(include_url=False, include_input=False, include_context=False):
                reading.note(line.number, pointer_of(problem["loc"]), problem["msg"].removeprefix("Value error, "))
            continue
        wrong = expected.problem(read)
        if wrong is not None:
            reading.note(line.number, wrong.pointer, wrong.detail)
        elif not reading.wrong:
            reading.kept.write(json.dumps(_row(expected.experiment_id, read)).encode() + b"\n")


def _row(experiment_id: UUID, line: OutputLine) -> dict[str, Any]:
    error = line.error
    return {
        "experiment_id": str(experiment_id),
        "config_hash": line.config_hash,
        "item_id": str(line.item_id),
        "repeat": line.repeat,
        "output": None if line.output is None else printable(line.output),
        "error_type": None if error is None else printable(error.type),
        "error_message": None if error is None else printable(error.message)[:1000],
        "missing": error is not None and error.missing,
        "input_tokens": line.usage.input_tokens,
        "output_tokens": line.usage.output_tokens,
        "cost_nano_usd": line.cost_usd,
        "latency_ms": line.latency_ms or 0.0,
    }


def _batches(kept: IO[bytes]) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for line in kept:
        row = json.loads(line)
        rows.append(row | {name: UUID(row[name]) for name in ("experiment_id", "item_id")})
        if len(rows) == BATCH_LINES:
            yield rows
            rows = []
    if rows:
        yield rows

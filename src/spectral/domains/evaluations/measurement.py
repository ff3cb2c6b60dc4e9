"""The journalled executor: what was executed once for a subject is never executed again, whatever was killed.

Key of the journal: (workspace, subject, config hash, item, repeat). Champion and challenger of a subject run on the
same items with the same seeds (`seed_of` knows no config), so their difference is not blurred by different luck:
common random numbers. See ADR 0009.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument, canonical_hash
from spectral.domains.agents.runtime import AgentRuntime, Execution
from spectral.domains.evaluations.budget import Budget, Reservation
from spectral.domains.evaluations.errors import BudgetExhaustedError, JournalMismatchError
from spectral.domains.evaluations.models import EvaluationReservation
from spectral.domains.evaluations.prices import PriceCeiling, in_process_ceiling
from spectral.domains.evaluations.repository import ModelCost, ReservationRepository, ResultRepository
from spectral.domains.evaluations.scorers.base import ScoredCase, printable
from spectral.domains.evaluations.scoring import DimensionScore, RubricSpec, score_item
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database

BATCH = 200
"""Executions a commit where they cost nothing; paid ones are committed one by one."""

CALLS_IN_FLIGHT = 8
PAID_ATTEMPTS = 3
RETRY_DELAY_S = 0.5
CONFIGS_REMEMBERED = 32

Checkpoint = Callable[[], Awaitable[None]]
Fence = Callable[[AsyncSession], Awaitable[None]]


class MeasurableItem(Protocol):
    """What a measurement reads of a sample."""

    @property
    def id(self) -> UUID: ...
    @property
    def input(self) -> Any: ...
    @property
    def expected(self) -> Any: ...
    @property
    def group_key(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """One item executed with one config, scored, and in the journal.

    total: in [0, 1], None exactly when `missing`.  missing_reason: scorer, provider, or agent_error (where the rubric
    excludes errors).  error_type: the agent's own error or the fault behind a missing item.  cost_nano_usd: None where
    unknown.  latency_ms: as the runtime measured it.
    """

    item_id: UUID
    repeat: int
    config_hash: str
    total: float | None
    passed: bool
    dimensions: Mapping[str, DimensionScore]
    output: str | None
    error_type: str | None
    error_message: str | None
    missing_reason: str | None
    cost_nano_usd: int | None
    latency_ms: float
    input_tokens: int
    output_tokens: int
    group_key: str | None = None

    @property
    def missing(self) -> bool:
        return self.missing_reason is not None


_Known = dict[tuple[UUID, int], Measured]


@dataclass(frozen=True, slots=True)
class _Task:
    item: MeasurableItem
    repeat: int
    seed: int

    @property
    def key(self) -> tuple[UUID, int]:
        return self.item.id, self.repeat


@dataclass(frozen=True, slots=True)
class _Arm:
    """One config under measurement."""

    config: ConfigDocument
    config_hash: str
    purpose: str


class Measurement:
    """Measures configs for one subject within its budget. One execution of the subject's work owns it at a time."""

    def __init__(
        self,
        database: Database,
        access: WorkspaceAccess,
        runtime: AgentRuntime,
        rubric: RubricSpec,
        *,
        subject_kind: str,
        subject_id: UUID,
        budget: Budget,
        checkpoint: Checkpoint,
        fence: Fence,
        ceiling: PriceCeiling = in_process_ceiling,
    ) -> None:
        """checkpoint: raises when the work was cancelled; awaited before every batch and every paid call.

        fence: raises when this execution no longer owns the work; awaited in every transaction that writes.
        ceiling: the most that one execution can cost.
        """
        self._database = database
        self._access = access
        self._runtime = runtime
        self._rubric = rubric
        self._subject_kind = subject_kind
        self._subject_id = subject_id
        self._budget = budget
        self._checkpoint = checkpoint
        self._fence = fence
        self._ceiling = ceiling
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._turn = asyncio.Lock()
        self._restored = False

    async def restore(self) -> None:
        """The budget knows what the journal has spent already; `measure` does this by itself before it spends.

        Raises JournalMismatchError when the journal was written under another rubric.
        """
        if self._restored:
            return
        async with self._database.transaction(self._access, read_only=True) as session:
            results = ResultRepository(session, self._access)
            if await results.other_rubric(self._subject_id, self._rubric.digest):
                raise JournalMismatchError(self._subject_id)
            evaluations, cost = await results.spending(self._subject_id)
            kept, held = await ReservationRepository(session, self._access).spending(self._subject_id)
        self._budget.charge(evaluations + kept, cost + held, once=("evaluations", self._subject_id))
        self._restored = True

    async def measure(
        self, config: ConfigDocument, items: Sequence[MeasurableItem], *, purpose: str, repeats: int = 1
    ) -> list[Measured]:
        """Every item `repeats` times, in the order of the items (all repeats of an item together).

        What the journal has is read; the rest is executed, scored and recorded, with no transaction open meanwhile.
        purpose: what the money is for in the cost report ("agent").

        Raises BudgetExhaustedError: before anything is executed when the evaluations do not cover all that is
        missing, or at the first paid call that the money does not cover (what was recorded until then stays).
        Raises UnpricedModelError (400) when money is limited and the model's price is unknown, UnknownModelError
        (400), and whatever checkpoint and fence raise.
        """
        arm = _Arm(config, canonical_hash(config), purpose)
        tasks = [
            _Task(item, repeat, seed_of(self._subject_id, item.id, repeat))
            for item in items
            for repeat in range(repeats)
        ]
        async with self._turn:
            await self.restore()
            known = await self._recorded(arm)
            pending = list({task.key: task for task in tasks if task.key not in known}.values())
            if pending:
                self._budget.require_evaluations(len(pending))
                if all(self._ceiling(config, task.item.input) == 0 for task in pending):
                    await self._execute_free(arm, pending, known)
                else:
                    await self._execute_paid(arm, pending, known)
            return [replace(known[task.key], group_key=task.item.group_key) for task in tasks]

    async def _recorded(self, arm: _Arm) -> _Known:
        known = self._known.get(arm.config_hash)
        if known is None:
            async with self._database.transaction(self._access, read_only=True) as session:
                rows = await ResultRepository(session, self._access).of_config(self._subject_id, arm.config_hash)
            known = self._known[arm.config_hash] = {
                (row.item_id, row.repeat): _measured(partial(getattr, row)) for row in rows
            }
            if len(self._known) > CONFIGS_REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(arm.config_hash)
        return known

    async def _execute_free(self, arm: _Arm, pending: Sequence[_Task], known: _Known) -> None:
        for batch in _batches(pending, BATCH):
            await self._checkpoint()
            reservation = self._budget.reserve(len(batch), 0, model=arm.config.model)
            try:
                executions = await self._runtime.execute_many(
                    arm.config, [task.item.input for task in batch], [task.seed for task in batch]
                )
                rows = await asyncio.to_thread(self._score, arm, batch, executions)
                async with self._database.transaction(self._access) as session:
                    await self._fence(session)
                    await ResultRepository(session, self._access).record(rows)
            except BaseException:
                self._budget.release(reservation)
                raise
            self._budget.settle(reservation, 0)
            self._remember(known, rows)

    async def _execute_paid(self, arm: _Arm, pending: Sequence[_Task], known: _Known) -> None:
        queue = iter(pending)
        failures: list[Exception] = []

        async def work() -> None:
            for task in queue:
                if failures:
                    return
                try:
                    await self._pay_for(arm, task, known)
                except Exception as error:  # noqa: BLE001 - calls in flight are paid for: let the others be recorded
                    failures.append(error)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(CALLS_IN_FLIGHT, len(pending))):
                group.create_task(work())
        if failures:
            # What stops the work outranks a spent budget, after which a search may go on.
            raise min(failures, key=lambda error: isinstance(error, BudgetExhaustedError))

    async def _pay_for(self, arm: _Arm, task: _Task, known: _Known) -> None:
        """One item; a fault that may pass is tried again, each attempt with its own part of the budget."""
        ceiling = self._ceiling(arm.config, task.item.input)
        await self._checkpoint()
        reservation = self._budget.reserve(1, ceiling, model=arm.config.model)
        row = await self._note_reservation(arm, task, ceiling)
        kept = 0
        for attempt in range(PAID_ATTEMPTS):
            (execution,) = await self._runtime.execute_many(arm.config, [task.item.input], [task.seed])
            fault = execution.error
            again = fault is not None and fault.missing and fault.retryable and attempt + 1 < PAID_ATTEMPTS
            retry = await self._reserve_retry(arm, row, ceiling, attempt) if again else None
            self._budget.settle(reservation, execution.cost_nano_usd)
            if retry is None:
                break
            kept += (ceiling or 0) if execution.cost_nano_usd is None else execution.cost_nano_usd
            reservation = retry
        if execution.cost_nano_usd is None:
            kept += ceiling or 0
        rows = await asyncio.to_thread(self._score, arm, [task], [execution])
        async with self._database.transaction(self._access) as session:
            await self._fence(session)
            await ResultRepository(session, self._access).record(rows)
            await ReservationRepository(session, self._access).close(row, kept)
        self._remember(known, rows)

    async def _note_reservation(self, arm: _Arm, task: _Task, ceiling: int | None) -> UUID:
        reservation = EvaluationReservation(
            subject_kind=self._subject_kind,
            subject_id=self._subject_id,
            config_hash=arm.config_hash,
            item_id=task.item.id,
            repeat=task.repeat,
            purpose=arm.purpose,
            model=arm.config.model,
            evaluations=1,
            cost_nano_usd=ceiling,
        )
        async with self._database.transaction(self._access) as session:
            await self._fence(session)
            reservations = ReservationRepository(session, self._access)
            reservations.add(reservation)
            await reservations.flush()
        return reservation.id

    async def _reserve_retry(self, arm: _Arm, row: UUID, ceiling: int | None, attempt: int) -> Reservation | None:
        """The budget's part for one more attempt, after a pause; None where the money does not cover it."""
        try:
            reservation = self._budget.reserve(0, ceiling, model=arm.config.model)
        except BudgetExhaustedError:
            return None
        await asyncio.sleep(RETRY_DELAY_S * 4**attempt)
        await self._checkpoint()
        async with self._database.transaction(self._access) as session:
            await self._fence(session)
            await ReservationRepository(session, self._access).raise_by(row, ceiling or 0)
        return reservation

    def _score(self, arm: _Arm, tasks: Sequence[_Task], executions: Sequence[Execution]) -> list[dict[str, Any]]:
        """The journal's rows. Runs in a thread: scoring can take as long as executing."""
        return [self._row(arm, task, execution) for task, execution in zip(tasks, executions, strict=True)]

    def _row(self, arm: _Arm, task: _Task, execution: Execution) -> dict[str, Any]:
        score = score_item(self._rubric, ScoredCase(task.item.input, task.item.expected), execution)
        return {
            "subject_kind": self._subject_kind,
            "subject_id": self._subject_id,
            "config_hash": arm.config_hash,
            "item_id": task.item.id,
            "repeat": task.repeat,
            "purpose": arm.purpose,
            "model": execution.model[:200],
            "rubric_digest": self._rubric.digest,
            "seed": task.seed,
            "total": score.total,
            "passed": score.passed,
            "dimensions": {name: asdict(dimension) for name, dimension in score.dimensions.items()},
            "output": None if execution.output is None else printable(execution.output),
            "missing_reason": score.missing_reason,
            "error_type": None if score.error_type is None else score.error_type[:200],
            "error_message": score.error_message,
            "cost_nano_usd": execution.cost_nano_usd,
            "latency_ms": execution.latency_ms,
            "input_tokens": execution.input_tokens,
            "output_tokens": execution.output_tokens,
        }

    @staticmethod
    def _remember(known: _Known, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            known[row["item_id"], row["repeat"]] = _measured(row.__getitem__)


def seed_of(subject_id: UUID, item_id: UUID, repeat: int) -> int:
    """The seed of one execution, in [0, 2³¹): the same for every config of a subject, another for every repeat."""
    digest = hashlib.sha256(subject_id.bytes + item_id.bytes + repeat.to_bytes(8, "big")).digest()
    return int.from_bytes(digest[:4], "big") >> 1


async def cost_by_model(session: AsyncSession, access: WorkspaceAccess, subject_id: UUID) -> list[ModelCost]:
    """What a subject's evaluations cost, by model and purpose; its own questions to models are not among them."""
    reserved = await ReservationRepository(session, access).costs(subject_id)
    lines = [
        replace(line, reserved_nano_usd=reserved.pop((line.model, line.purpose), 0))
        for line in await ResultRepository(session, access).costs(subject_id)
    ]
    lines.extend(ModelCost(model, purpose, 0, 0, 0, None, 0, held) for (model, purpose), held in reserved.items())
    return sorted(lines, key=lambda line: (line.model, line.purpose))


def _batches(tasks: Sequence[_Task], size: int) -> Iterator[Sequence[_Task]]:
    return (tasks[start : start + size] for start in range(0, len(tasks), size))


def _measured(value_of: Callable[[str], Any]) -> Measured:
    names = (each.name for each in fields(Measured) if each.name not in {"dimensions", "group_key"})
    dimensions = {name: DimensionScore(**score) for name, score in value_of("dimensions").items()}
    return Measured(dimensions=dimensions, **{name: value_of(name) for name in names})

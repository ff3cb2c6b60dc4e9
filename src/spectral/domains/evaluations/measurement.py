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
from spectral.domains.agents.runtime import AgentRuntime, Execution, SelfPricedRuntime
from spectral.domains.evaluations.budget import Budget, Reservation
from spectral.domains.evaluations.errors import (
    BudgetExhaustedError,
    CeilingExceededError,
    JournalMismatchError,
    UnpricedModelError,
)
from spectral.domains.evaluations.judgements import LABELLED_SUBJECTS, JudgementJournal
from spectral.domains.evaluations.judging import CALLS_IN_FLIGHT, Judging, asks_afar, judging_ceilings
from spectral.domains.evaluations.models import EvaluationReservation, EvaluationResult
from spectral.domains.evaluations.outages import UNSCORED
from spectral.domains.evaluations.prices import PriceCeiling, ceiling_of
from spectral.domains.evaluations.repository import (
    JudgementRepository,
    ModelCost,
    ReservationRepository,
    ResultRepository,
)
from spectral.domains.evaluations.scorers.base import ScoredCase, printable
from spectral.domains.evaluations.scoring import DimensionScore, ItemScore, RubricSpec, answer_of, score_item
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.llm.door import ModelDoor

BATCH = 200
"""Executions a commit where they cost nothing; paid ones are committed one by one."""

MOST_IN_FLIGHT = 256
SCORED_BESIDE = 2
"""Items that are recorded and scored while as many others as the runtime allows are executed: 1 for so many."""

PAID_ATTEMPTS = 3
RETRY_DELAY_S = 0.5
LONGEST_PAUSE_S = 20.0
"""A provider that says when to come back is waited for so long at most."""
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


UNSCORED_SCORE = ItemScore(None, passed=False)

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
class Arm:
    """One config under measurement. purpose: what its executions are paid for."""

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
        door: ModelDoor,
        ceiling: PriceCeiling | None = None,
        counts_once: bool = False,
    ) -> None:
        """door: to the models that the rubric's scorers ask.

        checkpoint: raises when the work was cancelled; awaited before every batch and every paid call.

        fence: raises when this execution no longer owns the work; awaited in every transaction that writes.
        ceiling: the most that one execution can cost; as the runtime says, or by the door's prices, unless it is given.
        counts_once: an evaluation that a crash left in flight is made again and counts as one; what it may have cost
        stays spent. For subjects whose evaluations are all known beforehand, and are what their budget allows.
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
        self._ceiling = ceiling or ceiling_of(runtime, door)
        self._counts_once = counts_once
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._unscored: dict[tuple[str, UUID, int], Execution] = {}
        self._journal = JudgementJournal(
            database,
            access,
            subject_kind,
            subject_id,
            budget,
            checkpoint=checkpoint,
            fence=fence,
            may_be_labelled=subject_kind in LABELLED_SUBJECTS,
        )
        self._judging = Judging(rubric, door, access, f"{subject_kind}:{subject_id}", self._journal)
        self._door = door
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
            judged = await JudgementRepository(session, self._access).spending(self._subject_id)
        counted = evaluations if self._counts_once else evaluations + kept
        self._budget.charge(counted, cost + held + judged, once=("evaluations", self._subject_id))
        self._restored = True

    async def measure(
        self, config: ConfigDocument, items: Sequence[MeasurableItem], *, purpose: str, repeats: int = 1
    ) -> list[Measured]:
        """Every item `repeats` times, in the order of the items (all repeats of an item together).

        What the journal has is read; the rest is executed, scored and recorded, with no transaction open meanwhile.
        purpose: what the money is for in the cost report ("agent").

        Raises BudgetExhaustedError: before anything is executed when the evaluations do not cover all that is
        missing, or at the first paid call that the money does not cover (what was recorded until then stays).
        Raises CeilingExceededError (400) once an execution has cost more than its runtime said that one can; it is
        recorded, with all that were under way.
        Raises UnpricedModelError (400) before anything is executed when money is limited and the price of a model is
        unknown, UnknownModelError (400), and whatever checkpoint and fence raise.
        """
        arm = Arm(config, canonical_hash(config), purpose)
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
                fresh = sum((arm.config_hash, *task.key) not in self._unscored for task in pending)
                self._budget.require_evaluations(fresh)
                self._require_prices()
                if not asks_afar(self._rubric) and all(self._ceiling(config, task.item.input) == 0 for task in pending):
                    await self._execute_free(arm, pending, known)
                else:
                    await self._execute_paid(arm, pending, known)
            return [replace(known[task.key], group_key=task.item.group_key) for task in tasks]

    def _require_prices(self) -> None:
        """An answer must not be paid for that nobody can judge, or that no judge can be paid for."""
        for model, ceiling in judging_ceilings(self._rubric, self._door):
            if ceiling is None and self._budget.max_cost_nano_usd is not None:
                raise UnpricedModelError(model)

    async def _recorded(self, arm: Arm) -> _Known:
        known = self._known.get(arm.config_hash)
        if known is None:
            async with self._database.transaction(self._access, read_only=True) as session:
                rows = await ResultRepository(session, self._access).of_config(self._subject_id, arm.config_hash)
            known = self._known[arm.config_hash] = {
                (row.item_id, row.repeat): _measured(partial(getattr, row))
                for row in rows
                if row.missing_reason != UNSCORED
            }
            self._unscored |= {
                (arm.config_hash, row.item_id, row.repeat): _answered(row)
                for row in rows
                if row.missing_reason == UNSCORED
            }
            if len(self._known) > CONFIGS_REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(arm.config_hash)
        return known

    async def _execute_free(self, arm: Arm, pending: Sequence[_Task], known: _Known) -> None:
        for batch in _batches(pending, BATCH):
            await self._checkpoint()
            reservation = self._budget.reserve(len(batch), 0, model=arm.config.model)
            try:
                executions = await self._runtime.execute_many(
                    arm.config, [task.item.input for task in batch], [task.seed for task in batch]
                )
                rows = await self._score_many(arm, batch, executions)
                async with self._database.transaction(self._access) as session:
                    await self._fence(session)
                    await ResultRepository(session, self._access).record(rows)
            except BaseException:
                self._budget.release(reservation)
                raise
            self._budget.settle(reservation, sum(execution.cost_nano_usd or 0 for execution in executions))
            self._remember(known, rows)
            for execution in executions:
                self._require_ceiling_kept(execution)

    async def _execute_paid(self, arm: Arm, pending: Sequence[_Task], known: _Known) -> None:
        queue = iter(pending)
        failures: list[Exception] = []
        in_flight = min(max(1, self._runtime.in_flight), MOST_IN_FLIGHT)
        slots = asyncio.Semaphore(in_flight)

        async def work() -> None:
            for task in queue:
                if failures:
                    return
                try:
                    await self._pay_for(arm, task, known, slots)
                except Exception as error:  # noqa: BLE001 - calls in flight are paid for: let the others be recorded
                    failures.append(error)

        # While an answer is recorded and judged another one is made: the runtime is kept as busy as it may be.
        beside = CALLS_IN_FLIGHT if asks_afar(self._rubric) else -(-in_flight // SCORED_BESIDE)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(in_flight + beside, len(pending))):
                group.create_task(work())
        if failures:
            # What stops the work outranks a spent budget, after which a search may go on.
            raise min(failures, key=lambda error: isinstance(error, BudgetExhaustedError))

    async def _pay_for(self, arm: Arm, task: _Task, known: _Known, slots: asyncio.Semaphore) -> None:
        """One item, executed unless its answer is recorded, and scored.

        An answer that models are to judge is recorded first: it was paid for, and is not made again.
        """
        place = (arm.config_hash, *task.key)
        execution = self._unscored.get(place)
        if execution is None:
            async with slots:
                execution, reservation, kept = await self._execute(arm, task)
            if not asks_afar(self._rubric) or answer_of(execution) is None:
                rows = await self._score_many(arm, [task], [execution])
                await self._record(rows, reservation, kept)
                self._remember(known, rows)
                self._require_ceiling_kept(execution)
                return
            execution = self._unscored[place] = replace(execution, output=printable(execution.output or ""))
            await self._record([self._row(arm, task, execution, UNSCORED_SCORE)], reservation, kept)
            self._require_ceiling_kept(execution)
        (score,) = await self._judging.score_items([_case(task)], [execution])
        row = self._row(arm, task, execution, score)
        async with self._database.transaction(self._access) as session:
            await self._fence(session)
            await ResultRepository(session, self._access).score(row)
        self._remember(known, [row])
        del self._unscored[place]

    def _require_ceiling_kept(self, execution: Execution) -> None:
        """What an agent elsewhere says of its cost is believed, and counted; but not that the next one costs less."""
        ceiling = self._runtime.ceiling_nano_usd if isinstance(self._runtime, SelfPricedRuntime) else None
        if ceiling is not None and (execution.cost_nano_usd or 0) > ceiling:
            raise CeilingExceededError(execution.cost_nano_usd or 0, ceiling)

    async def _execute(self, arm: Arm, task: _Task) -> tuple[Execution, UUID, int]:
        """A fault that may pass is tried again, each attempt with its own part of the budget.

        Answers the execution, the row of its reservation, and what of that stays reserved.
        """
        ceiling = self._ceiling(arm.config, task.item.input)
        await self._checkpoint()
        reservation = self._budget.reserve(1, ceiling, model=arm.config.model)
        row = await self._note_reservation(arm, task, ceiling)
        kept = 0
        for attempt in range(PAID_ATTEMPTS):
            (execution,) = await self._runtime.execute_many(arm.config, [task.item.input], [task.seed])
            fault = execution.error
            retry = None
            if fault is not None and fault.missing and fault.retryable and attempt + 1 < PAID_ATTEMPTS:
                pause_s = max(RETRY_DELAY_S * 4**attempt, min(fault.retry_after_s or 0.0, LONGEST_PAUSE_S))
                retry = await self._reserve_retry(arm, row, ceiling, pause_s)
            self._budget.settle(reservation, execution.cost_nano_usd)
            if retry is None:
                break
            kept += (ceiling or 0) if execution.cost_nano_usd is None else execution.cost_nano_usd
            reservation = retry
        return execution, row, kept + (0 if execution.cost_nano_usd is not None else ceiling or 0)

    async def _record(self, rows: Sequence[dict[str, Any]], reservation: UUID, kept: int) -> None:
        async with self._database.transaction(self._access) as session:
            await self._fence(session)
            await ResultRepository(session, self._access).record(rows)
            await ReservationRepository(session, self._access).close(reservation, kept)

    async def _note_reservation(self, arm: Arm, task: _Task, ceiling: int | None) -> UUID:
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

    async def _reserve_retry(self, arm: Arm, row: UUID, ceiling: int | None, pause_s: float) -> Reservation | None:
        """The budget's part for one more attempt, after a pause; None where the money does not cover it."""
        try:
            reservation = self._budget.reserve(0, ceiling, model=arm.config.model)
        except BudgetExhaustedError:
            return None
        await asyncio.sleep(pause_s)
        await self._checkpoint()
        async with self._database.transaction(self._access) as session:
            await self._fence(session)
            await ReservationRepository(session, self._access).raise_by(row, ceiling or 0)
        return reservation

    async def _score_many(
        self, arm: Arm, tasks: Sequence[_Task], executions: Sequence[Execution]
    ) -> list[dict[str, Any]]:
        """The journal's rows. In a thread: scoring can take as long as executing."""
        if not self._rubric.asking:
            return await asyncio.to_thread(self._score, arm, tasks, executions)
        scores = await self._judging.score_items([_case(task) for task in tasks], executions)
        return [self._row(arm, *each) for each in zip(tasks, executions, scores, strict=True)]

    def _score(self, arm: Arm, tasks: Sequence[_Task], executions: Sequence[Execution]) -> list[dict[str, Any]]:
        return [
            self._row(arm, task, execution, score_item(self._rubric, _case(task), execution))
            for task, execution in zip(tasks, executions, strict=True)
        ]

    def _row(self, arm: Arm, task: _Task, execution: Execution, score: ItemScore) -> dict[str, Any]:
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
            "missing_reason": UNSCORED if score is UNSCORED_SCORE else score.missing_reason,
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
    """What a subject's evaluations cost, by model and purpose; its own questions to models are not among them.

    What judging cost stands under the purposes `judge` and `embedding`.
    """
    reserved = await ReservationRepository(session, access).costs(subject_id)
    lines = [
        replace(line, reserved_nano_usd=reserved.pop((line.model, line.purpose), 0))
        for line in await ResultRepository(session, access).costs(subject_id)
    ]
    lines.extend(ModelCost(model, purpose, 0, 0, 0, None, 0, held) for (model, purpose), held in reserved.items())
    lines.extend(await JudgementRepository(session, access).costs(subject_id))
    return sorted(lines, key=lambda line: (line.model, line.purpose))


def _case(task: _Task) -> ScoredCase:
    return ScoredCase(task.item.input, task.item.expected)


def _answered(row: EvaluationResult) -> Execution:
    """The answer of a row that nobody has scored."""
    return Execution(
        row.output, None, row.input_tokens, row.output_tokens, row.cost_nano_usd, row.latency_ms, row.model
    )


def _batches(tasks: Sequence[_Task], size: int) -> Iterator[Sequence[_Task]]:
    return (tasks[start : start + size] for start in range(0, len(tasks), size))


def _measured(value_of: Callable[[str], Any]) -> Measured:
    names = (each.name for each in fields(Measured) if each.name not in {"dimensions", "group_key"})
    dimensions = {name: DimensionScore(**score) for name, score in value_of("dimensions").items()}
    return Measured(dimensions=dimensions, **{name: value_of(name) for name in names})

"""The bridge between a strategy, which is synchronous and runs in a thread of its own, and the scan on the loop.

What a strategy may spend is counted from what it *asked for*, not from what was executed: a second run of the same
search, with half of it in the journal, meets the end of its allowance at exactly the same question.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError as FutureCancelledError
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from spectral.domains.agents.config import ConfigDocument, apply_changes, canonical_hash
from spectral.domains.evaluations.errors import BudgetExhaustedError
from spectral.domains.evaluations.measurement import MeasurableItem, Measured, Measurement
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.scans.comparison import objective_by_item
from spectral.domains.scans.errors import StrategyFailedError
from spectral.domains.scans.strategies.base import (
    Candidate,
    Outcome,
    ReflectItem,
    SearchDimension,
    SearchExhausted,
    SearchStopped,
    Strategy,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, and what that cost; None where it is unknown."""

    text: str
    cost_nano_usd: int | None


Ask = Callable[[str, str], Awaitable[Answer]]
OnCandidate = Callable[[Candidate], Awaitable[None]]

MAXIMUM_QUESTIONS = 500


@dataclass(slots=True)
class Allowance:
    """What the strategies of one scan may still ask for. Counted in the strategies' thread only.

    evaluations: of (configuration, item) pairs that were not asked for before.  cost_nano_usd: None is unlimited.
    limit, cost_limit: what must be left of either when the strategy that runs now has to end.
    """

    evaluations: int
    cost_nano_usd: int | None
    asked: set[tuple[str, UUID]] = field(default_factory=set)
    questions: int = MAXIMUM_QUESTIONS
    limit: int = 0
    cost_limit: int = 0

    def share(self, parts: int, kept: int, kept_cost_nano_usd: int) -> None:
        """The strategy that runs next gets one of so many equal parts of all that is not kept for later.

        What an earlier strategy left over is thereby shared by those that are still to come.
        """
        self.limit = self.evaluations - max(0, self.evaluations - kept) // parts
        if self.cost_nano_usd is not None:
            self.cost_limit = self.cost_nano_usd - max(0, self.cost_nano_usd - kept_cost_nano_usd) // parts

    def left(self) -> int:
        """How many new evaluations the running strategy may ask for."""
        return max(0, self.evaluations - self.limit)

    def pay(self, cost_nano_usd: int | None) -> None:
        """What a call of the running strategy has cost; unknown costs are only there where money is not limited."""
        if self.cost_nano_usd is not None:
            self.cost_nano_usd -= cost_nano_usd or 0

    def require_money(self) -> None:
        """Raises SearchExhausted where the running strategy has spent its share of the money."""
        if self.cost_nano_usd is not None and self.cost_nano_usd <= self.cost_limit:
            raise SearchExhausted

    def take(self, pairs: Collection[tuple[str, UUID]]) -> set[UUID]:
        """Count what is new of these pairs, and answer its items.

        Raises SearchExhausted, and counts nothing, where it is too much.
        """
        new = set(pairs) - self.asked
        if len(new) > self.left():
            raise SearchExhausted
        if new:
            self.require_money()
        self.evaluations -= len(new)
        self.asked |= new
        return {item_id for _, item_id in new}


class SearchContext:
    """`strategies.base.Context` of a running scan; see there."""

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        measurement: Measurement,
        champion: ConfigDocument,
        items: Sequence[MeasurableItem],
        objective: ObjectiveSpec,
        repeats: int,
        seed: int,
        options: Mapping[str, Any],
        reflection_model: str | None,
        ask: Ask,
        allowance: Allowance,
    ) -> None:
        self.seed = seed
        self.champion: Mapping[str, Any] = champion.as_json()
        self.search_space = [
            SearchDimension(knob.pointer, knob.kind.value, knob.bounds.model_dump()) for knob in champion.search_space
        ]
        self._items = {item.id: item for item in items}
        self.items = [
            ReflectItem(item.id, item.input, item.expected, item.group_key or str(item.id))
            for item in self._items.values()
        ]
        self.options = options
        self.reflection_model = reflection_model
        self.failure: BaseException | None = None
        self._loop = loop
        self._measurement = measurement
        self._document = champion
        self._objective = objective
        self._repeats = repeats
        self._ask = ask
        self._allowance = allowance
        self._stopped = threading.Event()
        self._pending: set[Any] = set()

    def evaluations_left(self) -> int:
        """How many evaluations the strategy may still ask for that were not asked for before."""
        return self._allowance.left()

    def evaluate(self, candidate: Candidate, sample_ids: Sequence[UUID]) -> list[Outcome]:
        """The outcomes in the order of `sample_ids`. Raises SearchExhausted, SearchStopped, ValueError."""
        for item_id in sample_ids:
            if item_id not in self._items:
                message = f"{item_id} is not an item of the reflect split"
                raise ValueError(message)
        document = apply_changes(self._document, candidate.changes)
        config_hash = canonical_hash(document)
        new = self._allowance.take({(config_hash, item_id) for item_id in sample_ids})
        items = [self._items[item_id] for item_id in dict.fromkeys(sample_ids)]
        measured = self.call(self._measurement.measure(document, items, purpose="agent", repeats=self._repeats))
        self._allowance.pay(sum(one.cost_nano_usd or 0 for one in measured if one.item_id in new))
        outcomes = {outcome.item_id: outcome for outcome in outcomes_of(self._objective, measured)}
        return [outcomes[item_id] for item_id in sample_ids]

    def ask_model(self, purpose: str, prompt: str) -> str:
        """The reflection model's answer. Raises SearchExhausted, SearchStopped, ValueError."""
        if self.reflection_model is None:
            message = "this scan has no reflection model"
            raise ValueError(message)
        if self._allowance.questions <= 0:
            raise SearchExhausted
        self._allowance.require_money()
        self._allowance.questions -= 1
        answer = self.call(_as_coroutine(self._ask(purpose, prompt)))
        self._allowance.pay(answer.cost_nano_usd)
        return answer.text

    def stop(self) -> None:
        """The strategy's thread ends at its next call; callable from any thread."""
        self._stopped.set()
        for future in list(self._pending):
            future.cancel()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it on the scan's loop and wait. Raises SearchStopped for whatever ends the scan."""
        if self._stopped.is_set():
            work.close()
            raise SearchStopped
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._pending.add(future)
        try:
            if self._stopped.is_set():
                future.cancel()
            return future.result()
        except BudgetExhaustedError as error:
            raise SearchExhausted from error
        except (FutureCancelledError, asyncio.CancelledError) as error:
            raise SearchStopped from error
        except BaseException as error:
            # Whatever it is, it is the scan's to hear; in this thread it would be lost, and the scan would wait for it.
            self.failure = error
            raise SearchStopped from error
        finally:
            self._pending.discard(future)


async def run_strategy(strategy: Strategy, context: SearchContext, on_candidate: OnCandidate) -> bool:
    """Every candidate of the strategy has been handed to `on_candidate`; answers whether its allowance ran out.

    Raises what the scan's side raised (a cancellation, a lost lease, a database error), and StrategyFailedError (400)
    when the strategy broke.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bool] = loop.create_future()

    def work() -> None:
        exhausted = False
        failure: BaseException | None = None
        try:
            for candidate in strategy.run(context):
                context.call(_as_coroutine(on_candidate(candidate)))
        except SearchExhausted:
            exhausted = True
        except SearchStopped as error:
            failure = context.failure or error
        except Exception as error:  # noqa: BLE001 - a package's strategy may raise anything; the scan is on the loop
            failure = StrategyFailedError(strategy.name, error)
            failure.__cause__ = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, done, exhausted, failure)

    # A daemon, so that a strategy that hangs in its own code cannot keep the process from ending.
    threading.Thread(target=work, name=f"strategy-{strategy.name}", daemon=True).start()
    try:
        return await done
    finally:
        context.stop()


def outcomes_of(objective: ObjectiveSpec, measured: Sequence[Measured]) -> list[Outcome]:
    """One outcome an item, its repeats taken together: the mean objective, passed when most repeats passed."""
    values = objective_by_item(objective, measured)
    repeats: dict[UUID, list[Measured]] = {}
    for one in measured:
        repeats.setdefault(one.item_id, []).append(one)
    outcomes = []
    for item_id, of_item in repeats.items():
        value = values[item_id]
        passed = [one for one in of_item if one.passed]
        shown = next((one for one in of_item if not one.passed), of_item[0])
        costs = [one.cost_nano_usd for one in of_item]
        outcomes.append(
            Outcome(
                item_id=item_id,
                score=0.0 if value is None else value,
                passed=2 * len(passed) > len(of_item),
                output=shown.output,
                feedback=feedback_of(shown),
                missing=value is None,
                cost_nano_usd=None if None in costs else sum(cost or 0 for cost in costs),
                latency_ms=sum(one.latency_ms for one in of_item) / len(of_item),
            )
        )
    return outcomes


def feedback_of(measured: Measured) -> str:
    """What the rubric had to say, one line a dimension, by name: a database need not keep the order of JSON members."""
    if measured.error_type is not None:
        return f"error {measured.error_type}: {measured.error_message or ''}".rstrip(": ")
    return "\n".join(
        f"{name}: {dimension.explanation}" + ("" if dimension.score is None else f" ({dimension.score:.2f})")
        for name, dimension in sorted(measured.dimensions.items())
    )


async def _as_coroutine(work: Awaitable[T]) -> T:
    return await work


def _settle(done: "asyncio.Future[bool]", exhausted: bool, failure: BaseException | None) -> None:  # noqa: FBT001
    if done.done():
        return
    if failure is None:
        done.set_result(exhausted)
    elif isinstance(failure, SearchStopped):
        done.cancel()
    else:
        done.set_exception(failure)

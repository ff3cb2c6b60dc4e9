"""What must become of one run of one workflow, whatever happens to it: a model that knows no database and no engine.

    a ─┬─ b (may suspend; its failure does not matter) ─┬─ c ─┬─ v (event) ─┬─ d ── again? back to c, at most twice
       ├─ q (a question, for 1500 s)                    │     └─ z (300 s)  ┘
       ├─ u (event)                                     │
       └─ w (event, for 1000 s) ────────────────────────┘

Time passes in jumps of 600 s; a moment is a number of jumps.
"""

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field, replace

from spectral.domains.workflows.definitions.model import (
    Definition,
    Edge,
    FailurePolicy,
    Graph,
    Node,
    NodeKind,
    Retries,
)

JUMP_S = 600.0
BEFORE = {"a": "", "b": "a", "q": "a", "u": "a", "w": "a", "c": "bquw", "v": "c", "z": "c", "d": "vz"}
TASKS = frozenset("abcd")
ROUND = "cvzd"
ROUNDS_MAXIMUM = 2
DUE_AFTER = {"w": 2, "q": 3, "z": 1}
"""Jumps after which these waits end by themselves."""
ENDED = frozenset({"succeeded", "failed", "cancelled"})

Call = tuple[int, str, int, int]
"""generation, key, iteration, attempt"""


def event(name: str, **params: object) -> Node:
    return Node(name, NodeKind.WAIT_EVENT, params={"event": "go", **params})


DEFINITION = Definition(
    "machine",
    Graph(
        (
            Node("a", NodeKind.TASK, params={"function": "a"}, retries=Retries(limit=1, delay_s=100)),
            Node("b", NodeKind.TASK, params={"function": "b"}, on_error=FailurePolicy.CONTINUE),
            Node("q", NodeKind.INTERRUPT, params={"title": "Well?", "timeout_s": 1500, "on_timeout": "reject"}),
            event("u"),
            event("w", timeout_s=1000, on_timeout="continue"),
            Node("c", NodeKind.TASK, params={"function": "c"}),
            event("v"),
            Node("z", NodeKind.SLEEP, params={"seconds": 300}),
            Node("d", NodeKind.TASK, params={"function": "d"}),
        ),
        (
            *(Edge(source, target) for target, sources in BEFORE.items() for source in sources),
            Edge("d", "c", "output.again", is_loopback=True),
        ),
    ),
    max_node_iterations=ROUNDS_MAXIMUM,
)


class RefusedError(Exception):
    """The action is not possible; its text is the error's class."""


@dataclass
class Step:
    """Where a node stands. due: the jump at which its wait ends by itself. answer: what its question is."""

    status: str = "pending"
    iteration: int = 1
    attempt: int = 0
    failures: int = 0
    wait: str | None = None
    due: int | None = None
    answer: str | None = None
    has_data: bool = False


@dataclass(frozen=True)
class Signal:
    """Sent at a jump. taken: `key#iteration` of the wait."""

    key: str
    type: str
    payload: int
    at: int
    taken: str | None = None


@dataclass
class Model:
    """One run. down: no process executes. in_flight: calls whose results count; begun: every call there ever was."""

    status: str = "queued"
    generation: int = 1
    now: int = 0
    down: bool = False
    steps: dict[str, Step] = field(default_factory=lambda: {key: Step() for key in BEFORE})
    signals: list[Signal] = field(default_factory=list)
    in_flight: list[Call] = field(default_factory=list)
    begun: list[Call] = field(default_factory=list)
    ends: Counter[int] = field(default_factory=Counter)

    def copy(self) -> "Model":
        return deepcopy(self)

    @property
    def is_final(self) -> bool:
        return self.status in ENDED

    # What people do ----------------------------------------------------------------------------------------------

    def pause(self) -> None:
        self._require("queued", "waiting", "interrupted", "awaiting_input", "running")
        self.status = "pausing" if self.status == "running" else "paused"

    def pause_now(self) -> None:
        self._require("queued", "waiting", "interrupted", "awaiting_input", "running", "pausing")
        self.status = "paused"
        self.in_flight = []

    def resume(self) -> None:
        self._require("paused", "pausing")
        self.status = "running" if self.status == "pausing" else "queued"

    def restart(self) -> None:
        self.generation += 1
        self.status = "queued"
        self.steps = {key: Step() for key in BEFORE}
        self.signals, self.in_flight = [], []

    def terminate(self) -> None:
        if self.is_final:
            raise RefusedError("InvalidTransitionError")
        self._end("cancelled")

    def signal(self, key: str, type: str, payload: int) -> None:
        for known in self.signals:
            if known.key == key:
                if (known.type, known.payload) != (type, payload):
                    raise RefusedError("SignalConflictError")
                return
        if self.is_final:
            raise RefusedError("InvalidTransitionError")
        self.signals.append(Signal(key, type, payload, self.now))
        self._wake()

    def answer(self, status: str) -> None:
        asked = self.steps["q"]
        if asked.answer != "pending":
            if asked.answer != status:
                raise RefusedError("InterruptSettledError")
            return
        if asked.due is not None and asked.due <= self.now:
            raise RefusedError("InterruptSettledError")
        asked.answer = status
        self._wake()

    def give_data(self) -> None:
        if self.is_final:
            raise RefusedError("InvalidTransitionError")
        if self.steps["b"].answer != "pending":
            raise RefusedError("NothingSuspendedError")
        self.steps["b"].answer = "answered"
        self._wake()
        if self.status in {"paused", "pausing"}:
            self.resume()

    # What happens by itself --------------------------------------------------------------------------------------

    def jump(self) -> None:
        self.now += 1

    def crash(self) -> None:
        self.down = True
        self.in_flight = []

    def recover(self) -> None:
        self.down = False

    def result(self, call: Call, outcome: str) -> None:
        if call not in self.in_flight:
            return
        self.in_flight.remove(call)
        _, key, _, _ = call
        if outcome == "ok":
            self._succeed(key)
        elif outcome == "again":
            self._go_back()
        elif outcome == "suspend":
            self._waits(key, "suspend", None)
        else:
            self._fail(key, retryable=outcome == "fail")

    def go_on(self) -> None:
        """What an execution makes of all that, until it has nothing to do but wait."""
        if self.down or self.status in ENDED or self.status == "paused":
            return
        pausing = self.status == "pausing"
        for step_key, step in self.steps.items():
            if step.status == "running" and self._call(step_key) not in self.in_flight:
                step.status = "pending"  # it was in flight when its execution was lost
        self._settle()
        while not pausing and not self.is_final and self._begin():
            self._settle()
        if self.is_final:
            return
        if not pausing and all(step.status in ENDED for step in self.steps.values()):
            self._end("succeeded")
        elif self.in_flight:
            self.status = "pausing" if pausing else "running"
        else:
            self.status = "paused" if pausing else self._suspended()

    # Inside ------------------------------------------------------------------------------------------------------

    def _require(self, *statuses: str) -> None:
        if self.status not in statuses:
            raise RefusedError("InvalidTransitionError")

    def _wake(self) -> None:
        if self.status in {"waiting", "interrupted", "awaiting_input"}:
            self.status = "queued"

    def _call(self, key: str) -> Call:
        step = self.steps[key]
        return (self.generation, key, step.iteration, step.attempt)

    def _suspended(self) -> str:
        if self.steps["b"].wait == "suspend":
            return "awaiting_input"
        return "interrupted" if self.steps["q"].wait == "question" else "waiting"

    def _end(self, status: str) -> None:
        self.status = status
        self.in_flight = []
        self.ends[self.generation] += 1
        for step in self.steps.values():
            if step.answer == "pending":
                step.answer = "cancelled"
            if status == "failed" and step.status in {"running", "waiting"}:
                step.status, step.wait = "cancelled", None

    def _begin(self) -> bool:
        began = False
        for key, step in self.steps.items():
            if step.status != "pending" or any(self.steps[one].status not in ENDED for one in BEFORE[key]):
                continue
            began = True
            step.attempt += 1
            if key in TASKS:
                step.status = "running"
                self.in_flight.append(self._call(key))
                self.begun.append(self._call(key))
            else:
                self._waits(key, {"q": "question", "z": "timer"}.get(key, "event"), DUE_AFTER.get(key))
        return began

    def _waits(self, key: str, kind: str, jumps: int | None) -> None:
        step = self.steps[key]
        step.status, step.wait = "waiting", kind
        step.due = None if jumps is None else self.now + jumps
        if kind in {"question", "suspend"}:
            step.answer = "pending"

    def _settle(self) -> None:
        for key, step in list(self.steps.items()):
            is_due = step.due is not None and step.due <= self.now
            if step.wait == "event":
                self._settle_event(key, step, is_due=is_due)
            elif step.wait == "question" and (step.answer != "pending" or is_due):
                step.answer = "expired" if step.answer == "pending" else step.answer
                self._succeed(key)
            elif step.wait == "suspend" and step.answer == "answered":
                step.status, step.wait, step.has_data = "pending", None, True
            elif step.wait == "retry" and is_due:
                step.status, step.wait, step.due = "pending", None, None
            elif step.wait == "timer" and is_due:
                self._succeed(key)

    def _settle_event(self, key: str, step: Step, *, is_due: bool) -> None:
        for place, sent in enumerate(self.signals):
            if sent.type == "go" and sent.taken is None:
                if step.due is not None and sent.at >= step.due:
                    break
                self.signals[place] = replace(sent, taken=f"{key}#{step.iteration}")
                self._succeed(key)
                return
        if is_due:
            self._succeed(key)

    def _succeed(self, key: str) -> None:
        step = self.steps[key]
        step.status, step.wait, step.due, step.has_data = "succeeded", None, None, False

    def _go_back(self) -> None:
        if self.steps["c"].iteration >= ROUNDS_MAXIMUM:
            self._succeed("d")
            self._end("failed")
            return
        for key in ROUND:
            self.steps[key] = Step(iteration=self.steps[key].iteration + 1)

    def _fail(self, key: str, *, retryable: bool) -> None:
        step = self.steps[key]
        step.failures += 1
        step.has_data = False
        if retryable and key == "a" and step.failures == 1:
            self._waits(key, "retry", 1)
            return
        step.status, step.wait = "failed", None
        if key != "b":
            self._end("failed")

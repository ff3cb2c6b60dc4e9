"""Where a run stands, and where each action takes it: one table, nothing else decides it."""

from collections.abc import Mapping
from enum import StrEnum

from spectral.platform.shared.errors import InvalidTransitionError


class RunStatus(StrEnum):
    """The last three are final; only a restart leaves them.

    queued: nobody has begun, or nobody goes on just now.  running: an execution has it.  waiting: for an event, a
    time, a child or a remote result.  interrupted: a decision is asked of a person.  awaiting_input: data is asked of
    a person.  pausing: asked to pause, the nodes in flight end first.
    """

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSING = "pausing"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    AWAITING_INPUT = "awaiting_input"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RunAction(StrEnum):
    """What happens to a run. The first group is asked for by people, the second is done by the execution."""

    PAUSE = "pause"
    PAUSE_NOW = "pause_now"
    RESUME = "resume"
    RESTART = "restart"
    TERMINATE = "terminate"
    SIGNAL = "signal"
    ANSWER = "answer"

    START = "start"
    WAIT = "wait"
    INTERRUPT = "interrupt"
    AWAIT_INPUT = "await_input"
    SUCCEED = "succeed"
    FAIL = "fail"
    REACH_BOUNDARY = "reach_boundary"
    YIELD = "yield"


S = RunStatus
FINAL = frozenset({S.SUCCEEDED, S.FAILED, S.CANCELLED})
SUSPENDED = frozenset({S.WAITING, S.INTERRUPTED, S.AWAITING_INPUT})
"""Not executing, and not asked to stop: something outside lets it go on."""
OPEN = frozenset(S) - FINAL
EXECUTING = frozenset({S.RUNNING, S.PAUSING})

TRANSITIONS: Mapping[RunAction, Mapping[RunStatus, RunStatus]] = {
    # Queued and waiting runs pause at once, a running one at its next node boundary.
    RunAction.PAUSE: {S.QUEUED: S.PAUSED, **dict.fromkeys(SUSPENDED, S.PAUSED), S.RUNNING: S.PAUSING},
    RunAction.PAUSE_NOW: {
        S.QUEUED: S.PAUSED,
        **dict.fromkeys(SUSPENDED, S.PAUSED),
        S.RUNNING: S.PAUSED,
        S.PAUSING: S.PAUSED,
    },
    # What was asked to pause and has not yet just goes on; what waits or asks is looked at again.
    RunAction.RESUME: {S.PAUSED: S.QUEUED, S.PAUSING: S.RUNNING},
    RunAction.RESTART: dict.fromkeys(S, S.QUEUED),
    RunAction.TERMINATE: dict.fromkeys(OPEN, S.CANCELLED),
    # A signal or an answer is kept in every open state and wakes what waits.
    RunAction.SIGNAL: {**{status: status for status in OPEN}, **dict.fromkeys(SUSPENDED, S.QUEUED)},
    RunAction.ANSWER: {**{status: status for status in OPEN}, **dict.fromkeys(SUSPENDED, S.QUEUED)},
    # Running: the execution before died, and another one takes over.
    RunAction.START: {
        S.QUEUED: S.RUNNING,
        S.RUNNING: S.RUNNING,
        S.PAUSING: S.PAUSING,
        **dict.fromkeys(SUSPENDED, S.RUNNING),
    },
    RunAction.WAIT: {S.RUNNING: S.WAITING, S.PAUSING: S.PAUSED},
    RunAction.INTERRUPT: {S.RUNNING: S.INTERRUPTED, S.PAUSING: S.PAUSED},
    RunAction.AWAIT_INPUT: {S.RUNNING: S.AWAITING_INPUT, S.PAUSING: S.PAUSED},
    RunAction.REACH_BOUNDARY: {S.RUNNING: S.RUNNING, S.PAUSING: S.PAUSED},
    # A tick has begun as many steps as it may: the next one goes on.
    RunAction.YIELD: {S.RUNNING: S.QUEUED},
    RunAction.SUCCEED: dict.fromkeys(EXECUTING, S.SUCCEEDED),
    RunAction.FAIL: dict.fromkeys(EXECUTING, S.FAILED),
}


def next_status(current: str, action: RunAction) -> RunStatus:
    """Where the action takes a run. Raises InvalidTransitionError (400) where it is not possible."""
    found = TRANSITIONS[action].get(RunStatus(current))
    if found is None:
        raise InvalidTransitionError(f"A run that is {current} cannot {action.replace('_', ' ')}", current=current)
    return found

"""The transition table, written out by hand a second time."""

import pytest

from spectral.domains.workflows.execution.states import RunAction, RunStatus, next_status
from spectral.platform.shared.errors import InvalidTransitionError

S, A = RunStatus, RunAction
# Every status and what each action makes of it, written out by hand: `·` is refused.
COLUMNS = (
    "queued", "running", "waiting", "pausing", "paused", "interrupted", "awaiting_input", "succeeded", "failed",
    "cancelled",
)  # fmt: skip
TABLE = """
pause          paused    pausing     paused    ·         ·         paused      paused      ·         ·         ·
pause_now      paused    paused      paused    paused    ·         paused      paused      ·         ·         ·
resume         ·         ·           ·         running   queued    ·           ·           ·         ·         ·
restart        queued    queued      queued    queued    queued    queued      queued      queued    queued    queued
terminate      cancelled cancelled   cancelled cancelled cancelled cancelled   cancelled   ·         ·         ·
signal         queued    running     queued    pausing   paused    queued      queued      ·         ·         ·
answer         queued    running     queued    pausing   paused    queued      queued      ·         ·         ·
start          running   running     running   pausing   ·         running     running     ·         ·         ·
wait           ·         waiting     ·         paused    ·         ·           ·           ·         ·         ·
interrupt      ·         interrupted ·         paused    ·         ·           ·           ·         ·         ·
await_input    ·         awaiting_input ·      paused    ·         ·           ·           ·         ·         ·
succeed        ·         succeeded   ·         succeeded ·         ·           ·           ·         ·         ·
fail           ·         failed      ·         failed    ·         ·           ·           ·         ·         ·
reach_boundary ·         running     ·         paused    ·         ·           ·           ·         ·         ·
yield          ·         queued      ·         ·         ·         ·           ·           ·         ·         ·
"""


def test_every_action_takes_every_status_where_the_table_says() -> None:
    assert set(COLUMNS) == set(RunStatus)
    written = [line.split() for line in TABLE.strip().splitlines()]
    assert [line[0] for line in written] == [action.value for action in RunAction]
    for action, *expected in written:
        for status, after in zip(COLUMNS, expected, strict=True):
            if after == "·":
                with pytest.raises(InvalidTransitionError) as caught:
                    next_status(status, RunAction(action))
                assert caught.value.extensions["current"] == status
            else:
                assert next_status(status, RunAction(action)) == after, (action, status)

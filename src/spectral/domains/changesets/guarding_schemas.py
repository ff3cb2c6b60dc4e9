"""The wire shapes of live guards."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from spectral.platform.shared.wire import Timestamp, WireOut

GuardState = Literal["running", "alerting", "rolled_back", "released", "ended"]
GuardFinding = Literal["open", "regression", "no_regression", "horizon", "uneven", "decline"]
Score = Annotated[float | None, Field(description="0 to 1; null without a session.")]


class GuardArmOut(WireOut):
    """One version: the share of the sessions that it gets, how many of them were counted, and their mean score."""

    version: int
    weight: float
    sessions: int
    mean: Score


class GuardEffectOut(WireOut):
    """The effect of the new version on a session's score: the difference of the means, and its bounds.

    The bounds are right at all times together with the probability `confidence`; -1 and 1 say nothing.
    """

    estimate: float | None
    low: float | None
    high: float | None
    confidence: float


class GuardPointOut(WireOut):
    """What the guard said at one moment."""

    at: Timestamp
    n: int | None
    n_previous: int | None
    mean: Score
    mean_previous: Score
    low: float | None
    high: float | None


class PromotionGuardOut(WireOut):
    """The guard of an accepted change set.

    `state`: running; alerting (somebody has to decide); rolled_back; released (live for everybody); ended (something
    else was promoted). `finding`: what the sessions show; uneven means that they do not come from the arms as they were
    assigned, decline is the only finding without a holdback. `crossovers` were answered by the other arm's version.
    A loss below `margin` counts as none; after `horizon` sessions the guard ends.
    """

    id: UUID
    changeset_id: UUID
    agent_id: UUID
    environment: str
    state: GuardState
    finding: GuardFinding
    reason: str | None
    holdback: float | None
    source: Literal["evaluation", "feedback"] | None
    online_evaluation_id: UUID | None
    sessions: int
    crossovers: int
    arms: list[GuardArmOut]
    effect: GuardEffectOut
    margin: float
    horizon: int
    history: list[GuardPointOut]
    started_at: Timestamp
    alerted_at: Timestamp | None
    finished_at: Timestamp | None
    finished_by: str | None

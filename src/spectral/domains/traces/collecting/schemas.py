"""The wire shape of samples that are made of traces."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from spectral.domains.samples.splitting import Split
from spectral.domains.traces.search.filter_expression import MAXIMUM_CHARACTERS
from spectral.platform.shared.wire import WireIn

MAXIMUM_TRACES = 2_000
TraceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
ExpectedFrom = Literal["output", "feedback", "none"]


class TraceCollectionIn(WireIn):
    """Which traces become samples, and what is expected of an agent that is asked the same.

    expected_from: `output` is what was answered then; `feedback` is what a person said instead (feedback called
    `expected` or `correction`, its comment or label), or what was answered where they were content (a score of at least
    0.5); `none` leaves it open.  split: for those whose session or user is in no split yet.
    """

    trace_ids: list[TraceId] | None = Field(default=None, min_length=1, max_length=MAXIMUM_TRACES)
    filter: str | None = Field(
        default=None, max_length=MAXIMUM_CHARACTERS, description="as of the list of traces; without fields called deep"
    )
    limit: int = Field(default=500, ge=1, le=MAXIMUM_TRACES, description="of the newest traces that fit")
    expected_from: ExpectedFrom
    split: Split | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.trace_ids is None) is (self.filter is None):
            message = "needs either trace_ids or a filter"
            raise ValueError(message)
        return self

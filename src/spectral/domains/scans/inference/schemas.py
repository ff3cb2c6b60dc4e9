"""The wire shapes of recovered templates."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from spectral.platform.shared.wire import WireIn, WireOut

LEAST_PROMPTS = 3
MOST_PROMPTS = 500

TraceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class InferTemplateIn(WireIn):
    """Which prompts to look at: of these traces, of those behind a scan's samples, else of the agent's newest ones."""

    scan_id: UUID | None = None
    trace_ids: list[TraceId] | None = Field(default=None, min_length=LEAST_PROMPTS, max_length=MOST_PROMPTS)
    store: bool = Field(default=False, description="Keep the template as a config version of the agent, for a replica.")
    model: str | None = Field(
        default=None, min_length=1, max_length=200, description="Of the stored version. Null: the one seen most often."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.scan_id is not None and self.trace_ids is not None:
            message = "scan_id and trace_ids exclude each other"
            raise ValueError(message)
        if self.model is not None and not self.store:
            message = "model belongs to store"
            raise ValueError(message)
        return self


class InferredMessageOut(WireOut):
    """One message; `{{name}}` stands for a variable."""

    role: Literal["system", "user", "assistant"]
    content: str


class InferredTemplateOut(WireOut):
    """The template that the prompts were made with.

    `coverage` is the share of the `prompts` that it reproduces to the letter, `reproduced` of them. `other_shape` have
    other roles in another order; `unreadable` traces came without the content of a model call, or with more than text.
    """

    messages: list[InferredMessageOut]
    variables: list[str]
    coverage: float
    prompts: int
    reproduced: int
    other_shape: int
    unreadable: int
    model: str | None
    stored_version: int | None

"""The wire shapes of calibration."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from spectral.domains.agents.json_values import STORABLE
from spectral.domains.evaluations.scorers.judge import Scale
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut


class AgreementOut(WireOut):
    """How well judge and people agree. Intervals are two-sided, 95 %; null where κ does not exist."""

    agreement: float | None = Field(description="the share of answers on which both say the same")
    kappa: float | None = Field(description="Cohen's κ: 0 is chance, 1 perfect")
    kappa_low: float | None
    kappa_high: float | None
    weighted_kappa: float | None = Field(description="κ with linear weights: near misses count in part")
    weighted_kappa_low: float | None
    weighted_kappa_high: float | None


class JudgeCalibrationOut(WireOut):
    """One judge beside the people who labelled what it judged."""

    dimension: str
    model: str
    rubric_version: int
    labels: int
    calibrated: bool = Field(description="whether there are enough labels; how good the judge is says `agreement`")
    further_labels: int = Field(description="how many are missing until it is called calibrated")
    agreement: AgreementOut
    mean_difference: float | None = Field(description="judge − people on 0 to 1: above 0 the judge is too kind")
    points: list[float]
    table: list[list[int]] = Field(description="rows: what people said; columns: the judge; points lowest first")


class CalibrationOut(WireOut):
    """The judges of a rubric."""

    rubric_id: UUID
    judges: list[JudgeCalibrationOut]


class BlindItemOut(WireOut):
    """A judged answer to label, without the judge's verdict; `item_id` is null where none waits."""

    rubric_id: UUID
    rubric_version: int
    dimension: str
    item_id: UUID | None
    instructions: str = Field(description="what the judge was told to look at")
    scale: Scale
    input: Any
    expected: Any
    output: str | None
    labelled: int
    waiting: int


class LabelIn(WireIn):
    """What a person says of a judged answer."""

    item_id: UUID = Field(description="from `calibration/next`")
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        default=None, description="the rubric's version that was labelled; the latest when left out"
    )
    label: str | float = Field(description="a point of the judge's scale: a number, or one of its labels")
    comment: Annotated[str, StringConstraints(max_length=2000), STORABLE] | None = None


class LabelOut(WireOut):
    """A label as it was stored."""

    id: UUID
    item_id: UUID
    dimension: str
    value: float = Field(description="what the label is worth, 0 to 1")
    comment: str | None
    labelled_by: str
    created_at: Timestamp
    labels: int = Field(description="how many this judge has now")

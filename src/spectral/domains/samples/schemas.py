"""The wire shapes of sample sets."""

from typing import Annotated, Any, Self, TypeVar
from uuid import UUID

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator

from spectral.domains.samples.drafts import MAXIMUM_METADATA_MEMBERS
from spectral.domains.samples.intake import SkipReason
from spectral.domains.samples.models import SampleItem
from spectral.domains.samples.service import NewSet, SetSummary
from spectral.domains.samples.splitting import Split
from spectral.domains.samples.transfer import Receipt
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

T = TypeVar("T")

GROUP_BY = ("session_id", "conversation_id", "user_id", "customer_id")


def not_null(value: T) -> T:
    """A member that may be left out and not taken away. Raises ValueError."""
    if value is None:
        raise ValueError("cannot be null")
    return value


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Description = Annotated[str, StringConstraints(max_length=2000)]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=100)]
TraceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class SharesIn(WireIn):
    """Which part of a set each split should have; together 1."""

    reflect: Share = 0.4
    select: Share = 0.2
    holdout: Share = 0.4

    @model_validator(mode="after")
    def together_one(self) -> Self:
        if abs(self.reflect + self.select + self.holdout - 1) > 1e-6:
            raise ValueError("reflect, select and holdout must add up to 1")
        if not self.reflect or not self.select:
            raise ValueError("reflect and select must each have a share")
        return self

    def by_split(self) -> dict[Split, float]:
        """The shares as the service takes them."""
        return {split: getattr(self, split) for split in Split}


class SampleSetIn(WireIn):
    """A sample set to create. Seed, shares and group_by decide where items go and cannot be changed later.

    group_by: members of an item's metadata; items that agree in any of them stay together in one split.
    """

    name: Name
    description: Description | None = None
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0
    shares: Annotated[SharesIn, Field(default_factory=SharesIn)]
    group_by: Annotated[list[MetadataKey], Field(max_length=10, default_factory=lambda: list(GROUP_BY))]

    def as_new_set(self) -> NewSet:
        """What the service creates."""
        return NewSet(self.name, self.description, self.seed, self.shares.by_split(), self.group_by)


class SampleSetPatch(WireIn):
    """What can be changed about a sample set; members that are left out stay as they are."""

    name: Annotated[Name | None, AfterValidator(not_null)] = None
    description: Description | None = None


class HoldoutOut(WireOut):
    """A frozen holdout. `digest` is SHA-256 over its canonical items, `looks` how often it was measured on."""

    id: UUID
    set_id: UUID
    digest: str
    size: int
    looks: int
    frozen_at: Timestamp
    frozen_by: str
    retired_at: Timestamp | None
    retired_reason: str | None


class SplitCounts(WireOut):
    """How many items each split has."""

    reflect: int
    select: int
    holdout: int


class SharesOut(WireOut):
    """Which part of the set each split should have."""

    reflect: float
    select: float
    holdout: float


class SampleSetOut(WireOut):
    """A sample set. `version` counts the changes of its content; `holdout` is the current one, if one is frozen."""

    id: UUID
    name: str
    description: str | None
    version: int
    seed: int
    shares: SharesOut
    group_by: list[str]
    items: int
    splits: SplitCounts
    holdout: HoldoutOut | None
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, summary: SetSummary) -> Self:
        """The answer for one set."""
        one = summary.sample_set
        return cls(
            id=one.id,
            name=one.name,
            description=one.description,
            version=one.version,
            seed=one.seed,
            shares=SharesOut(**one.shares),
            group_by=one.group_by,
            items=sum(summary.counts.values()),
            splits=_split_counts(summary.counts),
            holdout=None if summary.holdout is None else HoldoutOut.model_validate(summary.holdout),
            created_by=one.created_by,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


class SampleIn(WireIn):
    """A sample to add. `expected` null means that nothing is expected."""

    input: Annotated[JsonValue, AfterValidator(not_null)]
    expected: JsonValue = None
    metadata: Annotated[dict[str, JsonValue], Field(max_length=MAXIMUM_METADATA_MEMBERS, default_factory=dict)]
    source_trace_id: TraceId | None = None


class SamplePatch(WireIn):
    """What can be changed about a sample; members that are left out stay as they are, null takes away."""

    input: Annotated[JsonValue, AfterValidator(not_null)] = None
    expected: JsonValue = None
    metadata: Annotated[dict[str, JsonValue], Field(max_length=MAXIMUM_METADATA_MEMBERS)] | None = None
    source_trace_id: TraceId | None = None


class SampleOut(WireOut):
    """A sample. `frozen`: it belongs to a holdout and cannot be changed or deleted."""

    id: UUID
    set_id: UUID
    split: Split
    frozen: bool
    holdout_id: UUID | None
    group_key: str
    input: Any
    expected: Any
    metadata: dict[str, Any]
    source_trace_id: str | None
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, item: SampleItem) -> Self:
        """The answer for one item."""
        return cls(
            id=item.id,
            set_id=item.set_id,
            split=Split(item.split),
            frozen=item.frozen,
            holdout_id=item.holdout_id,
            group_key=item.group_key,
            input=item.input,
            expected=item.expected,
            metadata=item.details,
            source_trace_id=item.source_trace_id,
            created_at=item.created_at,
            updated_at=item.updated_at,
        )


class SkippedCounts(WireOut):
    """How many samples were not taken, by reason."""

    duplicate: int
    contradiction: int
    near_duplicate: int
    bridge: int


class SkippedOut(WireOut):
    """A sample that was not taken. `same_as` is "line n" of the file, "trace …" or the id of an item."""

    line: str
    reason: SkipReason
    same_as: str | None


class LeftOutCounts(WireOut):
    """How many traces made no sample, by reason.

    evaluation: executed for an evaluation.  not_found: no such trace.  no_input, no_expected: it does not say.
    unusable: what it says cannot be stored as a sample.
    """

    evaluation: int
    not_found: int
    no_input: int
    no_expected: int
    unusable: int


class ImportOut(WireOut):
    """What became of a file, or of traces: every sample is either imported or skipped, and 100 skipped ones are named.

    `lines` counts the samples; `left_out` the traces that made none, null for a file.
    """

    set_id: UUID
    version: int
    lines: int
    imported: int
    splits: SplitCounts
    skipped: SkippedCounts
    skipped_samples: list[SkippedOut]
    left_out: LeftOutCounts | None = None

    @classmethod
    def of(cls, set_id: UUID, receipt: Receipt, left_out: LeftOutCounts | None = None) -> Self:
        """The answer for one import."""
        return cls(
            set_id=set_id,
            version=receipt.version,
            lines=receipt.samples,
            imported=receipt.taken.total(),
            splits=_split_counts({split: receipt.taken[split] for split in Split}),
            skipped=SkippedCounts(**{str(reason): receipt.reasons[reason] for reason in SkipReason}),
            skipped_samples=[
                SkippedOut(line=one.name, reason=one.reason, same_as=one.same_as) for one in receipt.skipped
            ],
            left_out=left_out,
        )


def _split_counts(counts: dict[Split, int]) -> SplitCounts:
    return SplitCounts(**{str(split): count for split, count in counts.items()})

"""Calibration: how well a rubric's judges agree with people who labelled the same answers without their verdict."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.agreement import Agreement, agreement_of
from spectral.domains.evaluations.calibration_repository import CalibrationRepository
from spectral.domains.evaluations.errors import AlreadyLabelledError, NoJudgeError
from spectral.domains.evaluations.models import CalibrationLabel
from spectral.domains.evaluations.repository import JudgementRepository
from spectral.domains.evaluations.scorers.judge import Judge, VerdictError
from spectral.domains.evaluations.service import RubricService, VersionedRubric, spec_of
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.errors import FieldError, NotFoundError, ValidationFailedError

LABELS_NEEDED = 50
"""From so many labels on a judge is called calibrated: below, the interval of κ says next to nothing."""

PARTS = 5
"""A scale without points is read in so many equal parts."""


@dataclass(frozen=True, slots=True)
class RubricJudge:
    """A judge of one version of a rubric. digest: of the scorer with its options, what its judgements carry."""

    rubric_id: UUID
    rubric_version: int
    dimension: str
    judge: Judge
    digest: str

    @property
    def points(self) -> tuple[float, ...]:
        """What the points of its scale are worth; the middles of equal parts where it has none."""
        return self.judge.scale.points or tuple((2 * part + 1) / (2 * PARTS) for part in range(PARTS))

    def place(self, value: float) -> int:
        """The point that is nearest to a value."""
        return min(range(len(self.points)), key=lambda index: (abs(self.points[index] - value), index))


@dataclass(frozen=True, slots=True)
class JudgeCalibration:
    """One judge beside the people who labelled what it judged.

    calibrated: whether there are labels enough to say how well it agrees; how well is what `agreement` says.
    table: how often people said i and the judge j, points lowest first.  mean_difference: judge − people, on 0 to 1.
    """

    dimension: str
    model: str
    rubric_version: int
    labels: int
    calibrated: bool
    further_labels: int
    agreement: Agreement
    mean_difference: float | None
    points: tuple[float, ...] = ()
    table: tuple[tuple[int, ...], ...] = ()

    def to_document(self) -> dict[str, Any]:
        """As evidence about a gain carries it, JSON."""
        document = asdict(self)
        return {**document, "points": list(self.points), "table": [list(row) for row in self.table]}


@dataclass(frozen=True, slots=True)
class BlindItem:
    """A judged answer to label, without what the judge said. item_id: of the judgement."""

    judge: RubricJudge
    item_id: UUID | None
    shown: Mapping[str, Any] = field(default_factory=dict)
    labelled: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Labelled:
    """A label as it was stored, and how many its judge has now."""

    judge: RubricJudge
    label: CalibrationLabel
    labels: int


class CalibrationService:
    """The calibration of one workspace's judges, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._access = access
        self._rubrics = RubricService(session, access)
        self._judgements = JudgementRepository(session, access)
        self._calibration = CalibrationRepository(session, access)

    async def calibration_of(self, rubric_id: UUID, version: int | None = None) -> list[JudgeCalibration]:
        """Every judge of the rubric in this version, else in its latest; none where it has no judge.

        What stands beside every gain that was judged. Raises NotFoundError, ScorerNotInstalledError (400).
        """
        judges = judges_of(await self._rubrics.read_rubric(rubric_id, version))
        return [calibration_of_labels(judge, await self._calibration.counts(judge.digest)) for judge in judges]

    async def read_calibration(self, rubric_id: UUID, version: int | None = None) -> list[JudgeCalibration]:
        """As `calibration_of`. Raises NoJudgeError (400) as well, where the rubric has no judge."""
        found = await self.calibration_of(rubric_id, version)
        if not found:
            raise NoJudgeError("The rubric has no judge: there is nothing to calibrate")
        return found

    async def next_item(self, rubric_id: UUID, version: int | None, dimension: str | None) -> BlindItem:
        """The next answer to label; its `item_id` is None where every judged answer has its label.

        Of the judge's scores the one with the fewest labels is next, ties and the answer itself by a hash, so that the
        order tells nothing about the score. Raises NotFoundError, NoJudgeError (400), ScorerNotInstalledError (400).
        """
        judge = await self._judge(rubric_id, version, dimension)
        labelled = [0] * len(judge.points)
        for (_, judged), count in (await self._calibration.counts(judge.digest)).items():
            labelled[judge.place(judged)] += count
        waiting: dict[int, list[float]] = {}
        unlabelled = await self._calibration.unlabelled_scores(judge.digest)
        for score in unlabelled:
            waiting.setdefault(judge.place(score), []).append(score)
        done, left = sum(labelled), sum(unlabelled.values())
        if not waiting:
            return BlindItem(judge, None, labelled=done)
        wanted = min(waiting, key=lambda place: (labelled[place], _shuffled(judge.digest, done, place)))
        item = await self._calibration.next_unlabelled(judge.digest, waiting[wanted])
        if item is None:
            return BlindItem(judge, None, labelled=done)
        return BlindItem(judge, item.id, item.shown or {}, done, left)

    async def add_label(
        self, rubric_id: UUID, version: int | None, item_id: UUID, label: str | float, comment: str | None
    ) -> Labelled:
        """What a person says of a judged answer, on the judge's scale.

        Raises NotFoundError for an answer that no judge of this version has judged, ValidationFailedError (422) for a
        label that is not on the scale, AlreadyLabelledError (409).
        """
        item = await self._judgements.get(item_id)
        judges = judges_of(await self._rubrics.read_rubric(rubric_id, version))
        judge = next((judge for judge in judges if judge.digest == item.scorer_digest), None)
        if judge is None or item.score is None or item.shown is None:
            raise NotFoundError(self._judgements.kind, item_id)
        row = self._calibration.add(
            CalibrationLabel(
                scorer_digest=item.scorer_digest,
                question_digest=item.question_digest,
                value=_worth(judge, label),
                judged=item.score,
                comment=comment,
                labelled_by=self._access.actor,
            )
        )
        taken = AlreadyLabelledError("Somebody has labelled this answer; ask for the next one")
        await self._calibration.flush({"uq_calibration_label_question": taken})
        return Labelled(judge, row, sum((await self._calibration.counts(judge.digest)).values()))

    async def _judge(self, rubric_id: UUID, version: int | None, dimension: str | None) -> RubricJudge:
        judges = judges_of(await self._rubrics.read_rubric(rubric_id, version))
        for judge in judges:
            if dimension is None or judge.dimension == dimension:
                return judge
        names = ", ".join(repr(judge.dimension) for judge in judges)
        raise NoJudgeError(
            f"The rubric has no judge called {dimension!r}; it has {names}" if names else "The rubric has no judge"
        )


def judges_of(found: VersionedRubric) -> list[RubricJudge]:
    """The judges among a rubric's dimensions, in their order. Raises ScorerNotInstalledError (400)."""
    return [
        RubricJudge(
            found.rubric.id,
            found.version.version,
            dimension.name,
            dimension.built,
            dimension.built.digest(dimension.scorer),
        )
        for dimension in spec_of(found).dimensions
        if isinstance(dimension.built, Judge)
    ]


def calibration_of_labels(judge: RubricJudge, counts: Mapping[tuple[float, float], int]) -> JudgeCalibration:
    """The calibration that labels make. counts: (a person's value, the judge's) → how often. Pure."""
    table = [[0] * len(judge.points) for _ in judge.points]
    for (said, judged), count in counts.items():
        table[judge.place(said)][judge.place(judged)] += count
    labels = sum(counts.values())
    difference = sum((judged - said) * count for (said, judged), count in counts.items())
    return JudgeCalibration(
        dimension=judge.dimension,
        model=judge.judge.model,
        rubric_version=judge.rubric_version,
        labels=labels,
        calibrated=labels >= LABELS_NEEDED,
        further_labels=max(0, LABELS_NEEDED - labels),
        agreement=agreement_of(table),
        mean_difference=difference / labels if labels else None,
        points=judge.points,
        table=tuple(tuple(row) for row in table),
    )


def _worth(judge: RubricJudge, label: str | float) -> float:
    try:
        return judge.judge.scale.worth(label)
    except VerdictError as error:
        raise ValidationFailedError(
            f"The label is not on the judge's scale: {error}", [FieldError("/label", str(error))]
        ) from error


def _shuffled(*parts: object) -> bytes:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).digest()

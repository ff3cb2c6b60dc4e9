"""Queries over people's labels and the judgements that have none."""

from collections.abc import Collection
from typing import ClassVar

import sqlalchemy as sa

from spectral.domains.evaluations.judgements import ANSWERED
from spectral.domains.evaluations.models import CalibrationLabel, Judgement
from spectral.platform.db.repository import WorkspaceRepository

Condition = sa.ColumnElement[bool]


class CalibrationRepository(WorkspaceRepository[CalibrationLabel]):
    """What people said of judged answers."""

    model: ClassVar[type[CalibrationLabel]] = CalibrationLabel
    kind = "Calibration label"

    async def counts(self, scorer_digest: str) -> dict[tuple[float, float], int]:
        """(a person's value, the judge's) → how many labels of this judge say so."""
        said = (CalibrationLabel.value, CalibrationLabel.judged)
        counted = (
            sa.select(*said, sa.func.count(CalibrationLabel.id))
            .where(self._mine, CalibrationLabel.scorer_digest == scorer_digest)
            .group_by(*said)
        )
        rows = await self.session.execute(counted)
        return {(float(value), float(judged)): int(count) for value, judged, count in rows}

    async def unlabelled_scores(self, scorer_digest: str) -> dict[float, int]:
        """How many different answers wait for a label, by the score that the judge gave them."""
        counted = (
            sa.select(Judgement.score, sa.func.count(sa.distinct(Judgement.question_digest)))
            .where(Judgement.workspace_id == self.access.workspace_id, *self._unlabelled(scorer_digest))
            .group_by(Judgement.score)
        )
        rows = await self.session.execute(counted)
        return {float(score): int(count) for score, count in rows}

    async def next_unlabelled(self, scorer_digest: str, scores: Collection[float]) -> Judgement | None:
        """One of the answers that wait and have one of these scores, the one with the least digest."""
        statement = (
            sa.select(Judgement)
            .where(
                Judgement.workspace_id == self.access.workspace_id,
                *self._unlabelled(scorer_digest),
                Judgement.score.in_(list(scores)),
            )
            .order_by(Judgement.question_digest, Judgement.created_at.desc(), Judgement.id)
            .limit(1)
        )
        return (await self.session.scalars(statement)).first()

    def _unlabelled(self, scorer_digest: str) -> tuple[Condition, ...]:
        labelled = (
            sa.select(CalibrationLabel.id)
            .where(
                self._mine,
                CalibrationLabel.scorer_digest == scorer_digest,
                CalibrationLabel.question_digest == Judgement.question_digest,
            )
            .exists()
        )
        return (
            Judgement.scorer_digest == scorer_digest,
            Judgement.state == ANSWERED,
            Judgement.shown.is_not(None),
            ~labelled,
        )

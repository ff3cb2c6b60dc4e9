"""Queries over rubrics, objectives and the journal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa

from spectral.domains.evaluations.models import (
    EvaluationReservation,
    EvaluationResult,
    Judgement,
    Objective,
    Rubric,
    RubricVersion,
)
from spectral.platform.db.repository import PricedRepository, WorkspaceRepository
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.money import Spending


class RubricRepository(WorkspaceRepository[Rubric]):
    """The rubrics of one workspace."""

    model: ClassVar[type[Rubric]] = Rubric
    kind = "Rubric"

    async def lock(self, rubric_id: UUID) -> Rubric:
        """The rubric, held against other writers until the transaction ends. Raises NotFoundError."""
        statement = self.select(Rubric.id == rubric_id).with_for_update()
        rubric = (await self.session.scalars(statement)).one_or_none()
        if rubric is None:
            raise NotFoundError(self.kind, rubric_id)
        return rubric


class RubricVersionRepository(WorkspaceRepository[RubricVersion]):
    """The versions of one workspace's rubrics."""

    model: ClassVar[type[RubricVersion]] = RubricVersion
    kind = "Rubric version"

    async def latest_of(self, rubrics: Sequence[Rubric]) -> dict[UUID, RubricVersion]:
        """The latest version of each rubric, by the rubric's id."""
        if not rubrics:
            return {}
        wanted = [
            sa.and_(RubricVersion.rubric_id == rubric.id, RubricVersion.version == rubric.latest_version)
            for rubric in rubrics
        ]
        rows = await self.session.scalars(self.select(sa.or_(*wanted)))
        return {row.rubric_id: row for row in rows}


class ObjectiveRepository(WorkspaceRepository[Objective]):
    """The objectives of one workspace."""

    model: ClassVar[type[Objective]] = Objective
    kind = "Objective"


@dataclass(frozen=True, slots=True)
class ModelCost:
    """What one subject spent on one model for one purpose.

    cost_nano_usd: of the calls whose cost is known; None where no call's is.  unpriced_calls: calls of unknown cost.
    reserved_nano_usd: kept for calls that never reported a cost (in flight at a crash, failed at the provider).
    """

    model: str
    purpose: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int | None
    unpriced_calls: int
    reserved_nano_usd: int


class ResultRepository(PricedRepository[EvaluationResult]):
    """The journal's results."""

    model: ClassVar[type[EvaluationResult]] = EvaluationResult
    kind = "Evaluation result"

    async def of_config(self, subject_id: UUID, config_hash: str) -> Sequence[EvaluationResult]:
        """Everything that the subject has recorded about one config."""
        return await self.find_all(
            EvaluationResult.subject_id == subject_id,
            EvaluationResult.config_hash == config_hash,
            order_by=(EvaluationResult.item_id, EvaluationResult.repeat),
        )

    async def record(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add results in one statement; a row that is there already is a unique violation."""
        moment = utc_now()
        stamped = [
            {**row, "workspace_id": self.access.workspace_id, "id": new_id(), "created_at": moment} for row in rows
        ]
        # tenancy: every row was stamped with this workspace just above
        await self.session.execute(sa.insert(EvaluationResult), stamped)

    async def score(self, row: dict[str, Any]) -> None:
        """Put what the scorers made of an answer that was recorded before into its row."""
        key = ("subject_id", "config_hash", "item_id", "repeat")
        scores = ("total", "passed", "dimensions", "missing_reason", "error_type", "error_message")
        mine = [getattr(EvaluationResult, name) == row[name] for name in key]
        await self.execute(self.update(*mine).values({name: row[name] for name in scores}))

    async def unscore(self, subject_id: UUID, config_hash: str, keys: Sequence[tuple[UUID, int]], reason: str) -> int:
        """Answers of a config, by item and repeat, are recorded and have no score, for that reason; how many."""
        chosen = sa.tuple_(EvaluationResult.item_id, EvaluationResult.repeat).in_(list(keys))
        mine = (EvaluationResult.subject_id == subject_id, EvaluationResult.config_hash == config_hash)
        none: dict[str, Any] = dict.fromkeys(("total", "error_type", "error_message"))
        none |= {"passed": False, "dimensions": {}, "missing_reason": reason}
        return await self.execute(self.update(*mine, chosen).values(none))

    async def spending(self, subject_id: UUID) -> tuple[int, int]:
        """How many results the subject has, and their known cost in nano-USD."""
        counted = sa.select(
            sa.func.count(EvaluationResult.id), sa.func.coalesce(sa.func.sum(EvaluationResult.cost_nano_usd), 0)
        ).where(self._mine, EvaluationResult.subject_id == subject_id)
        evaluations, cost = (await self.session.execute(counted)).one()
        return int(evaluations), int(cost)

    async def other_rubric(self, subject_id: UUID, digest: str) -> bool:
        """Whether the subject has a result under another rubric than this one."""
        found = self.select(EvaluationResult.subject_id == subject_id, EvaluationResult.rubric_digest != digest)
        return (await self.session.scalars(found.limit(1))).first() is not None

    async def costs(self, subject_id: UUID) -> list[ModelCost]:
        """What the results cost, without what is reserved."""
        priced = sa.func.count(EvaluationResult.cost_nano_usd)
        counted = (
            sa.select(
                EvaluationResult.model,
                EvaluationResult.purpose,
                sa.func.count(EvaluationResult.id),
                sa.func.sum(EvaluationResult.input_tokens),
                sa.func.sum(EvaluationResult.output_tokens),
                sa.func.sum(EvaluationResult.cost_nano_usd),
                sa.func.count(EvaluationResult.id) - priced,
            )
            .where(self._mine, EvaluationResult.subject_id == subject_id)
            .group_by(EvaluationResult.model, EvaluationResult.purpose)
        )
        return [_cost_of(*row) for row in await self.session.execute(counted)]


class ReservationRepository(PricedRepository[EvaluationReservation]):
    """What calls in flight may cost."""

    model: ClassVar[type[EvaluationReservation]] = EvaluationReservation
    kind = "Evaluation reservation"

    async def spending(self, subject_id: UUID) -> tuple[int, int]:
        """How many evaluations, and how much in nano-USD, the subject's open reservations hold."""
        counted = sa.select(
            sa.func.coalesce(sa.func.sum(EvaluationReservation.evaluations), 0),
            sa.func.coalesce(sa.func.sum(EvaluationReservation.cost_nano_usd), 0),
        ).where(self._mine, EvaluationReservation.subject_id == subject_id)
        evaluations, cost = (await self.session.execute(counted)).one()
        return int(evaluations), int(cost)

    async def raise_by(self, reservation_id: UUID, cost_nano_usd: int) -> None:
        """One more attempt may cost this much."""
        more = EvaluationReservation.cost_nano_usd + cost_nano_usd
        await self.execute(self.update(EvaluationReservation.id == reservation_id).values(cost_nano_usd=more))

    async def close(self, reservation_id: UUID, kept_nano_usd: int) -> None:
        """The result is recorded: only what its attempts may have cost without saying so stays reserved."""
        mine = EvaluationReservation.id == reservation_id
        if kept_nano_usd:
            await self.execute(self.update(mine).values(evaluations=0, cost_nano_usd=kept_nano_usd))
        else:
            await self.execute(self.delete(mine))

    async def costs(self, subject_id: UUID) -> dict[tuple[str, str], int]:
        """(model, purpose) → nano-USD that open reservations hold."""
        counted = (
            sa.select(
                EvaluationReservation.model,
                EvaluationReservation.purpose,
                sa.func.coalesce(sa.func.sum(EvaluationReservation.cost_nano_usd), 0),
            )
            .where(self._mine, EvaluationReservation.subject_id == subject_id)
            .group_by(EvaluationReservation.model, EvaluationReservation.purpose)
        )
        rows = await self.session.execute(counted)
        return {(model, purpose): int(cost) for model, purpose, cost in rows}


class JudgementRepository(WorkspaceRepository[Judgement]):
    """What models said about answers."""

    model: ClassVar[type[Judgement]] = Judgement
    kind = "Judgement"

    async def of_question(self, subject_id: UUID, question_digest: str) -> Judgement | None:
        """What the subject knows of one question."""
        return await self.find(Judgement.subject_id == subject_id, Judgement.question_digest == question_digest)

    async def ask_again(self, subject_id: UUID, digests: Sequence[str], asked: str) -> None:
        """These questions have no reply yet: their state is `asked`, and what they cost stays spent."""
        await self.execute(
            self.update(Judgement.subject_id == subject_id, Judgement.question_digest.in_(digests)).values(
                state=asked,
                error=None,
                reserved_nano_usd=Judgement.reserved_nano_usd + sa.func.coalesce(Judgement.cost_nano_usd, 0),
                cost_nano_usd=None,
            )
        )

    async def spending(self, subject_id: UUID) -> int:
        """Nano-USD that the subject's judgements cost, with what they hold."""
        counted = sa.select(_spent()).where(self._mine, Judgement.subject_id == subject_id)
        return int((await self.session.execute(counted)).scalar_one())

    async def spending_since(self, since: datetime) -> Spending:
        """What the judgements made since that moment cost, and how many of them did not tell."""
        unknown = sa.func.coalesce(sa.func.sum(sa.case((_unpriced(), 1), else_=0)), 0)
        counted = sa.select(_spent(), unknown).where(self._mine, Judgement.created_at >= since)
        known, calls = (await self.session.execute(counted)).one()
        return Spending(int(known), int(calls))

    async def costs(self, subject_id: UUID) -> list[ModelCost]:
        """What the subject's judgements cost, by model and purpose."""
        counted = (
            sa.select(
                Judgement.model,
                Judgement.purpose,
                sa.func.count(Judgement.id),
                sa.func.sum(Judgement.input_tokens),
                sa.func.sum(Judgement.output_tokens),
                sa.func.sum(Judgement.cost_nano_usd),
                sa.func.sum(sa.case((_unpriced(), 1), else_=0)),
                sa.func.sum(Judgement.reserved_nano_usd),
            )
            .where(self._mine, Judgement.subject_id == subject_id)
            .group_by(Judgement.model, Judgement.purpose)
        )
        return [_cost_of(*row) for row in await self.session.execute(counted)]


def _cost_of(
    model: str,
    purpose: str,
    calls: int,
    tokens_in: int,
    tokens_out: int,
    cost: int | None,
    unknown: int,
    held: int = 0,
) -> ModelCost:
    # Sums come as the database's own kind of number.
    known = None if cost is None else int(cost)
    return ModelCost(model, purpose, int(calls), int(tokens_in), int(tokens_out), known, int(unknown), int(held))


def _spent() -> sa.ColumnElement[int]:
    """Of some judgements, with what they hold for calls that never told their cost."""
    return sa.func.coalesce(sa.func.sum(sa.func.coalesce(Judgement.cost_nano_usd, 0) + Judgement.reserved_nano_usd), 0)


def _unpriced() -> sa.ColumnElement[bool]:
    """A call was made, and nothing is known of its price."""
    return sa.and_(Judgement.cost_nano_usd.is_(None), Judgement.reserved_nano_usd == 0)

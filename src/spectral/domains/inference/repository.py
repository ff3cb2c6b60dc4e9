"""Queries over credentials and calls of one workspace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa

from spectral.domains.inference.models import ModelCall, ProviderCredential
from spectral.platform.db.keyset import Listing, list_newest_first
from spectral.platform.db.repository import PricedRepository, WorkspaceRepository
from spectral.platform.shared.pagination import Page


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls are wanted; None takes all. since/until: of the moment at which they ended, until exclusive."""

    model: str | None = None
    purpose: str | None = None
    subject: str | None = None
    failed: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """The calls of one model for one purpose. unpriced_calls: their cost is not known and not in `cost_nano_usd`."""

    model: str
    purpose: str
    calls: int
    failed_calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int
    unpriced_calls: int


class CredentialRepository(WorkspaceRepository[ProviderCredential]):
    """The keys of one workspace."""

    model: ClassVar[type[Any]] = ProviderCredential
    kind: ClassVar[str] = "Credential"


class ModelCallRepository(PricedRepository[ModelCall]):
    """The calls of one workspace."""

    model: ClassVar[type[Any]] = ModelCall
    kind: ClassVar[str] = "Model call"

    async def store(self, rows: Sequence[dict[str, Any]]) -> None:
        """Insert finished calls; each row has its id and its moment."""
        stamped = [{**row, "workspace_id": self.access.workspace_id} for row in rows]
        # tenancy: stamped above.
        await self.session.execute(sa.insert(ModelCall), stamped)

    async def list_calls(self, wanted: CallFilter, page: Page, cursor: str | None) -> Listing:
        """One page of calls, the latest first."""
        return await list_newest_first(self.session, self.select(*self._where(wanted)), ModelCall, page, cursor)

    async def usage(self, wanted: CallFilter) -> list[ModelUsage]:
        """Sums by model and purpose, the dearest first."""
        cost = sa.func.coalesce(sa.func.sum(ModelCall.cost_nano_usd), 0)
        statement = (
            sa.select(
                ModelCall.model,
                ModelCall.purpose,
                sa.func.count(),
                sa.func.count(ModelCall.error_type),
                sa.func.sum(ModelCall.input_tokens),
                sa.func.sum(ModelCall.output_tokens),
                sa.func.sum(ModelCall.cached_tokens),
                sa.func.sum(ModelCall.reasoning_tokens),
                cost,
                sa.func.count() - sa.func.count(ModelCall.cost_nano_usd),
            )
            .where(self._mine, *self._where(wanted))
            .group_by(ModelCall.model, ModelCall.purpose)
            .order_by(cost.desc(), ModelCall.model, ModelCall.purpose)
        )
        rows = (await self.session.execute(statement)).all()
        return [ModelUsage(row[0], row[1], *(int(figure) for figure in row[2:])) for row in rows]

    async def models_answered(self, since: datetime) -> list[str]:
        """The models that answered since that moment."""
        statement = (
            sa.select(ModelCall.model)
            .where(self._mine, ModelCall.created_at >= since, ModelCall.error_type.is_(None))
            .distinct()
        )
        return list((await self.session.scalars(statement)).all())

    async def forget_before(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` calls that ended before that moment."""
        old = (
            sa.select(ModelCall.id)
            .where(self._mine, ModelCall.created_at < before)
            .order_by(ModelCall.created_at)
            .limit(limit)
        )
        return await self.execute(self.delete(ModelCall.id.in_(old)))

    @staticmethod
    def _where(wanted: CallFilter) -> list[sa.ColumnElement[bool]]:
        found: list[sa.ColumnElement[bool]] = [
            column == value
            for column, value in (
                (ModelCall.model, wanted.model),
                (ModelCall.purpose, wanted.purpose),
                (ModelCall.subject, wanted.subject),
            )
            if value is not None
        ]
        if wanted.failed is not None:
            found.append(ModelCall.error_type.is_not(None) if wanted.failed else ModelCall.error_type.is_(None))
        if wanted.since is not None:
            found.append(ModelCall.created_at >= wanted.since)
        if wanted.until is not None:
            found.append(ModelCall.created_at < wanted.until)
        return found

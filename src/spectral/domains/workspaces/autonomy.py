"""How far a workspace may change its agents by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workspaces.errors import ObserveOnlyError, OutsideAutonomyError
from spectral.domains.workspaces.models import Autonomy
from spectral.domains.workspaces.repository import AutonomyRepository
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import ConflictError
from spectral.platform.shared.money import nano_to_usd


class AutonomyMode(StrEnum):
    """observe_only has no change sets; recommend proposes; manual validates too; bounded_auto acts inside bounds."""

    OBSERVE_ONLY = "observe_only"
    RECOMMEND = "recommend"
    MANUAL = "manual"
    BOUNDED_AUTO = "bounded_auto"


class Act(StrEnum):
    """What can become of a change. Those "by itself" are the platform's own, the others a person's or a machine's.

    Closing a change set, taking one back and promoting a version by hand are always possible: nothing keeps anybody
    from getting out.
    """

    PROPOSE = "proposing a change set"
    VALIDATE = "asking a holdout"
    VALIDATE_BY_ITSELF = "asking a holdout without being told to"
    ACCEPT = "accepting a change set"
    ACCEPT_BY_ITSELF = "accepting a change set without a person"
    APPLY = "applying a change set"
    ROLL_BACK_BY_ITSELF = "rolling back without a person"


_BY_PEOPLE = frozenset({Act.PROPOSE, Act.VALIDATE, Act.ACCEPT, Act.APPLY})

PERMITTED: Mapping[AutonomyMode, frozenset[Act]] = {
    AutonomyMode.OBSERVE_ONLY: frozenset(),
    AutonomyMode.RECOMMEND: _BY_PEOPLE,
    AutonomyMode.MANUAL: _BY_PEOPLE | {Act.VALIDATE_BY_ITSELF},
    AutonomyMode.BOUNDED_AUTO: frozenset(Act),
}
"""Which acts belong to which mode: the one table that the services ask."""


class ChangeKind(StrEnum):
    """The part of an agent's configuration that a change touches."""

    INSTRUCTIONS = "instructions"
    TEMPLATE = "template"
    FEW_SHOT = "few_shot"
    PARAMETERS = "parameters"
    MODEL = "model"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What bounded_auto may do: how much dearer a change may be, which parts it touches, nano-USD a night.

    allow_production: also in the environment `production`.
    """

    max_cost_increase_percent: float
    allowed_change_kinds: tuple[ChangeKind, ...]
    budget_per_night_usd: int
    allow_production: bool = False


@dataclass(frozen=True, slots=True)
class AutonomyView:
    """The mode of a workspace. bounds: of bounded_auto, else None.  updated_at: None while nobody has chosen."""

    mode: AutonomyMode
    bounds: Bounds | None
    updated_at: datetime | None


DEFAULT = AutonomyView(AutonomyMode.MANUAL, None, None)


class AutonomyService:
    """The autonomy of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._repository = AutonomyRepository(session, access)

    async def read_autonomy(self) -> AutonomyView:
        """Manual while nobody has chosen."""
        row = await self._repository.find()
        return DEFAULT if row is None else _view(row)

    async def choose_autonomy(self, mode: AutonomyMode, bounds: Bounds | None) -> AutonomyView:
        """bounds: given exactly with bounded_auto. Kinds are kept without repetition. Raises ConflictError."""
        row = await self._repository.find()
        before = DEFAULT if row is None else _view(row)
        if row is None:
            row = self._repository.add(Autonomy(id=self._access.workspace_id, mode=mode))
        row.mode = mode
        row.max_cost_increase_percent = bounds.max_cost_increase_percent if bounds else None
        row.allowed_change_kinds = _distinct(bounds.allowed_change_kinds) if bounds else None
        row.budget_per_night_nano_usd = bounds.budget_per_night_usd if bounds else None
        row.allow_production = bounds is not None and bounds.allow_production
        row.updated_at = utc_now()
        # One row a workspace: of two first choices at once the later one is refused.
        taken = ConflictError("Somebody else has chosen at the same moment; read the autonomy and choose again")
        await self._repository.flush({"pk_autonomy": taken, "uq_autonomy_workspace_id": taken})
        after = _view(row)
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action="autonomy.chosen",
            subject=f"workspace:{self._access.workspace_id}",
            detail={"before": _said(before), "after": _said(after)},
        )
        return after

    async def require_scans(self) -> None:
        """Raises ObserveOnlyError where the workspace only watches."""
        if (await self.read_autonomy()).mode is AutonomyMode.OBSERVE_ONLY:
            raise ObserveOnlyError

    async def require(self, act: Act) -> None:
        """Raises OutsideAutonomyError where the act is not part of the workspace's mode."""
        mode = (await self.read_autonomy()).mode
        if act not in PERMITTED[mode]:
            raise OutsideAutonomyError(mode.value, act.value)


def _view(row: Autonomy) -> AutonomyView:
    bounds = None
    if (
        row.max_cost_increase_percent is not None
        and row.allowed_change_kinds is not None
        and row.budget_per_night_nano_usd is not None
    ):
        kinds = tuple(ChangeKind(kind) for kind in row.allowed_change_kinds)
        bounds = Bounds(row.max_cost_increase_percent, kinds, row.budget_per_night_nano_usd, row.allow_production)
    return AutonomyView(AutonomyMode(row.mode), bounds, row.updated_at)


def _distinct(kinds: Sequence[ChangeKind]) -> list[str]:
    return [kind.value for kind in ChangeKind if kind in kinds]


def _said(view: AutonomyView) -> dict[str, Any]:
    said: dict[str, Any] = {"mode": view.mode.value}
    return said if view.bounds is None else said | bounds_document(view.bounds)


def bounds_document(bounds: Bounds) -> dict[str, Any]:
    """The bounds as the audit log shows them."""
    return {
        "max_cost_increase_percent": bounds.max_cost_increase_percent,
        "allowed_change_kinds": list(bounds.allowed_change_kinds),
        "budget_per_night_usd": nano_to_usd(bounds.budget_per_night_usd),
        "allow_production": bounds.allow_production,
    }

"""Starting a look at a holdout: what it costs is decided, and spent, in the transaction that starts it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.decision import Reason
from spectral.domains.changesets.errors import HoldoutSpentError, NoFurtherStageError
from spectral.domains.changesets.ledger import LookPlan
from spectral.domains.changesets.models import Changeset, HoldoutLedger, Validation
from spectral.domains.changesets.repository import ChangesetRepository, LedgerRepository, ValidationRepository
from spectral.domains.changesets.states import Action, after
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.samples.errors import NoHoldoutError
from spectral.domains.samples.models import Holdout
from spectral.domains.samples.service import SampleService
from spectral.domains.workflows.definitions.model import Definition, Graph, Node, NodeKind
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.platform_runs import launch_platform_run
from spectral.domains.workspaces.autonomy import Act, AutonomyService
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.pagination import Page

KIND = "validation"
"""The adapter of the runs, and the engine's kind of work."""
TASK = "validation.look"
WORKFLOW = Definition(
    name="spectral.validation",
    description="Looks at a holdout once",
    graph=Graph((Node("look", NodeKind.TASK, params={"function": TASK}),), ()),
)
UNFINISHED = ("failed", "cancelled")


@dataclass(frozen=True, slots=True)
class NextLook:
    """What the next look at a set's holdout costs and measures: `alpha` of it, `items` for a new change set."""

    holdout_id: UUID
    look: int
    looks_planned: int
    alpha: float
    alpha_spent: float
    items: int


class HoldoutLedgerService:
    """The α ledgers of one workspace's holdouts, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._samples = SampleService(session, access)
        self._ledgers = LedgerRepository(session, access)

    async def open_ledger(self, holdout: Holdout) -> HoldoutLedger:
        """The holdout's ledger, locked, with its plan fixed; a scan calls this before it starts.

        Raises TooFewSamplesError (400).
        """
        ledger = await self._ledgers.lock(holdout.id)
        if ledger is None:
            plan = LookPlan.for_holdout(holdout.size).document()
            ledger = self._ledgers.add(HoldoutLedger(holdout_id=holdout.id, plan=plan, looks_taken=0))
            await self._ledgers.flush()
        return ledger

    async def next_look(self, holdout: Holdout) -> NextLook:
        """What the next look would cost. Raises HoldoutSpentError (400), TooFewSamplesError (400)."""
        ledger = await self._ledgers.find(HoldoutLedger.holdout_id == holdout.id)
        taken = 0 if ledger is None else ledger.looks_taken
        plan = LookPlan.for_holdout(holdout.size) if ledger is None else LookPlan.from_document(ledger.plan)
        return NextLook(
            holdout_id=holdout.id,
            look=taken + 1,
            looks_planned=plan.looks,
            alpha=plan.alpha_of(taken + 1),
            alpha_spent=plan.spent(taken),
            items=plan.stage_items(1),
        )

    async def current_holdout(self, set_id: UUID) -> Holdout:
        """Raises NoHoldoutError (400), or HoldoutSpentError (400) where the last one was retired as spent."""
        holdout = await self._samples.find_holdout(set_id)
        if holdout is not None:
            return holdout
        spent = await self.spent_looks(set_id)
        if spent is not None:
            raise HoldoutSpentError(spent)
        raise NoHoldoutError("The change set's sample set has no frozen holdout; without one nothing can be validated")

    async def spent_looks(self, set_id: UUID) -> int | None:
        """How many looks the set's last holdout allowed, where all of them are taken; None where it is not spent."""
        earlier, _ = await self._samples.list_holdouts(set_id, Page(limit=1))
        ledger = await self._ledgers.find(HoldoutLedger.holdout_id == earlier[0].id) if earlier else None
        if ledger is None:
            return None
        plan = LookPlan.from_document(ledger.plan)
        return plan.looks if ledger.looks_taken >= plan.looks else None


class ValidationService:
    """The looks at holdouts for one workspace's change sets, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, launcher: Launcher | None = None) -> None:
        """launcher: of the runs that take the looks which `request_validation` asks for; a scan takes its own."""
        self._session = session
        self._access = access
        self._launcher = launcher
        self._changesets = ChangesetRepository(session, access)
        self._validations = ValidationRepository(session, access)
        self._ledgers = HoldoutLedgerService(session, access)
        self._samples = SampleService(session, access)

    async def request_validation(
        self, changeset_id: UUID, *, repeats: int = 1, max_cost_nano_usd: int | None = None
    ) -> Validation:
        """As `start_validation`, and a run takes the look once this transaction has committed."""
        validation = await self.start_validation(changeset_id, repeats=repeats, max_cost_nano_usd=max_cost_nano_usd)
        if self._launcher is None:
            raise RuntimeError("a validation is requested where a launcher is given")
        inputs = {"validation_id": str(validation.id)}
        await launch_platform_run(
            self._launcher, self._session, self._access, WORKFLOW, validation.work_id, inputs, adapter=KIND
        )
        return validation

    async def start_validation(
        self, changeset_id: UUID, *, repeats: int = 1, max_cost_nano_usd: int | None = None
    ) -> Validation:
        """The change set is `validating`, and its look at the current holdout is recorded and paid for.

        A look that failed or was cancelled told nobody anything: it is taken up again under its own number and α.
        Raises NotFoundError, InvalidTransitionError (400), NoHoldoutError (400), HoldoutSpentError (400),
        TooFewSamplesError (400), NoFurtherStageError (400), OutsideAutonomyError (400).
        """
        self._access.require(Scope.WRITE_WORKSPACE)
        by_itself = self._access.actor.startswith(audit.SYSTEM)
        autonomy = AutonomyService(self._session, self._access)
        await autonomy.require(Act.VALIDATE_BY_ITSELF if by_itself else Act.VALIDATE)
        changeset = await self._changesets.lock(changeset_id)
        state = after(changeset.state, Action.START_VALIDATION)
        holdout = await self._ledgers.current_holdout(changeset.sample_set_id)
        earlier = [one for one in await self._validations.of_changeset(changeset_id) if one.holdout_id == holdout.id]
        if earlier and earlier[0].status in UNFINISHED:
            validation = self._take_up(earlier[0], max_cost_nano_usd)
        else:
            validation = await self._new_look(changeset, holdout, earlier, repeats, max_cost_nano_usd)
        changeset.state, changeset.updated_at = state, utc_now()
        await self._validations.flush()
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action="changeset.validation_started",
            subject=f"changeset:{changeset_id}",
            detail={
                "validation_id": str(validation.id),
                "holdout_id": str(holdout.id),
                "look": validation.look,
                "alpha": validation.alpha,
            },
        )
        return validation

    async def list_validations(self, changeset_id: UUID, page: Page) -> tuple[list[Validation], int]:
        """One page of a change set's looks, newest first. Raises NotFoundError."""
        await self._changesets.get(changeset_id)
        return await self._validations.page(self._validations.select(Validation.changeset_id == changeset_id), page)

    async def read_validation(self, changeset_id: UUID, validation_id: UUID) -> Validation:
        """Raises NotFoundError."""
        await self._changesets.get(changeset_id)
        validation = await self._validations.find(
            Validation.changeset_id == changeset_id, Validation.id == validation_id
        )
        if validation is None:
            raise NotFoundError(ValidationRepository.kind, validation_id)
        return validation

    async def find_open(self, changeset_id: UUID) -> Validation | None:
        """The look that is queued or running for a change set, for whoever executes it after a crash."""
        validations = await self._validations.of_changeset(changeset_id)
        return next((one for one in validations if one.status in {"queued", "running"}), None)

    def _take_up(self, validation: Validation, max_cost_nano_usd: int | None) -> Validation:
        validation.status, validation.verdict, validation.reasons = "queued", None, []
        validation.failure, validation.finished_at = None, None
        validation.work_id = new_id()
        validation.max_cost_nano_usd = max_cost_nano_usd
        validation.requested_by = self._access.actor
        return validation

    async def _new_look(
        self,
        changeset: Changeset,
        holdout: Holdout,
        earlier: list[Validation],
        repeats: int,
        max_cost_nano_usd: int | None,
    ) -> Validation:
        ledger = await self._ledgers.open_ledger(holdout)
        plan = LookPlan.from_document(ledger.plan)
        look = ledger.looks_taken + 1
        alpha = plan.alpha_of(look)
        stage = _next_stage(plan, earlier)
        await self._samples.record_look(holdout.id)
        ledger.looks_taken, ledger.updated_at = look, utc_now()
        validation_id = new_id()
        return self._validations.add(
            Validation(
                id=validation_id,
                changeset_id=changeset.id,
                holdout_id=holdout.id,
                holdout_digest=holdout.digest,
                look=look,
                looks_planned=plan.looks,
                stage=stage,
                items=plan.stage_items(stage),
                alpha=alpha,
                minimum_effect=ObjectiveSpec.model_validate(changeset.objective).minimum_effect,
                repeats=repeats,
                max_cost_nano_usd=max_cost_nano_usd,
                work_id=validation_id,
                status="queued",
                execution=changeset.execution,
                reasons=[],
                requested_by=self._access.actor,
            )
        )


def _next_stage(plan: LookPlan, earlier: list[Validation]) -> int:
    """The stage of a change set's next look at a holdout; earlier: its looks at it, the last one first."""
    if not earlier:
        return 1
    last = earlier[0]
    if Reason.MISSING in last.reasons:
        return last.stage  # nothing was decided on these items, so they may be asked again
    if last.stage >= len(plan.stages):
        raise NoFurtherStageError(last.n_more)
    return last.stage + 1

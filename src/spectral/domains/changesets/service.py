"""Change sets: proposed, decided by a holdout, accepted by a person, applied, taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.service import AgentService
from spectral.domains.changesets.clusters import ClusterEffect, ClusterService
from spectral.domains.changesets.decision import Reason, Verdict
from spectral.domains.changesets.errors import BaseReplacedError, NotLiveError, NotValidatedError
from spectral.domains.changesets.guarding_service import ROLLED_BACK, GuardService
from spectral.domains.changesets.models import Changeset, Validation
from spectral.domains.changesets.repository import ChangesetRepository, ValidationRepository
from spectral.domains.changesets.states import TRANSITIONS, Action, ChangesetState, after
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.service import ObjectiveService
from spectral.domains.workspaces.autonomy import Act, AutonomyService
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.events import TYPES, emit
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.pagination import Page

HOLDBACK = 0.1
"""The share of the sessions that keep the version before, unless whoever accepts a validated change says otherwise."""

_OF_VERDICT = {
    Verdict.VALIDATED: Action.VALIDATE,
    Verdict.REFUTED: Action.REFUTE,
    Verdict.INCONCLUSIVE: Action.LEAVE_OPEN,
}

_WHY_NOT = {
    ChangesetState.PROPOSED: "No holdout validation has been made yet",
    ChangesetState.VALIDATING: "Its holdout validation has not finished",
    ChangesetState.REFUTED: "The holdout refuted it",
    ChangesetState.INCONCLUSIVE: "The holdout validation is inconclusive",
}

_REASONS = {
    Reason.BELOW_MINIMUM: "the gain is below the minimum effect",
    Reason.IDENTICAL: "both configurations are the same",
    Reason.GUARD_HARMED: "a guard is broken",
    Reason.INTERVAL_TOO_WIDE: "the interval still contains the minimum effect",
    Reason.CHANCE_NOT_EXCLUDED: "chance is not excluded by the exact test",
    Reason.GUARD_NOT_SHOWN: "a guard is not shown to hold",
    Reason.MISSING: "more than 5 % of the results of an arm are missing",
    Reason.TOO_FEW: "too few items could be compared",
    Reason.EXECUTION_FAILED: "the validation failed",
    Reason.CANCELLED: "the validation was cancelled",
    Reason.REPLICA: "a replica was executed, not the agent itself",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of an agent's configuration that a scan, or a person, proposes.

    objective: pinned; None takes what the objective says now.  clusters: what the candidate did to failure clusters of
    the scan.  search_cost_nano_usd: what finding it cost, None where unknown.  execution: native, runner or replica.
    flags: JSON pointer → what in the new text there may come out of a trace (URLs, tools, instructions); each change of
    the stored diff has its own under `flags`.
    """

    agent_id: UUID
    base_version: int
    candidate_version: int
    target_environment: str
    rationale: str
    sample_set_id: UUID
    rubric_id: UUID
    rubric_version: int
    objective_id: UUID
    objective: ObjectiveSpec | None = None
    scan_id: UUID | None = None
    experiment_id: UUID | None = None
    clusters: Sequence[ClusterEffect] = field(default_factory=tuple)
    search_cost_nano_usd: int | None = None
    execution: str = "native"
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangesetFilter:
    """Which change sets are asked for; None does not narrow."""

    state: ChangesetState | None = None
    agent_id: UUID | None = None
    scan_id: UUID | None = None


class ChangesetService:
    """The change sets of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._changesets = ChangesetRepository(session, access)
        self._validations = ValidationRepository(session, access)
        self._agents = AgentService(session, access)
        self._autonomy = AutonomyService(session, access)
        self._guards = GuardService(session, access)

    async def propose(self, proposal: Proposal) -> Changeset:
        """A change set in the state `proposed`, with the diff of both versions and its objective pinned.

        A scan proposes a candidate once: again answers the same change set. Raises NotFoundError for what it names, and
        OutsideAutonomyError (400) where the workspace has no change sets.
        """
        await self._autonomy.require(Act.PROPOSE)
        if proposal.scan_id is not None:
            same = (
                Changeset.scan_id == proposal.scan_id,
                Changeset.candidate_version == proposal.candidate_version,
            )
            known = await self._changesets.find(*same)
            if known is not None:
                return known
        base = await self._agents.read_config(proposal.agent_id, proposal.base_version)
        candidate = await self._agents.read_config(proposal.agent_id, proposal.candidate_version)
        diff = await self._agents.diff_configs(proposal.agent_id, proposal.base_version, proposal.candidate_version)
        objective = proposal.objective or await ObjectiveService(self._session, self._access).read_objective_spec(
            proposal.objective_id
        )
        changeset = self._changesets.add(
            Changeset(
                scan_id=proposal.scan_id,
                agent_id=proposal.agent_id,
                state=ChangesetState.PROPOSED,
                base_version=proposal.base_version,
                candidate_version=proposal.candidate_version,
                base_config_hash=base.config_hash,
                candidate_config_hash=candidate.config_hash,
                target_environment=proposal.target_environment,
                rationale=proposal.rationale,
                diff=[asdict(change) | {"flags": _flags_at(proposal.flags, change.pointer)} for change in diff],
                sample_set_id=proposal.sample_set_id,
                rubric_id=proposal.rubric_id,
                rubric_version=proposal.rubric_version,
                objective_id=proposal.objective_id,
                objective=objective.model_dump(mode="json"),
                experiment_id=proposal.experiment_id,
                execution=proposal.execution,
                search_cost_nano_usd=proposal.search_cost_nano_usd,
                created_by=self._access.actor,
            )
        )
        await self._changesets.flush()
        if proposal.scan_id is not None:
            await ClusterService(self._session, self._access).link(changeset.id, proposal.scan_id, proposal.clusters)
        await self._audit(changeset, "proposed", {"candidate_version": changeset.candidate_version})
        return changeset

    async def list_changesets(
        self, page: Page, wanted: ChangesetFilter
    ) -> tuple[list[tuple[Changeset, Validation | None]], int]:
        """One page of the change sets, newest first, each with its last look at a holdout."""
        statement = self._changesets.select()
        if wanted.state is not None:
            statement = statement.where(Changeset.state == wanted.state)
        if wanted.agent_id is not None:
            statement = statement.where(Changeset.agent_id == wanted.agent_id)
        if wanted.scan_id is not None:
            statement = statement.where(Changeset.scan_id == wanted.scan_id)
        rows, total = await self._changesets.page(statement, page)
        latest = await self._validations.latest_of([row.id for row in rows])
        return [(row, latest.get(row.id)) for row in rows], total

    async def read_changeset(self, changeset_id: UUID) -> Changeset:
        """Raises NotFoundError."""
        return await self._changesets.get(changeset_id)

    async def accept_changeset(
        self, changeset_id: UUID, override_reason: str | None = None, *, holdback: float | None = None
    ) -> Changeset:
        """The candidate is live in the target environment and is watched; what else was proposed for it is superseded.

        holdback: the share of the sessions that keep what was live before; None is a tenth where a holdout has
        validated the gain, else 0.  Needs approve:agents. Without a passed holdout validation only with an
        override_reason, which is audited. Raises NotFoundError, NotValidatedError (400), BaseReplacedError (400),
        InvalidTransitionError (400), AgentArchivedError (400), OutsideAutonomyError (400).
        """
        self._access.require(Scope.APPROVE_AGENTS)
        await self._autonomy.require(Act.ACCEPT)
        changeset = await self._changesets.lock(changeset_id)
        validated = changeset.state == ChangesetState.VALIDATED
        if not validated and override_reason is None:
            await self._refuse_unvalidated(changeset)
        state = after(changeset.state, Action.ACCEPT if validated else Action.OVERRIDE)
        live = await self._live_version(changeset)
        if override_reason is None and live not in {None, changeset.base_version, changeset.candidate_version}:
            raise BaseReplacedError(changeset.target_environment, changeset.base_version, live or 0)
        promotion = await self._agents.promote_config(
            changeset.agent_id,
            changeset.candidate_version,
            changeset.target_environment,
            f"change set {changeset_id} accepted",
            holdback=(HOLDBACK if validated else 0.0) if holdback is None else holdback,
        )
        changeset.state = state
        changeset.previous_version = promotion.previous_version
        changeset.override_reason = override_reason
        changeset.accepted_at, changeset.accepted_by = utc_now(), self._access.actor
        await self._store(changeset)
        latest = (await self._validations.latest_of([changeset_id])).get(changeset_id)
        await self._audit(
            changeset,
            "accepted",
            {
                "candidate_version": changeset.candidate_version,
                "environment": changeset.target_environment,
                "verdict": None if latest is None else latest.verdict,
                "overridden": not validated,
                "override_reason": override_reason,
                "holdback": promotion.holdback,
            },
        )
        await self._supersede_others(changeset)
        if live is not None and live != changeset.candidate_version:
            await self._watch(changeset, live)
        return changeset

    async def apply_changeset(self, changeset_id: UUID) -> Changeset:
        """The agent's managed templates say what the accepted candidate says.

        Needs approve:agents. Raises NotFoundError, InvalidTransitionError (400), NotLiveError (400),
        OutsideAutonomyError (400).
        """
        self._access.require(Scope.APPROVE_AGENTS)
        await self._autonomy.require(Act.APPLY)
        changeset = await self._changesets.lock(changeset_id)
        state = after(changeset.state, Action.APPLY)
        await self._require_live(changeset)
        written = await self._write_templates(changeset, changeset.candidate_version)
        changeset.state, changeset.applied_at = state, utc_now()
        await self._store(changeset)
        await self._audit(changeset, "applied", {"templates": written})
        return changeset

    async def reject_changeset(self, changeset_id: UUID, reason: str | None = None) -> Changeset:
        """Nobody will accept it; a validation that is under way stops before its next batch.

        Needs approve:agents. Raises NotFoundError, InvalidTransitionError (400).
        """
        self._access.require(Scope.APPROVE_AGENTS)
        changeset = await self._changesets.lock(changeset_id)
        await self._close(changeset, Action.REJECT, reason, "rejected")
        return changeset

    async def rollback_changeset(self, changeset_id: UUID, reason: str | None = None) -> Changeset:
        """What was live before is live again, and so are its prompts in the templates where they had been applied.

        Needs approve:agents. Raises NotFoundError, InvalidTransitionError (400), NotLiveError (400).
        """
        self._access.require(Scope.APPROVE_AGENTS)
        changeset = await self._changesets.lock(changeset_id)
        after(changeset.state, Action.ROLL_BACK)
        await self._require_live(changeset)
        restored = changeset.previous_version or changeset.base_version
        await self._agents.promote_config(
            changeset.agent_id, restored, changeset.target_environment, f"change set {changeset_id} rolled back"
        )
        if changeset.state == ChangesetState.APPLIED:
            await self._write_templates(changeset, restored)
        detail = {"restored_version": restored}
        await self._close(changeset, Action.ROLL_BACK, reason, "rolled_back", detail)
        await self._guards.end_of(changeset_id, ROLLED_BACK, reason or "the change set was rolled back")
        return changeset

    async def record_verdict(self, changeset_id: UUID, verdict: Verdict, detail: dict[str, Any]) -> bool:
        """The change set is in the state that the verdict says; False when somebody closed it in the meantime."""
        changeset = await self._changesets.lock(changeset_id)
        if changeset.state != ChangesetState.VALIDATING:
            return False
        changeset.state = after(changeset.state, _OF_VERDICT[verdict])
        await self._store(changeset)
        await self._audit(changeset, str(verdict), detail)
        return True

    async def _refuse_unvalidated(self, changeset: Changeset) -> None:
        state = ChangesetState(changeset.state)
        if state not in _WHY_NOT:
            return
        latest = (await self._validations.latest_of([changeset.id])).get(changeset.id)
        why, further, reasons = _WHY_NOT[state], None, []
        if latest is not None and latest.verdict is not None:
            reasons, further = list(latest.reasons), latest.n_more
            why += ": " + ", ".join(_REASONS[Reason(reason)] for reason in reasons)
        if further is not None:
            why += f"; {further} further samples are needed"
        can = "" if Action.OVERRIDE not in TRANSITIONS[state] else ". Validate it, or accept with an override_reason"
        raise NotValidatedError(
            why + can,
            state=state.value,
            reason=reasons[0] if reasons else "validation_running" if latest else "no_validation",
            reasons=reasons,
            further_samples=further,
        )

    async def _supersede_others(self, accepted: Changeset) -> None:
        others = await self._changesets.lock_undecided(accepted.agent_id, accepted.target_environment)
        for other in others:
            if other.id != accepted.id:
                reason = f"change set {accepted.id} was accepted"
                await self._close(other, Action.SUPERSEDE, reason, "superseded")

    async def _close(
        self, changeset: Changeset, action: Action, reason: str | None, word: str, detail: dict[str, Any] | None = None
    ) -> None:
        before = changeset.state
        changeset.state = after(changeset.state, action)
        changeset.closed_at, changeset.closed_by, changeset.closed_reason = utc_now(), self._access.actor, reason
        await self._store(changeset)
        await self._audit(changeset, word, {"before": before, "reason": reason, **(detail or {})})

    async def _watch(self, changeset: Changeset, previous_version: int) -> None:
        live = await self._agents.find_environment(changeset.agent_id, changeset.target_environment)
        if live is not None:
            await self._guards.begin(changeset, live, previous_version)

    async def _live_version(self, changeset: Changeset) -> int | None:
        return (await self._agents.live_in(changeset.agent_id)).get(changeset.target_environment)

    async def _require_live(self, changeset: Changeset) -> None:
        live = await self._live_version(changeset)
        if live != changeset.candidate_version:
            raise NotLiveError(changeset.target_environment, changeset.candidate_version, live)

    async def _write_templates(self, changeset: Changeset, version: int) -> list[str]:
        config = await self._agents.read_config(changeset.agent_id, version)
        origin = f"changeset:{changeset.id}"
        templates = await self._agents.write_templates(changeset.agent_id, config.read_document(), origin=origin)
        return [template.name for template in templates]

    async def _store(self, changeset: Changeset) -> None:
        changeset.updated_at = utc_now()
        await self._changesets.flush()

    async def _audit(self, changeset: Changeset, what: str, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=f"changeset.{what}",
            subject=f"changeset:{changeset.id}",
            detail={"agent_id": str(changeset.agent_id), **detail},
        )
        if (kind := TYPES.get(f"changeset.{what}")) is not None:
            told = {
                "agent_id": str(changeset.agent_id),
                "state": changeset.state,
                "candidate_version": changeset.candidate_version,
                "target_environment": changeset.target_environment,
            }
            await emit(self._session, self._access, kind, subject=f"changeset:{changeset.id}", data=told)


def _flags_at(flags: Mapping[str, Sequence[str]], pointer: str) -> list[str]:
    """The flags of a place, of what it is in and of what is in it."""
    return [
        flag
        for flagged, found in sorted(flags.items())
        if f"{flagged}/".startswith(f"{pointer}/") or f"{pointer}/".startswith(f"{flagged}/")
        for flag in found
    ]

"""A workspace with an agent, samples and a proposed change set, and a runtime whose accuracy a test decides."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import Execution, ExecutionFault
from spectral.domains.agents.service import AgentService
from spectral.domains.changesets.models import Changeset, HoldoutLedger, Validation
from spectral.domains.changesets.repository import LedgerRepository, ValidationRepository
from spectral.domains.changesets.service import ChangesetService, Proposal
from spectral.domains.changesets.validation import ValidationService
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.evaluations.service import ObjectiveService, RubricService
from spectral.domains.samples.drafts import Draft, measure
from spectral.domains.samples.importing import ImportedRow
from spectral.domains.samples.service import NewSet, SampleService
from spectral.domains.samples.splitting import Split
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.errors import WorkCancelledError
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider

DOOR = ModelDoor([LocalProvider()])


def config(text: str) -> ConfigDocument:
    """A config whose prompt says `text`, by which `ScriptedRuntime` tells configs apart."""
    messages = [{"role": "system", "content": text}, {"role": "user", "content": "{{case}}"}]
    return ConfigDocument.model_validate({"prompts": {"main": {"messages": messages}}, "model": "spectral-local/small"})


class CrashError(BaseException):
    """Ends the work the way a dying process does: nothing after it runs."""


@dataclass
class ScriptedRuntime:
    """Answers right on a share of the items that depends on the config: the share is the text of its prompt.

    The luck of an item is the same for every config, so a better config is right wherever a worse one is.
    """

    calls: list[tuple[str, str]] = field(default_factory=list)
    crash_after: int | None = None
    missing: frozenset[str] = frozenset()
    cost: int | None = 0
    in_flight: int = 8

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[Any], seeds: Sequence[int]
    ) -> list[Execution]:
        del seeds
        share = config.prompts["main"].messages[0].content
        if self.crash_after is not None and len(self.calls) >= self.crash_after:
            raise CrashError
        self.calls.extend((share, value["case"]) for value in inputs)
        return [self._execution(float(share), value["case"]) for value in inputs]

    def _execution(self, share: float, case: str) -> Execution:
        if case in self.missing:
            fault = ExecutionFault("provider_error", "away", retryable=False)
            return Execution(None, fault, 0, 0, self.cost, 1.0, "spectral-local/small")
        luck = int(hashlib.sha256(case.encode()).hexdigest()[:8], 16) / 16**8
        output = "right" if luck < share else "wrong"
        return Execution(output, None, 5, 1, self.cost, 10.0, "spectral-local/small")


@dataclass
class DirectExecution:
    """Executes in the test itself; may be cancelled."""

    database: Database
    access: WorkspaceAccess
    cancelled: bool = False

    async def raise_if_cancelled(self) -> None:
        if self.cancelled:
            raise WorkCancelledError("test")

    async def fence(self, session: AsyncSession) -> None:
        del session


@dataclass
class Workbench:
    """What the tests of this domain start from."""

    database: Database
    access: WorkspaceAccess
    agent_id: UUID = field(default_factory=uuid4)
    set_id: UUID = field(default_factory=uuid4)
    rubric_id: UUID = field(default_factory=uuid4)
    objective_id: UUID = field(default_factory=uuid4)
    holdout_id: UUID = field(default_factory=uuid4)

    @classmethod
    async def make(
        cls,
        database: Database,
        access: WorkspaceAccess,
        *,
        champion: float = 0.5,
        items: int = 150,
        groups: int | None = None,
        objective: dict[str, Any] | None = None,
        frozen: bool = True,
    ) -> "Workbench":
        """An agent that is right on the share `champion`, and a set whose holdout has most of `items`."""
        bench = cls(database, access)
        drafts = [bench.draft(number, None if groups is None else number % groups) for number in range(items)]
        measured = measure(drafts)
        async with database.transaction(access) as session:
            agents = AgentService(session, access)
            agent = await agents.create_agent(f"agent {uuid4()}", None, config(str(champion)))
            bench.agent_id = agent.id
            samples = SampleService(session, access)
            shares = {Split.REFLECT: 0.1, Split.SELECT: 0.1, Split.HOLDOUT: 0.8}
            made = await samples.create_set(NewSet(f"set {uuid4()}", None, 1, shares, ["session"]))
            bench.set_id = made.sample_set.id
            rows = [ImportedRow(line, draft) for line, draft in enumerate(drafts, start=1)]
            await samples.import_rows(bench.set_id, rows, measured)
            if frozen:
                bench.holdout_id = (await samples.freeze_holdout(bench.set_id)).id
            rubric = RubricSpec.model_validate({"dimensions": [{"name": "right", "scorer": "exact_match"}]})
            found = await RubricService(session, access).create_rubric(f"rubric {uuid4()}", None, rubric)
            bench.rubric_id = found.rubric.id
            spec = ObjectiveSpec.model_validate(objective or {})
            stored = await ObjectiveService(session, access).create_objective(
                f"objective {uuid4()}", None, bench.rubric_id, spec
            )
            bench.objective_id = stored.id
        return bench

    @staticmethod
    def draft(number: int, group: int | None = None) -> Draft:
        metadata = {} if group is None else {"session": f"session {group}"}
        trace_id = hashlib.sha256(str(number).encode()).hexdigest()[:32]
        return Draft({"case": f"case {number}"}, "right", metadata, trace_id)

    async def propose(self, candidate: float, *, environment: str = "production", **changes: Any) -> Changeset:
        """A change set whose candidate is right on this share of the items."""
        async with self.database.transaction(self.access) as session:
            agents = AgentService(session, self.access)
            added = await agents.add_config(self.agent_id, config(str(candidate)), origin="test", note=None)
            proposal = Proposal(
                agent_id=self.agent_id,
                base_version=changes.pop("base_version", 1),
                candidate_version=added.version,
                target_environment=environment,
                rationale="it may be better",
                sample_set_id=self.set_id,
                rubric_id=self.rubric_id,
                rubric_version=1,
                objective_id=self.objective_id,
                **changes,
            )
            return await ChangesetService(session, self.access).propose(proposal)

    async def start(self, changeset_id: UUID, **options: Any) -> Validation:
        async with self.database.transaction(self.access) as session:
            return await ValidationService(session, self.access).start_validation(changeset_id, **options)

    async def read(self, changeset_id: UUID) -> Changeset:
        async with self.database.transaction(self.access, read_only=True) as session:
            return await ChangesetService(session, self.access).read_changeset(changeset_id)

    async def validations(self, changeset_id: UUID) -> list[Validation]:
        """The last one first."""
        async with self.database.transaction(self.access, read_only=True) as session:
            return await ValidationRepository(session, self.access).of_changeset(changeset_id)

    async def ledger(self) -> HoldoutLedger:
        async with self.database.transaction(self.access, read_only=True) as session:
            found = await LedgerRepository(session, self.access).find(HoldoutLedger.holdout_id == self.holdout_id)
        assert found is not None
        return found

    async def live(self, environment: str = "production") -> int | None:
        async with self.database.transaction(self.access, read_only=True) as session:
            return (await AgentService(session, self.access).live_in(self.agent_id)).get(environment)

    async def force(self, changeset_id: UUID, state: str) -> None:
        """Put a change set into a state, however it would get there."""
        async with self.database.transaction(self.access) as session:
            changeset = await ChangesetService(session, self.access).read_changeset(changeset_id)
            changeset.state = state
            await session.flush()


def canonical(value: Any) -> str:
    """For comparing JSON documents whatever database they come from."""
    return json.dumps(value, sort_keys=True)

"""A scan in progress: what its phases read, and the one way in which they write."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import AgentRuntime, Runtimes
from spectral.domains.agents.service import AgentService
from spectral.domains.evaluations.budget import Budget
from spectral.domains.evaluations.measurement import Measured, Measurement
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.evaluations.service import RubricService
from spectral.domains.samples.sample import Sample, digest_of
from spectral.domains.samples.service import SampleService
from spectral.domains.scans.errors import SamplesChangedError
from spectral.domains.scans.measuring import ScanMeasurement
from spectral.domains.scans.models import Scan
from spectral.domains.scans.plan import ScanPlan
from spectral.domains.scans.repository import NewEvent, ScanRepository
from spectral.domains.scans.states import Phase
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.llm.door import ModelDoor

SUBJECT = "scan"
SearchableSplit = Literal["reflect", "select"]
SPLITS: tuple[SearchableSplit, ...] = ("reflect", "select")
SPLIT_MAXIMUM = 2_000
"""Of a larger split a fixed random part is used: more items make a scan dearer, not better."""


class Execution(Protocol):
    """What a scan needs of whatever executes it."""

    database: Database
    access: WorkspaceAccess

    async def raise_if_cancelled(self) -> None:
        """Raises when the scan should end."""

    async def fence(self, session: AsyncSession) -> None:
        """Raises when another execution owns the scan now."""


@dataclass(slots=True)
class PhaseResult:
    """What a phase ends with, all of it stored in one transaction.

    document: its result, JSON.  events: between `scan.phase_started` and `scan.phase_finished`.
    write: further rows of the same transaction; may add to `document` and `events`.
    """

    document: dict[str, Any]
    events: list[NewEvent] = field(default_factory=list)
    write: Callable[[AsyncSession], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a scan was started with, read once an execution."""

    scan: Scan
    champion: ConfigDocument
    rubric: RubricSpec
    objective: ObjectiveSpec
    plan: ScanPlan
    runtime: AgentRuntime


class ScanWork:
    """One execution of one scan. The rows are the truth; what is kept here can be read again at any time."""

    def __init__(
        self,
        execution: Execution,
        door: ModelDoor,
        runtimes: Runtimes,
        pinned: Pinned,
        results: dict[Phase, dict[str, Any]],
    ) -> None:
        self.execution = execution
        self.door = door
        self.runtimes = runtimes
        self.pinned = pinned
        self.results = results
        self.budget = Budget(pinned.plan.max_evaluations, pinned.scan.max_cost_nano_usd)
        self._items: dict[str, list[Sample]] = {}
        self._measurements: dict[int, Measurement] = {}

    @classmethod
    async def load(
        cls,
        execution: Execution,
        door: ModelDoor,
        runtimes: Runtimes,
        scan: Scan,
        results: dict[Phase, dict[str, Any]],
    ) -> "ScanWork":
        """Raises NotFoundError when what the scan refers to is gone."""
        async with execution.database.transaction(execution.access, read_only=True) as session:
            agents = AgentService(session, execution.access)
            agent = await agents.read_agent(scan.agent_id)
            config = await agents.read_config(scan.agent_id, scan.base_version)
            rubric = await RubricService(session, execution.access).read_rubric_spec(
                scan.rubric_id, scan.rubric_version
            )
        pinned = Pinned(
            scan=scan,
            champion=config.read_document(),
            rubric=rubric,
            objective=ObjectiveSpec.model_validate(scan.objective),
            plan=ScanPlan.from_document(scan.plan),
            runtime=runtimes.of(execution.access, agent, subject=f"{SUBJECT}:{scan.id}"),
        )
        return cls(execution, door, runtimes, pinned, results)

    def go_on(self, execution: Execution, scan: Scan, results: dict[Phase, dict[str, Any]]) -> None:
        """The next phase begins, in the same execution of the scan's run; what was read and measured is still known."""
        self.execution = execution
        self.pinned = replace(self.pinned, scan=scan)
        self.results = results

    @property
    def database(self) -> Database:
        return self.execution.database

    @property
    def access(self) -> WorkspaceAccess:
        return self.execution.access

    @property
    def scan(self) -> Scan:
        return self.pinned.scan

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """A transaction that commits only while this execution owns the scan."""
        async with self.database.transaction(self.access) as session:
            await self.execution.fence(session)
            yield session

    async def append(self, session: AsyncSession, events: Sequence[NewEvent]) -> None:
        """Add events to the scan in this transaction."""
        await ScanRepository(session, self.access).append_events(self.scan.id, events)

    async def items(self, split: SearchableSplit) -> list[Sample]:
        """The items of a split that the scan was pinned to by its first phase, in a fixed order.

        Raises SamplesChangedError (400) when one of them has been changed or removed since.
        """
        if split not in self._items:
            found = {str(item.id): item for item in await self.read_split(split)}
            pinned = self.results[Phase.OBSERVE]["items"][split]
            missing = [one for one in pinned["ids"] if one not in found]
            chosen = [found[one] for one in pinned["ids"] if one in found]
            if missing or digest_of(chosen) != pinned["digest"]:
                raise SamplesChangedError(split)
            self._items[split] = chosen
        return self._items[split]

    def pin(self, split: SearchableSplit, items: list[Sample]) -> None:
        """These are the items of the split: what `items` would read, without reading it again."""
        self._items[split] = items

    async def read_split(self, split: SearchableSplit) -> list[Sample]:
        """The items that are in a split now, at most `SPLIT_MAXIMUM` of them."""
        async with self.database.transaction(self.access, read_only=True) as session:
            samples = SampleService(session, self.access)
            ids = await samples.split_ids(self.scan.sample_set_id, split)
            drawn = sorted(ids, key=lambda one: hashlib.sha256(f"{self.scan.seed}\n{one}".encode()).digest())
            kept = set(drawn[:SPLIT_MAXIMUM])
            # Only what is used is read, however large the set is.
            return await samples.searchable_items(self.scan.sample_set_id, [one for one in ids if one in kept])

    def measurement(self, max_evaluations: int) -> Measurement:
        """The scan's measurement under a limit that leaves room for what comes after; journal and budget are one."""
        if max_evaluations not in self._measurements:
            self._measurements[max_evaluations] = ScanMeasurement(
                self.database,
                self.access,
                self.pinned.runtime,
                self.pinned.rubric,
                subject_kind=SUBJECT,
                subject_id=self.scan.id,
                budget=self.budget.part(max_evaluations),
                checkpoint=self.execution.raise_if_cancelled,
                fence=self.execution.fence,
                door=self.door,
            )
        return self._measurements[max_evaluations]

    async def measure(self, config: ConfigDocument, items: Sequence[Sample]) -> list[Measured]:
        """Measure within all that the validation does not need."""
        plan = self.pinned.plan
        measurement = self.measurement(plan.max_evaluations - plan.validate)
        return await measurement.measure(config, items, purpose="agent", repeats=plan.repeats)

    def derived_id(self, *names: object) -> UUID:
        """An id that is the same whenever this scan makes this thing."""
        return derived_id(self.scan.id, *names)


def derived_id(scan_id: UUID, *names: object) -> UUID:
    """An id that is the same whenever the scan makes this thing."""
    return uuid5(scan_id, "/".join(map(str, names)))

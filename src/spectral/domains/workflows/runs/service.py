"""Starting runs: of a workflow by its name, of a document that comes with the request, or many at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.definitions.inputs import check_inputs
from spectral.domains.workflows.definitions.model import Definition
from spectral.domains.workflows.errors import DuplicateRunError, InvalidInputsError
from spectral.domains.workflows.execution.launching import Launcher, NewRun
from spectral.domains.workflows.execution.states import FINAL, RunStatus
from spectral.domains.workflows.models import WorkflowRun, WorkflowVersion
from spectral.domains.workflows.runs.authority import RunAct, RunAuthority
from spectral.domains.workflows.runs.checks import KIBIBYTE, check_size
from spectral.domains.workflows.runs.repository import RunActRepository, VersionRepository
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.engine.engine import Engine, EngineStatus
from spectral.platform.shared.errors import FieldError

MAXIMUM_CONTEXT_BYTES = 64 * KIBIBYTE
MAXIMUM_LABELS_BYTES = 16 * KIBIBYTE
ADAPTER = "spectral"


@dataclass(frozen=True, slots=True)
class RunDraft:
    """A run that somebody asks for. reuses_name: whether a finished run gives its name up to it."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    user_id: str | None = None
    conversation_id: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    reuses_name: bool = False
    adapter: str = ADAPTER


@dataclass(frozen=True, slots=True)
class BatchItem:
    """What became of one run of a batch; run: None where its name was taken."""

    name: str
    run: WorkflowRun | None


@dataclass(frozen=True, slots=True)
class Adapter:
    """An engine that can run workflows here."""

    name: str
    description: str
    available: bool


class RunService:
    """Starts runs in one workspace, in the caller's transaction."""

    def __init__(
        self, session: AsyncSession, access: WorkspaceAccess, launcher: Launcher, authority: RunAuthority
    ) -> None:
        self._session = session
        self._access = access
        self._launcher = launcher
        self._authority = authority
        self._runs = RunActRepository(session, access)

    async def start_run(self, workflow: str, version: int | None, draft: RunDraft) -> WorkflowRun:
        """A run of the workspace's workflow, in its latest version where none is given.

        Raises NotFoundError, ForbiddenError, InvalidInputsError (422), DuplicateRunError (409).
        """
        await self._authority.authorize(RunAct.START, None)
        found = await VersionRepository(self._session, self._access).of_workflow(workflow, version)
        return await self._start(found, workflow, draft)

    async def start_inline(self, version: WorkflowVersion, draft: RunDraft) -> WorkflowRun:
        """A run of a document that was kept just before. Raises as `start_run`."""
        await self._authority.authorize(RunAct.START, None)
        await VersionRepository(self._session, self._access).hold(version.id)
        return await self._start(version, None, draft)

    async def start_batch(
        self, workflow: str, version: int | None, drafts: Sequence[RunDraft], *, skips_taken: bool
    ) -> list[BatchItem]:
        """Runs of one workflow, all of them or none; with `skips_taken` without those whose names are taken.

        Raises as `start_run`; InvalidInputsError names every wrong place of every run under `/runs/{index}`.
        """
        await self._authority.authorize(RunAct.START, None)
        found = await VersionRepository(self._session, self._access).of_workflow(workflow, version)
        definition = await self._launcher.read_definition(self._session, self._access, found.id)
        checked = _check_all(definition, drafts)
        taken = await self._runs.taken([draft.name for draft in drafts if draft.name is not None])
        made: list[BatchItem] = []
        for draft, inputs in zip(drafts, checked, strict=True):
            if skips_taken and draft.name in taken and not draft.reuses_name:
                made.append(BatchItem(str(draft.name), None))
                continue
            try:
                run = await self._launch(found, workflow, draft, inputs)
            except DuplicateRunError:
                if not skips_taken:
                    raise
                made.append(BatchItem(str(draft.name), None))
            else:
                made.append(BatchItem(run.name, run))
                taken.add(run.name)
        return made

    async def _start(self, version: WorkflowVersion, workflow: str | None, draft: RunDraft) -> WorkflowRun:
        definition = await self._launcher.read_definition(self._session, self._access, version.id)
        inputs = check_inputs(definition, draft.inputs)
        check_size(draft.context, MAXIMUM_CONTEXT_BYTES, "/context")
        check_size(draft.labels, MAXIMUM_LABELS_BYTES, "/metadata")
        return await self._launch(version, workflow, draft, inputs)

    async def _launch(
        self, version: WorkflowVersion, workflow: str | None, draft: RunDraft, inputs: Mapping[str, Any]
    ) -> WorkflowRun:
        if draft.name is not None and draft.reuses_name:
            await self._free(draft.name)
        new = NewRun(
            version=version,
            workflow_name=workflow,
            inputs=inputs,
            name=draft.name,
            user_id=draft.user_id,
            conversation_id=draft.conversation_id,
            context=draft.context,
            labels=draft.labels,
            tags=draft.tags,
            options=draft.options,
            adapter=draft.adapter,
        )
        return await self._launcher.launch(self._session, self._access, new, self._access.actor)

    async def _free(self, name: str) -> None:
        """A finished run of this name is known by its id from now on; one that has not finished keeps it."""
        former = await self._runs.lock_named(name)
        if former is None or RunStatus(former.status) not in FINAL:
            return
        former.name = str(former.id)
        await self._runs.flush({"uq_workflow_run_workspace_id_name": DuplicateRunError(former.name)})
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action="run.renamed",
            subject=f"run:{former.id}",
            detail={"before": name, "after": former.name},
        )


async def list_adapters(engine: Engine) -> list[Adapter]:
    """The engines that can run workflows in this installation; there is one."""
    health = await engine.health()
    return [
        Adapter(
            name=ADAPTER,
            description="Durable runs in this installation's own database",
            available=health.status is EngineStatus.OK,
        )
    ]


def _check_all(definition: Definition, drafts: Sequence[RunDraft]) -> list[dict[str, Any]]:
    checked: list[dict[str, Any]] = []
    wrong: list[FieldError] = []
    for index, draft in enumerate(drafts):
        place = f"/runs/{index}"
        try:
            checked.append(check_inputs(definition, draft.inputs))
        except InvalidInputsError as error:
            wrong += [FieldError(place + one.pointer, one.detail) for one in error.errors]
        check_size(draft.context, MAXIMUM_CONTEXT_BYTES, f"{place}/context")
        check_size(draft.labels, MAXIMUM_LABELS_BYTES, f"{place}/metadata")
    if wrong:
        raise InvalidInputsError(f"The inputs of some runs do not fit the workflow {definition.name}", wrong)
    return checked

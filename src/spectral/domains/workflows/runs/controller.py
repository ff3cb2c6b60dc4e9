"""HTTP of starting runs and of what is done to them: `/api/v1/workspaces/{workspace_id}/runs`."""

import json
from typing import Annotated

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.definitions.publishing import Draft, Publisher
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.nodes.tasks import TaskRegistry
from spectral.domains.workflows.runs.actions import RunActions
from spectral.domains.workflows.runs.answers import run_out, signal_out
from spectral.domains.workflows.runs.authority import ScopedAuthority
from spectral.domains.workflows.runs.forking import Changes, GivenInput, RunForking
from spectral.domains.workflows.runs.interrupts import InterruptService
from spectral.domains.workflows.runs.reading_schemas import CursorPage, RunOut, SignalOut
from spectral.domains.workflows.runs.responding import RunResponder, fresh_view
from spectral.domains.workflows.runs.schemas import (
    AdapterOut,
    AnyRunIn,
    BatchIn,
    BatchItemOut,
    BatchOut,
    ForkIn,
    IdReuse,
    NamedRunIn,
    PauseIn,
    ReplayIn,
    RestartIn,
    ResumeIn,
    RunIn,
    SignalIn,
    StatePatch,
    TerminateIn,
    TickIn,
    TickOut,
)
from spectral.domains.workflows.runs.service import RunDraft, RunService, list_adapters
from spectral.domains.workflows.runs.signals import SignalService
from spectral.domains.workflows.runs.ticking import RunTicker
from spectral.domains.workflows.runs.waiting import RunWaiter
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine
from spectral.platform.shared.pagination import Collection, Page
from spectral.settings import Settings

WORKSPACE = "/api/v1/workspaces/{workspace_id:uuid}"
READ = requires(Scope.READ_WORKSPACE)
WRITE = requires(Scope.WRITE_WORKSPACE)
WAITING = (
    "`wait` (at most 60 seconds) holds the answer back until the run has ended or asks something of a person: then it "
    "is 200, else 202."
)


def provide_run_authority(request: Request[Principal, None, State], access: WorkspaceAccess) -> ScopedAuthority:
    return ScopedAuthority.of(request.user, access)


def provide_run_responder(
    request: Request[Principal, None, State], session: AsyncSession, access: WorkspaceAccess, run_waiter: RunWaiter
) -> RunResponder:
    return RunResponder(request, session, access, run_waiter)


def provide_run_service(
    session: AsyncSession, access: WorkspaceAccess, launcher: Launcher, authority: ScopedAuthority
) -> RunService:
    return RunService(session, access, launcher, authority)


def provide_inline_publisher(database: Database, access: WorkspaceAccess, task_registry: TaskRegistry) -> Publisher:
    return Publisher(database, access, task_registry.public())


def provide_run_actions(
    session: AsyncSession, access: WorkspaceAccess, launcher: Launcher, authority: ScopedAuthority
) -> RunActions:
    return RunActions(session, access, launcher, authority)


def provide_run_forking(
    session: AsyncSession, access: WorkspaceAccess, launcher: Launcher, authority: ScopedAuthority
) -> RunForking:
    return RunForking(session, access, launcher, authority)


def provide_signals(
    session: AsyncSession, access: WorkspaceAccess, launcher: Launcher, authority: ScopedAuthority
) -> SignalService:
    return SignalService(session, access, launcher, authority)


def provide_interrupts(
    session: AsyncSession, access: WorkspaceAccess, launcher: Launcher, authority: ScopedAuthority
) -> InterruptService:
    return InterruptService(session, access, launcher, authority)


def provide_ticker(database: Database, access: WorkspaceAccess, engine: Engine, settings: Settings) -> RunTicker:
    return RunTicker(database, access, engine, enabled=settings.engine_ticks)


SETTLED = {200: ResponseSpec(RunOut, description="The run has ended or was suspended", generate_examples=False)}
KNOWN = {200: ResponseSpec(SignalOut, description="It was there already", generate_examples=False)}

DEPENDENCIES = {
    "authority": Provide(provide_run_authority, sync_to_thread=False),
    "responder": Provide(provide_run_responder, sync_to_thread=False),
}


class WorkflowRunController(Controller):
    """Runs of a workflow by its name."""

    path = f"{WORKSPACE}/workflows/{{name:str}}/runs"
    tags = ("Runs",)
    guards = (WRITE,)
    dependencies = DEPENDENCIES | {"service": Provide(provide_run_service, sync_to_thread=False)}

    @post(
        operation_id="startWorkflowRun",
        summary="Start a run of a workflow",
        description=WAITING,
        status_code=202,
        responses=SETTLED,
        opt={"idempotent": True},
    )
    async def start_workflow_run(
        self, service: RunService, responder: RunResponder, name: str, data: NamedRunIn
    ) -> Response[RunOut]:
        return await responder.started(await service.start_run(name, data.version, draft_of(data)), data.wait)

    @post(
        "/batch",
        operation_id="startRunBatch",
        summary="Start up to 100 runs of a workflow, all or none",
        status_code=202,
        opt={"idempotent": True},
    )
    async def start_run_batch(self, service: RunService, name: str, data: BatchIn) -> BatchOut:
        drafts = [draft_of(each) for each in data.runs]
        made = await service.start_batch(name, data.version, drafts, skips_taken=data.on_conflict == "skip")
        return BatchOut(
            results=[
                BatchItemOut(
                    index=index,
                    run_id=item.name,
                    status="skipped" if item.run is None else "created",
                    run=None if item.run is None else run_out(fresh_view(item.run)),
                )
                for index, item in enumerate(made)
            ],
            created=sum(item.run is not None for item in made),
            skipped=sum(item.run is None for item in made),
        )


class RunActionController(Controller):
    """Runs of anything, and what is done to them. `run_id` is a run's name, or its id."""

    path = f"{WORKSPACE}/runs"
    tags = ("Runs",)
    guards = (WRITE,)
    dependencies = DEPENDENCIES | {
        "service": Provide(provide_run_service, sync_to_thread=False),
        "actions": Provide(provide_run_actions, sync_to_thread=False),
        "forking": Provide(provide_run_forking, sync_to_thread=False),
        "publisher": Provide(provide_inline_publisher, sync_to_thread=False),
        "interrupts": Provide(provide_interrupts, sync_to_thread=False),
    }

    @post(
        operation_id="startRun",
        summary="Start a run of a workflow, or of a document in the request",
        description=WAITING,
        status_code=202,
        responses=SETTLED,
        opt={"idempotent": True},
    )
    async def start_run(
        self,
        service: RunService,
        responder: RunResponder,
        publisher: Publisher,
        data: AnyRunIn,
    ) -> Response[RunOut]:
        if data.workflow is not None:
            run = await service.start_run(data.workflow, data.version, draft_of(data))
        else:
            # Compiled and kept before the run's transaction opens.
            run = await service.start_inline(await publisher.inline(document_of(data)), draft_of(data))
        return await responder.started(run, data.wait)

    @post("/{run_id:str}/pause", operation_id="pauseRun", summary="Pause a run", status_code=200)
    async def pause_run(
        self, actions: RunActions, responder: RunResponder, run_id: str, data: PauseIn | None = None
    ) -> RunOut:
        asked = data or PauseIn()
        run = await actions.pause_run(run_id, reason=asked.reason, at_once=asked.mode == "now")
        return await responder.changed(run)

    @post(
        "/{run_id:str}/resume",
        operation_id="resumeRun",
        summary="Let a paused run go on, or answer a suspended step",
        description=(
            "With `data` or `step` a suspended step gets its data, checked against the schema that it asked with. A "
            "question to a person is answered so too, by whoever has `approve:agents`."
        ),
        status_code=200,
        opt={"idempotent": True},
    )
    async def resume_run(
        self,
        actions: RunActions,
        interrupts: InterruptService,
        responder: RunResponder,
        run_id: str,
        data: ResumeIn | None = None,
    ) -> RunOut:
        asked = data or ResumeIn()
        if asked.answers:
            run = await interrupts.resume_step(run_id, asked.step, asked.data)
        else:
            run = await actions.resume_run(run_id)
        return await responder.changed(run, asked.wait)

    @post(
        "/{run_id:str}/restart",
        operation_id="restartRun",
        summary="Begin a run again, under its id",
        status_code=200,
        opt={"idempotent": True},
    )
    async def restart_run(
        self, actions: RunActions, responder: RunResponder, run_id: str, data: RestartIn | None = None
    ) -> RunOut:
        return await responder.changed(await actions.restart_run(run_id), 0 if data is None else data.wait)

    @post("/{run_id:str}/terminate", operation_id="terminateRun", summary="End a run", status_code=200)
    async def terminate_run(
        self, actions: RunActions, responder: RunResponder, run_id: str, data: TerminateIn | None = None
    ) -> RunOut:
        return await responder.changed(await actions.terminate_run(run_id, None if data is None else data.reason))

    @post("/{run_id:str}/cancel", operation_id="cancelRun", summary="End a run: as `terminate`", status_code=200)
    async def cancel_run(
        self, actions: RunActions, responder: RunResponder, run_id: str, data: TerminateIn | None = None
    ) -> RunOut:
        return await responder.changed(await actions.terminate_run(run_id, None if data is None else data.reason))

    @delete("/{run_id:str}", operation_id="deleteRun", summary="Forget a run that has ended, with its history")
    async def delete_run(self, actions: RunActions, run_id: str) -> None:
        await actions.delete_run(run_id)

    @post(
        "/{run_id:str}/fork",
        operation_id="forkRun",
        summary="Start a run that begins at a checkpoint of this one",
        description=WAITING,
        status_code=202,
        responses=SETTLED,
        opt={"idempotent": True},
    )
    async def fork_run(
        self, forking: RunForking, responder: RunResponder, run_id: str, data: ForkIn
    ) -> Response[RunOut]:
        run = await forking.fork_run(
            run_id, data.checkpoint_index, name=data.run_id, inputs=data.inputs, changes=changes_of(data.state)
        )
        return await responder.started(run, data.wait)

    @post(
        "/{run_id:str}/replay",
        operation_id="replayRun",
        summary="Start a run that begins where a step of this one began",
        description=f"Nothing that came before the step is done again. {WAITING}",
        status_code=202,
        responses=SETTLED,
        opt={"idempotent": True},
    )
    async def replay_run(
        self, forking: RunForking, responder: RunResponder, run_id: str, data: ReplayIn
    ) -> Response[RunOut]:
        given = GivenInput(data.input) if data.gives_input else None
        changes = changes_of(data.state)
        run = await forking.replay_run(run_id, data.step, name=data.run_id, given=given, changes=changes)
        return await responder.started(run, data.wait)


class SignalController(Controller):
    """Events that are sent to a run."""

    path = f"{WORKSPACE}/runs/{{run_id:str}}/signals"
    tags = ("Runs",)
    dependencies = DEPENDENCIES | {"signals": Provide(provide_signals, sync_to_thread=False)}

    @post(
        operation_id="sendSignal",
        summary="Send an event to a run",
        description=(
            "It is kept until a wait for its type takes it, oldest first. With an `id` it is the same signal however "
            "often it is sent: 200 the second time, 409 where type or payload differ."
        ),
        guards=[WRITE],
        status_code=202,
        responses=KNOWN,
        opt={"idempotent": True},
    )
    async def send_signal(self, signals: SignalService, run_id: str, data: SignalIn) -> Response[SignalOut]:
        sent = await signals.send(run_id, data.type, data.payload, data.id)
        return Response(signal_out(sent.signal), status_code=202 if sent.is_new else 200)

    @get(operation_id="listSignals", summary="List what was sent to a run, newest first", guards=[READ])
    async def list_signals(
        self,
        signals: SignalService,
        run_id: str,
        page: Page,
        cursor: Annotated[
            str | None, QueryParameter(max_length=500, description="`next_cursor` of the page before")
        ] = None,
    ) -> CursorPage[SignalOut]:
        listing = await signals.list_signals(run_id, page, cursor)
        return CursorPage(results=[signal_out(row[0]) for row in listing.rows], pagination=listing.pagination)


class EngineAdapterController(Controller):
    """What can run workflows here."""

    path = f"{WORKSPACE}/engine/adapters"
    tags = ("Runs",)

    @get(operation_id="listEngineAdapters", summary="List the engines that can run workflows", guards=[READ])
    async def list_engine_adapters(self, engine: Engine, page: Page) -> Collection[AdapterOut]:
        found = [AdapterOut.model_validate(each) for each in await list_adapters(engine)]
        return Collection.of(found[page.offset : page.offset + page.limit], len(found), page)


class EngineTickController(Controller):
    """Runs that are driven from outside."""

    path = f"{WORKSPACE}/engine/tick"
    tags = ("Runs",)
    dependencies = {"ticker": Provide(provide_ticker, sync_to_thread=False)}  # noqa: RUF012

    @post(
        operation_id="tickEngine",
        summary="Let the runs that are due go on, within this request",
        description=(
            "For hosts without a process that executes. At most `max_steps` steps begin; what has not ended or begun "
            "to wait by then goes on at the next tick. The answer comes when the steps that began have ended. 400 "
            "`ticks-disabled` unless the installation allows it (`SPECTRAL_ENGINE_TICKS`)."
        ),
        guards=[WRITE],
        status_code=200,
    )
    async def tick_engine(self, ticker: RunTicker, data: TickIn | None = None) -> TickOut:
        asked = data or TickIn()
        return TickOut.model_validate(await ticker.tick(asked.max_runs, asked.max_steps))


def draft_of(body: RunIn) -> RunDraft:
    """What the caller asks for."""
    return RunDraft(
        inputs=body.inputs,
        name=body.run_id,
        user_id=body.user_id,
        conversation_id=body.conversation_id,
        context=body.context,
        labels=body.metadata,
        tags=body.tags,
        options=body.options.model_dump(mode="json"),
        reuses_name=body.options.id_reuse is IdReuse.IF_FINISHED,
    )


def document_of(body: AnyRunIn) -> Draft:
    """The document that came with the request."""
    if body.definition is not None:
        return Draft(json.dumps(body.definition, ensure_ascii=False), "json")
    return Draft(body.source or "")


def changes_of(patch: StatePatch) -> Changes:
    """What is to be different in a state."""
    outputs = {key: node.outputs for key, node in patch.nodes.items()}
    return Changes(context=patch.context, artifacts=patch.artifacts, outputs=outputs)

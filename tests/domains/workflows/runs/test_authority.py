from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from spectral.domains.workflows.errors import PlatformRunError
from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.runs.actions import RunActions
from spectral.domains.workflows.runs.authority import RunAct, ScopedAuthority
from spectral.domains.workflows.runs.forking import Changes, RunForking
from spectral.domains.workflows.runs.interrupts import Answer, InterruptService
from spectral.domains.workflows.runs.service import RunDraft, RunService
from spectral.domains.workflows.runs.signals import SignalService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.refusals import StepUpRequiredError
from spectral.platform.access.scopes import WORKSPACE_SCOPES, WorkspaceRole
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import ForbiddenError
from spectral.platform.shared.ids import new_id
from tests.domains.workflows.runs.acting import Stage, chain, launcher_of
from tests.fixtures.tenants import Tenant


class Refusing:
    """Refuses everything, and remembers what."""

    def __init__(self) -> None:
        self.asked: list[tuple[RunAct, str | None]] = []

    async def authorize(self, act: RunAct, run: WorkflowRun | None) -> None:
        self.asked.append((act, run.name if run else None))
        raise ForbiddenError("Not here")


async def test_the_scopes_decide_and_answers_need_a_recent_second_factor() -> None:
    def access(role: WorkspaceRole) -> WorkspaceAccess:
        return WorkspaceAccess(new_id(), new_id(), WORKSPACE_SCOPES[role], "user:1")

    for act in RunAct:
        await ScopedAuthority(access(WorkspaceRole.ADMIN)).authorize(act, None)
        with pytest.raises(ForbiddenError):
            await ScopedAuthority(access(WorkspaceRole.OBSERVER)).authorize(act, None)
        late = ScopedAuthority(access(WorkspaceRole.ADMIN), needs_step_up=True)
        contributor = ScopedAuthority(access(WorkspaceRole.CONTRIBUTOR))
        if act is RunAct.ANSWER:
            with pytest.raises(StepUpRequiredError):
                await late.authorize(act, None)
            with pytest.raises(ForbiddenError):
                await contributor.authorize(act, None)
        else:
            await late.authorize(act, None)
            await contributor.authorize(act, None)


async def test_whoever_brings_rules_of_their_own_is_asked_before_anything_happens(
    app: Litestar, client: httpx.AsyncClient, database: Database, tenant: Tenant
) -> None:
    stage = Stage(client, database, tenant)
    await stage.define(chain("flow", "a"))
    run_id = (await stage.start("flow", run_id="one"))["id"]
    await stage.set(run_id, RunStatus.PAUSED)
    interrupt_id = await stage.ask(run_id)
    before = await stage.run(run_id)
    refusing, launcher, access = Refusing(), launcher_of(app), tenant.access
    async with database.transaction(access) as session:
        of = (session, access, launcher, refusing)
        acts = [
            RunService(*of).start_run("flow", None, RunDraft({"count": 1})),
            RunService(*of).start_batch("flow", None, [RunDraft({"count": 1})], skips_taken=True),
            RunActions(*of).pause_run("one", reason=None, at_once=True),
            RunActions(*of).resume_run("one"),
            RunActions(*of).restart_run("one"),
            RunActions(*of).terminate_run("one", None),
            RunActions(*of).delete_run("one"),
            SignalService(*of).send("one", "paid", None, None),
            InterruptService(*of).answer(UUID(interrupt_id), Answer("approved")),
            InterruptService(*of).resume_step("one", None, None),
            RunForking(*of).fork_run("one", 0, name=None, inputs=None, changes=Changes()),
            RunForking(*of).replay_run("one", "a", name=None, given=None, changes=Changes()),
        ]
        for act in acts:
            with pytest.raises(ForbiddenError):
                await act
    assert [act for act, _ in refusing.asked] == [
        RunAct.START,
        RunAct.START,
        RunAct.PAUSE,
        RunAct.RESUME,
        RunAct.RESTART,
        RunAct.TERMINATE,
        RunAct.DELETE,
        RunAct.SIGNAL,
        RunAct.ANSWER,
        RunAct.RESUME,
        RunAct.FORK,
        RunAct.REPLAY,
    ]
    assert {name for act, name in refusing.asked if act is not RunAct.START} == {"one"}
    after = await stage.run(run_id)
    assert (after.status, after.lease, after.inbox, after.last_seq) == (
        before.status,
        before.lease,
        before.inbox,
        before.last_seq,
    )


async def test_a_run_of_the_platform_goes_with_what_it_does() -> None:
    access = WorkspaceAccess(new_id(), new_id(), WORKSPACE_SCOPES[WorkspaceRole.ADMIN], "user:1")
    run = WorkflowRun(adapter="scan")

    await ScopedAuthority(access).authorize(RunAct.TERMINATE, run)
    for act in (RunAct.PAUSE, RunAct.RESTART, RunAct.FORK, RunAct.REPLAY, RunAct.DELETE, RunAct.SIGNAL):
        with pytest.raises(PlatformRunError, match="belongs to a scan"):
            await ScopedAuthority(access).authorize(act, run)

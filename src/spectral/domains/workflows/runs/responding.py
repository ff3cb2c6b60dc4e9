"""Answers of requests that start or change a run, and may wait for what becomes of it."""

from litestar import Request, Response
from litestar.datastructures import State
from litestar.types import HTTPResponseBodyEvent, HTTPResponseStartEvent
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.runs.answers import run_out
from spectral.domains.workflows.runs.reading import RunReading, RunView
from spectral.domains.workflows.runs.reading_repository import RunFigures
from spectral.domains.workflows.runs.reading_schemas import RunOut
from spectral.domains.workflows.runs.waiting import RunWaiter, has_settled
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.db.unit_of_work import commit_before_waiting

OK = 200
ACCEPTED = 202


class RunResponder:
    """Answers one request. What it did is committed before anything is waited for."""

    def __init__(
        self,
        request: Request[Principal, None, State],
        session: AsyncSession,
        access: WorkspaceAccess,
        waiter: RunWaiter,
    ) -> None:
        self._request = request
        self._session = session
        self._access = access
        self._waiter = waiter

    async def started(self, run: WorkflowRun, wait_s: float) -> Response[RunOut]:
        """202 with the run's address; 200 once it has ended or was suspended within the time to wait."""
        location = {"Location": f"/api/v1/workspaces/{self._access.workspace_id}/runs/{run.name}"}
        answer = Response(run_out(fresh_view(run)), status_code=ACCEPTED, headers=location)
        if not wait_s:
            return answer
        view = await self._waited(run, wait_s, answer.content, location)
        status = OK if has_settled(view.run.status) else ACCEPTED
        return Response(run_out(view), status_code=status, headers=location)

    async def changed(self, run: WorkflowRun, wait_s: float = 0) -> RunOut:
        """The run as it is now, or after the time to wait."""
        view = await RunReading(self._session, self._access).view(run)
        return run_out(await self._waited(run, wait_s, run_out(view), {}) if wait_s else view)

    async def _waited(self, run: WorkflowRun, wait_s: float, answer: RunOut, headers: dict[str, str]) -> RunView:
        """Raises NotFoundError where the run was deleted meanwhile."""
        # Should this process die while it waits, a repeated request gets this answer and does nothing again.
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        start: HTTPResponseStartEvent = {
            "type": "http.response.start",
            "status": ACCEPTED,
            "headers": [(b"content-type", b"application/json"), *pairs],
        }
        body: HTTPResponseBodyEvent = {
            "type": "http.response.body",
            "body": answer.model_dump_json().encode(),
            "more_body": False,
        }
        await commit_before_waiting(self._request.scope, start, body)
        return await self._waiter.wait(self._access, run.id, wait_s)


def fresh_view(run: WorkflowRun) -> RunView:
    """A run that was started just now has left nothing behind."""
    return RunView(run, RunFigures(0, 0, 0), None)

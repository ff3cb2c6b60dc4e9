"""A run's events over a WebSocket: one text message each, the same JSON as everywhere else."""

import asyncio
from typing import Any
from uuid import UUID

from litestar import WebSocket, websocket
from litestar.handlers.base import BaseRouteHandler

from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.runs.fanout import RunFanout
from spectral.domains.workflows.runs.reading import RunReading
from spectral.domains.workflows.runs.reading_repository import EventFilter
from spectral.domains.workflows.runs.streams import follow
from spectral.domains.workflows.runs.tickets import redeem_ticket
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import AnyConnection, requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.access.sockets import code_of, reason_of, refusing
from spectral.platform.access.streams import IdentityRights, ReviewedRights, StreamRights
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import FieldError, NotFoundError, SpectralError, ValidationFailedError

NORMAL_CLOSURE = 1000
SERVICE_RESTART = 1012
TICKET = "ticket"
AFTER = "after"
MAXIMUM_SEQ = 2**53

READ = refusing(requires(Scope.READ_WORKSPACE))

Socket = WebSocket[Any, Any, Any]


async def header_or_ticket(connection: AnyConnection, handler: BaseRouteHandler) -> None:
    """Lets through whoever may read the workspace, and whoever brings a ticket: the handler takes that."""
    if connection.scope.get("user") is not None or TICKET not in connection.query_params:
        await READ(connection, handler)  # type: ignore[misc]


@websocket("/ws/runs/{run_id:str}", guards=[header_or_ticket], name="watchRun")
async def watch_run(
    socket: Socket, database: Database, authenticator: Authenticator, run_fanout: RunFanout, run_id: str
) -> None:
    """The run's events after `?after=`, until it has ended; then the socket is closed with 1000.

    Closed with 4401, 4403, 4404 … where a request would be answered with the status without the 4000.
    """
    try:
        wanted = EventFilter(after=_start_of(socket))
        access, rights, run = await _admit(socket, database, authenticator, run_id)
        run_fanout.require_room(access)
    except SpectralError as error:
        await socket.close(code=code_of(error), reason=reason_of(error))
        return
    await socket.accept()
    sending = asyncio.create_task(_send(socket, run_fanout, access, run, wanted, rights))
    hearing = asyncio.create_task(_hear_out(socket))
    try:
        await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
        is_gone = hearing.done()
    finally:
        # Before the socket is closed: the server does not send a close while somebody still receives.
        for task in (sending, hearing):
            task.cancel()
        sent, _ = await asyncio.gather(sending, hearing, return_exceptions=True)
    if is_gone:
        return
    if isinstance(sent, Exception):
        raise sent
    if rights.refusal is not None:
        await socket.close(code=code_of(rights.refusal), reason=reason_of(rights.refusal))
    elif run_fanout.is_closing:
        await socket.close(code=SERVICE_RESTART, reason="The server is about to end; come back with `after`")
    else:
        await socket.close(code=NORMAL_CLOSURE, reason="The run has ended")


async def _admit(
    socket: Socket, database: Database, authenticator: Authenticator, name: str
) -> tuple[WorkspaceAccess, ReviewedRights, WorkflowRun]:
    principal = socket.scope.get("user")
    ticketed: UUID | None = None
    rights: ReviewedRights
    if isinstance(principal, Principal):
        access = principal.access_to(None)
        rights = StreamRights(authenticator, socket.headers, access.workspace_id, Scope.READ_WORKSPACE)
    else:
        admission = await redeem_ticket(database, authenticator, socket.query_params[TICKET])
        socket.scope["user"] = admission.principal
        access, ticketed = admission.access, admission.run_id
        rights = IdentityRights(authenticator, admission.identity, access.workspace_id, Scope.READ_WORKSPACE)
    async with database.transaction(access, read_only=True) as session:
        run = await RunReading(session, access).find_run(name)
    if ticketed is not None and run.id != ticketed:
        raise NotFoundError("Run", name)
    return access, rights, run


async def _send(
    socket: Socket,
    fanout: RunFanout,
    access: WorkspaceAccess,
    run: WorkflowRun,
    wanted: EventFilter,
    rights: ReviewedRights,
) -> None:
    async for event in follow(fanout, access, run, wanted, rights):
        if event is not None:
            await socket.send_text(event.document.decode())


async def _hear_out(socket: Socket) -> None:
    """Until the client is gone; what it says is of no interest."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def _start_of(socket: Socket) -> int:
    text = socket.query_params.get(AFTER, "0")
    if not text.isascii() or not text.isdecimal() or len(text) > 16 or int(text) > MAXIMUM_SEQ:
        raise ValidationFailedError("after is not the number of an event", [FieldError(AFTER, "is not a number")])
    return int(text)

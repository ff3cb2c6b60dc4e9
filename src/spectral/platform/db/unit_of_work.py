"""One transaction per ordinary request, committed before the answer leaves."""

from typing import TYPE_CHECKING, Any

import structlog
from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.access.principal import Principal
from spectral.platform.db.session import Database, run_after_commit
from spectral.platform.dependencies import service_of

if TYPE_CHECKING:
    from spectral.platform.shared.problems import ProblemRenderer

DATABASE = "database"
"""What the application has its `Database` under."""

READ_ONLY_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FIRST_ERROR_STATUS = 400

log = structlog.get_logger(__name__)


class RequestTransaction:
    """The transaction of one request: opened at its first statement, ended by `UnitOfWork`."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope
        self._session: AsyncSession | None = None

    def session(self) -> AsyncSession:
        """The request's session, bound to the workspace that the principal may touch."""
        if self._session is None:
            principal = self._scope.get("user")
            known = principal if isinstance(principal, Principal) else None
            self._session = self._database.session(
                known.workspace if known else None,
                account_id=known.account_id if known else None,
                read_only=self._scope.get("method") in READ_ONLY_METHODS,
            )
        return self._session

    @property
    def opened(self) -> bool:
        return self._session is not None

    async def commit(self) -> None:
        """Commit, then run what was to follow the commit."""
        if self._session is not None:
            await self._session.commit()
            await run_after_commit(self._session)

    async def close(self) -> None:
        """Roll back whatever was not committed and give the connection back."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class UnitOfWork:
    """Holds an answer back until its transaction has committed.

    An answer of 400 and above rolls back: errors are raised, never returned. A commit that fails is answered as the
    problem it is, because nothing has left yet. A streamed answer commits before its first part; routes that stream
    take short transactions of their own and have nothing to commit here.
    """

    def __init__(self, app: ASGIApp, renderer: "ProblemRenderer") -> None:
        self.app = app
        self.renderer = renderer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        transaction = RequestTransaction(service_of(scope, DATABASE), scope)
        scope["state"]["transaction"] = transaction
        held: HTTPResponseStartEvent | None = None
        failed = False

        async def send_after_commit(message: Message) -> None:
            nonlocal held, failed
            if failed:
                return
            # A route that takes its own short transactions opens none here, but its answer may have to be kept.
            if message["type"] == "http.response.start" and (transaction.opened or "keep_answer" in scope["state"]):
                if message["status"] >= FIRST_ERROR_STATUS:
                    await transaction.close()
                else:
                    held = message
                    return
            if held is not None:
                start, held = held, None
                try:
                    await store_answer(scope, transaction, start, message)
                    await transaction.commit()
                except Exception as error:  # noqa: BLE001 - whatever it was, the caller gets its problem
                    failed = True
                    # The stored answer went with the transaction, so its key is free again.
                    scope["state"].pop("answer_kept", None)
                    await transaction.close()
                    await self._refuse(scope, receive, send, error)
                    return
                await transaction.close()
                await send(start)
            await send(message)

        try:
            await self.app(scope, receive, send_after_commit)
        finally:
            await transaction.close()

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
        request: Request[Any, Any, Any] = Request(scope, receive=receive, send=send)
        response = self.renderer(request, error)
        await response.to_asgi_response(app=None, request=request)(scope, receive, send)


async def store_answer(
    scope: Scope, transaction: RequestTransaction, start: HTTPResponseStartEvent, body: Message
) -> None:
    """Let an idempotent request keep its rendered answer inside the transaction that it describes."""
    keep = scope["state"].get("keep_answer")
    if keep is not None and not body.get("more_body", False):
        await keep(transaction.session(), start, body.get("body", b""))


async def commit_before_waiting(scope: Scope, start: HTTPResponseStartEvent, body: Message) -> None:
    """What the request has done is done; its handler waits for what becomes of it, with no transaction open.

    start, body: what a repeated request is answered meanwhile, and for good should this process die while it waits.
    """
    transaction: RequestTransaction = scope["state"]["transaction"]
    await store_answer(scope, transaction, start, body)
    await transaction.commit()

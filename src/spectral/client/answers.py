"""How a runner sends its results: those that are ready while a request is on its way go together with the next."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import httpx

from spectral.client.errors import RefusedError, UnavailableError
from spectral.client.wire import json_of

MOST_TOGETHER = 64
MOST_BYTES_TOGETHER = 2 * 1024 * 1024

Post = Callable[[str, bytes], Awaitable[httpx.Response]]


class _Waiting(NamedTuple):
    task_id: str
    body: bytes
    taken: asyncio.Future[None]


class Answers:
    """The results of the tasks under one path, which are sent one request at a time."""

    def __init__(self, post: Post, path: str) -> None:
        """post: sends a JSON body to a path, raising UnavailableError and RefusedError.  path: of the tasks."""
        self._post = post
        self._path = path
        self._waiting: deque[_Waiting] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def send(self, task_id: str, body: bytes) -> None:
        """The platform has the result. Raises UnavailableError, and RefusedError for this very result.

        body: a JSON object as `…/result` takes it.
        """
        waiting = _Waiting(task_id, body, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._sending is None:
            self._sending = asyncio.ensure_future(self._send_all())
        await waiting.taken

    async def close(self) -> None:
        """Nothing is sent any more."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _send_all(self) -> None:
        try:
            while together := self._next():
                await self._send(together)
        finally:
            self._sending = None

    def _next(self) -> list[_Waiting]:
        together: list[_Waiting] = []
        size = 0
        while self._waiting and len(together) < MOST_TOGETHER:
            one = self._waiting[0]
            if together and size + len(one.body) > MOST_BYTES_TOGETHER:
                break
            self._waiting.popleft()
            if not one.taken.done():
                together.append(one)
                size += len(one.body)
        return together

    async def _send(self, together: Sequence[_Waiting]) -> None:
        try:
            if len(together) > 1 and await self._send_together(together):
                return
            for one in together:
                await self._send_alone(one)
        except asyncio.CancelledError:
            for one in together:
                one.taken.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, and nobody else can
            for one in together:
                _tell(one, error)

    async def _send_alone(self, one: _Waiting) -> None:
        try:
            await self._post(f"{self._path}/{one.task_id}/result", one.body)
        except (RefusedError, UnavailableError) as error:
            _tell(one, error)
        else:
            _tell(one, None)

    async def _send_together(self, together: Sequence[_Waiting]) -> bool:
        """False where the platform takes none of them because of one: then each has to be sent by itself."""
        parts = [b'{"task_id":%b,%b' % (json.dumps(one.task_id).encode(), one.body[1:]) for one in together]
        try:
            answer = await self._post(f"{self._path}/results", b'{"results":[%b]}' % b",".join(parts))
        except RefusedError:
            return False
        said = {each["task_id"]: each for each in json_of(answer)["results"]}
        for one in together:
            refused = said[one.task_id].get("error")
            _tell(one, RefusedError(refused["status"], refused["type"], refused["detail"]) if refused else None)
        return True


def _tell(one: _Waiting, error: Exception | None) -> None:
    # A session that is told to hurry waits for nothing any more.
    with suppress(asyncio.InvalidStateError):
        if error is None:
            one.taken.set_result(None)
        else:
            one.taken.set_exception(error)

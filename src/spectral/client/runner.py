"""A runner: leases tasks, has them done, keeps the leases meanwhile, and answers them.

What it did not finish it does not acknowledge: such a lease ends by itself and the task is offered again. What it did
finish it sends until the platform has taken it, or has given the task to somebody else.
"""

import asyncio
import inspect
import json
import logging
import secrets
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import httpx

from spectral.client.answers import Answers
from spectral.client.config import find_agent
from spectral.client.errors import RefusedError, UnavailableError
from spectral.client.tasks import CURRENT, TaskContext, TaskFailed, Work
from spectral.client.tracing import joined_trace
from spectral.client.wire import CONNECT_S, Endpoint, checked, json_of, unreachable

CAPACITY = 8
LARGEST_LEASE = 64
WAIT_S = 20.0
ANSWER_S = 30.0
GRACE_S = 30.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
LONGEST_MESSAGE = 2000
LONGEST_TYPE = 100
MAX_RESULT_BYTES = 1024 * 1024
GATHER_S = 0.01

log = logging.getLogger("spectral.runner")


@dataclass
class Progress:
    """What a session did so far. lost: whose lease was lost or cancelled before the platform had the result."""

    leased: int = 0
    done: int = 0
    failed: int = 0
    lost: int = 0

    @property
    def running(self) -> int:
        """What it works on now."""
        return self.leased - self.done - self.failed - self.lost

    def __str__(self) -> str:
        return f"{self.done} done, {self.failed} failed, {self.lost} lost, {self.running} running"


class RunnerSession:
    """Does the work of some agents and queues until it is told to stop.

    capacity: how many tasks at a time, of each of them.  grace_s: how long tasks may go on after `stop`.
    Functions that are not asynchronous run in a thread each.
    """

    def __init__(
        self, endpoint: Endpoint, works: Sequence[Work], *, capacity: int = CAPACITY, grace_s: float = GRACE_S
    ) -> None:
        if capacity < 1:
            raise ValueError("capacity is at least 1")
        if not works:
            raise ValueError("no function is registered: there is nothing that this runner could do")
        self.progress = Progress()
        self._endpoint = endpoint
        self._works = tuple(works)
        self._capacity = capacity
        self._grace_s = grace_s
        self._stopping = asyncio.Event()
        self._hurried = asyncio.Event()
        self._http: httpx.AsyncClient
        self._root = ""
        self._answers: list[Answers] = []

    # --------------------------------------------------------------------------------------------------- the session

    def run_forever(self) -> Progress:
        """`run` in a loop of its own, until SIGINT or SIGTERM; a second one does not wait for tasks."""
        asyncio.run(self.run_until_signal())
        return self.progress

    async def run_until_signal(self) -> None:
        """`run`, which the process's signals stop; only in a main thread."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        try:
            await self.run()
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def run(self) -> None:
        """Work until `stop`. Survives a platform that is away; raises RefusedError where it says no."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=self._capacity + 8)
        timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
        headers = self._endpoint.headers
        async with httpx.AsyncClient(
            base_url=self._endpoint.url, headers=headers, limits=limits, timeout=timeout
        ) as self._http:
            serving = [asyncio.ensure_future(self._serve(work)) for work in self._works]
            stopping = asyncio.ensure_future(self._stopping.wait())
            try:
                await asyncio.wait({stopping, *serving}, return_when=asyncio.FIRST_COMPLETED)
                self._stopping.set()
                await asyncio.gather(*serving)
            finally:
                for each in (stopping, *serving):
                    each.cancel()
                await asyncio.gather(stopping, *serving, return_exceptions=True)
                for answers in self._answers:
                    await answers.close()

    def stop(self) -> None:
        """No further task is leased; those that are under way have `grace_s` seconds. A second time: none."""
        if self._stopping.is_set():
            self._hurried.set()
        self._stopping.set()

    # -------------------------------------------------------------------------------------------------------- leasing

    async def _serve(self, work: Work) -> None:
        running: set[asyncio.Task[None]] = set()
        leasing = asyncio.ensure_future(self._lease_all(work, running))
        stopping = asyncio.ensure_future(self._stopping.wait())
        hurried = asyncio.ensure_future(self._hurried.wait())
        try:
            await asyncio.wait({leasing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if leasing.done():
                leasing.result()
            leasing.cancel()
            if running:
                ending = asyncio.ensure_future(asyncio.wait(set(running)))
                await asyncio.wait({ending, hurried}, timeout=self._grace_s, return_when=asyncio.FIRST_COMPLETED)
                ending.cancel()
        finally:
            ours = [leasing, stopping, hurried, *running]
            for each in ours:
                each.cancel()
            await asyncio.gather(*ours, return_exceptions=True)

    async def _lease_all(self, work: Work, running: set[asyncio.Task[None]]) -> None:
        path = await self._path_of(work)
        answers = Answers(lambda path, body: self._post(path, body, ANSWER_S), path)
        self._answers.append(answers)
        pause = FIRST_PAUSE_S
        freed = asyncio.Event()
        working: set[str] = set()

        def leave(task_id: str) -> None:
            working.discard(task_id)
            freed.set()

        while True:
            # Whose function is through no longer takes a place, unless the platform is slow to take the results.
            while len(working) >= self._capacity or len(running) >= 2 * self._capacity:
                freed.clear()
                await freed.wait()
            if working:
                # A moment later more may have ended, and one request leases for all of them.
                await asyncio.sleep(GATHER_S)
            wanted = {"capacity": min(self._capacity - len(working), LARGEST_LEASE), "wait_s": WAIT_S}
            try:
                answer = await self._post(f"{path}/lease", json.dumps(wanted).encode(), WAIT_S + ANSWER_S)
                tasks = [] if answer.status_code == httpx.codes.NO_CONTENT else json_of(answer)["tasks"]
            except UnavailableError as error:
                log.warning("no work can be leased now: %s", error)
                await asyncio.sleep(error.retry_after_s or pause * (0.5 + secrets.randbelow(1001) / 1000))
                pause = min(2 * pause, LONGEST_PAUSE_S)
                continue
            pause = FIRST_PAUSE_S
            for leased in tasks:
                self.progress.leased += 1
                working.add(leased["task_id"])
                task = asyncio.ensure_future(self._do(work, path, answers, leased, leave))
                running.add(task)
                task.add_done_callback(running.discard)
                task.add_done_callback(lambda _: freed.set())

    async def _path_of(self, work: Work) -> str:
        root = await self._until_answered(self._find_root)
        if work.kind != "agent":
            return f"{root}/queues/{work.name}"
        agent_id = await self._until_answered(lambda: self._find_agent(root, work.name))
        return f"{root}/agents/{agent_id}/work"

    async def _find_root(self) -> str:
        workspace_id = self._endpoint.workspace_id
        if workspace_id is None:
            workspace_id = json_of(await self._request("GET", "/api/v1/runner"))["workspace_id"]
        return f"/api/v1/workspaces/{workspace_id}"

    async def _find_agent(self, root: str, name: str) -> str:
        loop = asyncio.get_running_loop()

        def get(path: str, query: dict[str, str], headers: dict[str, str]) -> httpx.Response:
            asked = self._request("GET", root + path, params=query, headers=headers)
            return asyncio.run_coroutine_threadsafe(asked, loop).result()

        return await asyncio.to_thread(find_agent, get, name)

    async def _until_answered(self, ask: Callable[[], Awaitable[str]]) -> str:
        pause = FIRST_PAUSE_S
        while True:
            try:
                return await ask()
            except UnavailableError as error:
                log.warning("the platform does not answer yet: %s", error)
                await asyncio.sleep(error.retry_after_s or pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    # --------------------------------------------------------------------------------------------------------- a task

    async def _do(
        self, work: Work, path: str, answers: Answers, task: dict[str, Any], leave: Callable[[str], None]
    ) -> None:
        context = TaskContext(
            task_id=task["task_id"],
            attempt=task["attempt"],
            idempotency_key=task.get("idempotency_key") or task["task_id"],
            traceparent=task.get("traceparent"),
            seed=task.get("seed"),
            max_cost_usd=task.get("max_cost_usd"),
            mode=task.get("mode"),
            config_hash=task.get("config_hash"),
        )
        path = f"{path}/{context.task_id}"
        token = task["lease_token"]
        counted = False
        try:
            calling = asyncio.ensure_future(_call(work, task, context))
            keeping = asyncio.ensure_future(self._keep(path, token, task["lease_s"], context))
            try:
                await asyncio.wait({calling, keeping}, return_when=asyncio.FIRST_COMPLETED)
                if not calling.done() and inspect.iscoroutinefunction(work.function):
                    calling.cancel()
                # A thread cannot be ended from outside: its place is taken until it is through.
                await asyncio.wait({calling})
            finally:
                keeping.cancel()
                calling.cancel()
                await asyncio.gather(keeping, calling, return_exceptions=True)
                leave(context.task_id)
            if context.cancelled or calling.cancelled():
                return
            said = calling.result()
            if await self._answer(answers, token, said, context):
                counted = True
                if "error" in said:
                    self.progress.failed += 1
                else:
                    self.progress.done += 1
        finally:
            if not counted:
                self.progress.lost += 1

    async def _keep(self, path: str, token: str, lease_s: float, context: TaskContext) -> None:
        """Heartbeats every third of the lease; ends when the lease is lost."""
        body = json.dumps({"lease_token": token}).encode()
        pause = lease_s / 3
        while True:
            await asyncio.sleep(pause)
            try:
                await self._post(f"{path}/heartbeat", body, max(1.0, lease_s / 3))
                pause = lease_s / 3
            except UnavailableError as error:
                log.warning("the lease of task %s cannot be kept now: %s", context.task_id, error)
                pause = min(lease_s / 10, LONGEST_PAUSE_S)
            except RefusedError as error:
                log.warning("task %s is not ours any more: %s", context.task_id, error)
                context.note_lost()
                return

    async def _answer(self, answers: Answers, token: str, said: dict[str, Any], context: TaskContext) -> bool:
        """Send the result until it is taken; False where the lease was lost."""
        told = {"lease_token": token, **context.reported()}
        body = _encoded(told, said)
        pause = FIRST_PAUSE_S
        while True:
            try:
                await answers.send(context.task_id, body)
                return True
            except UnavailableError as error:
                log.warning("the result of task %s cannot be sent now: %s", context.task_id, error)
                await asyncio.sleep(error.retry_after_s or pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
            except RefusedError as error:
                if error.status not in {400, 413, 422} or not told:
                    log.warning("the result of task %s was not taken: %s", context.task_id, error)
                    return False
                # What was said is nothing that the platform can keep; whoever waits hears that instead.
                told = {}
                message = f"The result was not taken: {error.detail}"[:LONGEST_MESSAGE]
                said["error"] = {"type": "result-not-taken", "message": message, "retryable": False}
                said.pop("output", None)
                body = _encoded({"lease_token": token}, said)

    # ----------------------------------------------------------------------------------------------------------- HTTP

    async def _post(self, path: str, body: bytes, timeout_s: float) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        timeout = httpx.Timeout(timeout_s, connect=CONNECT_S)
        return await self._request("POST", path, content=body, headers=headers, timeout=timeout)

    async def _request(self, method: str, path: str, **parts: Any) -> httpx.Response:
        try:
            return checked(await self._http.request(method, path, **parts))
        except httpx.TransportError as error:
            raise unreachable(error, self._endpoint.url) from error


def _encoded(told: dict[str, Any], said: dict[str, Any]) -> bytes:
    """A result as JSON; an output that is none, or too long a one, becomes the error that says so."""
    try:
        body = json.dumps(told | said, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        wrong = _error("output-not-json", f"The function's output is not JSON: {error}", retryable=False)
    else:
        # A server that reads no further than its limit may be gone before it is heard.
        if len(body) <= MAX_RESULT_BYTES:
            return body
        message = f"The result has {len(body)} bytes of JSON, more than {MAX_RESULT_BYTES}"
        wrong = _error("output-too-large", message, retryable=False)
    said.pop("output", None)
    said |= wrong
    return json.dumps({"lease_token": told["lease_token"]} | said, separators=(",", ":")).encode()


async def _call(work: Work, task: dict[str, Any], context: TaskContext) -> dict[str, Any]:
    """`{output}` or `{error}`: whatever the function does."""
    CURRENT.set(context)
    started = time.monotonic()
    try:
        with joined_trace(context):
            if inspect.iscoroutinefunction(work.function):
                output = await work.function(*work.arguments(task))
            else:
                output = await _in_thread(work.function, *work.arguments(task))
                if inspect.isawaitable(output):
                    output = await output
    except TaskFailed as error:
        return _error(error.type, str(error), retryable=error.retryable)
    except Exception as error:
        log.exception("task %s failed", context.task_id)
        return _error(type(error).__name__, str(error), retryable=True)
    finally:
        if work.kind == "agent":
            context.note_latency(time.monotonic() - started)
    return {"output": output}


def _error(type_: str, message: str, *, retryable: bool) -> dict[str, Any]:
    said = {"type": type_[:LONGEST_TYPE] or "failed", "message": message[:LONGEST_MESSAGE], "retryable": retryable}
    return {"error": said}


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's result. Its thread is a daemon: a process that ends does not wait for what it gave up."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
    around = copy_context()

    def tell(result: Any, error: BaseException | None) -> None:
        if not ended.done():
            ended.set_result((result, error))

    def body() -> None:
        result, failure = None, None
        try:
            result = around.run(function, *arguments)
        except BaseException as error:  # noqa: BLE001 - an exit asked for by the function ends its task, not the runner
            failure = error if isinstance(error, Exception) else TaskFailed(f"the function raised {error!r}")
        # The loop may be gone by now.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, result, failure)

    threading.Thread(target=body, name="spectral-task", daemon=True).start()
    result, failure = await ended
    if failure is not None:
        raise failure
    return result

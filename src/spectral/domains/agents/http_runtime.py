"""The runtime `http`: each execution is one signed POST to an address of the customer's."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx
from pydantic import JsonValue

from spectral.domains.agents.config import ConfigDocument, canonical_hash
from spectral.domains.agents.errors import NotExecutableError
from spectral.domains.agents.executing import Call, call_of, executed, missing
from spectral.domains.agents.json_values import storable_json
from spectral.domains.agents.models import Agent
from spectral.domains.agents.runtime import HTTP, MODE_ATTRIBUTE, Execution, ExecutionMode
from spectral.domains.agents.settings import HttpSettings, http_settings, require_side_effects
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.outbound import Network, OutboundCalls, OutboundRefusedError, ResponseTooLargeError
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.money import usd_to_nano
from spectral.platform.shared.secret_box import SealBrokenError, SecretBox
from spectral.platform.webhooks.signing import signed_headers

ANSWER_LIMIT_BYTES = 1024 * 1024
LATER = frozenset({408, 425, 429})
"""What an address answers that could do it another time; so does every 5xx."""

AdmittedNetworks = Callable[[WorkspaceAccess], Awaitable[Sequence[Network]]]
"""The private networks that a workspace has opened for its own calls."""


class HttpRuntimes:
    """Agents that are called at an address. Lives as long as the application."""

    def __init__(self, calls: OutboundCalls, box: SecretBox, admitted: AdmittedNetworks) -> None:
        self._calls = calls
        self._box = box
        self._admitted = admitted

    def check(self, agent: Agent) -> None:
        """Raises NotExecutableError (400) without a secret to sign with, and until side effects were spoken of."""
        require_side_effects(agent, http_settings(agent).side_effects)
        if agent.runtime_secret_sealed is None:
            raise NotExecutableError(
                f"What is posted to the agent {agent.name} could not be signed: it has no secret yet; "
                f"POST …/agents/{agent.id}/runtime-secret makes one"
            )

    def of(
        self, access: WorkspaceAccess, agent: Agent, mode: ExecutionMode, *, subject: str | None = None
    ) -> "HttpRuntime":
        """The agent's address. Raises NotExecutableError (400) where its secret cannot be read any more."""
        try:
            secret = self._box.open(agent.runtime_secret_sealed or "")
        except SealBrokenError as error:
            raise NotExecutableError(f"The secret of the agent {agent.name} cannot be read; set it again") from error
        return HttpRuntime(self._calls, self._admitted, access, agent, secret, mode, subject)


class HttpRuntime:
    """Posts the work of one agent to its address."""

    def __init__(
        self,
        calls: OutboundCalls,
        admitted: AdmittedNetworks,
        access: WorkspaceAccess,
        agent: Agent,
        secret: str,
        mode: ExecutionMode,
        subject: str | None,
    ) -> None:
        self._calls = calls
        self._admitted = admitted
        self._access = access
        self._agent_id = agent.id
        self._secret = secret
        self._mode = mode
        self._subject = subject
        self._settings: HttpSettings = http_settings(agent)
        self.in_flight = self._settings.in_flight

    @property
    def ceiling_nano_usd(self) -> int | None:
        """The most that one execution may cost, None where nobody has said."""
        return self._settings.max_cost_usd

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[JsonValue], seeds: Sequence[int]
    ) -> list[Execution]:
        """One execution for each input, in their order, `in_flight` of them at once.

        An address that is away, slow, or that answers something else, is a missing execution. Raises
        NotExecutableError (400) for an address that may not be called.
        """
        config_hash = canonical_hash(config)
        turn = asyncio.Semaphore(self.in_flight)
        admitted = await self._admitted(self._access)
        async with self._calls.client(
            admitted, timeout_s=self._settings.timeout_s, response_limit_bytes=ANSWER_LIMIT_BYTES
        ) as client:

            async def one(value: JsonValue, seed: int) -> Execution:
                call = call_of(self._agent_id, self._subject, self._mode, config, config_hash, value, seed)
                async with turn:
                    return await self._post(client, call)

            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(one(*each)) for each in zip(inputs, seeds, strict=True)]
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _post(self, client: httpx.AsyncClient, call: Call) -> Execution:
        body = json.dumps(call.document() | {"mode": self._mode.value}, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "traceparent": call.traceparent,
            "baggage": f"{MODE_ATTRIBUTE}={self._mode.value}",
            **signed_headers([self._secret], call.key or str(new_id()), int(time.time()), body),
        }
        started = time.monotonic()
        try:
            response = await client.post(self._settings.url, content=body, headers=headers)
        except OutboundRefusedError as error:
            raise NotExecutableError(f"The agent's address was not called: {error}") from error
        except (ResponseTooLargeError, httpx.HTTPError) as error:
            return self._missing(_reason(error, self._settings), started, retryable=True)
        if not response.is_success:
            retryable = response.is_server_error or response.status_code in LATER
            return self._missing(f"The agent's address answered {response.status_code}", started, retryable=retryable)
        try:
            answer = _answer(response.content)
            cost = answer.get("cost_usd")
            cost_nano_usd = None if cost is None else usd_to_nano(cost)
        except ValueError as error:
            return self._missing(f"The agent's address answered what is no answer: {error}", started, retryable=True)
        return executed(
            HTTP,
            self._mode,
            answer,
            cost_nano_usd=cost_nano_usd,
            latency_ms=_since(started),
            trace_id=answer.get("trace_id"),
        )

    def _missing(self, message: str, started: float, *, retryable: bool) -> Execution:
        # Whatever became of the answer, the agent may have been executed: its cost is unknown.
        return missing(HTTP, self._mode, message, retryable=retryable, cost_nano_usd=None, latency_ms=_since(started))


def _answer(content: bytes) -> Mapping[str, Any]:
    """`{output | error, usage?, cost_usd?, trace_id?}`. Raises ValueError that says what it is instead."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON") from error
    if not isinstance(answer, dict) or ("output" in answer) is ("error" in answer):
        raise ValueError("it is not an object with exactly one of output and error")
    for name, kind in (("usage", dict), ("trace_id", str)):
        if not isinstance(answer.get(name), kind | None):
            raise ValueError(f"its {name} has another type")  # noqa: TRY004 - as every other answer that is none
    if answer.get("error", "") is None:
        raise ValueError("its error is null")
    checked: Mapping[str, Any] = storable_json(answer)
    return checked


def _reason(error: httpx.HTTPError, settings: HttpSettings) -> str:
    """In words of ours: those of a library may hold what was sent."""
    if isinstance(error, ResponseTooLargeError):
        return f"The agent's address answered more than {ANSWER_LIMIT_BYTES} bytes"
    if isinstance(error, httpx.TimeoutException):
        return f"The agent's address did not answer within {settings.timeout_s:g} s"
    return "The agent's address could not be reached, or broke the connection"


def _since(started: float) -> float:
    return (time.monotonic() - started) * 1000

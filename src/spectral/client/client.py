"""The platform, as a process that runs agents or does work for workflows sees it."""

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from spectral.client.config import AgentConfig, ConfigCache, LiveConfig, default_cache_dir
from spectral.client.runner import CAPACITY, GRACE_S, RunnerSession
from spectral.client.tasks import Work
from spectral.client.wire import CONNECT_S, Endpoint, checked, endpoint_of_environment, json_of, unreachable

ANSWER_S = 10.0
PRODUCTION = "production"

F = TypeVar("F", bound=Callable[..., Any])


class SpectralClient:
    """One workspace, under one key. Safe to use from several threads; starts none until it runs work.

    Where nothing is said, `SPECTRAL_URL` and `SPECTRAL_API_KEY` say it. workspace_id: found out with the key where it
    is left out.  cache_dir: where configs are kept for when the platform is away.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        workspace_id: str | None = None,
        cache_dir: Path | None = None,
        timeout_s: float = ANSWER_S,
    ) -> None:
        """Raises NotConfiguredError where it is not said where the platform is, or with which key."""
        if url is None or key is None:
            told = endpoint_of_environment(_environment(url, key))
            url, key, workspace_id = told.url, told.key, workspace_id or told.workspace_id
        self.endpoint = Endpoint(url, key, workspace_id)
        self._cache_dir = cache_dir or default_cache_dir()
        self._http = httpx.Client(
            base_url=self.endpoint.url,
            headers=self.endpoint.headers,
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_S)),
        )
        self._workspace_id = workspace_id
        self._agents: dict[tuple[str, str], Agent] = {}
        self.works: dict[tuple[str, str], Work] = {}

    def agent(self, agent: str, *, environment: str = PRODUCTION) -> "Agent":
        """An agent of the workspace by its id or its name; nothing is asked yet."""
        return self._agents.setdefault((agent, environment), Agent(self, agent, environment))

    def work(self, queue: str) -> Callable[[F], F]:
        """Registers the decorated function for the tasks of a queue: `(task, inputs) -> output`, also asynchronous."""
        return self._register("queue", queue)

    def runner(self, *, capacity: int = CAPACITY, grace_s: float = GRACE_S) -> RunnerSession:
        """A session that does what was registered so far. Raises ValueError where that is nothing."""
        return RunnerSession(self.endpoint, list(self.works.values()), capacity=capacity, grace_s=grace_s)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _register(self, kind: str, name: str) -> Callable[[F], F]:
        def register(function: F) -> F:
            self.works[kind, name] = Work(kind, name, function)
            return function

        return register

    def _live_config(self, agent: str, environment: str) -> LiveConfig:
        whose = self.endpoint.workspace_id or self.endpoint.key
        cache = ConfigCache(self._cache_dir, self.endpoint.url, whose, agent, environment)
        return LiveConfig(self._get, cache, agent, environment)

    def _get(self, path: str, query: dict[str, str], headers: dict[str, str]) -> httpx.Response:
        if self._workspace_id is None:
            self._workspace_id = json_of(self._ask("/api/v1/runner", {}, {}))["workspace_id"]
        return self._ask(f"/api/v1/workspaces/{self._workspace_id}{path}", query, headers)

    def _ask(self, path: str, query: dict[str, str], headers: dict[str, str]) -> httpx.Response:
        try:
            return checked(self._http.get(path, params=query, headers=headers))
        except httpx.TransportError as error:
            raise unreachable(error, self.endpoint.url) from error


class Agent:
    """One agent in one environment."""

    def __init__(self, client: SpectralClient, agent: str, environment: str) -> None:
        self.name = agent
        self._client = client
        self._live = client._live_config(agent, environment)  # noqa: SLF001 - the two are one thing

    def config(self, max_age_s: float = 0.0, *, session: str | None = None) -> AgentConfig:
        """What is live now; what was known last, marked `is_stale`, while the platform is away.

        session: the id under which the session's spans are sent (`session.id`). While a promotion keeps a holdback, a
        small share of the sessions goes on with the version before, each with the same one throughout. Without a
        session the new version is answered.

        One small request (304 while nothing is new), or none where the platform said so less than `max_age_s` seconds
        ago. Blocks; in asynchronous code: `await asyncio.to_thread(agent.config)`.
        Raises RefusedError, and UnavailableError where the platform is away and nothing was ever known.
        """
        config = self._live.read(max_age_s)
        return config if session is None else config.for_session(session)

    def run(self, function: F) -> F:
        """Registers the decorated function for the agent's tasks: `(config, input) -> output`, also asynchronous.

        config: the document under which it is to run, which is not always the live one.
        """
        return self._client._register("agent", self.name)(function)  # noqa: SLF001 - the two are one thing


def _environment(url: str | None, key: str | None) -> dict[str, str]:
    given = {"SPECTRAL_URL": url, "SPECTRAL_API_KEY": key}
    return dict(os.environ) | {name: value for name, value in given.items() if value is not None}

"""An agent's config as it is live: asked for with an entity tag, kept on disk, and there while the platform is not."""

import hashlib
import json
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote
from uuid import UUID

import httpx

from spectral.client.arms import Arm, place_of
from spectral.client.errors import RefusedError, UnavailableError
from spectral.client.wire import json_of

PAUSE_WHEN_AWAY_S = 5.0
LONGEST_PAUSE_S = 60.0
FORMAT = 2
READABLE = frozenset({1, 2})
"""What earlier releases have written; the first had no arms."""

log = logging.getLogger("spectral.client")

Get = Callable[[str, dict[str, str], dict[str, str]], httpx.Response]
"""GET a path below the workspace with a query and headers. Raises UnavailableError and RefusedError."""


@dataclass(frozen=True)
class AgentConfig:
    """One version of an agent's config.

    document: `{prompts, model, parameters, few_shot, tools, custom, search_space}`.
    is_stale: the platform could not be asked whether another version is live by now.
    arms, salt: while a promotion keeps a holdback, which share of the sessions gets which version; see `for_session`.
    """

    agent_id: str
    environment: str
    version: int
    config_hash: str
    document: dict[str, Any]
    is_stale: bool = False
    arms: tuple[Arm, ...] = ()
    salt: str | None = None

    def for_session(self, session: str) -> "AgentConfig":
        """The config that this session gets: always the same one while the arms are what they are."""
        if not self.arms or self.salt is None:
            return self
        arm = self.arms[place_of([each.weight for each in self.arms], self.salt, session)]
        if arm.document is None:
            return self
        return replace(self, version=arm.version, config_hash=arm.config_hash, document=arm.document)

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes by which a span says which agent answered, in which version of its config."""
        return {"spectral.agent.id": self.agent_id, "spectral.agent.version": str(self.version)}


def default_cache_dir() -> Path:
    """`$XDG_CACHE_HOME/spectral`, else `~/.cache/spectral`, else a folder of this user's for temporary files."""
    chosen = os.environ.get("XDG_CACHE_HOME")
    if chosen:
        return Path(chosen) / "spectral"
    try:
        return Path.home() / ".cache" / "spectral"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"spectral-{os.getuid()}"


class ConfigCache:
    """One file per agent and environment, readable by this user only. A file that cannot be read counts as none."""

    def __init__(self, folder: Path, *identity: str) -> None:
        name = hashlib.sha256("\n".join(identity).encode()).hexdigest()
        self._path = folder / f"config-{name}.json"

    def read(self) -> tuple[AgentConfig, str] | None:
        """What was written last, with its entity tag."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            if kept["format"] not in READABLE:
                return None
            return _kept_config(kept["config"]), str(kept["etag"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def write(self, config: AgentConfig, etag: str) -> None:
        """Keep it; a reader sees the former file or this one, never half of it. A full disk is only logged."""
        fields = ("agent_id", "environment", "version", "config_hash", "document", "salt")
        said = {name: getattr(config, name) for name in fields} | {"arms": [asdict(arm) for arm in config.arms]}
        kept = {"format": FORMAT, "etag": etag, "config": said}
        temporary: str | None = None
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Made with mode 0600.
            descriptor, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(kept, file)
            Path(temporary).replace(self._path)
        except OSError as error:
            log.warning("the config is not kept on disk: %s", error)
            if temporary is not None:
                with suppress(OSError):
                    Path(temporary).unlink()


class LiveConfig:
    """The config of one agent in one environment. Safe to use from several threads; starts none."""

    def __init__(self, get: Get, cache: ConfigCache, agent: str, environment: str) -> None:
        self._get = get
        self._cache = cache
        self._agent = agent
        self._environment = environment
        self._lock = threading.Lock()
        self._known: AgentConfig | None = None
        self._etag: str | None = None
        self._asked_at = float("-inf")
        self._away_until = float("-inf")
        self._failures = 0

    def read(self, max_age_s: float) -> AgentConfig:
        """See `Agent.config`."""
        known = self._known
        # While one thread asks, the others go on with what is known, as stale as that may be by then.
        if not self._lock.acquire(blocking=known is None):
            return cast("AgentConfig", known)
        try:
            return self._read(max_age_s)
        finally:
            self._lock.release()

    def _read(self, max_age_s: float) -> AgentConfig:
        if self._known is None and (kept := self._cache.read()) is not None:
            self._known, self._etag = replace(kept[0], is_stale=True), kept[1]
        now = time.monotonic()
        if self._known is not None and (now - self._asked_at < max_age_s or now < self._away_until):
            return self._known
        try:
            self._known = self._ask()
        except UnavailableError as error:
            if self._known is None:
                raise
            if not self._known.is_stale:
                log.warning("the last known config goes on: %s", error)
                self._known = replace(self._known, is_stale=True)
            # Whoever asks for every call does not wait for the connection each time, and less often the longer it is.
            pause = min(PAUSE_WHEN_AWAY_S * 2 ** min(self._failures, 10), LONGEST_PAUSE_S)
            self._failures += 1
            self._away_until = time.monotonic() + pause
        else:
            self._failures = 0
            self._asked_at = time.monotonic()
        return self._known

    def _ask(self) -> AgentConfig:
        known = self._known
        agent_id = known.agent_id if known is not None else find_agent(self._get, self._agent)
        try:
            return self._ask_for(agent_id)
        except RefusedError as error:
            if error.status != httpx.codes.NOT_FOUND or known is None or agent_id == self._agent:
                raise
        # It may have been made anew under its name.
        self._known = self._etag = None
        return self._ask_for(find_agent(self._get, self._agent))

    def _ask_for(self, agent_id: str) -> AgentConfig:
        headers = {} if self._etag is None else {"If-None-Match": self._etag}
        answer = self._get(f"/agents/{agent_id}/config", {"environment": self._environment}, headers)
        if answer.status_code == httpx.codes.NOT_MODIFIED and self._known is not None:
            return replace(self._known, is_stale=False)
        body = json_of(answer)
        config = AgentConfig(
            agent_id,
            self._environment,
            body["version"],
            body["config_hash"],
            body["config"],
            # A server that knows nothing of arms has none.
            arms=tuple(
                Arm(arm["version"], arm["weight"], arm["config_hash"], arm.get("config"))
                for arm in body.get("arms") or []
            ),
            salt=body.get("salt"),
        )
        self._etag = answer.headers.get("ETag")
        if self._etag is not None:
            self._cache.write(config, self._etag)
        return config


def _kept_config(kept: dict[str, Any]) -> AgentConfig:
    """What a file says. Raises TypeError, KeyError or AttributeError for what no config says."""
    config = AgentConfig(**{**kept, "arms": tuple(Arm(**arm) for arm in kept.get("arms", []))})
    weights = [arm.weight for arm in config.arms]
    if not isinstance(config.document, dict) or not all(isinstance(weight, float | int) for weight in weights):
        message = "not what was written"
        raise TypeError(message)
    return config


def find_agent(get: Get, agent: str) -> str:
    """The id of an agent that is named by its id or its name. Raises RefusedError (404) for an unknown one."""
    try:
        return str(UUID(agent))
    except ValueError:
        pass
    found = json_of(get("/agents", {"name": agent, "limit": "1"}, {}))["results"]
    if not found:
        raise RefusedError(404, "not-found", f"Agent {quote(agent)} not found")
    return str(found[0]["id"])

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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx

from spectral.client.errors import RefusedError, UnavailableError
from spectral.client.wire import json_of

PAUSE_WHEN_AWAY_S = 5.0
FORMAT = 1

log = logging.getLogger("spectral.client")

Get = Callable[[str, dict[str, str], dict[str, str]], httpx.Response]
"""GET a path below the workspace with a query and headers. Raises UnavailableError and RefusedError."""


@dataclass(frozen=True)
class AgentConfig:
    """One version of an agent's config.

    document: `{prompts, model, parameters, few_shot, tools, custom, search_space}`.
    is_stale: the platform could not be asked whether another version is live by now.
    """

    agent_id: str
    environment: str
    version: int
    config_hash: str
    document: dict[str, Any]
    is_stale: bool = False


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
            if kept["format"] != FORMAT:
                return None
            return AgentConfig(**kept["config"]), str(kept["etag"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, config: AgentConfig, etag: str) -> None:
        """Keep it; a reader sees the former file or this one, never half of it. A full disk is only logged."""
        fields = ("agent_id", "environment", "version", "config_hash", "document")
        kept = {"format": FORMAT, "etag": etag, "config": {name: getattr(config, name) for name in fields}}
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

    def read(self, max_age_s: float) -> AgentConfig:
        """See `Agent.config`."""
        with self._lock:
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
                # Whoever asks for every call does not wait for the connection each time.
                self._away_until = time.monotonic() + PAUSE_WHEN_AWAY_S
            else:
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
        config = AgentConfig(agent_id, self._environment, body["version"], body["config_hash"], body["config"])
        self._etag = answer.headers.get("ETag")
        if self._etag is not None:
            self._cache.write(config, self._etag)
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

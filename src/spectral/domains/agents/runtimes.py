"""The runtimes of this installation by their names: ours, and those that packages bring.

A package adds one with an entry point: `[project.entry-points."spectral.runtimes"]`, `acme = "my_package:Acme"`, where
`Acme()` is a `BroughtRuntime` of the name `acme`.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

from pydantic import BaseModel

from spectral.domains.agents.errors import NotExecutableError
from spectral.domains.agents.models import OBSERVED, Agent
from spectral.domains.agents.runtime import HTTP, PROMPT, RUNNER, WORKFLOW, AgentRuntime, ExecutionMode
from spectral.platform.access.principal import WorkspaceAccess

GROUP = "spectral.runtimes"
NAME_MAXIMUM = 20
"""As the store has it."""

OURS = frozenset({PROMPT, WORKFLOW, HTTP, RUNNER, OBSERVED})


class RuntimeKind(Protocol):
    """One kind of runtime: what it needs of an agent, and what executes one."""

    def check(self, agent: Agent) -> None:
        """Raises NotExecutableError (400) where the agent's settings do not allow it to be executed."""
        ...

    def of(
        self, access: WorkspaceAccess, agent: Agent, mode: ExecutionMode, *, subject: str | None = None
    ) -> AgentRuntime:
        """What executes the agent, which has passed `check`. Nothing is read or called yet."""
        ...


class BroughtRuntime(RuntimeKind, Protocol):
    """A runtime that a package brings.

    name: what agents call it, that of its entry point.  settings: the shape of their `runtime_settings`, which are in
    `agent.runtime_settings` when it is asked; whatever is secret belongs into the process's own environment.
    """

    name: str
    settings: type[BaseModel]


class RuntimeRegistrationError(Exception):
    """An installed package names a runtime that cannot be used; the message names the entry point."""


def load_runtimes(found: Iterable[EntryPoint]) -> Mapping[str, BroughtRuntime]:
    """Name → runtime. Raises RuntimeRegistrationError: a name that is ours or another's, or what is no such runtime."""
    chosen: dict[str, EntryPoint] = {}
    for point in found:
        if point.name in OURS or not 0 < len(point.name) <= NAME_MAXIMUM:
            message = f"runtime {point.name!r} ({point.value}): the name is ours, or longer than {NAME_MAXIMUM} letters"
            raise RuntimeRegistrationError(message)
        earlier = chosen.setdefault(point.name, point)
        if earlier.value != point.value:
            # A package must not be able to take over another one's agents.
            message = f"runtime {point.name!r} is registered twice: {earlier.value} and {point.value}"
            raise RuntimeRegistrationError(message)
    return {name: _load(point) for name, point in sorted(chosen.items())}


@cache
def installed_runtimes() -> Mapping[str, BroughtRuntime]:
    """The runtimes that packages bring: read once, since a package installed later needs a restart anyway."""
    return load_runtimes(entry_points(group=GROUP))


def _load(point: EntryPoint) -> BroughtRuntime:
    try:
        runtime: BroughtRuntime = point.load()()
    except Exception as error:
        message = f"runtime {point.name!r} ({point.value}) cannot be loaded: {error}"
        raise RuntimeRegistrationError(message) from error
    settings = getattr(runtime, "settings", None)
    is_shaped = isinstance(settings, type) and issubclass(settings, BaseModel)
    if getattr(runtime, "name", None) != point.name or not is_shaped or not callable(getattr(runtime, "of", None)):
        message = f"runtime {point.name!r} ({point.value}) is not a runtime of that name"
        raise RuntimeRegistrationError(message)
    return runtime


class InstalledRuntimes:
    """Finds an agent's runtime by the name that it has. Lives as long as the application."""

    def __init__(self, kinds: Mapping[str, RuntimeKind]) -> None:
        self._kinds = dict(kinds)

    def check(self, agent: Agent) -> None:
        """Raises NotExecutableError (400)."""
        self._kind(agent).check(agent)

    def of(
        self,
        access: WorkspaceAccess,
        agent: Agent,
        mode: ExecutionMode = ExecutionMode.EVALUATION,
        *,
        subject: str | None = None,
    ) -> AgentRuntime:
        """What executes this agent. Raises NotExecutableError (400)."""
        kind = self._kind(agent)
        kind.check(agent)
        return kind.of(access, agent, mode, subject=subject)

    def _kind(self, agent: Agent) -> RuntimeKind:
        kind = self._kinds.get(agent.runtime)
        if kind is None:
            raise NotExecutableError(f"Agents with the runtime '{agent.runtime}' cannot be executed by the platform")
        return kind

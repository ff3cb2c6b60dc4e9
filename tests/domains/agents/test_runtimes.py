"""Runtimes that packages bring: found by their entry points, checked, and used as ours are."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from pydantic import BaseModel, JsonValue

from spectral.domains.agents import settings as settings_module
from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.errors import NotExecutableError
from spectral.domains.agents.executing import executed
from spectral.domains.agents.models import Agent
from spectral.domains.agents.runtime import AgentRuntime, Execution, ExecutionMode
from spectral.domains.agents.runtimes import GROUP, InstalledRuntimes, RuntimeRegistrationError, load_runtimes
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.errors import ValidationFailedError
from tests.fixtures.tenants import Tenant

pytestmark = pytest.mark.databases("sqlite")

CONFIG = ConfigDocument.model_validate(
    {"model": "own", "prompts": {"main": {"messages": [{"role": "user", "content": "{{text}}"}]}}}
)


class EchoSettings(BaseModel):
    greeting: str
    is_open: bool = True


class EchoRuntime:
    """Answers with its greeting and the input."""

    in_flight = 4

    def __init__(self, greeting: str, mode: ExecutionMode) -> None:
        self.greeting = greeting
        self.mode = mode

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[JsonValue], seeds: Sequence[int]
    ) -> list[Execution]:
        del config, seeds
        return [
            executed("echo", self.mode, {"output": f"{self.greeting} {each}"}, cost_nano_usd=0, latency_ms=0.1)
            for each in inputs
        ]


class Echo:
    """The whole of a runtime that a package brings."""

    name = "echo"
    settings = EchoSettings

    def check(self, agent: Agent) -> None:
        if not agent.runtime_settings["is_open"]:
            raise NotExecutableError("the echo is closed")

    def of(
        self, access: WorkspaceAccess, agent: Agent, mode: ExecutionMode, *, subject: str | None = None
    ) -> AgentRuntime:
        del access, subject
        return EchoRuntime(agent.runtime_settings["greeting"], mode)


class Broken:
    name = "broken"


def points(*found: tuple[str, str]) -> list[EntryPoint]:
    return [EntryPoint(name, f"{__name__}:{value}", GROUP) for name, value in found]


async def test_a_runtime_of_a_package_executes_its_agents(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    brought = load_runtimes(points(("echo", "Echo")))
    monkeypatch.setattr(settings_module, "installed_runtimes", lambda: brought)
    settings = settings_module.checked_settings("echo", {"greeting": "Hello"})
    assert settings == {"greeting": "Hello", "is_open": True}
    with pytest.raises(ValidationFailedError) as wrong:
        settings_module.checked_settings("echo", {})
    assert [error.pointer for error in wrong.value.errors] == ["/runtime_settings/greeting"]
    runtimes = InstalledRuntimes(brought)
    agent = Agent(name="Echo", runtime="echo", runtime_settings=settings)
    (done,) = await runtimes.of(tenant.access, agent).execute_many(CONFIG, ["you"], [0])
    assert (done.output, done.attributes) == ("Hello you", {"spectral.mode": "evaluation"})
    closed = Agent(name="Echo", runtime="echo", runtime_settings=settings | {"is_open": False})
    for ask in (runtimes.check, lambda each: runtimes.of(tenant.access, each)):
        with pytest.raises(NotExecutableError, match="closed"):
            ask(closed)


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        ([("prompt", "Echo")], "the name is ours"),
        ([("echo", "Echo"), ("echo", "Broken")], "registered twice"),
        ([("echo", "Missing")], "cannot be loaded"),
        ([("broken", "Broken")], "not a runtime of that name"),
        ([("other", "Echo")], "not a runtime of that name"),
        ([("a" * 21, "Echo")], "longer than 20"),
    ],
    ids=["ours", "twice", "missing", "shapeless", "other name", "long"],
)
def test_what_is_no_runtime_is_refused_by_name(found: list[tuple[str, str]], complaint: str) -> None:
    with pytest.raises(RuntimeRegistrationError, match=complaint):
        load_runtimes(points(*found))


def test_names_do_not_matter_to_json(tenant: Tenant) -> None:
    said: dict[str, Any] = {"output": {"b": 1.0, "a": None}, "usage": {"input_tokens": 3, "output_tokens": -1}}
    done = executed("echo", ExecutionMode.LIVE, said, cost_nano_usd=None, latency_ms=1.0)
    assert (done.output, done.input_tokens, done.output_tokens) == ('{"a":null,"b":1.0}', 3, 0)
    failed = executed(
        "echo", ExecutionMode.LIVE, {"error": {"type": "no-ticket", "message": "none"}}, cost_nano_usd=0, latency_ms=1.0
    )
    assert failed.error is not None
    assert (failed.error.type, failed.error.message, failed.error.missing) == ("agent_error", "no-ticket: none", False)

"""The prompt runtime: rendered prompts in, one execution per input out, faults in their place."""

from collections.abc import Sequence

import pytest
from pydantic import JsonValue

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.errors import NotExecutableError
from spectral.domains.agents.models import Agent
from spectral.domains.agents.runtime import ExecutionMode, PromptRuntime
from spectral.platform.llm.calls import ModelFault, ModelInfo, ModelReply, ModelRequest
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.errors import UnknownModelError
from tests.domains.agents.executing import runtimes_of
from tests.fixtures.tenants import Tenant


class Echo:
    """Answers with the last message; fails where that says so."""

    name = "echo"

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []

    def models(self) -> Sequence[ModelInfo]:
        return [ModelInfo("echo/one", "echo", "repeats what it reads", priced=True, deterministic=True)]

    async def complete_many(self, requests: Sequence[ModelRequest]) -> Sequence[ModelReply | ModelFault]:
        self.requests.extend(requests)
        return [self.answer(request) for request in requests]

    @staticmethod
    def answer(request: ModelRequest) -> ModelReply | ModelFault:
        text = request.messages[-1].content
        if "refuse" in text:
            return ModelFault("invalid_request", "no such parameter")
        if "break" in text:
            return ModelFault("provider_error", "overloaded", retryable=True)
        return ModelReply(f"{text}/{request.seed}", len(text), 2, 1500, 0.5)


def config(model: str = "echo/one") -> ConfigDocument:
    messages = [{"role": "system", "content": "Say it."}, {"role": "user", "content": "{{text}}"}]
    return ConfigDocument.model_validate(
        {
            "prompts": {"main": {"messages": messages}},
            "model": model,
            "parameters": {"temperature": 0.5},
            "few_shot": [{"input": "a", "output": "b"}],
        }
    )


async def test_every_input_gets_its_execution_in_its_place() -> None:
    echo = Echo()
    runtime = PromptRuntime(ModelDoor([echo]))
    inputs: list[JsonValue] = [{"text": "one"}, {"body": "two"}, {"text": "refuse"}, {"text": "break"}, "five"]
    done = await runtime.execute_many(config(), inputs, [7, 8, 9, 10, 11])
    assert [each.output for each in done] == ["one/7", None, None, None, "five/11"]
    assert [each.error and each.error.type for each in done] == [
        None, "input_error", "invalid_request", "provider_error", None,
    ]  # fmt: skip
    assert [each.error is not None and each.error.missing for each in done] == [False, False, False, True, False]
    assert [each.cost_nano_usd for each in done] == [1500, 0, 0, None, 1500]
    assert (done[0].input_tokens, done[0].output_tokens, done[0].latency_ms, done[0].model) == (3, 2, 0.5, "echo/one")
    assert [message.content for message in echo.requests[0].messages] == ["Say it.", "a", "b", "one"]
    assert [request.seed for request in echo.requests] == [7, 9, 10, 11]
    assert echo.requests[0].parameters == {"temperature": 0.5}


async def test_executions_say_why_they_were_made() -> None:
    door = ModelDoor([Echo()])
    (evaluated,) = await PromptRuntime(door).execute_many(config(), ["x"], [0])
    (played,) = await PromptRuntime(door, ExecutionMode.PLAYGROUND).execute_many(config(), ["x"], [0])
    assert evaluated.attributes == {"spectral.mode": "evaluation"}
    assert played.attributes == {"spectral.mode": "playground"}


async def test_an_unknown_model_is_refused_before_anything_runs() -> None:
    echo = Echo()
    runtime = PromptRuntime(ModelDoor([echo]))
    each: list[list[JsonValue]] = [["x"], [], [{"body": "no text"}]]
    for inputs in each:
        with pytest.raises(UnknownModelError):
            await runtime.execute_many(config("gpt"), inputs, [0] * len(inputs))
    assert echo.requests == []


async def test_inputs_and_seeds_belong_together() -> None:
    with pytest.raises(ValueError, match="zip"):
        await PromptRuntime(ModelDoor([Echo()])).execute_many(config(), ["x", "y"], [0])


@pytest.mark.parametrize("name", ["observed", ""])
def test_a_runtime_that_does_not_exist_is_refused(name: str, tenant: Tenant) -> None:
    runtimes = runtimes_of(ModelDoor([Echo()]))
    for refused in (runtimes.check, lambda agent: runtimes.of(tenant.access, agent)):
        with pytest.raises(NotExecutableError, match="cannot be executed"):
            refused(Agent(runtime=name))


async def test_what_is_asked_is_on_the_account_of_the_workspace(tenant: Tenant) -> None:
    echo = Echo()
    runtime = runtimes_of(ModelDoor([echo])).of(tenant.access, Agent(runtime="prompt"), subject="scan:1")
    await runtime.execute_many(config(), ["x"], [0])
    (request,) = echo.requests
    assert (request.access, request.purpose, request.subject) == (tenant.access, "agent", "scan:1")

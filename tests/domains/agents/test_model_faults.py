"""What a fault of a model over the network says about the agent that asked it."""

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import PromptRuntime
from spectral.platform.access.principal import WorkspaceAccess
from tests.fixtures.model_stub import model_stub
from tests.platform.llm.remote.calling import ACCESS, OTHER, Bench

CONFIG = ConfigDocument.model_validate(
    {"model": "openai/gpt-4o-mini", "prompts": {"main": {"messages": [{"role": "user", "content": "{{text}}"}]}}}
)


async def test_only_a_refused_request_is_the_agents_own_error() -> None:
    with model_stub() as stub:
        bench = Bench(stub)

        async def run(access: WorkspaceAccess = ACCESS) -> tuple[object, ...]:
            runtime = PromptRuntime(bench.door, access=access, subject="scan:1")
            (done,) = await runtime.execute_many(CONFIG, [{"text": "hello"}], [1])
            fault = done.error
            if fault is None:
                return done.output, done.cost_nano_usd
            return fault.type, fault.missing, fault.retryable, fault.retry_after_s, done.cost_nano_usd

        assert await run() == ("HELLO", 3_600)
        stub.fail(400, "too long")
        assert await run() == ("invalid_request", False, False, None, 0)
        stub.fail(401, "wrong key")
        assert await run() == ("provider_error", True, False, None, 0), "nothing was learned about the agent"
        assert await run(OTHER) == ("provider_error", True, False, None, 0)
        stub.fail(429, "slow down", retry_after="9")
        assert await run() == ("provider_error", True, True, 9.0, 0)
        stub.answer(b"nonsense")
        assert await run() == ("provider_error", True, True, None, None), "it may have been billed"
        assert {call.subject for call in bench.records} == {"scan:1"}
        await bench.door.close()

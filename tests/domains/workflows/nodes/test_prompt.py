"""`prompt` nodes: one question, one answer, and what it took."""

from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.nodes.calls import NodeResult, Usage
from spectral.domains.workflows.nodes.prompt import PromptWork
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from tests.domains.workflows.nodes.asking import Scripted, Streaming, make_call, said_in

LABELS = "Which team?\n- billing: invoice, money, refund\n- shipping: parcel, delivery, late"


async def test_the_embedded_runtime_answers_and_says_what_it_took() -> None:
    params = {
        "model": "spectral-local/small",
        "system": LABELS,
        "prompt": "my parcel is late",
        "parameters": {"temperature": 0},
    }
    call = make_call(NodeKind.PROMPT, params)
    done = await PromptWork(ModelDoor([LocalProvider()]))(call)
    usage = done.outputs.pop("usage")
    assert done.outputs == {"text": "shipping", "model": "spectral-local/small", "cost_usd": "0"}
    assert usage["input_tokens"] > 10
    assert done.usage == Usage(usage["input_tokens"] + usage["output_tokens"], 0)
    assert said_in(call).tokens == []
    assert await PromptWork(ModelDoor([LocalProvider()]))(call) == NodeResult(
        {**done.outputs, "usage": usage}, done.usage
    )


async def test_messages_and_parameters_reach_the_model_as_they_are() -> None:
    scripted = Scripted("fine", priced=False)
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello"}]
    params = {"model": "scripted/one", "messages": messages, "parameters": {"temperature": 0.5}}
    done = await PromptWork(scripted.door)(make_call(NodeKind.PROMPT, params))
    assert scripted.asked == [[("system", "Be kind."), ("user", "hello")]]
    assert scripted.requests[0].parameters == {"temperature": 0.5}
    assert (done.outputs["cost_usd"], done.usage) == (None, Usage(3, None))


async def test_a_provider_that_streams_gives_pieces_and_any_other_the_whole_text() -> None:
    params = {"model": "scripted/one", "prompt": "hello", "stream": True}
    streamed, whole = make_call(NodeKind.PROMPT, params), make_call(NodeKind.PROMPT, params)
    (await PromptWork(Streaming("one two three").door)(streamed))
    (await PromptWork(Scripted("one two three").door)(whole))
    assert said_in(streamed).tokens == ["one ", "two ", "three "]
    assert said_in(whole).tokens == ["one two three"]

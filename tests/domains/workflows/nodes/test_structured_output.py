"""`structured_output` nodes: JSON of the given shape, repaired by the model itself or not at all."""

from typing import Any

import pytest

from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.nodes.calls import NodeError, Usage
from spectral.domains.workflows.nodes.model_calls import SpentError
from spectral.domains.workflows.nodes.structured_output import StructuredOutputWork
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from tests.domains.workflows.nodes.asking import Scripted, left, make_call, said_in

SCHEMA = {
    "type": "object",
    "properties": {"team": {"enum": ["billing", "shipping"]}, "urgent": {"type": "boolean"}},
    "required": ["team", "urgent"],
    "additionalProperties": False,
}
GOOD = '```json\n{"team": "billing", "urgent": true}\n```'


def call(**params: Any) -> Any:
    changes = params.pop("changes", {})
    asked = {"model": "scripted/one", "prompt": "hello", "schema": SCHEMA, **params}
    return make_call(NodeKind.STRUCTURED_OUTPUT, asked, **changes)


async def test_an_answer_of_the_right_shape_is_data() -> None:
    scripted = Scripted(GOOD)
    done = await StructuredOutputWork(scripted.door)(call(system="Sort it."))
    assert done.outputs == {
        "data": {"team": "billing", "urgent": True},
        "text": GOOD,
        "model": "scripted/one",
        "repairs": 0,
        "usage": {"input_tokens": 1, "output_tokens": 2},
        "cost_usd": "0.0000015",
    }
    ((system, instruction, user),) = scripted.asked
    assert (system, user) == (("system", "Sort it."), ("user", "hello"))
    assert instruction[0] == "system"
    assert '"additionalProperties":false' in instruction[1]


async def test_a_wrong_answer_goes_back_with_every_mistake_and_all_calls_are_counted() -> None:
    scripted = Scripted('{"team": "sales", "urgent": "yes"}', GOOD)
    made = call()
    done = await StructuredOutputWork(scripted.door)(made)
    assert (done.outputs["repairs"], done.outputs["data"]["team"]) == (1, "billing")
    assert (done.outputs["usage"], done.usage) == ({"input_tokens": 2, "output_tokens": 4}, Usage(6, 3000))
    answered, asked = scripted.asked[1][-2:]
    assert answered == ("assistant", '{"team": "sales", "urgent": "yes"}')
    assert "/team" in asked[1]
    assert "/urgent" in asked[1]
    assert len(said_in(made).logs) == 2


@pytest.mark.parametrize(
    "bad",
    ["no json", "[" * 200 + "]" * 200, '{"team": "billing", "urgent": 1e999}', '"\\u0000"', "NaN", "null"],
    ids=["text", "deep", "infinite", "nul", "nan", "null"],
)
@pytest.mark.parametrize("repairs", [0, 3])
async def test_what_stays_wrong_fails_with_all_that_it_took(bad: str, repairs: int) -> None:
    scripted = Scripted(*[bad] * (repairs + 1))
    with pytest.raises(SpentError, match="did not answer with valid JSON") as caught:
        await StructuredOutputWork(scripted.door)(call(max_repairs=repairs))
    assert (caught.value.type, caught.value.retryable) == ("invalid-structured-output", True)
    assert caught.value.usage == Usage(3 * (repairs + 1), 1500 * (repairs + 1))
    assert scripted.answers == []


@pytest.mark.parametrize(
    ("params", "because"),
    [
        ({"schema": None}, "schema"),
        ({"schema": {"type": "objekt"}}, "schema"),
        ({"schema": {"pattern": "(?=a)"}}, "schema"),
        ({"schema": {"$ref": "https://example.com/schema"}}, "schema"),
        ({"max_repairs": 4}, "max_repairs"),
        ({"max_repairs": True}, "max_repairs"),
        ({"max_repairs": "1"}, "max_repairs"),
    ],
    ids=["none", "type", "look-ahead", "remote", "many", "boolean", "text"],
)
async def test_params_that_make_no_sense_ask_nobody(params: dict[str, Any], because: str) -> None:
    scripted = Scripted("never")
    with pytest.raises(NodeError, match=because) as caught:
        await StructuredOutputWork(scripted.door)(call(**params))
    assert (caught.value.type, caught.value.retryable, scripted.requests) == ("invalid-params", False, [])


async def test_a_repair_is_not_asked_for_beyond_the_budget() -> None:
    scripted = Scripted("no json", GOOD)
    with pytest.raises(SpentError) as caught:
        await StructuredOutputWork(scripted.door)(call(changes={"left": left(3)}))
    assert (caught.value.type, caught.value.usage) == ("budget-exhausted", Usage(3, 1500))


async def test_the_embedded_runtime_can_answer_with_the_json_of_its_examples() -> None:
    billing, shipping = '{"team":"billing","urgent":false}', '{"team":"shipping","urgent":true}'
    messages = [
        {"role": "system", "content": "Sort the mail."},
        {"role": "user", "content": "the invoice is wrong"},
        {"role": "assistant", "content": billing},
        {"role": "user", "content": "where is my parcel"},
        {"role": "assistant", "content": shipping},
        {"role": "user", "content": "my parcel is late"},
    ]
    work = StructuredOutputWork(ModelDoor([LocalProvider()]))
    done = await work(call(model="spectral-local/large", prompt=None, messages=messages))
    assert (done.outputs["data"], done.outputs["repairs"]) == ({"team": "shipping", "urgent": True}, 0)

"""What was sent for a span, in one shape."""

from typing import Any

from spectral.domains.traces.bodies import SpanBody, span_bodies
from spectral.domains.traces.schemas import SpanBodyOut
from tests.domains.traces.otlp_samples import MAPPER, SPAN_ID, TRACE_ID, make_batch, make_span


def body_of(attributes: dict[str, Any]) -> SpanBody:
    chunk = make_batch(make_span(attributes=attributes)).traces[TRACE_ID].chunk
    return span_bodies([(chunk.payload, chunk.codec)], frozenset({SPAN_ID}), MAPPER)[SPAN_ID]


CALL = {
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.system_instructions": '[{"type":"text","content":"be kind"}]',
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hello"}]}]',
    "gen_ai.output.messages": (
        '[{"role":"assistant","parts":[{"type":"tool_call","id":"c","name":"find","arguments":"{\\"id\\":7}"}]}]'
    ),
    "llm.prompt_template.template": "{{greeting}}",
    "llm.prompt_template.variables": '{"greeting":"hello"}',
}


def test_a_call_in_one_shape() -> None:
    out = SpanBodyOut.model_validate(body_of(CALL)).model_dump(mode="json")
    call = {"id": "c", "name": "find", "arguments": {"id": 7}}
    assert out["input"] == [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}]
    assert out["output"] == [{"role": "assistant", "content": None, "tool_calls": [call]}]
    assert out["tool_calls"] == [call]
    assert (out["prompt_template"], out["prompt_variables"]) == ("{{greeting}}", {"greeting": "hello"})
    assert out["cost_source"] == "computed"
    # As it came, beside what was understood.
    assert out["attributes"]["gen_ai.input.messages"] == CALL["gen_ai.input.messages"]


def test_the_source_of_a_cost() -> None:
    assert body_of(CALL | {"gen_ai.usage.cost": 0}).cost_source == "reported"
    assert body_of(CALL | {"gen_ai.request.model": "of-our-own"}).cost_source is None


def test_content_that_is_no_messages_stands_as_it_came() -> None:
    body = body_of({"spectral.input": '{"question": "where?"}', "spectral.output": "at home"})
    assert (body.input, body.output, body.tool_calls) == ({"question": "where?"}, "at home", [])
    assert (body_of({}).input, body_of({}).output, body_of({}).prompt_template) == (None, None, None)

"""Messages read the same, whoever wrote them; anything at all is taken."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.traces.messages import messages_of, tool_calls_of
from spectral.domains.traces.preview import preview

CALL = {"id": "c", "name": "find", "arguments": {"id": 7}}
ASKED = {"role": "assistant", "content": None, "tool_calls": [CALL]}

MEMBERS: tuple[str, ...] = (
    "role",
    "content",
    "parts",
    "type",
    "text",
    "tool_calls",
    "function",
    "messages",
    "choices",
    "message",
)
MEMBERS += ("output", "object", "system", "prompt", "input", "arguments", "response", "value", "name", "id")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(MEMBERS) | st.text(max_size=3),
            inner | st.sampled_from(["text", "tool_call", "tool_result", "tool-result", "response", "user"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "content",
    [
        [{"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "find", "arguments": {"id": 7}}]}],
        [{"role": "assistant", "content": None, "tool_calls": [CALL | {"arguments": '{"id": 7}'}]}],
        [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "find", "arguments": '{"id": 7}'}}]}],
        [{"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "find", "input": {"id": 7}}]}],
        [
            {
                "role": "assistant",
                "content": [{"type": "tool-call", "toolCallId": "c", "toolName": "find", "input": {"id": 7}}],
            }
        ],
        {"choices": [{"message": {"role": "assistant", "tool_calls": [CALL]}}]},
        {
            "object": "response",
            "output": [{"type": "function_call", "call_id": "c", "name": "find", "arguments": '{"id": 7}'}],
        },
    ],
    ids=["parts", "flat", "openai", "anthropic", "vercel", "completion", "response"],
)
def test_a_call_of_a_tool(content: Any) -> None:
    assert messages_of(content) == [ASKED]
    assert tool_calls_of(messages_of(content)) == [CALL]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "tool_call_response", "id": "c", "response": "found"},
        {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "found"}]},
        {"type": "tool-result", "toolCallId": "c", "output": {"type": "text", "value": "found"}},
    ],
    ids=["parts", "anthropic", "vercel"],
)
def test_the_result_of_a_tool_is_a_message_of_its_own(part: dict[str, Any]) -> None:
    result = {"role": "tool", "content": "found", "tool_call_id": "c"}
    assert messages_of([{"role": "user", "content": [part]}]) == [result]
    both = messages_of([{"role": "user", "content": [part, {"type": "text", "text": "and now?"}]}])
    assert both == [result, {"role": "user", "content": "and now?"}]
    asked = [{"role": "user", "content": "where is it?"}, {"role": "user", "content": [part]}]
    assert preview(asked, "input") == "where is it?"


def test_what_is_no_text_stays_as_it_is() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    messages = messages_of([{"role": "user", "content": [{"type": "text", "text": "see"}, image]}])
    assert messages == [{"role": "user", "content": [{"type": "text", "text": "see"}, image]}]
    assert messages_of("text") is messages_of([]) is messages_of([1, {"role": "user"}]) is messages_of({"a": 1}) is None


def test_instructions_go_first() -> None:
    said = [{"role": "user", "content": "hello"}]
    system = {"role": "system", "content": "be kind"}
    assert messages_of(said, [{"type": "text", "content": "be kind"}]) == [system, *said]
    assert messages_of(said, "be kind") == [system, *said]
    assert messages_of({"system": "be kind", "prompt": "hello"}) == [system, *said]


@given(JSON, JSON)
def test_nothing_is_too_strange(content: Any, instructions: Any) -> None:
    for message in messages_of(content, instructions) or ():
        assert {"role", "content"} <= message.keys()
        assert isinstance(message["role"], str)
    preview(content, "input")
    preview(json.dumps(content), "output")

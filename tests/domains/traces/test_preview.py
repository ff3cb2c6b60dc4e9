import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.traces.preview import PREVIEW_BYTES, preview

CURRENT = json.dumps(
    [
        {"role": "system", "parts": [{"type": "text", "content": "be kind"}]},
        {"role": "user", "parts": [{"type": "text", "content": "first"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "name": "find", "arguments": {"id": 7}}]},
        {"role": "user", "parts": [{"type": "text", "content": "where is"}, {"type": "text", "content": "my order?"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "response": {"found": 1}}]},
    ]
)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (CURRENT, "where is\nmy order?"),
        ([{"role": "user", "content": "hello"}], "hello"),
        ('[{"role":"user","content":[{"type":"text","text":"anthropic"}]}]', "anthropic"),
        ('[{"role":"system","content":"only a system prompt"}]', "only a system prompt"),
        ('{"role":"user","content":"one message"}', "one message"),
        ("plain text", "plain text"),
        ('{"city": "Paris"}', '{"city": "Paris"}'),
        ({"city": "Paris"}, '{"city":"Paris"}'),
        ("[not json", "[not json"),
        ("", None),
        (None, None),
        ("null\x00byte", "null\ufffdbyte"),
    ],
)
def test_the_input_shows_what_the_user_last_said(content: object, shown: str | None) -> None:
    assert preview(content, "input") == shown


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ('[{"role":"assistant","parts":[{"type":"text","content":"it is on its way"}]}]', "it is on its way"),
        (CURRENT, '{"found":1}'),
        (
            '[{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"find","arguments":"{}"}}]}]',
            "find({})",
        ),
    ],
)
def test_the_output_shows_the_last_message(content: object, shown: str) -> None:
    assert preview(content, "output") == shown


@given(st.one_of(st.text(max_size=2000), st.recursive(st.none() | st.text() | st.integers(), st.lists, max_leaves=20)))
def test_a_preview_is_never_longer_than_its_limit(content: object) -> None:
    for side in ("input", "output"):
        shown = preview(content, "input" if side == "input" else "output")
        assert shown is None or 0 < len(shown.encode()) <= PREVIEW_BYTES

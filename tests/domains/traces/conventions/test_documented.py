"""Written after the documentation of each convention, not recorded: names for which no recording exists."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from spectral.domains.traces.conventions.base import Convention, Field, text
from spectral.domains.traces.conventions.registry import load_conventions
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.preview import preview
from spectral.domains.traces.vocabulary import Reading
from tests.domains.traces.otlp_samples import MAPPER, make_span, map_span

PAGE = (Path(__file__).parents[4] / "docs" / "conventions.md").read_text()

DOCUMENTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "tokens beside the input",
        {
            "gen_ai.provider.name": "anthropic",
            "gen_ai.usage.input_tokens": 50,
            "gen_ai.usage.cache_read_input_tokens": 1000,
            "gen_ai.usage.cache_creation_input_tokens": 200,
            "gen_ai.request.model": "claude-sonnet-4-5",
        },
        {"input_tokens": 1250, "cache_read_tokens": 1000, "cache_write_tokens": 200},
    ),
    (
        "openllmetry workflow",
        {
            "traceloop.span.kind": "workflow",
            "traceloop.entity.name": "answer",
            "traceloop.association.properties.session_id": "s-1",
            "traceloop.association.properties.user_id": "u-1",
            "traceloop.entity.input": '{"question": "hello"}',
        },
        {"kind": "chain", "operation": "chain", "session_id": "s-1", "user_id": "u-1"},
    ),
    (
        "openllmetry agent",
        {"traceloop.span.kind": "agent", "traceloop.entity.name": "support", "traceloop.entity.version": "3"},
        {"kind": "agent", "agent_id": "support", "agent_version": "3", "operation": "agent"},
    ),
    (
        "openllmetry tool",
        {"traceloop.span.kind": "tool", "traceloop.entity.name": "find", "traceloop.entity.output": "found"},
        {"kind": "tool", "tool_name": "find"},
    ),
    (
        "openllmetry usage",
        {"llm.request.type": "completion", "llm.usage.prompt_tokens": 3, "llm.usage.completion_tokens": 2},
        {"kind": "llm", "operation": "text_completion", "input_tokens": 3, "output_tokens": 2},
    ),
    (
        "vercel 6",
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.provider": "azure-openai.chat",
            "ai.model.id": "gpt-4o",
            "ai.usage.inputTokens": 100,
            "ai.usage.outputTokens": 20,
            "ai.usage.inputTokenDetails.cacheReadTokens": 64,
            "ai.usage.inputTokenDetails.cacheWriteTokens": 1,
            "ai.usage.outputTokenDetails.reasoningTokens": 5,
        },
        {
            "provider": "azure.ai.openai",
            "input_tokens": 100,
            "cache_read_tokens": 64,
            "cache_write_tokens": 1,
            "reasoning_tokens": 5,
        },
    ),
    (
        "langfuse, anthropic's usage",
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "claude-sonnet-4-5",
            "langfuse.observation.usage_details": json.dumps(
                {
                    "input_tokens": 50,
                    "output_tokens": 300,
                    "cache_read_input_tokens": 1000,
                    "cache_creation_input_tokens": 200,
                }
            ),
        },
        {
            "input_tokens": 1250,
            "output_tokens": 300,
            "cache_read_tokens": 1000,
            "cache_write_tokens": 200,
            "cost_nano_usd": 5_700_000,
        },
    ),
    (
        "langfuse, parts of a cost",
        {
            "langfuse.observation.type": "tool",
            "langfuse.observation.cost_details": '{"input": 0.001, "output": 0.002}',
            "langfuse.session.id": "s-1",
            "langfuse.user.id": "u-1",
        },
        {"kind": "tool", "tool_name": "chat small", "cost_nano_usd": 3_000_000, "session_id": "s-1", "user_id": "u-1"},
    ),
    (
        "mlflow",
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.llm.model": '"gpt-4o"',
            "mlflow.llm.provider": '"openai"',
            "mlflow.llm.cost": '{"input_cost": 0.001, "output_cost": 0.002, "total_cost": 0.003}',
            "mlflow.chat.tokenUsage": '{"input_tokens": 9, "output_tokens": 4, "cache_creation_input_tokens": 2}',
            "mlflow.trace.session": '"s-1"',
            "mlflow.trace.user": '"u-1"',
        },
        {
            "provider": "openai",
            "model": "gpt-4o",
            "input_tokens": 9,
            "cache_write_tokens": 2,
            "cost_nano_usd": 3_000_000,
            "session_id": "s-1",
            "user_id": "u-1",
        },
    ),
    (
        "pydantic-ai before 1",
        {
            "agent_name": "support",
            "model_name": "gpt-4o",
            "gen_ai.usage.input_tokens": 10,
            "all_messages_events": json.dumps(
                [
                    {"event.name": "gen_ai.user.message", "content": "hello", "role": "user"},
                    {"event.name": "gen_ai.choice", "message": {"role": "assistant", "content": "hi"}},
                ]
            ),
        },
        {"kind": "agent", "agent_id": "support", "model": "gpt-4o", "input_tokens": 10, "cost_nano_usd": None},
    ),
    (
        "pydantic-ai's tool before 1",
        {"gen_ai.tool.name": "find", "tool_arguments": '{"id": 7}', "tool_response": "found"},
        {"kind": "tool", "tool_name": "find"},
    ),
    (
        "a chain that says chat",
        {"spectral.kind": "chain", "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5},
        {"kind": "chain", "operation": "chain"},
    ),
]


@pytest.mark.parametrize(
    ("attributes", "expected"), [row[1:] for row in DOCUMENTED], ids=[row[0] for row in DOCUMENTED]
)
def test_a_documented_name_is_understood(attributes: dict[str, Any], expected: dict[str, Any]) -> None:
    row = map_span(make_span(attributes=attributes)).row
    assert {name: getattr(row, name) for name in expected} == expected


def read(attributes: dict[str, Any]) -> Reading:
    return MAPPER.read(make_span(attributes=attributes), MAPPER.source(None, None))[0]


def test_content_of_older_versions() -> None:
    (before_1,) = (attributes for name, attributes, _ in DOCUMENTED if name == "pydantic-ai before 1")
    found = read(before_1)
    assert (preview(found.input, "input"), preview(found.output, "output")) == ("hello", "hi")
    documents = {
        "openinference.span.kind": "RETRIEVER",
        "retrieval.documents.0.document.content": "first",
        "retrieval.documents.1.document.content": "second",
    }
    assert read(documents).output == ["first", "second"]
    assert read({"ai.operationId": "ai.embed", "ai.value": '"hello"'}).input == '"hello"'


@pytest.mark.parametrize(
    "prefix",
    ["llm.prompt_template.template", "traceloop.prompt.template", "spectral.prompt.template", "gen_ai.prompt.template"],
)
def test_prompt_templates_and_their_variables(prefix: str) -> None:
    variables = {
        "llm.prompt_template.template": "llm.prompt_template.variables",
        "traceloop.prompt.template": "traceloop.prompt.template_variables",
        "spectral.prompt.template": "spectral.prompt.variables",
        "gen_ai.prompt.template": "gen_ai.prompt.variables",
    }[prefix]
    found = read({prefix: "Hello {{name}}", variables: '{"name": "Ada"}'})
    assert (found.prompt_template, found.prompt_variables) == ("Hello {{name}}", '{"name": "Ada"}')


@pytest.mark.parametrize(
    "value", ["{", "[", '"', "null", '{"a": []}', "[1]", 7, 1.5, True, b"\xff", [], {}, None, "NaN"]
)
def test_no_value_of_any_attribute_is_too_strange(value: Any) -> None:
    keys = {field.key for convention in load_conventions() for field in convention.fields}
    keys |= {key for convention in load_conventions() for key in convention.keys}
    keys |= {f"{prefix}0.x" for convention in load_conventions() for prefix in convention.prefixes}
    for key in sorted(keys):
        assert map_span(make_span(attributes={key: value})).row.encoded_length
    assert map_span(make_span(attributes=dict.fromkeys(sorted(keys), value))).row.encoded_length


def test_a_package_brings_a_convention_along() -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(snippet, "docs/conventions.md", "exec"), names)  # noqa: S102 - the page's own example
    mapper = SpanMapper((*load_conventions(), names["HouseConvention"]()))
    house = {"house.step": "tool", "house.step_name": "find", "house.thread": "t-1", "house.model": "theirs"}
    span = make_span(attributes=house | {"gen_ai.request.model": "gpt-4o"})
    row = mapper.map(span, b"", mapper.source(None, None)).row
    # What an earlier convention found stays.
    assert (row.kind, row.tool_name, row.session_id, row.model) == ("tool", "find", "t-1", "gpt-4o")


def test_a_field_that_no_reading_has_stops_the_start() -> None:
    class Wrong(Convention):
        name = "wrong"
        fields = (Field("a", "colour", text),)

    with pytest.raises(TypeError, match="wrong fills colour"):
        SpanMapper((Wrong(),))


def test_the_page_lists_exactly_what_is_read() -> None:
    sections = dict(re.findall(r"### `(\w+)`[^\n]*\n(.*?)(?=\n##|\Z)", PAGE, re.DOTALL))
    assert list(sections) == [convention.name for convention in load_conventions()]
    for convention in load_conventions():
        rows = re.findall(r"^\| (\w+) \| (.*) \|$", sections[convention.name], re.MULTILINE)
        listed = {field: re.findall(r"`([^`]+)`", keys) for field, keys in rows if field != "field"}
        read_by: dict[str, list[str]] = {}
        for field in convention.fields:
            read_by.setdefault(field.field, []).append(field.key)
        assert listed == read_by, convention.name
        further = {*convention.keys, *convention.prefixes}
        assert {key for key in further if f"`{key}" not in sections[convention.name]} == set(), convention.name

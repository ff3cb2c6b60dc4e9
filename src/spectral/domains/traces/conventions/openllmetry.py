"""OpenLLMetry (Traceloop): what it says beside `gen_ai.*`, and how it said it before it followed that convention.

Source: `opentelemetry-semantic-conventions-ai` and recordings of its instrumentations.
"""

from collections.abc import Mapping
from typing import Any

from spectral.domains.traces.conventions.base import (
    Convention,
    Field,
    content,
    count,
    indexed,
    one_of,
    text,
    texts,
    usd,
    word,
)
from spectral.domains.traces.conventions.providers import provider
from spectral.domains.traces.vocabulary import Kind, Reading

KINDS = {"workflow": Kind.CHAIN, "task": Kind.CHAIN, "agent": Kind.AGENT, "tool": Kind.TOOL}

REQUESTS = {
    "chat": Kind.LLM,
    "completion": Kind.LLM,
    "embedding": Kind.EMBEDDING,
    "rerank": Kind.RETRIEVER,
}

OPERATIONS = {"chat": "chat", "completion": "text_completion", "embedding": "embeddings", "rerank": "rerank"}

PROPERTIES = "traceloop.association.properties."
PROMPTS = ("gen_ai.prompt.", "llm.prompts.")
COMPLETIONS = ("gen_ai.completion.", "llm.completions.")


class OpenLLMetryConvention(Convention):
    """`traceloop.*`, `llm.usage.*`, `gen_ai.prompt.N.*`, `gen_ai.completion.N.*`.

    Cached tokens are parts of the input: its Anthropic instrumentation adds them to what Anthropic calls input.
    """

    name = "openllmetry"
    fields = (
        Field("traceloop.span.kind", "kind", one_of(KINDS)),
        Field("llm.request.type", "kind", one_of(REQUESTS)),
        Field("llm.request.type", "operation", one_of(OPERATIONS)),
        Field("llm.response.model", "model", text),
        Field("llm.request.model", "model", text),
        Field("llm.vendor", "provider", provider),
        Field("llm.usage.prompt_tokens", "input_tokens", count),
        Field("llm.usage.completion_tokens", "output_tokens", count),
        Field("llm.usage.cache_read_input_tokens", "cache_read_tokens", count),
        Field("llm.usage.cache_creation_input_tokens", "cache_write_tokens", count),
        Field("llm.usage.reasoning_tokens", "reasoning_tokens", count),
        Field("llm.usage.total_cost", "cost_nano_usd", usd),
        Field(f"{PROPERTIES}session_id", "session_id", text),
        Field(f"{PROPERTIES}thread_id", "session_id", text),
        Field(f"{PROPERTIES}chat_id", "session_id", text),
        Field(f"{PROPERTIES}user_id", "user_id", text),
        Field(f"{PROPERTIES}tags", "tags", texts),
        Field("traceloop.prompt.template", "prompt_template", content),
        Field("traceloop.prompt.template_variables", "prompt_variables", content),
        Field("traceloop.entity.input", "input", content),
        Field("traceloop.entity.output", "output", content),
    )
    keys = frozenset({"traceloop.span.kind", "traceloop.entity.name", "traceloop.entity.version"})
    prefixes = (*PROMPTS, *COMPLETIONS)

    def derive(self, attributes: Mapping[str, Any], reading: Reading) -> None:
        """The numbered messages, and what the name of an entity is the name of."""
        if reading.input is None:
            reading.input = content([message for prefix in PROMPTS for message in _messages(attributes, prefix)])
        if reading.output is None:
            reading.output = content([message for prefix in COMPLETIONS for message in _messages(attributes, prefix)])
        kind, entity = attributes.get("traceloop.span.kind"), text(attributes.get("traceloop.entity.name"))
        if kind == "tool" and reading.tool_name is None:
            reading.tool_name = entity
        if kind == "agent" and reading.agent_id is None:
            reading.agent_id = entity
            reading.agent_version = word(attributes.get("traceloop.entity.version"))


def _messages(attributes: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    messages = []
    for flat in indexed(attributes, prefix):
        message: dict[str, Any] = {"role": flat.get("role"), "content": flat.get("content")}
        calls = indexed(flat, "tool_calls.")
        if calls:
            message["tool_calls"] = [
                {"id": call.get("id"), "name": call.get("name"), "arguments": call.get("arguments")} for call in calls
            ]
        if "tool_call_id" in flat:
            message["tool_call_id"] = flat["tool_call_id"]
        messages.append(message)
    return messages

"""OpenInference, the convention of Arize Phoenix and its instrumentations.

Source: OpenInference specification, "Semantic Conventions".
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
)
from spectral.domains.traces.conventions.providers import provider
from spectral.domains.traces.vocabulary import Kind, Reading

KINDS = {
    "llm": Kind.LLM,
    "embedding": Kind.EMBEDDING,
    "chain": Kind.CHAIN,
    "prompt": Kind.CHAIN,
    "retriever": Kind.RETRIEVER,
    "reranker": Kind.RETRIEVER,
    "tool": Kind.TOOL,
    "agent": Kind.AGENT,
    "guardrail": Kind.GUARDRAIL,
    "evaluator": Kind.EVALUATOR,
}

OPERATIONS = {
    "llm": "chat",
    "embedding": "embeddings",
    "retriever": "retrieval",
    "reranker": "retrieval",
    "tool": "execute_tool",
    "agent": "invoke_agent",
}

INPUT_MESSAGES = "llm.input_messages."
OUTPUT_MESSAGES = "llm.output_messages."
DOCUMENTS = "retrieval.documents."


class OpenInferenceConvention(Convention):
    """`openinference.*`, `llm.*`, `input.*`, `output.*`. Lists are flattened with indices on the wire.

    `cost` is `llm.cost.total`; cached, reasoning and audio tokens are the `_details` of prompt and completion.
    """

    name = "openinference"
    fields = (
        Field("openinference.span.kind", "kind", one_of(KINDS)),
        Field("openinference.span.kind", "operation", one_of(OPERATIONS)),
        Field("llm.response.model_name", "model", text),
        Field("llm.model_name", "model", text),
        Field("llm.request.model_name", "model", text),
        Field("embedding.model_name", "model", text),
        Field("reranker.model_name", "model", text),
        Field("llm.provider", "provider", provider),
        Field("llm.system", "provider", provider),
        Field("llm.token_count.prompt", "input_tokens", count),
        Field("llm.token_count.completion", "output_tokens", count),
        Field("llm.token_count.prompt_details.cache_read", "cache_read_tokens", count),
        Field("llm.token_count.prompt_details.cache_write", "cache_write_tokens", count),
        Field("llm.token_count.prompt_details.audio", "input_audio_tokens", count),
        Field("llm.token_count.completion_details.reasoning", "reasoning_tokens", count),
        Field("llm.token_count.completion_details.audio", "output_audio_tokens", count),
        Field("llm.cost.total", "cost_nano_usd", usd),
        Field("tool.name", "tool_name", text),
        Field("agent.name", "agent_id", text),
        Field("tag.tags", "tags", texts),
        Field("llm.prompt_template.template", "prompt_template", content),
        Field("llm.prompt_template.variables", "prompt_variables", content),
    )
    keys = frozenset({"input.value", "output.value"})
    prefixes = (INPUT_MESSAGES, OUTPUT_MESSAGES, DOCUMENTS)

    def derive(self, attributes: Mapping[str, Any], reading: Reading) -> None:
        """The flattened messages, and where there are none the span's whole input and output."""
        if reading.input is None:
            reading.input = _messages(attributes, INPUT_MESSAGES) or content(attributes.get("input.value"))
        if reading.output is None:
            reading.output = (
                _messages(attributes, OUTPUT_MESSAGES)
                or content(attributes.get("output.value"))
                or content([document.get("document.content") for document in indexed(attributes, DOCUMENTS)])
            )


def _messages(attributes: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    """Flattened messages as `[{role, content}]`; content parts of type text are joined."""
    messages = []
    for flat in indexed(attributes, prefix):
        parts = [
            str(part["message_content.text"])
            for part in indexed(flat, "message.contents.")
            if "message_content.text" in part
        ]
        calls = [
            {
                "id": call.get("tool_call.id"),
                "name": call.get("tool_call.function.name"),
                "arguments": call.get("tool_call.function.arguments"),
            }
            for call in indexed(flat, "message.tool_calls.")
        ]
        message: dict[str, Any] = {
            "role": flat.get("message.role"),
            "content": flat.get("message.content", "\n".join(parts)),
        }
        if calls:
            message["tool_calls"] = calls
        if "message.tool_call_id" in flat:
            message["tool_call_id"] = flat["message.tool_call_id"]
        messages.append(message)
    return messages

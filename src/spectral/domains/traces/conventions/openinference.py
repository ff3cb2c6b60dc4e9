"""OpenInference, the convention of Arize Phoenix and its instrumentations.

Source: OpenInference specification, "Semantic Conventions".
"""

from collections.abc import Mapping
from typing import Any

from spectral.domains.traces.conventions.base import first_text, indexed, nano_usd, text, texts, tokens
from spectral.domains.traces.vocabulary import Kind, Reading

KINDS = {
    "LLM": Kind.LLM,
    "EMBEDDING": Kind.EMBEDDING,
    "CHAIN": Kind.CHAIN,
    "PROMPT": Kind.CHAIN,
    "RETRIEVER": Kind.RETRIEVER,
    "RERANKER": Kind.RETRIEVER,
    "TOOL": Kind.TOOL,
    "AGENT": Kind.AGENT,
    "GUARDRAIL": Kind.GUARDRAIL,
    "EVALUATOR": Kind.EVALUATOR,
}

OPERATIONS = {
    Kind.LLM: "chat",
    Kind.EMBEDDING: "embeddings",
    Kind.RETRIEVER: "retrieval",
    Kind.TOOL: "execute_tool",
    Kind.AGENT: "invoke_agent",
}

INPUT_MESSAGES = "llm.input_messages."
OUTPUT_MESSAGES = "llm.output_messages."


class OpenInferenceConvention:
    """`openinference.*`, `llm.*`, `input.*`, `output.*`. Lists are flattened with indices on the wire.

    `cost` is `llm.cost.total`; cached, reasoning and audio tokens are the `_details` of prompt and completion.
    """

    name = "openinference"
    keys = frozenset(
        {
            "openinference.span.kind",
            "llm.model_name",
            "llm.response.model_name",
            "llm.request.model_name",
            "llm.provider",
            "llm.system",
            "llm.token_count.prompt",
            "llm.token_count.completion",
            "llm.token_count.prompt_details.cache_read",
            "llm.token_count.prompt_details.cache_write",
            "llm.token_count.prompt_details.audio",
            "llm.token_count.completion_details.reasoning",
            "llm.token_count.completion_details.audio",
            "llm.cost.total",
            "embedding.model_name",
            "reranker.model_name",
            "tool.name",
            "agent.name",
            "tag.tags",
            "input.value",
            "output.value",
        }
    )
    prefixes: tuple[str, ...] = (INPUT_MESSAGES, OUTPUT_MESSAGES)

    def read(self, attributes: Mapping[str, Any], reading: Reading) -> None:
        get = attributes.get
        kind = KINDS.get(str(get("openinference.span.kind")).upper())
        if reading.kind is None:
            reading.kind = kind
        if reading.operation is None and kind is not None:
            reading.operation = OPERATIONS.get(kind)
        if reading.model is None:
            reading.model = first_text(
                attributes,
                "llm.response.model_name",
                "llm.model_name",
                "llm.request.model_name",
                "embedding.model_name",
                "reranker.model_name",
            )
        if reading.provider is None:
            reading.provider = first_text(attributes, "llm.provider", "llm.system")
        self._read_usage(attributes, reading)
        if reading.tool_name is None:
            reading.tool_name = text(get("tool.name"))
        if reading.agent_id is None:
            reading.agent_id = text(get("agent.name"))
        if not reading.tags:
            reading.tags = texts(get("tag.tags"))
        if reading.input is None:
            reading.input = _messages(attributes, INPUT_MESSAGES) or get("input.value")
        if reading.output is None:
            reading.output = _messages(attributes, OUTPUT_MESSAGES) or get("output.value")

    @staticmethod
    def _read_usage(attributes: Mapping[str, Any], reading: Reading) -> None:
        if reading.input_tokens is None:
            reading.input_tokens = tokens(attributes, "llm.token_count.prompt")
        if reading.output_tokens is None:
            reading.output_tokens = tokens(attributes, "llm.token_count.completion")
        if reading.cache_read_tokens is None:
            reading.cache_read_tokens = tokens(attributes, "llm.token_count.prompt_details.cache_read")
        if reading.cache_write_tokens is None:
            reading.cache_write_tokens = tokens(attributes, "llm.token_count.prompt_details.cache_write")
        if reading.reasoning_tokens is None:
            reading.reasoning_tokens = tokens(attributes, "llm.token_count.completion_details.reasoning")
        if reading.audio_tokens is None:
            heard = tokens(attributes, "llm.token_count.prompt_details.audio")
            spoken = tokens(attributes, "llm.token_count.completion_details.audio")
            if heard is not None or spoken is not None:
                reading.audio_tokens = (heard or 0) + (spoken or 0)
        if reading.cost_nano_usd is None:
            reading.cost_nano_usd = nano_usd(attributes, "llm.cost.total")


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
            {"name": call.get("tool_call.function.name"), "arguments": call.get("tool_call.function.arguments")}
            for call in indexed(flat, "message.tool_calls.")
        ]
        message: dict[str, Any] = {
            "role": flat.get("message.role"),
            "content": flat.get("message.content", "\n".join(parts)),
        }
        if calls:
            message["tool_calls"] = calls
        messages.append(message)
    return messages

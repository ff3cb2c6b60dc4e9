"""OpenTelemetry's semantic conventions for generative AI, current and deprecated names.

Source: OpenTelemetry semantic conventions, "Generative AI" (`gen_ai.*`); deprecated names from its registry.
"""

from collections.abc import Mapping
from typing import Any

from spectral.domains.traces.conventions.base import first_text, nano_usd, text, tokens
from spectral.domains.traces.vocabulary import Kind, Reading

OPERATIONS = {
    "chat": Kind.LLM,
    "generate_content": Kind.LLM,
    "text_completion": Kind.LLM,
    "completion": Kind.LLM,
    "embeddings": Kind.EMBEDDING,
    "retrieval": Kind.RETRIEVER,
    "create_agent": Kind.AGENT,
    "invoke_agent": Kind.AGENT,
    "execute_tool": Kind.TOOL,
    "invoke_workflow": Kind.CHAIN,
}

PROVIDERS = {
    "vertex_ai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "xai": "x_ai",
}
"""Deprecated values of `gen_ai.system` → `gen_ai.provider.name`."""

INPUT_EVENTS = "gen_ai.events.input"
OUTPUT_EVENTS = "gen_ai.events.output"
"""Not wire names: where the mapping puts messages that came as span events (see `mapping.py`)."""


class GenAiConvention:
    """`gen_ai.*`. Cached and reasoning tokens are parts of input and output, as the convention demands."""

    name = "gen_ai"
    keys = frozenset(
        {
            "gen_ai.operation.name",
            "gen_ai.provider.name",
            "gen_ai.system",
            "gen_ai.request.model",
            "gen_ai.response.model",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.input_tokens.cached",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.details.cache_write_tokens",
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
            "gen_ai.usage.details.input_audio_tokens",
            "gen_ai.usage.details.output_audio_tokens",
            "gen_ai.usage.cost",
            "gen_ai.usage.total_cost",
            "operation.cost",
            "gen_ai.conversation.id",
            "gen_ai.agent.id",
            "gen_ai.agent.name",
            "gen_ai.agent.version",
            "gen_ai.tool.name",
            "gen_ai.tool.call.arguments",
            "gen_ai.tool.call.result",
            "gen_ai.retrieval.query.text",
            "gen_ai.retrieval.documents",
            "gen_ai.input.messages",
            "gen_ai.output.messages",
            "gen_ai.prompt",
            "gen_ai.completion",
            "gen_ai.workflow.name",
        }
    )
    prefixes: tuple[str, ...] = ()

    def read(self, attributes: Mapping[str, Any], reading: Reading) -> None:
        get = attributes.get
        operation = text(get("gen_ai.operation.name"), 64)
        model = first_text(attributes, "gen_ai.response.model", "gen_ai.request.model")
        if reading.kind is None:
            reading.kind = OPERATIONS.get(operation or "") or (Kind.LLM if model is not None else None)
        if reading.operation is None:
            reading.operation = operation
        if reading.model is None:
            reading.model = model
        if reading.provider is None:
            provider = first_text(attributes, "gen_ai.provider.name", "gen_ai.system")
            reading.provider = PROVIDERS.get(provider, provider) if provider else None
        self._read_usage(attributes, reading)
        if reading.session_id is None:
            reading.session_id = text(get("gen_ai.conversation.id"))
        if reading.agent_id is None:
            reading.agent_id = first_text(attributes, "gen_ai.agent.id", "gen_ai.agent.name")
            reading.agent_version = text(get("gen_ai.agent.version"), 64)
        if reading.tool_name is None:
            reading.tool_name = text(get("gen_ai.tool.name"))
        self._read_content(attributes, reading)

    @staticmethod
    def _read_usage(attributes: Mapping[str, Any], reading: Reading) -> None:
        if reading.input_tokens is None:
            reading.input_tokens = tokens(attributes, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
        if reading.output_tokens is None:
            reading.output_tokens = tokens(attributes, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
        if reading.cache_read_tokens is None:
            reading.cache_read_tokens = tokens(
                attributes,
                "gen_ai.usage.cache_read.input_tokens",
                "gen_ai.usage.cache_read_input_tokens",
                "gen_ai.usage.input_tokens.cached",
                "gen_ai.usage.details.cache_read_tokens",
            )
        if reading.cache_write_tokens is None:
            reading.cache_write_tokens = tokens(
                attributes,
                "gen_ai.usage.cache_creation.input_tokens",
                "gen_ai.usage.cache_creation_input_tokens",
                "gen_ai.usage.details.cache_write_tokens",
            )
        if reading.reasoning_tokens is None:
            reading.reasoning_tokens = tokens(
                attributes,
                "gen_ai.usage.reasoning.output_tokens",
                "gen_ai.usage.reasoning_tokens",
                "gen_ai.usage.details.reasoning_tokens",
            )
        if reading.audio_tokens is None:
            heard = tokens(attributes, "gen_ai.usage.details.input_audio_tokens")
            spoken = tokens(attributes, "gen_ai.usage.details.output_audio_tokens")
            if heard is not None or spoken is not None:
                reading.audio_tokens = (heard or 0) + (spoken or 0)
        if reading.cost_nano_usd is None:
            reading.cost_nano_usd = nano_usd(
                attributes, "gen_ai.usage.cost", "gen_ai.usage.total_cost", "operation.cost"
            )

    @staticmethod
    def _read_content(attributes: Mapping[str, Any], reading: Reading) -> None:
        get = attributes.get
        if reading.input is None:
            for key in (
                "gen_ai.input.messages",
                "gen_ai.prompt",
                INPUT_EVENTS,
                "gen_ai.tool.call.arguments",
                "gen_ai.retrieval.query.text",
            ):
                if (found := get(key)) is not None:
                    reading.input = found
                    break
        if reading.output is None:
            for key in (
                "gen_ai.output.messages",
                "gen_ai.completion",
                OUTPUT_EVENTS,
                "gen_ai.tool.call.result",
                "gen_ai.retrieval.documents",
            ):
                if (found := get(key)) is not None:
                    reading.output = found
                    break

"""Langfuse's SDK.

Source: Langfuse documentation, "OpenTelemetry" and "Token and cost tracking", and recordings of its Python SDK.
"""

from collections.abc import Mapping
from typing import Any

from spectral.domains.traces.conventions.base import (
    Convention,
    Field,
    content,
    count,
    document,
    first_count,
    one_of,
    text,
    texts,
    total,
    usd,
)
from spectral.domains.traces.vocabulary import Kind, Reading

KINDS = {
    "generation": Kind.LLM,
    "embedding": Kind.EMBEDDING,
    "agent": Kind.AGENT,
    "tool": Kind.TOOL,
    "chain": Kind.CHAIN,
    "retriever": Kind.RETRIEVER,
    "evaluator": Kind.EVALUATOR,
    "guardrail": Kind.GUARDRAIL,
}

OPERATIONS = {
    "generation": "chat",
    "embedding": "embeddings",
    "agent": "invoke_agent",
    "tool": "execute_tool",
    "retriever": "retrieval",
}


class LangfuseConvention(Convention):
    """`langfuse.*`. Its own usage types are counted beside each other; usage in OpenAI's form is inclusive."""

    name = "langfuse"
    fields = (
        Field("langfuse.observation.type", "kind", one_of(KINDS)),
        Field("langfuse.observation.type", "operation", one_of(OPERATIONS)),
        Field("langfuse.observation.model.name", "model", text),
        Field("langfuse.observation.input", "input", content),
        Field("langfuse.trace.input", "input", content),
        Field("langfuse.observation.output", "output", content),
        Field("langfuse.trace.output", "output", content),
        Field("langfuse.session.id", "session_id", text),
        Field("langfuse.user.id", "user_id", text),
        Field("langfuse.trace.tags", "tags", texts),
    )
    keys = frozenset(
        {"langfuse.observation.type", "langfuse.observation.usage_details", "langfuse.observation.cost_details"}
    )

    def derive(self, attributes: Mapping[str, Any], reading: Reading) -> None:
        """Usage and cost, which are JSON objects; an agent and a tool are named by their span."""
        usage = document(attributes.get("langfuse.observation.usage_details"))
        if usage and reading.input_tokens is None and reading.output_tokens is None:
            _read_usage(usage, reading)
        if reading.cost_nano_usd is None:
            cost = document(attributes.get("langfuse.observation.cost_details"))
            parts = [usd(value) for key, value in cost.items() if key != "total"]
            reading.cost_nano_usd = usd(cost.get("total")) if "total" in cost else total(*parts)
        kind, name = attributes.get("langfuse.observation.type"), text(attributes.get("otel.span.name"))
        if kind == "agent" and reading.agent_id is None:
            reading.agent_id = name
        if kind == "tool" and reading.tool_name is None:
            reading.tool_name = name


def _read_usage(usage: Mapping[str, Any], reading: Reading) -> None:
    heard = document(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    said = document(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    if heard or said or "prompt_tokens" in usage:
        # As OpenAI reports it: details are parts of their sum.
        reading.input_tokens = first_count(usage, "prompt_tokens", "input_tokens")
        reading.output_tokens = first_count(usage, "completion_tokens", "output_tokens")
        reading.cache_read_tokens = first_count(heard, "cached_tokens")
        reading.cache_write_tokens = first_count(heard, "cache_write_tokens")
        reading.input_audio_tokens = first_count(heard, "audio_tokens")
        reading.reasoning_tokens = first_count(said, "reasoning_tokens")
        reading.output_audio_tokens = first_count(said, "audio_tokens")
        return
    # Langfuse's usage types, and Anthropic's usage: every type stands for itself, and so the whole is their sum.
    reading.input_tokens = total(*(count(value) for key, value in usage.items() if "input" in key))
    reading.output_tokens = total(*(count(value) for key, value in usage.items() if "output" in key))
    reading.cache_read_tokens = first_count(
        usage, "input_cached_tokens", "cache_read_input_tokens", "input_cache_read", "cached_input_tokens"
    )
    reading.cache_write_tokens = first_count(
        usage, "cache_creation_input_tokens", "input_cache_creation", "input_cache_write_tokens"
    )
    reading.reasoning_tokens = first_count(usage, "output_reasoning_tokens", "output_reasoning")
    reading.input_audio_tokens = first_count(usage, "input_audio_tokens", "input_audio")
    reading.output_audio_tokens = first_count(usage, "output_audio_tokens", "output_audio")

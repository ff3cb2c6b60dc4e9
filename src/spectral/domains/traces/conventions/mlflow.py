"""MLflow's tracing, whose OTLP exporter writes every value as JSON text.

Source: MLflow documentation, "Span concepts" and "Token usage and cost tracking", and recordings of `mlflow-tracing`.
"""

import json
from collections.abc import Mapping
from typing import Any

from spectral.domains.traces.conventions.base import (
    Convention,
    Field,
    Parser,
    content,
    document,
    first_count,
    one_of,
    text,
    usd,
)
from spectral.domains.traces.conventions.providers import provider
from spectral.domains.traces.vocabulary import Kind, Reading

KINDS = {
    "chat_model": Kind.LLM,
    "llm": Kind.LLM,
    "embedding": Kind.EMBEDDING,
    "retriever": Kind.RETRIEVER,
    "reranker": Kind.RETRIEVER,
    "tool": Kind.TOOL,
    "agent": Kind.AGENT,
    "chain": Kind.CHAIN,
    "workflow": Kind.CHAIN,
    "task": Kind.CHAIN,
    "guardrail": Kind.GUARDRAIL,
    "evaluator": Kind.EVALUATOR,
}

OPERATIONS = {
    "chat_model": "chat",
    "llm": "chat",
    "embedding": "embeddings",
    "retriever": "retrieval",
    "reranker": "retrieval",
    "tool": "execute_tool",
    "agent": "invoke_agent",
}


def _plain(value: Any) -> Any:
    """Text that was written as JSON, with its quotes, as the text; anything else as it is."""
    if isinstance(value, str) and value.startswith('"'):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _of_plain(parse: Parser) -> Parser:
    def parsed(value: Any) -> Any:
        return parse(_plain(value))

    return parsed


class MlflowConvention(Convention):
    """`mlflow.*`. Cached tokens are taken for parts of the input."""

    name = "mlflow"
    fields = (
        Field("mlflow.spanType", "kind", _of_plain(one_of(KINDS))),
        Field("mlflow.spanType", "operation", _of_plain(one_of(OPERATIONS))),
        Field("mlflow.llm.model", "model", _of_plain(text)),
        Field("mlflow.llm.provider", "provider", _of_plain(provider)),
        Field("mlflow.spanInputs", "input", _of_plain(content)),
        Field("mlflow.spanOutputs", "output", _of_plain(content)),
        Field("mlflow.trace.session", "session_id", _of_plain(text)),
        Field("mlflow.trace.user", "user_id", _of_plain(text)),
    )
    keys = frozenset({"mlflow.spanType", "mlflow.chat.tokenUsage", "mlflow.llm.cost"})

    def derive(self, attributes: Mapping[str, Any], reading: Reading) -> None:
        """Usage and cost, which are JSON objects; an agent and a tool are named by their span."""
        usage = document(attributes.get("mlflow.chat.tokenUsage"))
        if usage and reading.input_tokens is None and reading.output_tokens is None:
            reading.input_tokens = first_count(usage, "input_tokens")
            reading.output_tokens = first_count(usage, "output_tokens")
            reading.cache_read_tokens = first_count(usage, "cache_read_input_tokens")
            reading.cache_write_tokens = first_count(usage, "cache_creation_input_tokens")
            reading.reasoning_tokens = first_count(usage, "reasoning_tokens", "reasoning_output_tokens")
        if reading.cost_nano_usd is None:
            reading.cost_nano_usd = usd(document(attributes.get("mlflow.llm.cost")).get("total_cost"))
        kind, name = _plain(attributes.get("mlflow.spanType")), text(attributes.get("otel.span.name"))
        if kind == "AGENT" and reading.agent_id is None:
            reading.agent_id = name
        if kind == "TOOL" and reading.tool_name is None:
            reading.tool_name = name

"""The Vercel AI SDK up to version 6 (`ai.*`); from version 7 on it writes `gen_ai.*`.

Source: AI SDK documentation, "Telemetry", and recordings of versions 5 and 7.
"""

import json
from typing import Any

from spectral.domains.traces.conventions.base import Convention, Field, content, count, text
from spectral.domains.traces.conventions.providers import provider
from spectral.domains.traces.vocabulary import Kind

_CALLS = (".doGenerate", ".doStream")


def _kind(value: Any) -> Kind | None:
    """`ai.generateText` repeats the usage of the `ai.generateText.doGenerate` spans below it: it is no model call."""
    if not isinstance(value, str) or not value.startswith("ai."):
        return None
    if value.endswith(_CALLS):
        return Kind.LLM
    if value.endswith(".doEmbed"):
        return Kind.EMBEDDING
    if value == "ai.toolCall":
        return Kind.TOOL
    return Kind.AGENT if value in {"ai.generateText", "ai.streamText"} else Kind.CHAIN


_OPERATIONS = {
    Kind.LLM: "chat",
    Kind.EMBEDDING: "embeddings",
    Kind.TOOL: "execute_tool",
    Kind.AGENT: "invoke_agent",
}


def _operation(value: Any) -> str | None:
    kind = _kind(value)
    return None if kind is None else _OPERATIONS.get(kind)


def _answer(value: Any) -> Any:
    """Tool calls as the message that they are when the model wrote no text."""
    calls = _calls(value)
    return [{"role": "assistant", "content": None, "tool_calls": calls}] if calls else None


def _calls(value: Any) -> Any:
    try:
        calls = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None
    if not isinstance(calls, list):
        return None
    return [
        {
            "id": call.get("toolCallId"),
            "name": call.get("toolName"),
            "arguments": call.get("input", call.get("args")),
        }
        for call in calls
        if isinstance(call, dict)
    ] or None


class VercelConvention(Convention):
    """`ai.*`. Cached tokens are parts of the input, reasoning tokens parts of the output."""

    name = "vercel"
    fields = (
        Field("ai.operationId", "kind", _kind),
        Field("ai.operationId", "operation", _operation),
        Field("ai.response.model", "model", text),
        Field("ai.model.id", "model", text),
        Field("ai.model.provider", "provider", provider),
        Field("ai.usage.inputTokens", "input_tokens", count),
        Field("ai.usage.promptTokens", "input_tokens", count),
        Field("ai.usage.tokens", "input_tokens", count),
        Field("ai.usage.outputTokens", "output_tokens", count),
        Field("ai.usage.completionTokens", "output_tokens", count),
        Field("ai.usage.cachedInputTokens", "cache_read_tokens", count),
        Field("ai.usage.inputTokenDetails.cacheReadTokens", "cache_read_tokens", count),
        Field("ai.usage.inputTokenDetails.cacheWriteTokens", "cache_write_tokens", count),
        Field("ai.usage.reasoningTokens", "reasoning_tokens", count),
        Field("ai.usage.outputTokenDetails.reasoningTokens", "reasoning_tokens", count),
        Field("ai.telemetry.functionId", "agent_id", text),
        Field("ai.telemetry.metadata.sessionId", "session_id", text),
        Field("ai.telemetry.metadata.session_id", "session_id", text),
        Field("ai.telemetry.metadata.userId", "user_id", text),
        Field("ai.telemetry.metadata.user_id", "user_id", text),
        Field("ai.toolCall.name", "tool_name", text),
        Field("ai.prompt.messages", "input", content),
        Field("ai.prompt", "input", content),
        Field("ai.toolCall.args", "input", content),
        Field("ai.value", "input", content),
        Field("ai.values", "input", content),
        Field("ai.response.text", "output", content),
        Field("ai.response.object", "output", content),
        Field("ai.response.toolCalls", "output", _answer),
        Field("ai.toolCall.result", "output", content),
        Field("ai.response.toolCalls", "tool_calls", _calls),
    )

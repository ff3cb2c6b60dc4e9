"""Pydantic AI and Logfire: what they say beside `gen_ai.*`, and how they said it in earlier versions.

Source: Pydantic AI documentation, "Debugging and monitoring", and recordings.
"""

import json
from collections.abc import Mapping
from typing import Any

from spectral.domains.traces.conventions.base import Convention, Field, always, content, count, text, texts
from spectral.domains.traces.conventions.events import content_of_event
from spectral.domains.traces.vocabulary import Kind, Reading

USAGE = "gen_ai.aggregated_usage."


class PydanticAiConvention(Convention):
    """`pydantic_ai.*`, `gen_ai.aggregated_usage.*`, `logfire.*`. An agent's usage is the sum of its model calls'."""

    name = "pydantic_ai"
    fields = (
        Field("agent_name", "kind", always(Kind.AGENT)),
        Field("tool_arguments", "kind", always(Kind.TOOL)),
        Field("tool_response", "kind", always(Kind.TOOL)),
        Field("agent_name", "agent_id", text),
        Field("model_name", "model", text),
        Field(f"{USAGE}input_tokens", "input_tokens", count),
        Field(f"{USAGE}output_tokens", "output_tokens", count),
        Field(f"{USAGE}cache_read.input_tokens", "cache_read_tokens", count),
        Field(f"{USAGE}details.cache_read_tokens", "cache_read_tokens", count),
        Field(f"{USAGE}cache_creation.input_tokens", "cache_write_tokens", count),
        Field(f"{USAGE}details.cache_write_tokens", "cache_write_tokens", count),
        Field(f"{USAGE}details.reasoning_tokens", "reasoning_tokens", count),
        Field("pydantic_ai.all_messages", "input", content),
        Field("tool_arguments", "input", content),
        Field("final_result", "output", content),
        Field("tool_response", "output", content),
        Field("logfire.tags", "tags", texts),
    )
    keys = frozenset({"events", "all_messages_events"})

    def derive(self, attributes: Mapping[str, Any], reading: Reading) -> None:
        """Messages of versions that put the GenAI events of a span into one attribute."""
        said = [
            content_of_event(str(event["event.name"]), event)
            for key in ("events", "all_messages_events")
            for event in _events(attributes.get(key))
            if isinstance(event, dict) and "event.name" in event
        ]
        if reading.input is None:
            reading.input = content([message for event in said for message in event.input])
        if reading.output is None:
            reading.output = content([message for event in said for message in event.output])


def _events(value: Any) -> list[Any]:
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    return value if isinstance(value, list) else []

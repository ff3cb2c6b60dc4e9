"""What a GenAI event says, be it an event of a span or a log record that belongs to one.

Source: OpenTelemetry semantic conventions, "Generative AI events": one event per message until 1.36, since then one
`gen_ai.client.inference.operation.details` with everything.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

CHOICE = "gen_ai.choice"


class EventContent(NamedTuple):
    """Messages to add to the input and output of the event's span, and attributes as the span itself might have them.

    The span's own attributes go before these.
    """

    input: tuple[dict[str, Any], ...] = ()
    output: tuple[dict[str, Any], ...] = ()
    attributes: Mapping[str, Any] = {}


NOTHING = EventContent()


def content_of_event(name: str, attributes: Mapping[str, Any], body: Any = None) -> EventContent:
    """What the event says; `NOTHING` where it is no GenAI event or carries no content. Pure.

    body: of a log record, decoded; events of spans have none and carry the same members as attributes.
    """
    if not name.startswith("gen_ai."):
        return NOTHING
    said = {**attributes, **body} if isinstance(body, dict) else attributes
    if name == CHOICE:
        message = _message(said, "assistant")
        return NOTHING if message is None else EventContent(output=(message,))
    if name.endswith(".message"):
        message = _message(said, name.removeprefix("gen_ai.").removesuffix(".message"))
        return NOTHING if message is None else EventContent(input=(message,))
    return EventContent(attributes={key: value for key, value in said.items() if key.startswith("gen_ai.")})


def _message(said: Mapping[str, Any], role: str) -> dict[str, Any] | None:
    """`{role, content}` with `tool_calls` and `tool_call_id` where there are; None without content."""
    inner = said.get("message")
    source = {**said, **inner} if isinstance(inner, dict) else said
    content = source.get("content", None if isinstance(inner, dict) else inner)
    calls = source.get("tool_calls")
    if content is None and not calls:
        return None
    message = {"role": source.get("role") or role, "content": content}
    if calls:
        message["tool_calls"] = calls
    if role == "tool" and isinstance(source.get("id"), str):
        message["tool_call_id"] = source["id"]
    return message

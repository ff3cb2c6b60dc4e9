"""What a person sees of a span's input and output in a list: at most 512 bytes of the part that matters."""

import json
from contextlib import suppress
from typing import Any, Literal

import msgspec

from spectral.domains.traces.messages import messages_of
from spectral.domains.traces.otlp.surrogates import without_half_pairs

PREVIEW_BYTES = 512
PARSED_CHARACTERS = 256 * 1024
"""Longer JSON text is shown as it is: a preview is not worth parsing megabytes."""

Side = Literal["input", "output"]


def preview(content: Any, side: Side) -> str | None:
    """At most 512 bytes of UTF-8: the last user message of an input, the last message of an output, else the text.

    content: as `Reading.input` and `.output`. None when there is nothing to show. Depends on nothing but its arguments.
    """
    shown = full_text(content, side)
    return None if shown is None else _cut(shown)


def full_text(content: Any, side: Side) -> str | None:
    """The text that `preview` shows the beginning of, in full; None when there is nothing to show."""
    if content is None:
        return None
    parsed = _parsed(content)
    messages = messages_of(parsed) or parsed
    shown = _of_messages(messages, side) if isinstance(messages, list) else None
    if shown is None:
        shown = _text_of(parsed) if isinstance(parsed, dict) else None
    if shown is None:
        shown = content if isinstance(content, str) else compact(content)
    return shown


def compact(value: Any) -> str:
    """JSON without spaces; what JSON cannot hold is shown as its text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def parse_content(content: Any) -> Any:
    """Content as JSON where it is JSON text, else as it is."""
    return _parsed(content)


def _parsed(content: Any) -> Any:
    if isinstance(content, str) and content[:1] in {"[", "{"} and len(content) <= PARSED_CHARACTERS:
        with suppress(ValueError, RecursionError):
            return msgspec.json.decode(content)
        # Slower, and takes a little more: NaN, endless digits, half a surrogate pair.
        with suppress(ValueError, RecursionError):
            return json.loads(without_half_pairs(content.encode()))
    return content


def _of_messages(messages: list[Any], side: Side) -> str | None:
    found = [message for message in messages if isinstance(message, dict) and ("role" in message or "parts" in message)]
    if not found:
        return None
    if side == "input":
        found = [message for message in found if message.get("role") in {"user", "human"}] or found
    return next((shown for message in reversed(found) if (shown := _text_of(message))), None)


def _text_of(message: dict[str, Any]) -> str | None:
    """The text of one message in the shapes of the GenAI conventions (`parts`), OpenAI and Anthropic (`content`)."""
    body = message.get("parts", message.get("content"))
    pieces = [body] if isinstance(body, str) else [compact(body)] if isinstance(body, dict) else []
    if isinstance(body, list):
        pieces = [piece for part in body if (piece := _text_of_part(part))]
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        pieces += [_call(call) for call in calls if isinstance(call, dict)]
    return "\n".join(piece for piece in pieces if piece) or None


def _text_of_part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    for key in ("content", "text"):
        if isinstance(part.get(key), str):
            return str(part[key])
    if part.get("type") == "tool_call":
        return _call(part)
    if part.get("type") == "tool_call_response":
        return compact(part.get("response", part.get("result")))
    return ""


def _call(call: dict[str, Any]) -> str:
    function = call.get("function")
    source = function if isinstance(function, dict) else call
    arguments = source.get("arguments")
    shown = arguments if isinstance(arguments, str) else compact(arguments or {})
    return f"{source.get('name')}({shown})"


def _cut(text: str) -> str | None:
    cleaned = text[: PREVIEW_BYTES + 64].replace("\x00", "\ufffd").strip()
    encoded = cleaned.encode("utf-8", "replace")
    if len(encoded) <= PREVIEW_BYTES:
        return encoded.decode("utf-8") or None
    return encoded[: PREVIEW_BYTES - 3].decode("utf-8", "ignore").rstrip() + "…"

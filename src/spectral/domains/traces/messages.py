"""Content in whichever shape it came → `[{role, content, tool_calls}]`, where it is messages at all.

Read: OpenTelemetry's `parts`, the bodies of OpenAI's and Anthropic's requests and answers, the AI SDK's messages.
"""

import json
from collections.abc import Mapping
from typing import Any

_TEXT = frozenset({"text", "input_text", "output_text", "reasoning", "thinking"})
_CALLS = frozenset({"tool_call", "tool-call", "tool_use", "function_call"})
_RESULTS = frozenset({"tool_call_response", "tool-result", "tool_result", "function_call_output"})
_STEPS = _CALLS | _RESULTS


def messages_of(content: Any, instructions: Any = None) -> list[dict[str, Any]] | None:
    """The messages of decoded content; None where it holds none.

    Each has `role` and `content` (text; a list of parts where some are not text), and where there are any `tool_calls`
    as `{id, name, arguments}`. The result of a tool is a message of its own with role `tool` and `tool_call_id`.
    instructions: what is said before the first message, in the same shapes or as text.
    """
    found = _found(content)
    if found is None:
        return None
    messages = [message for source in found for message in _messages(source)]
    if instructions:
        said = messages_of(instructions) or _messages({"role": "system", "content": instructions})
        messages = [*({**message, "role": "system"} for message in said), *messages]
    return messages


def tool_calls_of(messages: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """The calls that messages ask for, as `{id, name, arguments}`."""
    return [call for message in messages or () for call in message.get("tool_calls", ())]


def tool_call(call: Any) -> dict[str, Any]:
    """`{id, name, arguments}` of one call in any of the shapes; arguments that are JSON text are parsed."""
    if not isinstance(call, dict):
        return {"id": None, "name": None, "arguments": call}
    function = call.get("function")
    source = {**call, **function} if isinstance(function, dict) else call
    return {
        "id": _first(source, "call_id", "toolCallId", "tool_call_id", "id"),
        "name": _first(source, "name", "toolName", "tool_name"),
        "arguments": _decoded(_first(source, "arguments", "input", "args")),
    }


def _found(content: Any) -> list[Any] | None:
    """The messages as they came."""
    if isinstance(content, list):
        is_message = [isinstance(item, dict) and _is_message(item) for item in content]
        return content if is_message and all(is_message) else None
    if not isinstance(content, dict):
        return None
    system = [{"role": "system", "content": content["system"]}] if content.get("system") else []
    if isinstance(content.get("messages"), list):
        inner = _found(content["messages"])
        return None if inner is None else [*system, *inner]
    if isinstance(content.get("choices"), list):
        return [choice["message"] for choice in content["choices"] if isinstance(choice, dict) and "message" in choice]
    if isinstance(content.get("prompt"), str) and content.keys() <= {"system", "prompt"}:
        return [*system, {"role": "user", "content": content["prompt"]}]
    if content.get("object") == "response" and isinstance(content.get("output"), list):
        return _found(content["output"])
    return [content] if _is_message(content) else None


def _is_message(item: Mapping[str, Any]) -> bool:
    return "role" in item or "parts" in item or _type(item) in _STEPS


def _messages(source: Any) -> list[dict[str, Any]]:
    """One message, and before it the results of tools that it carries."""
    if not isinstance(source, dict):
        return []
    if _type(source) in _STEPS and "role" not in source:
        source = {"role": "assistant", "content": [source]}
    role = source.get("role") or "user"
    body = source.get("parts", source.get("content"))
    calls = [tool_call(call) for call in _list(source.get("tool_calls"))]
    results: list[dict[str, Any]] = []
    kept: list[Any] = []
    for part in body if isinstance(body, list) else ():
        kind = _type(part)
        if kind in _CALLS:
            calls.append(tool_call(part))
        elif kind in _RESULTS:
            results.append(_result(part))
        else:
            kept.append(part)
    content = _joined(kept) if isinstance(body, list) else body
    message: dict[str, Any] = {"role": str(role), "content": content}
    if calls:
        message["tool_calls"] = calls
    if "tool_call_id" in source:
        message["tool_call_id"] = source["tool_call_id"]
    return results if results and not kept and not calls else [*results, message]


def _type(part: Any) -> str:
    found = part.get("type") if isinstance(part, dict) else None
    return found if isinstance(found, str) else ""


def _joined(parts: list[Any]) -> Any:
    """Text where all parts are, else the parts."""
    texts = [_text(part) for part in parts]
    found = [text for text in texts if text is not None]
    return parts if len(found) < len(parts) else "\n".join(found) or None


def _text(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and ("type" not in part or _type(part) in _TEXT):
        found = _first(part, "content", "text", "thinking")
        return found if isinstance(found, str) else None
    return None


def _result(part: dict[str, Any]) -> dict[str, Any]:
    found = _first(part, "response", "result", "output", "content")
    if isinstance(found, dict) and found.keys() == {"type", "value"}:
        found = found["value"]
    content = _joined(found) if isinstance(found, list) else found
    return {
        "role": "tool",
        "content": content,
        "tool_call_id": _first(part, "tool_use_id", "toolCallId", "call_id", "id"),
    }


def _first(source: Mapping[str, Any], *keys: str) -> Any:
    for key in keys:
        if source.get(key) is not None:
            return source[key]
    return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _decoded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value

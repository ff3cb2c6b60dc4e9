"""A stub of OpenAI's and Anthropic's APIs on the loopback interface, with fixed answers and fixed usage.

The last user message says what is answered: "weather" a tool call (and after its result a text), "audio" usage with
audio tokens, "fail" a 429; anything else a text with cached and reasoning tokens. Standard library only.
"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER = "It is sunny in Paris."
ARGUMENTS = '{"city":"Paris"}'

CHAT_USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 340,
    "total_tokens": 1540,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 128,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
AUDIO_USAGE = {
    "prompt_tokens": 500,
    "completion_tokens": 260,
    "total_tokens": 760,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 450},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 200,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
RESPONSES_USAGE = {
    "input_tokens": 1200,
    "input_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 0},
    "output_tokens": 340,
    "output_tokens_details": {"reasoning_tokens": 128},
    "total_tokens": 1540,
}
ANTHROPIC_USAGE: dict[str, Any] = {
    "input_tokens": 50,
    "cache_read_input_tokens": 1000,
    "cache_creation_input_tokens": 200,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 300,
    "service_tier": "standard",
}
"""Anthropic counts cached tokens beside `input_tokens`: the whole input is 1,250 tokens."""


def start() -> ThreadingHTTPServer:
    """A running server on a free port of the loopback interface."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Provider(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "fail" in _question(request):
            error = {"type": "rate_limit_error", "message": "slow down", "code": "rate_limit_exceeded"}
            self._json({"type": "error", "error": error}, 429)
        elif self.path.endswith("/chat/completions"):
            self._chat(request)
        elif self.path.endswith("/responses"):
            self._responses(request)
        elif self.path.endswith("/embeddings"):
            self._json(
                {
                    "object": "list",
                    "model": request["model"],
                    "data": [{"object": "embedding", "index": 0, "embedding": [0.25, 0.5]}],
                    "usage": {"prompt_tokens": 8, "total_tokens": 8},
                }
            )
        else:
            self._anthropic(request)

    def _chat(self, request: dict[str, Any]) -> None:
        calls = _wants_tool(request)
        audio = "audio" in _question(request)
        usage = AUDIO_USAGE if audio else CHAT_USAGE
        model = {"gpt-5-mini": "gpt-5-mini-2025-08-07"}.get(request["model"], request["model"])
        call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ARGUMENTS}}
        message = {"role": "assistant", "content": None if calls else ANSWER} | (
            {"tool_calls": [call]} if calls else {}
        )
        reason = "tool_calls" if calls else "stop"
        head = {"id": "chatcmpl-1", "created": 1_760_000_000, "model": model, "service_tier": "default"}
        if not request.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
            self._json({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
            return
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        if calls:
            deltas.append({"tool_calls": [{"index": 0, **call}]})
        else:
            deltas += [{"content": word} for word in (ANSWER[:6], ANSWER[6:])]
        chunks: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
        chunks.append({"index": 0, "delta": {}, "finish_reason": reason})
        events = [{**head, "object": "chat.completion.chunk", "choices": [chunk]} for chunk in chunks]
        if (request.get("stream_options") or {}).get("include_usage"):
            events.append({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
        self._stream((None, event) for event in [*events, "[DONE]"])

    def _responses(self, request: dict[str, Any]) -> None:
        if _wants_tool(request):
            item: dict[str, Any] = {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "call_1",
                "name": "get_weather",
                "arguments": ARGUMENTS,
                "status": "completed",
            }
        else:
            text = {"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": []}
            item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
        response = {
            "id": "resp_1",
            "object": "response",
            "created_at": 1_760_000_000,
            "status": "completed",
            "model": "gpt-5-mini-2025-08-07",
            "output": [item],
            "usage": RESPONSES_USAGE,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": request.get("tools", []),
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "temperature": 1.0,
            "top_p": 1.0,
        }
        if not request.get("stream"):
            self._json(response)
            return
        running = {**response, "status": "in_progress", "output": [], "usage": None}
        place = {"output_index": 0, "item_id": item["id"]}
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": running},
            {"type": "response.output_item.added", **place, "item": {**item, "content": [], "status": "in_progress"}},
        ]
        if item["type"] == "message":
            events.append({"type": "response.output_text.delta", **place, "content_index": 0, "delta": ANSWER})
        else:
            events.append({"type": "response.function_call_arguments.delta", **place, "delta": ARGUMENTS})
        events.append({"type": "response.output_item.done", **place, "item": item})
        events.append({"type": "response.completed", "response": response})
        self._stream((event["type"], {**event, "sequence_number": number}) for number, event in enumerate(events))

    def _anthropic(self, request: dict[str, Any]) -> None:
        if _wants_tool(request):
            block: dict[str, Any] = {
                "type": "tool_use",
                "id": "toolu_1",
                "name": "get_weather",
                "input": json.loads(ARGUMENTS),
            }
            reason, delta = "tool_use", {"type": "input_json_delta", "partial_json": ARGUMENTS}
            empty: dict[str, Any] = {**block, "input": {}}
        else:
            block, reason = {"type": "text", "text": ANSWER}, "end_turn"
            delta, empty = {"type": "text_delta", "text": ANSWER}, {"type": "text", "text": ""}
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5-20250929",
            "content": [block],
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": ANTHROPIC_USAGE,
        }
        if not request.get("stream"):
            self._json(message)
            return
        opening = {**message, "content": [], "stop_reason": None, "usage": {**ANTHROPIC_USAGE, "output_tokens": 1}}
        ending = {"stop_reason": reason, "stop_sequence": None}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": opening},
            {"type": "content_block_start", "index": 0, "content_block": empty},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": ending, "usage": {"output_tokens": ANTHROPIC_USAGE["output_tokens"]}},
            {"type": "message_stop"},
        ]
        self._stream((event["type"], event) for event in events)

    def _json(self, answer: dict[str, Any], status: int = 200) -> None:
        self._send(json.dumps(answer).encode(), "application/json", status)

    def _stream(self, events: Iterator[tuple[str | None, Any]]) -> None:
        lines = []
        for name, event in events:
            data = event if isinstance(event, str) else json.dumps(event)
            lines.append((f"event: {name}\n" if name else "") + f"data: {data}\n\n")
        self._send("".join(lines).encode(), "text/event-stream", 200)

    def _send(self, body: bytes, content_type: str, status: int) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def _question(request: dict[str, Any]) -> str:
    messages = request.get("messages") or request.get("input") or ""
    if isinstance(messages, str):
        return messages
    asked = [message for message in messages if isinstance(message, dict) and message.get("role") == "user"]
    return json.dumps(asked[-1]["content"] if asked else messages)


def _wants_tool(request: dict[str, Any]) -> bool:
    """Tools are offered and their result is not there yet."""
    said = json.dumps(request.get("messages") or request.get("input") or "")
    answered = '"tool_result"' in said or '"role": "tool"' in said or '"function_call_output"' in said
    return bool(request.get("tools")) and not answered


if __name__ == "__main__":
    running = start()
    print(running.server_address[1], flush=True)
    threading.Event().wait()

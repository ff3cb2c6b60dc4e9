"""An event in the three forms in which it is told."""

import json
from typing import Any

from spectral.platform.events import DomainEvent
from spectral.platform.shared.wire import rfc3339


def http_body(event: DomainEvent) -> bytes:
    """`{type, timestamp, data}`, the same bytes at every attempt."""
    document = {"type": event.type, "timestamp": rfc3339(event.created_at), "data": _data(event)}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def slack_body(event: DomainEvent) -> bytes:
    """`{"text": …}` for Slack's incoming webhooks and what is compatible with them."""
    lines = [f"*{_escaped(event.type)}* {_escaped(event.subject)}"]
    lines += [f"• {_escaped(name)}: {_escaped(value)}" for name, value in _lines(event)]
    return json.dumps({"text": "\n".join(lines)}, ensure_ascii=False).encode()


def mail_of(event: DomainEvent) -> tuple[str, str]:
    """Subject and text."""
    lines = [f"{event.type} {event.subject}", f"at {rfc3339(event.created_at)}", ""]
    lines += [f"{name}: {value}" for name, value in _lines(event)]
    return f"[Spectral] {event.type}", "\n".join(lines) + "\n"


def _data(event: DomainEvent) -> dict[str, Any]:
    return {**event.data, "subject": event.subject, "workspace_id": str(event.workspace_id)}


def _lines(event: DomainEvent) -> list[tuple[str, str]]:
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in sorted(event.data.items())
    ]


def _escaped(text: str) -> str:
    """Slack's three: without them a name could mention everybody or forge a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

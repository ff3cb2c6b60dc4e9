"""Structured logs on standard error, without secrets."""

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

SECRET_MEMBERS = re.compile(r"password|secret|token|authorization|api[_-]?key|cookie|plaintext", re.IGNORECASE)
SECRET_VALUES = re.compile(
    r"[rs][kt]_live_[0-9A-Za-z]+|whsec_[0-9A-Za-z+/=]+|eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]*|(?<=://)[^/@\s]+:[^/@\s]+(?=@)"
)
MASK = "[masked]"


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Members that are named like secrets, and text that looks like a key, a token or a database password."""
    for name, value in event.items():
        named_like_one = name != "event" and SECRET_MEMBERS.search(name) is not None
        event[name] = MASK if named_like_one else masked(value)
    return event


def masked(value: Any) -> Any:
    """The value with everything in it that looks like a secret replaced."""
    if isinstance(value, str):
        return SECRET_VALUES.sub(MASK, value)
    if isinstance(value, dict):
        return {
            name: MASK if isinstance(name, str) and SECRET_MEMBERS.search(name) else masked(member)
            for name, member in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(member) for member in value]
    return value


def configure_logs(log_format: str, level: str) -> None:
    """One handler for our own and everybody else's records; `auto` means console on a terminal, JSON elsewhere."""
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Plain tracebacks: the richer ones print local variables, which hold what tenants sent.
    rendering: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, mask_secrets, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            mask_secrets,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, mask_secrets],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # The client library logs every URL it calls at INFO; ours is the server's side of it.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("dbos").setLevel(logging.WARNING)

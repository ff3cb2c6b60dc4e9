"""Structured logs on standard error, without secrets."""

import logging
import re
import sys
from functools import lru_cache
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from spectral.platform.shared.origin import ORIGIN

SECRET_MEMBERS = re.compile(r"password|secret|token|authorization|api[_-]?key|cookie|plaintext", re.IGNORECASE)
SECRET_VALUES = re.compile(
    r"[rs][kt]_live_[0-9A-Za-z]+|whsec_[0-9A-Za-z+/=]+|eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]*|(?<=://)[^/@\s]+:[^/@\s]+(?=@)"
)
MASK = "[masked]"


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Members that are named like secrets, and text that looks like a key, a token or a database password."""
    for name, value in event.items():
        event[name] = MASK if name != "event" and _is_named_like_one(name) else masked(value)
    return event


@lru_cache(maxsize=1024)
def _is_named_like_one(name: str) -> bool:
    return SECRET_MEMBERS.search(name) is not None


def with_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The id of the request that the line was written in."""
    if (origin := ORIGIN.get()) is not None:
        event.setdefault("request_id", origin.request_id)
    return event


def masked(value: Any) -> Any:
    """The value with everything in it that looks like a secret replaced."""
    if isinstance(value, str):
        return SECRET_VALUES.sub(MASK, value)
    if isinstance(value, dict):
        return {
            name: MASK if isinstance(name, str) and _is_named_like_one(name) else masked(member)
            for name, member in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(member) for member in value]
    return value


def configure_logs(log_format: str, level: str) -> None:
    """One handler for our own and everybody else's records; `auto` means console on a terminal, JSON elsewhere."""
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        with_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Plain tracebacks: the richer ones print local variables, which hold what tenants sent.
    # Whatever comes is masked once: JSON lines with their traceback, for the console what is not coloured yet.
    masking: list[Any] = [mask_secrets] if console else []
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
            *masking,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, *masking],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # The client library logs every URL it calls at INFO; ours is the server's side of it.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("dbos").setLevel(logging.WARNING)

"""Secrets do not reach the log."""

import json
import logging
from datetime import UTC, datetime

import pytest
import structlog

from spectral.platform.logs import MASK, configure_logs, mask_secrets


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "hunter2"),
        ("refresh_token", "abc"),
        ("note", "the key sk_live_0123456789abcdefghijABCDEFGHIJ000000 leaked"),
        ("note", "Bearer eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln"),
        ("url", "postgresql+asyncpg://spectral:hunter2@localhost/spectral"),
    ],
)
def test_masked(name: str, value: str) -> None:
    event = mask_secrets(None, "info", {"event": "x", name: value, "nested": {"api_key": "abc", name: [value]}})
    assert MASK in event[name]
    assert "hunter2" not in str(event)
    assert "0123456789abcdef" not in str(event)
    assert event["nested"]["api_key"] == MASK


def test_everything_else_stays() -> None:
    event = {"event": "request", "path": "/api/v1/health", "status": 200, "duration_ms": 1.5}
    assert mask_secrets(None, "info", dict(event)) == event


def test_a_line_is_one_json_object_with_a_time_in_utc_whatever_it_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    forged = 'x"}\n{"event":"request","actor":"user:forged"}\r\x1b[2K\u2028end'
    try:
        configure_logs("json", "INFO")
        structlog.get_logger("spectral.forged").warning("request", path=forged)
        logging.getLogger("somebody.else").warning("%s", forged)
    finally:
        root.handlers = handlers
        root.setLevel(level)
    printed = capsys.readouterr().err
    assert printed.count("\n") == 2
    assert not set("\r\x1b\u2028") & set(printed)
    ours, theirs = map(json.loads, printed.splitlines())
    assert (ours["event"], ours["path"], ours["level"], ours["logger"]) == (
        "request", forged, "warning", "spectral.forged"
    )  # fmt: skip
    assert theirs["event"] == forged
    for line in (ours, theirs):
        assert line["timestamp"].endswith("Z")
        assert abs((datetime.fromisoformat(line["timestamp"]) - datetime.now(UTC)).total_seconds()) < 60

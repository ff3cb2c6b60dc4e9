"""Secrets do not reach the log."""

import pytest

from spectral.platform.logs import MASK, mask_secrets


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

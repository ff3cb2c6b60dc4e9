"""What is kept of an answer: values that every database can hold."""

import json
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from spectral.domains.workflows.nodes.http_response import outputs_of, status_error
from spectral.domains.workflows.nodes.mask import Mask
from spectral.platform.shared.clock import utc_now

JSON = {"content-type": "application/problem+json; charset=utf-8"}


def outputs(content: bytes, headers: dict[str, str], mask: Mask | None = None) -> dict[str, Any]:
    return outputs_of(httpx.Response(200, headers=headers), content, mask or Mask())


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b'{"a": [1, 2.5, true, null]}', {"a": [1, 2.5, True, None]}),
        (b'"a\\u0000b"', "a\ufffdb"),
        (b'{"\\ud83d\\ude00": "\\ud800x"}', {"\U0001f600": "\ufffdx"}),
        (b"123456789012345678901234567890", "123456789012345678901234567890"),
        (b"-9223372036854775808", -(2**63)),
        (b"false", False),
    ],
    ids=["plain", "nul", "surrogates", "long", "integer", "false"],
)
def test_json_is_kept_as_a_document(content: bytes, kept: Any) -> None:
    found = outputs(content, JSON)
    assert (found["json"], found["body"]) == (kept, None)
    json.dumps(found, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "content",
    [b'{"a": ', b"NaN", b"[1e999]", b"[" * 100 + b"]" * 100, b"[" * 100_000, b"9" * 5_000, b""],
    ids=["cut", "nan", "infinite", "deep", "deeper", "digits", "empty"],
)
def test_what_declares_json_and_cannot_be_kept_as_such_is_text(content: bytes) -> None:
    found = outputs(content, JSON)
    assert (found["json"], found["body"]) == (None, content.decode())


def test_text_is_read_in_its_encoding_and_bytes_stay_bytes() -> None:
    assert outputs("ä".encode("latin-1"), {"content-type": "text/plain; charset=latin-1"})["body"] == "ä"
    assert outputs(b"a\x00b", {"content-type": "text/plain"})["body"] == "a\ufffdb"
    assert outputs(b"\xff", {"content-type": "text/plain"})["body"] == "\ufffd"
    assert outputs("ä".encode(), {})["body"] == "ä"
    assert outputs(b"x", {"content-type": "text/plain; charset=nonsense"})["body"] == "x"
    found = outputs(b"\x89PNG\x00\xff", {"content-type": "image/png"})
    assert (found["body"], found["encoding"]) == ("iVBORwD/", "base64")


def test_headers_are_lower_case_and_hold_no_credentials() -> None:
    headers = [("X-Total", "5"), ("Set-Cookie", "a=b"), ("X-Auth-Token", "t"), ("Link", "a"), ("Link", "b")]
    found = outputs_of(httpx.Response(200, headers=headers), b"", Mask())
    assert found["headers"] == {"x-total": "5", "x-auth-token": "[masked]", "link": "a, b"}


def test_what_is_said_of_an_error_is_short_and_holds_no_secret() -> None:
    secret = "s3cret-" * 3
    response = httpx.Response(502, headers={"content-type": "application/json"})
    content = json.dumps({"password": "p", "said": "x" * 270 + secret}).encode()
    error = status_error("GET https://x.test/", response, outputs_of(response, content, Mask([secret])))
    assert error.message.startswith('GET https://x.test/ answered 502 Bad Gateway: {"password": "[masked]", "said": "x')
    assert error.message.endswith("…")
    assert "s3cret" not in error.message
    assert len(error.message) < 360
    assert error.retryable


@pytest.mark.parametrize(
    ("status", "told", "seconds"),
    [
        (429, "7", 7.0),
        (503, "999999999", 86_400.0),
        (503, "soon", None),
        (503, "-1", None),
        (503, "", None),
        (500, "7", None),
    ],
)
def test_a_server_may_say_when_to_come_back(status: int, told: str, seconds: float | None) -> None:
    response = httpx.Response(status, headers={"retry-after": told})
    assert status_error("x", response, outputs_of(response, b"", Mask())).retry_after_s == seconds


def test_a_server_may_name_the_moment() -> None:
    for away, least, most in ((timedelta(hours=1), 3_500, 3_600), (timedelta(hours=-1), 0, 0)):
        response = httpx.Response(429, headers={"retry-after": format_datetime(utc_now() + away, usegmt=True)})
        told = status_error("x", response, outputs_of(response, b"", Mask())).retry_after_s
        assert told is not None
        assert least <= told <= most

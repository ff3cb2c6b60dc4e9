"""What an `http` step refuses to send."""

from typing import Any

import httpx
import pytest

from spectral.domains.workflows.nodes.calls import NodeError
from spectral.domains.workflows.nodes.http_request import MAXIMUM_CONTENT_BYTES, HttpLimits, HttpRequest

URL = "https://api.example/v1"


def read(params: dict[str, Any]) -> tuple[HttpLimits, HttpRequest]:
    given = {"url": URL, **params}
    return HttpLimits.of(given, None), HttpRequest.of(given, "key")


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"url": None}, "url"),
        ({"url": 7}, "url"),
        ({"url": "api.example/v1"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "gopher://api.example/"}, "url"),
        ({"url": "http:///nowhere"}, "url"),
        ({"url": "http://me:pass@api.example/"}, "url"),
        ({"url": "http://\x00/"}, "url"),
        ({"url": "http://x/" + "a" * 8_000}, "url"),
        ({"url": "http://[::1"}, "url"),
        ({"method": "TRACE"}, "method"),
        ({"method": "GET / HTTP/1.1\r\nX: y\r\n\r\n"}, "method"),
        ({"query": "a=b"}, "query"),
        ({"query": {"a": {"b": 1}}}, "query.a"),
        ({"query": {"a": "x" * 9_000}}, "url"),
        ({"headers": ["a"]}, "headers"),
        ({"headers": {f"h{number}": 1 for number in range(51)}}, "headers"),
        ({"headers": {"a b": "c"}}, "headers"),
        ({"headers": {"X-A": "b\r\nX-B: c"}}, "headers.x-a"),
        ({"headers": {"X-A": "b\x00"}}, "headers.x-a"),
        ({"headers": {"X-A": "b" * 16_385}}, "headers.x-a"),
        ({"headers": {"X-A": {"b": 1}}}, "headers.x-a"),
        ({"headers": {"X-A": "\ud800"}}, "headers.x-a"),
        ({"headers": {"Host": "inner.example"}}, "host"),
        ({"headers": {"Content-Length": 5}}, "content-length"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "transfer-encoding"),
        ({"headers": {"Accept-Encoding": "gzip"}}, "accept-encoding"),
        ({"headers": {"Proxy-Authorization": "x"}}, "proxy-authorization"),
        ({"json": 1, "body": "x"}, "json and body"),
        ({"body": [1]}, "body"),
        ({"body": "\udfff"}, "body"),
        ({"body": "x" * (MAXIMUM_CONTENT_BYTES + 1)}, "body"),
        ({"max_bytes": 0}, "max_bytes"),
        ({"max_bytes": 2**20 + 1}, "max_bytes"),
        ({"max_bytes": "many"}, "max_bytes"),
        ({"timeout_s": True}, "timeout_s"),
        ({"timeout_s": 301}, "timeout_s"),
        ({"follow_redirects": "yes"}, "follow_redirects"),
        ({"expect_status": "ok"}, "expect_status"),
        ({"expect_status": [200, 99]}, "expect_status"),
    ],
    ids=str,
)
def test_what_cannot_be_sent_names_the_parameter_and_not_its_value(params: dict[str, Any], named: str) -> None:
    with pytest.raises(NodeError, match=named) as failure:
        read(params)
    assert (failure.value.type, failure.value.retryable) == ("invalid-params", False)
    assert "pass@" not in failure.value.message


def test_what_is_left_out_has_its_default() -> None:
    limits, request = read({})
    assert (limits.max_bytes, limits.timeout_s, limits.follows) == (512 * 1024, 30.0, False)
    assert limits.expected == set(range(200, 300))
    assert (request.method, str(request.url), dict(request.headers), request.content) == ("GET", URL, {}, None)
    assert HttpLimits.of({}, 1_000).timeout_s == 300
    assert HttpLimits.of({"expect_status": ["2xx", 404, "302"]}, 5).expected == {*range(200, 300), 404, 302}


@pytest.mark.parametrize(
    ("status", "method", "followed_by"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (302, "PUT", "PUT"),
        (303, "DELETE", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "PATCH", "PATCH"),
    ],
)
def test_a_redirect_keeps_the_method_as_browsers_do(status: int, method: str, followed_by: str) -> None:
    _, request = read({"method": method, "body": "x", "headers": {"Authorization": "a"}})
    following = request.redirected(httpx.Response(status, headers={"location": "/v2#here"}))
    assert (following.method, str(following.url)) == (followed_by, "https://api.example/v2")
    assert following.headers["authorization"] == b"a"
    assert (following.content is None) == (method != followed_by)


@pytest.mark.parametrize(
    "location",
    ["http://api.example/v2", "file:///etc/passwd", "https://me:pass@api.example/", "https://[::1", "//other.example/"],
)
def test_a_redirect_to_something_else_is_refused(location: str) -> None:
    _, request = read({"method": "POST", "body": "x"})
    with pytest.raises(NodeError) as failure:
        request.redirected(httpx.Response(307, headers={"location": location}))
    assert (failure.value.type, failure.value.retryable) == ("outbound-refused", False)


def test_another_port_is_another_origin() -> None:
    _, request = read({"headers": {"Authorization": "a", "Accept": "b"}})
    following = request.redirected(httpx.Response(302, headers={"location": "https://api.example:8443/"}))
    assert dict(following.headers) == {"accept": b"b"}
    same = request.redirected(httpx.Response(302, headers={"location": "https://api.example:443/"}))
    assert "authorization" in same.headers

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from spectral.platform.outbound import (
    OutboundCalls,
    OutboundRefusedError,
    ResponseTooLargeError,
    is_admitted,
    is_allowed,
    outbound_client,
)
from spectral.settings import Settings
from tests.fixtures.databases import make_settings
from tests.fixtures.receivers import Receiver, Reply, receiving

# The receiver is on 127.0.0.1, which is allowed; the rest of loopback stands for somebody's private network.
RECEIVER_ONLY = (ip_network("127.0.0.1"),)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@asynccontextmanager
async def client(tmp_path: Path, **values: Any) -> AsyncIterator[httpx.AsyncClient]:
    known = {name: values.pop(name) for name in list(values) if name in Settings.model_fields}
    settings = make_settings(tmp_path, **{"outbound_allowed_networks": RECEIVER_ONLY, **known})
    async with outbound_client(settings, **values) as client:
        yield client


@pytest.mark.parametrize(
    "text",
    [
        "0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.8.8.8", "168.63.129.16", "169.254.169.254", "172.16.0.1",
        "172.31.255.255", "192.0.0.8", "192.168.1.1", "198.18.0.1", "224.0.0.1", "239.255.255.255", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "3fff::1", "5f00::1",
        "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_global_is_refused(text: str) -> None:
    assert not is_allowed(ip_address(text))


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_a_global_address_is_allowed(text: str) -> None:
    assert is_allowed(ip_address(text))


def test_allowed_networks_hold_also_for_addresses_inside_others() -> None:
    networks = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]
    for text in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1"):
        assert is_allowed(ip_address(text), networks)
    assert not is_allowed(ip_address("10.2.0.1"), networks)


@pytest.mark.parametrize(
    "host", ["127.0.0.2", "127.2", "2130706434", "0x7f000002", "0177.0.0.2", "0x7f.2", "[::1]", "[::ffff:127.0.0.2]"]
)
async def test_every_spelling_of_a_private_address_is_refused(tmp_path: Path, host: str) -> None:
    async with client(tmp_path) as outbound:
        # httpx itself refuses dotted numbers with leading zeros.
        with pytest.raises((OutboundRefusedError, httpx.InvalidURL)):
            await outbound.post(f"http://{host}:9/")


async def test_a_name_with_one_private_address_is_refused_as_a_whole(tmp_path: Path, receiver: Receiver) -> None:
    async def both(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1", "127.0.0.2"]

    async with client(tmp_path, resolver=both) as outbound:
        with pytest.raises(OutboundRefusedError):
            await outbound.post(f"http://named.example:{receiver.port}/")
    assert not receiver.received


async def test_the_connection_goes_to_the_address_that_was_checked(tmp_path: Path, receiver: Receiver) -> None:
    """A name that rebinds is asked once per connection; its second answer meets the check as well."""
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return answers.pop(0)

    receiver.answer = lambda _: Reply(headers={"connection": "close"})
    async with client(tmp_path, resolver=rebinding) as outbound:
        answer = await outbound.post(f"http://rebinding.example:{receiver.port}/")
        assert answer.status_code == 200
        assert asked == ["rebinding.example"]
        with pytest.raises(OutboundRefusedError):
            await outbound.post(f"http://rebinding.example:{receiver.port}/")
    (request,) = receiver.received
    assert request.headers["host"] == f"rebinding.example:{receiver.port}"


async def test_a_redirect_meets_the_same_check(tmp_path: Path, receiver: Receiver) -> None:
    with receiving("127.0.0.2") as private:
        receiver.answer = lambda _: Reply(307, headers={"location": f"{private.url}/secret"})
        async with client(tmp_path) as outbound:
            with pytest.raises(OutboundRefusedError):
                await outbound.post(receiver.url)
        assert not private.received
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("status", "location"),
    [(307, "file:///etc/passwd"), (307, "gopher://127.0.0.1/"), (302, "/elsewhere"), (303, "/elsewhere")],
)
async def test_a_redirect_to_something_else_is_refused(
    tmp_path: Path, receiver: Receiver, status: int, location: str
) -> None:
    receiver.answer = lambda _: Reply(status, headers={"location": location})
    async with client(tmp_path) as outbound:
        with pytest.raises((OutboundRefusedError, httpx.UnsupportedProtocol)):
            await outbound.post(receiver.url)
    assert len(receiver.received) == 1


async def test_three_redirects_are_followed_and_no_more(tmp_path: Path, receiver: Receiver) -> None:
    async with client(tmp_path) as outbound:
        receiver.answer = lambda request: Reply(body=b"arrived") if request.path == "/3" else _next(request.path)
        assert (await outbound.post(f"{receiver.url}/0", content=b"kept")).text == "arrived"
        assert {request.body for request in receiver.received} == {b"kept"}
        with pytest.raises(httpx.TooManyRedirects):
            await outbound.post(f"{receiver.url}/-1")


def _next(path: str) -> Reply:
    return Reply(308, headers={"location": f"/{int(path[1:]) + 1}"})


async def test_production_calls_https_only(tmp_path: Path, receiver: Receiver) -> None:
    production = {"environment": "production", "public_url": "https://here.example", "allow_sqlite_in_production": True}
    async with client(tmp_path, mail="off", **production) as outbound:
        with pytest.raises(OutboundRefusedError):
            await outbound.post(receiver.url)
    assert not receiver.received


async def test_https_does_not_lead_back_to_http() -> None:
    from spectral.platform.outbound import _refuse_bad_redirects  # noqa: PLC0415

    request = httpx.Request("POST", "https://here.example/")
    with pytest.raises(OutboundRefusedError, match="from https"):
        await _refuse_bad_redirects(httpx.Response(307, headers={"location": "http://here.example/"}, request=request))


async def test_an_answer_is_read_up_to_the_limit(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(body=b"x" * 1001)
    async with client(tmp_path, response_limit_bytes=1000) as outbound:
        with pytest.raises(ResponseTooLargeError):
            await outbound.get(receiver.url)
    receiver.answer = lambda _: Reply(body=b"x", headers={"content-encoding": "gzip"})
    async with client(tmp_path) as outbound:
        with pytest.raises(OutboundRefusedError, match="encoded"):
            await outbound.get(receiver.url)


async def test_nothing_of_one_answer_goes_along_with_the_next_request(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(headers={"set-cookie": "who=somebody"})
    async with client(tmp_path) as outbound:
        await outbound.get(receiver.url)
        await outbound.get(receiver.url)
    assert all("cookie" not in request.headers for request in receiver.received)


async def test_a_proxy_of_the_environment_is_not_used(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, receiver.url)
    async with client(tmp_path) as outbound:
        with pytest.raises(OutboundRefusedError):
            await outbound.get("http://127.0.0.2:9/")
    assert not receiver.received


@pytest.mark.parametrize(
    ("text", "networks", "admitted"),
    [
        ("10.1.2.3", ["10.1.0.0/16"], True),
        ("::ffff:10.1.2.3", ["10.1.0.0/16"], True),
        ("10.2.0.1", ["10.1.0.0/16"], False),
        ("169.254.1.1", ["169.254.0.0/16"], True),
        ("169.254.169.254", ["169.254.0.0/16"], False),
        ("64:ff9b::a9fe:a9fe", ["169.254.0.0/16", "::/0"], False),
        ("100.100.100.200", ["100.64.0.0/10"], False),
        ("fd00:ec2::254", ["fc00::/7"], False),
        ("fd12::1", ["fc00::/7"], True),
        ("239.1.1.1", ["0.0.0.0/0"], False),
    ],
)
def test_a_customer_admits_private_networks_and_never_a_metadata_service(
    text: str, networks: list[str], *, admitted: bool
) -> None:
    assert is_admitted(ip_address(text), [ip_network(network) for network in networks]) is admitted


async def test_a_client_of_one_customer_calls_what_that_one_admits_and_follows_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    calls = OutboundCalls(make_settings(tmp_path))
    receiver.answer = lambda _: Reply(302, headers={"location": "/there"})
    async with calls.client([ip_network("127.0.0.1")], timeout_s=5) as theirs:
        assert (await theirs.get(receiver.url)).status_code == 302
    for admitted in ([], [ip_network("10.0.0.0/8")]):
        async with calls.client(admitted, timeout_s=5) as others:
            with pytest.raises(OutboundRefusedError):
                await others.get(receiver.url)
    assert len(receiver.received) == 1


async def test_a_name_that_does_not_resolve_is_a_connection_error(tmp_path: Path) -> None:
    async def nobody(_host: str, _port: int) -> Sequence[str]:
        raise OSError("unknown")

    async with client(tmp_path, resolver=nobody) as outbound:
        with pytest.raises(httpx.ConnectError):
            await outbound.get("http://nobody.example/")

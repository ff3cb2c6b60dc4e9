"""`http` steps against real servers on loopback, which workspaces open for themselves."""

import base64
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest

from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.models import SECRET_PURPOSE
from spectral.domains.workflows.nodes.calls import NodeError
from spectral.domains.workflows.nodes.http import HttpWork
from spectral.domains.workflows.nodes.http_response import HttpStatusError
from spectral.domains.workflows.nodes.secrets import Secrets
from spectral.platform.db.session import Database
from spectral.platform.outbound import OutboundCalls
from spectral.platform.shared.secret_box import SecretBox
from spectral.settings import Settings
from tests.domains.workflows.nodes.calling import Lines, node_call
from tests.fixtures.receivers import Received, Receiver, Reply, receiving
from tests.fixtures.snapshots import snapshot
from tests.fixtures.tenants import Tenant, register_tenant

SECRET = "t0p/secret value+1"
on_one_database = pytest.mark.databases("sqlite")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def make_work(settings: Settings, database: Database) -> Callable[..., HttpWork]:
    def make(permitted: Any = None, **values: Any) -> HttpWork:
        secrets = Secrets(database, SecretBox(settings.secrets, SECRET_PURPOSE))
        networks = settings.networks_for_workspaces if permitted is None else permitted
        return HttpWork(OutboundCalls(settings, **values), secrets, networks)

    return make


class Caller:
    """`http` steps of one workspace, which may call 127.0.0.1 and no other private address."""

    def __init__(self, client: httpx.AsyncClient, database: Database, tenant: Tenant, work: HttpWork) -> None:
        self.client = client
        self.database = database
        self.tenant = tenant
        self.work = work
        self.journal = Lines()

    async def open(self, *networks: str) -> None:
        await self._put("workflow-settings", {"allowed_networks": networks})

    async def keep(self, name: str, value: str) -> None:
        await self._put(f"workflow-secrets/{name}", {"value": value})

    async def outputs(self, run_inputs: dict[str, Any] | None = None, /, **params: Any) -> dict[str, Any]:
        call = node_call(
            self.database, self.tenant.access, NodeKind.HTTP, params, run_inputs=run_inputs, journal=self.journal
        )
        outputs: dict[str, Any] = (await self.work(call)).outputs
        return outputs

    async def failure(self, run_inputs: dict[str, Any] | None = None, /, **params: Any) -> NodeError:
        with pytest.raises(NodeError) as failure:
            await self.outputs(run_inputs, **params)
        assert str(failure.value) == failure.value.message
        return failure.value

    async def _put(self, path: str, body: Any) -> None:
        answer = await self.client.put(f"{self.tenant.url}/{path}", json=body, headers=self.tenant.client_headers)
        assert answer.status_code == 200, answer.text


@pytest.fixture
async def caller(
    client: httpx.AsyncClient, database: Database, tenant: Tenant, make_work: Callable[..., HttpWork]
) -> Caller:
    caller = Caller(client, database, tenant, make_work())
    await caller.open("127.0.0.1")
    return caller


def echo(request: Received) -> Reply:
    """Everything that came, as JSON."""
    told = {"path": request.path, "headers": request.headers, "body": request.body.decode()}
    return Reply(body=json.dumps(told).encode(), headers={"content-type": "application/json"})


# --------------------------------------------------------------------------------------------------- what is sent


@on_one_database
async def test_a_request_is_sent_as_the_definition_says(caller: Caller, receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(
        201, b'{"ok": [1, 2.5, null]}', {"Content-Type": "application/json", "X-Kind": "new", "Set-Cookie": "a=b"}
    )
    outputs = await caller.outputs(
        {"id": 7},
        method="post",
        url=f"{receiver.url}/orders?a=1#part",
        query={"b": [1, True], "c": None, "d": "x y"},
        headers={"X-Order": "${inputs.id}", "X-None": None},
        json={"id": "${inputs.id}", "name": "ä"},
    )
    assert (outputs["status"], outputs["json"], outputs["body"]) == (201, {"ok": [1, 2.5, None]}, None)
    assert outputs["headers"]["x-kind"] == "new"
    assert "set-cookie" not in outputs["headers"]
    (request,) = receiver.received
    assert (request.method, request.path) == ("POST", "/orders?a=1&b=1&b=true&d=x+y")
    assert json.loads(request.body) == {"id": 7, "name": "ä"}
    sent = request.headers
    assert (sent["x-order"], sent["content-type"]) == ("7", "application/json")
    assert sent["idempotency-key"] == "7/1/each[0]/step/1"
    assert "x-none" not in sent


@on_one_database
async def test_reading_carries_no_idempotency_key_and_text_stays_text(caller: Caller, receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(body=b"plain", headers={"content-type": "text/plain"})
    outputs = await caller.outputs(url=receiver.url)
    assert (outputs["body"], outputs["json"]) == ("plain", None)
    form = {"grant_type": "client_credentials", "scope": ["a", "b"]}
    await caller.outputs(url=receiver.url, method="POST", body=form, headers={"Idempotency-Key": "mine"})
    read, sent = receiver.received
    assert "idempotency-key" not in read.headers
    assert (sent.body, sent.headers["idempotency-key"]) == (b"grant_type=client_credentials&scope=a&scope=b", "mine")
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"


# --------------------------------------------------------------------------------------------------------- secrets


async def test_a_secret_that_the_server_gives_back_is_masked_everywhere(caller: Caller, receiver: Receiver) -> None:
    await caller.keep("TOKEN", SECRET)
    basic = base64.b64encode(f"me:{SECRET}".encode()).decode()

    def answer(request: Received) -> Reply:
        assert request.headers["authorization"] == f"Bearer {SECRET}"
        told = {"echo": request.headers["authorization"], "url": request.path, SECRET: [SECRET], "basic": basic}
        return Reply(
            200 if request.path.startswith("/good") else 500,
            json.dumps(told).encode(),
            {"content-type": "application/json", "x-echo": SECRET, "link": f"<https://x.test/?t={quote(SECRET)}>"},
        )

    receiver.answer = answer
    sent = {
        "headers": {"Authorization": "Bearer ${secrets.TOKEN}"},
        "query": {"t": "${secrets.TOKEN}"},
        "follow_redirects": True,
    }
    outputs = await caller.outputs(url=f"{receiver.url}/good", **sent)
    assert outputs["json"]["echo"] == "Bearer ***"
    assert outputs["json"]["***"] == ["***"]
    assert outputs["json"]["url"] == "/good?t=***"
    assert outputs["headers"]["x-echo"] == "***"
    failure = await caller.failure(url=f"{receiver.url}/bad", **sent)
    assert failure.type == "http-status"
    assert "Bearer ***" in failure.message
    receiver.answer = lambda request: (
        Reply(302, headers={"location": f"/good/{quote(SECRET, safe='')}"}) if request.path == "/away" else Reply()
    )
    await caller.outputs(url=f"{receiver.url}/away", headers=sent["headers"], follow_redirects=True)
    assert caller.journal.said[0]["message"].endswith("/good/***")
    kept = json.dumps([outputs, failure.message, caller.journal.said])
    for trace in ("t0p", "secret value", quote(SECRET), "VjcmV0IHZhbHVl", "c2VjcmV0IHZhbHVl"):
        assert trace not in kept, trace


@on_one_database
async def test_inputs_that_name_a_secret_are_sent_as_they_are(caller: Caller, receiver: Receiver) -> None:
    await caller.keep("TOKEN", SECRET)
    receiver.answer = echo
    outputs = await caller.outputs(
        {"comment": "${secrets.TOKEN}", "more": {"a": "${secrets.TOKEN}"}},
        url=receiver.url,
        method="POST",
        headers={"Authorization": "${secrets.TOKEN}"},
        json={"comment": "${inputs.comment}", "more": "${inputs.more}"},
    )
    assert SECRET not in receiver.received[0].body.decode()
    assert json.loads(outputs["json"]["body"]) == {"comment": "${secrets.TOKEN}", "more": {"a": "${secrets.TOKEN}"}}
    assert receiver.received[0].headers["authorization"] == SECRET


@on_one_database
async def test_a_secret_that_is_missing_sends_nothing(caller: Caller, receiver: Receiver) -> None:
    failure = await caller.failure(url=receiver.url, headers={"Authorization": "${secrets.MISSING}"})
    assert (failure.type, failure.retryable) == ("unknown-secret", False)
    assert not receiver.received


# ------------------------------------------------------------------------------------------------- where it may go


async def test_private_addresses_are_open_to_who_lists_them_and_to_nobody_else(
    client: httpx.AsyncClient,
    database: Database,
    tenant: Tenant,
    other_tenant: Tenant,
    receiver: Receiver,
    make_work: Callable[..., HttpWork],
) -> None:
    ours = Caller(client, database, tenant, make_work())
    theirs = Caller(client, database, other_tenant, ours.work)
    for caller in (ours, theirs):
        failure = await caller.failure(url=receiver.url)
        assert (failure.type, failure.retryable) == ("outbound-refused", False)
        assert "private or reserved" in failure.message
    assert not receiver.received
    await ours.open("127.0.0.0/8")
    assert (await ours.outputs(url=receiver.url))["status"] == 200
    # A connection that we have just used is not there for them.
    assert (await theirs.failure(url=receiver.url)).type == "outbound-refused"
    assert len(receiver.received) == 1
    # What the operator does not permit any more is closed again.
    ours.work = make_work(permitted=())
    assert (await ours.failure(url=receiver.url)).type == "outbound-refused"
    await ours.open()
    ours.work = theirs.work
    assert (await ours.failure(url=receiver.url)).type == "outbound-refused"
    assert len(receiver.received) == 1


@on_one_database
async def test_metadata_services_stay_closed_whatever_is_listed(caller: Caller) -> None:
    await caller.open("169.254.0.0/16", "127.0.0.1")
    for host in ("169.254.169.254", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "10.0.0.1", "[fe80::1]"):
        failure = await caller.failure(url=f"http://{host}:9/latest/meta-data/")
        assert failure.type == "outbound-refused", host


@on_one_database
async def test_a_name_that_leads_elsewhere_a_moment_later_meets_the_check(
    caller: Caller, receiver: Receiver, make_work: Callable[..., HttpWork]
) -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1", "169.254.169.254"]]
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(f"{host}:{port}")
        return answers.pop(0)

    caller.work = make_work(resolver=rebinding)
    url = f"http://rebinding.example:{receiver.port}/"
    assert (await caller.outputs(url=url))["status"] == 200
    for _ in range(2):
        assert (await caller.failure(url=url)).type == "outbound-refused"
    # Once a call: the address that was checked is the one that is connected to.
    assert asked == [f"rebinding.example:{receiver.port}"] * 3
    assert [request.headers["host"] for request in receiver.received] == [f"rebinding.example:{receiver.port}"]


@on_one_database
async def test_nothing_of_the_environment_is_used(
    caller: Caller, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, receiver.url)
    assert (await caller.failure(url="http://127.0.0.2:9/")).type == "outbound-refused"
    assert not receiver.received


# ------------------------------------------------------------------------------------------------------- redirects


@on_one_database
async def test_redirects_are_followed_only_when_the_step_says_so(caller: Caller, receiver: Receiver) -> None:
    receiver.answer = lambda request: (
        Reply(302, headers={"location": "/there", "set-cookie": "who=me"}) if request.path == "/" else echo(request)
    )
    failure = await caller.failure(url=receiver.url)
    assert (failure.type, failure.retryable) == ("http-status", False)
    assert (await caller.outputs(url=receiver.url, expect_status=302))["headers"]["location"] == "/there"
    outputs = await caller.outputs(url=receiver.url, follow_redirects=True, headers={"X-Api-Key": "k"})
    assert outputs["json"]["path"] == "/there"
    # The same origin may have what it has had; nothing keeps its cookies.
    assert outputs["json"]["headers"]["x-api-key"] == "k"
    assert "cookie" not in outputs["json"]["headers"]
    receiver.answer = lambda _: Reply(302, headers={"location": "/again"})
    failure = await caller.failure(url=receiver.url, follow_redirects=True)
    assert (failure.type, failure.retryable) == ("http-status", False)
    assert "more than 3 times" in failure.message


@on_one_database
async def test_a_redirect_to_a_private_address_is_refused(caller: Caller, receiver: Receiver) -> None:
    with receiving("127.0.0.2") as private:
        receiver.answer = lambda _: Reply(302, headers={"location": f"{private.url}/secret"})
        failure = await caller.failure(url=receiver.url, follow_redirects=True)
        assert failure.type == "outbound-refused"
        assert not private.received


@on_one_database
async def test_another_origin_is_given_no_credentials(caller: Caller, receiver: Receiver) -> None:
    await caller.keep("TOKEN", SECRET)
    with receiving() as other:
        other.answer = echo
        receiver.answer = lambda _: Reply(302, headers={"location": f"{other.url}/there"})
        headers = {
            "Authorization": "Bearer ${secrets.TOKEN}",
            "X-Custom": "${secrets.TOKEN}",
            "Cookie": "a=b",
            "Accept": "application/json",
        }
        outputs = await caller.outputs(url=receiver.url, headers=headers, follow_redirects=True)
        seen = outputs["json"]["headers"]
        assert seen["accept"] == "application/json"
        assert not {"authorization", "x-custom", "cookie"} & set(seen)
        # Nor the body, which may hold one.
        receiver.answer = lambda _: Reply(307, headers={"location": f"{other.url}/there"})
        failure = await caller.failure(
            url=receiver.url, method="POST", json={"token": "${secrets.TOKEN}"}, follow_redirects=True
        )
        assert (failure.type, len(other.received)) == ("outbound-refused", 1)
        receiver.answer = lambda _: Reply(303, headers={"location": f"{other.url}/there"})
        await caller.outputs(url=receiver.url, method="POST", json={"a": "${secrets.TOKEN}"}, follow_redirects=True)
        followed = other.received[1]
        assert (followed.method, followed.body) == ("GET", b"")
        assert not {"idempotency-key", "content-type"} & set(followed.headers)


# ------------------------------------------------------------------------------------------------------ what comes


@on_one_database
async def test_an_unexpected_status_says_what_was_answered(caller: Caller, receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(404, b"no  such\norder")
    failure = await caller.failure(url=f"{receiver.url}/orders/7?token=x")
    assert isinstance(failure, HttpStatusError)
    assert (failure.type, failure.retryable, failure.retry_after_s) == ("http-status", False, None)
    assert failure.message == f"GET {receiver.url}/orders/7 answered 404 Not Found: no such order"
    assert (await caller.outputs(url=receiver.url, expect_status=[200, "4xx"]))["status"] == 404
    receiver.answer = lambda _: Reply(503, headers={"retry-after": "7"})
    busy = await caller.failure(url=receiver.url)
    assert isinstance(busy, HttpStatusError)
    assert (busy.retryable, busy.retry_after_s) == (True, 7.0)


@on_one_database
async def test_an_answer_is_read_up_to_the_limit(caller: Caller, receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(body=b"x" * 1000, headers={"content-type": "text/plain"})
    assert (await caller.outputs(url=receiver.url, max_bytes=1000))["body"] == "x" * 1000
    failure = await caller.failure(url=receiver.url, max_bytes=999)
    assert (failure.type, failure.retryable) == ("response-too-large", False)
    # A small answer that unpacks to a large one.
    receiver.answer = lambda _: Reply(body=b"x", headers={"content-encoding": "gzip"})
    assert (await caller.failure(url=receiver.url)).type == "outbound-refused"


@on_one_database
async def test_who_does_not_answer_or_is_not_there_may_be_asked_again(caller: Caller, receiver: Receiver) -> None:
    enough = threading.Event()

    def wait(_: Received) -> Reply:
        enough.wait(20)
        return Reply()

    receiver.answer = wait
    try:
        failure = await caller.failure(url=receiver.url, timeout_s=0.1)
    finally:
        enough.set()
    assert (failure.type, failure.retryable) == ("timeout", True)
    with receiving() as closed:
        url = closed.url
    failure = await caller.failure(url=url)
    assert (failure.type, failure.retryable) == ("connection", True)
    assert "no connection" in failure.message
    receiver.answer = lambda _: Reply(headers={"content-length": "5"})
    assert (await caller.failure(url=receiver.url)).type == "connection"


# ------------------------------------------------------------------------------------------------------ a whole run

RUN = """
name: calling
steps:
  - id: call
    kind: http
    method: POST
    url: {url}/orders
    headers: {{Authorization: "Bearer ${{secrets.TOKEN}}"}}
    json: {{given: "${{inputs.given}}"}}
    expect_status: [200, 418]
  - id: refused
    kind: http
    url: {url}/refused?token=${{secrets.TOKEN}}
    on_error: continue
"""


async def test_a_run_leaves_no_trace_of_a_secret(
    engine_client: httpx.AsyncClient, settings: Settings, request: pytest.FixtureRequest, receiver: Receiver
) -> None:
    """Neither in the run, its steps, history, events and checkpoints, nor in any row of any table but its own."""
    tenant = await register_tenant(engine_client, "ours")
    url, headers = tenant.url, tenant.client_headers
    for path, body in (
        ("workflow-settings", {"allowed_networks": ["127.0.0.1"]}),
        ("workflow-secrets/TOKEN", {"value": SECRET}),
    ):
        assert (await engine_client.put(f"{url}/{path}", json=body, headers=headers)).status_code == 200
    receiver.answer = lambda sent: Reply(
        500 if sent.path.startswith("/refused") else 418, echo(sent).body, {"content-type": "application/json"}
    )
    made = await engine_client.post(
        f"{url}/workflows", json={"source": RUN.format(url=receiver.url), "format": "yaml"}, headers=headers
    )
    assert made.status_code == 201, made.text
    begun = await engine_client.post(
        f"{url}/workflows/calling/runs",
        json={"inputs": {"given": "${secrets.TOKEN}"}, "run_id": "one", "wait": 20},
        headers=headers,
    )
    assert begun.json()["status"] == "succeeded", begun.text
    assert begun.json()["outputs"] is None
    assert [sent.headers.get("authorization") for sent in receiver.received] == [f"Bearer {SECRET}", None]
    assert unquote(receiver.received[1].path) == f"/refused?token={SECRET}"
    assert json.loads(receiver.received[0].body) == {"given": "${secrets.TOKEN}"}
    shown = [begun]
    for path in ("", "/steps", "/history", "/events", "/checkpoints", "/state"):
        shown.append(await engine_client.get(f"{url}/runs/one{path}", headers=headers))
        assert shown[-1].status_code == 200, shown[-1].text
    assert "Bearer ***" in shown[2].text
    template = None if settings.uses_sqlite else request.getfixturevalue("postgres_template")
    everything = [answer.text for answer in shown] + [str(rows) for rows in snapshot(settings, template).values()]
    for text in everything:
        for form in (SECRET, quote(SECRET), quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode()[:20]):
            assert form not in text

"""Agents at an address: what is posted, how its signature is checked, and what each fault comes to."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from spectral.domains.agents.config import ConfigDocument, canonical_hash
from spectral.domains.agents.errors import NotExecutableError
from spectral.domains.agents.http_runtime import HttpRuntime, HttpRuntimes
from spectral.domains.agents.models import SECRET_PURPOSE, Agent
from spectral.domains.agents.runtime import ExecutionMode
from spectral.domains.agents.settings import checked_settings
from spectral.domains.evaluations.prices import ceiling_of
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from spectral.platform.outbound import Network, OutboundCalls
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.secret_box import SecretBox
from spectral.platform.webhooks.signing import new_secret
from spectral.settings import Settings
from tests.fixtures.receivers import Received, Receiver, Reply, receiving

SECRET = new_secret()
CONFIG = ConfigDocument.model_validate(
    {
        "model": "own/one",
        "prompts": {"main": {"messages": [{"role": "user", "content": "{{text}}"}]}},
        "custom": {"top_k": 3},
    }
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


class Making:
    """Runtimes of agents at addresses, in one installation."""

    def __init__(self, settings: Settings, access: WorkspaceAccess) -> None:
        self.box = SecretBox(settings.secrets, SECRET_PURPOSE)
        self.settings = settings
        self.access = access
        self.admitted: tuple[Network, ...] = (ip_network("127.0.0.1/32"),)

    async def _networks(self, access: WorkspaceAccess) -> tuple[Network, ...]:
        assert access == self.access
        return self.admitted

    def runtimes(self) -> HttpRuntimes:
        return HttpRuntimes(OutboundCalls(self.settings), self.box, self._networks)

    def agent(self, url: str, **settings: Any) -> Agent:
        return Agent(
            id=new_id(),
            name="A",
            runtime="http",
            runtime_settings=checked_settings("http", {"url": url, "side_effects": "none", **settings}),
            runtime_secret_sealed=self.box.seal(SECRET),
        )

    def runtime(self, url: str, *, subject: str | None = "scan:1", **settings: Any) -> HttpRuntime:
        runtimes, agent = self.runtimes(), self.agent(url, **settings)
        runtimes.check(agent)
        return runtimes.of(self.access, agent, ExecutionMode.EVALUATION, subject=subject)


@pytest.fixture
def making(tmp_path: Path) -> Making:
    settings = Settings(
        _env_file=None, data_dir=tmp_path, secret_keys=(SecretStr("of-these-tests-and-long-enough-for-a-key"),)
    )
    return Making(settings, WorkspaceAccess.for_system(new_id(), new_id(), "tests"))


def verified(request: Received, secret: str) -> dict[str, Any]:
    """The body, checked as the guide tells customers to check it."""
    headers = request.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert any(hmac.compare_digest(expected, given) for given in headers["webhook-signature"].split())
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 300
    body: dict[str, Any] = json.loads(request.body)
    return body


async def test_what_is_posted_is_signed_marked_and_tells_nothing_of_the_evaluation(
    making: Making, receiver: Receiver
) -> None:
    receiver.answer = lambda request: Reply(
        body=json.dumps(
            {
                "output": {"intent": json.loads(request.body)["input"]["text"]},
                "usage": {"input_tokens": 7, "output_tokens": 2},
                "cost_usd": "0.0004",
                "trace_id": "ab" * 16,
            }
        ).encode()
    )
    runtime = making.runtime(f"{receiver.url}/run")
    done = await runtime.execute_many(CONFIG, [{"text": "one"}, {"text": "two"}], [11, 12])
    assert [each.output for each in done] == ['{"intent":"one"}', '{"intent":"two"}']
    first = done[0]
    assert (first.input_tokens, first.output_tokens, first.cost_nano_usd, first.model) == (7, 2, 400_000, "http")
    assert (first.trace_id, first.attributes, first.latency_ms > 0) == (
        "ab" * 16,
        {"spectral.mode": "evaluation"},
        True,
    )
    sent = sorted((verified(request, SECRET) for request in receiver.received), key=lambda body: body["seed"])
    assert set(sent[0]) == {"config", "config_hash", "input", "seed", "traceparent", "mode"}
    assert (sent[0]["config"], sent[0]["config_hash"]) == (CONFIG.as_json(), canonical_hash(CONFIG))
    assert [(body["input"], body["seed"]) for body in sent] == [({"text": "one"}, 11), ({"text": "two"}, 12)]
    assert sent[0]["mode"] == "evaluation"
    assert sent[0]["traceparent"] != sent[1]["traceparent"]
    for request in receiver.received:
        assert request.headers["traceparent"] == json.loads(request.body)["traceparent"]
        assert request.headers["baggage"] == "spectral.mode=evaluation"
    # The same evaluation asks under the same id, so that the other side may know it again.
    await runtime.execute_many(CONFIG, [{"text": "one"}], [11])
    ids = [request.headers["webhook-id"] for request in receiver.received]
    assert (len(set(ids)), ids[2] in ids[:2]) == (2, True)
    with pytest.raises(AssertionError):
        verified(receiver.received[0], new_secret())


@pytest.mark.parametrize(
    ("reply", "retryable", "says"),
    [
        (Reply(503, b"later"), True, "answered 503"),
        (Reply(429), True, "answered 429"),
        (Reply(401, b"who"), False, "answered 401"),
        (Reply(302, headers={"location": "http://127.0.0.1/"}), False, "answered 302"),
        (Reply(body=b"<html>"), True, "not JSON"),
        (Reply(body=b"[]"), True, "exactly one of output and error"),
        (Reply(body=b'{"output": 1, "error": {}}'), True, "exactly one"),
        (Reply(body=b'{"output": 1, "usage": []}'), True, "its usage has another type"),
        (Reply(body=b'{"output": 1, "cost_usd": "much"}'), True, "decimal string"),
        (Reply(body=b'{"output": NaN}'), True, "not a number"),
        (Reply(body=b'{"output": "' + b"x" * (1024 * 1024) + b'"}'), True, "more than 1048576 bytes"),
    ],
    ids=["5xx", "429", "401", "redirect", "text", "list", "both", "usage", "cost", "NaN", "large"],
)
async def test_what_is_no_answer_is_missing(
    making: Making,
    receiver: Receiver,
    reply: Reply,
    retryable: bool,  # noqa: FBT001
    says: str,
) -> None:
    receiver.answer = lambda _: reply
    (done,) = await making.runtime(receiver.url).execute_many(CONFIG, ["x"], [0])
    assert done.error is not None
    assert (done.error.missing, done.error.retryable, done.output, done.cost_nano_usd) == (True, retryable, None, None)
    assert says in done.error.message


async def test_an_agents_own_error_is_its_answer(making: Making, receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(body=b'{"error": {"type": "no-ticket", "message": "there is none"}}')
    (done,) = await making.runtime(receiver.url).execute_many(CONFIG, ["x"], [0])
    assert done.error is not None
    assert (done.error.type, done.error.message, done.error.missing) == (
        "agent_error", "no-ticket: there is none", False,
    )  # fmt: skip


async def test_an_address_that_is_slow_or_away_is_missing(making: Making, receiver: Receiver) -> None:
    ended = threading.Event()
    receiver.answer = lambda _: Reply(200 if ended.wait(20) else 500)
    (slow,) = await making.runtime(receiver.url, timeout_s=1).execute_many(CONFIG, ["x"], [0])
    ended.set()
    (away,) = await making.runtime("http://127.0.0.1:9/").execute_many(CONFIG, ["x"], [0])
    for done, says in ((slow, "did not answer within 1 s"), (away, "could not be reached")):
        assert done.error is not None
        assert (done.error.missing, done.error.retryable) == (True, True)
        assert says in done.error.message


async def test_no_more_than_so_many_are_asked_at_once(making: Making, receiver: Receiver) -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def answer(_: Received) -> Reply:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.02)
        with lock:
            inside -= 1
        return Reply(body=b'{"output": "x"}')

    receiver.answer = answer
    done = await making.runtime(receiver.url, in_flight=3).execute_many(CONFIG, list(range(12)), list(range(12)))
    assert {each.output for each in done} == {"x"}
    assert 1 <= most <= 3


async def test_private_addresses_are_refused_unless_the_workspace_has_opened_them(
    making: Making, receiver: Receiver
) -> None:
    making.admitted = ()
    for url in (receiver.url, f"http://localhost:{receiver.port}/"):
        with pytest.raises(NotExecutableError, match="private or reserved"):
            await making.runtime(url).execute_many(CONFIG, ["x"], [0])
    assert receiver.received == []


async def test_without_a_secret_nothing_is_posted(making: Making) -> None:
    agent = making.agent("https://agent.example/run")
    agent.runtime_secret_sealed = None
    with pytest.raises(NotExecutableError, match="no secret yet"):
        making.runtimes().check(agent)
    agent.runtime_secret_sealed = "v1.nonsense"
    with pytest.raises(NotExecutableError, match="set it again"):
        making.runtimes().of(making.access, agent, ExecutionMode.EVALUATION)
    with pytest.raises(NotExecutableError, match="side_effects"):
        making.runtimes().check(making.agent("https://agent.example/run", side_effects=None))


@pytest.mark.parametrize(("said", "ceiling"), [({}, None), ({"max_cost_usd": "0.01"}, 10_000_000)])
def test_what_an_execution_can_cost_is_what_the_agent_says_whatever_model_it_names(
    making: Making, said: dict[str, str], ceiling: int | None
) -> None:
    runtime = making.runtime("http://127.0.0.1:9", **said)
    free_here = CONFIG.model_copy(update={"model": "spectral-local/small"})
    assert ceiling_of(runtime, ModelDoor([LocalProvider()]))(free_here, {"text": "x"}) == ceiling

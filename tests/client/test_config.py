"""An agent's config as a process reads it: while the platform is there, and while it is not."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from spectral.client import RefusedError, SpectralClient, UnavailableError
from spectral.client import config as module
from spectral.client.arms import place_of, unit
from tests.client.platform_at import client_of, tenant_of
from tests.fixtures.servers import ServerProcess

CONFIG = {"prompts": {"main": {"messages": [{"role": "user", "content": "{{q}}"}]}}, "model": "spectral-local/small"}


@pytest.mark.databases("sqlite")
async def test_the_config_is_read_kept_and_there_while_the_platform_is_not(
    server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await tenant_of(server)
    headers = tenant.client_headers
    platform = httpx.AsyncClient(base_url=server.url + tenant.url, headers=headers, timeout=30)
    agent_id = (await platform.post("/agents", json={"name": "Router", "config": CONFIG})).json()["id"]
    with client_of(server, tenant, tmp_path) as client:
        first = client.agent("Router").config()
        assert (first.agent_id, first.version, first.is_stale) == (agent_id, 1, False)
        assert first.document["model"] == CONFIG["model"]
        (kept,) = (tmp_path / "cache").iterdir()
        assert kept.stat().st_mode & 0o777 == 0o600
        # The same document: nothing new is sent, and the same object stays.
        assert client.agent("Router").config().document is first.document
        second = CONFIG | {"parameters": {"temperature": 0.5}}
        (await platform.post(f"/agents/{agent_id}/configs", json={"config": second})).raise_for_status()
        promotion = {"version": 2, "environment": "production", "reason": "better"}
        (await platform.post(f"/agents/{agent_id}/promote", json=promotion)).raise_for_status()
        assert client.agent("Router").config(max_age_s=600).version == 1
        assert client.agent("Router").config().version == 2
        with pytest.raises(RefusedError, match="404"):
            client.agent("Nobody").config()
        await platform.aclose()
        server.kill()
        away = client.agent("Router").config()
        assert (away.version, away.is_stale) == (2, True)
        assert client.agent("Router").config() is away
    with client_of(server, tenant, tmp_path) as later:
        known = later.agent("Router").config()
        assert (known.version, known.document, known.is_stale) == (2, away.document, True)
        with pytest.raises(UnavailableError, match="cannot be reached"):
            later.agent("Router", environment="staging").config()
        kept.write_text("{broken")
    with client_of(server, tenant, tmp_path) as without, pytest.raises(UnavailableError):
        without.agent("Router").config()
    server.start()
    monkeypatch.setattr(module, "PAUSE_WHEN_AWAY_S", 0.0)
    with client_of(server, tenant, tmp_path) as again:
        assert (again.agent(agent_id).config().version, again.agent("Router").config().is_stale) == (2, False)


class Scripted(BaseHTTPRequestHandler):
    """Answers what the test says, and remembers what was asked."""

    answers: list[tuple[int, str]]
    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(f"{self.path} {self.headers.get('If-None-Match')}")
        status, body = type(self).answers.pop(0)
        self.send_response(status)
        self.send_header("ETag", '"1-x"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def scripted() -> Iterator[tuple[str, type[Scripted]]]:
    handler = type("Handler", (Scripted,), {"answers": [], "asked": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_stands_between_is_not_taken_for_the_platform(
    scripted: tuple[str, type[Scripted]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy's error pages leave the last known config in place; a refusal of the platform's does not."""
    monkeypatch.setattr(module, "PAUSE_WHEN_AWAY_S", 0.0)
    url, handler = scripted
    agent_id = "01890000-0000-7000-8000-000000000000"
    live = '{"version": 1, "config_hash": "x", "config": {"model": "m"}}'
    handler.answers += [(200, live), (304, ""), (502, "<html>"), (200, "<html>"), (429, "{}"), (401, "{}"), (200, live)]
    with SpectralClient(url, "sk_live_x", workspace_id="w", cache_dir=tmp_path) as client:
        agent = client.agent(agent_id)
        assert [agent.config().is_stale for _ in range(5)] == [False, False, True, True, True]
        with pytest.raises(RefusedError, match="401"):
            agent.config()
        assert not agent.config().is_stale
    path = f"/api/v1/workspaces/w/agents/{agent_id}/config?environment=production"
    assert handler.asked == [f"{path} None", *[f'{path} "1-x"'] * 6]


def test_a_folder_that_cannot_be_written_costs_only_the_copy(
    scripted: tuple[str, type[Scripted]], tmp_path: Path
) -> None:
    url, handler = scripted
    handler.answers.append((200, '{"version": 1, "config_hash": "x", "config": {}}'))
    file = tmp_path / "a file"
    file.touch()
    with SpectralClient(url, "sk_live_x", workspace_id="w", cache_dir=file) as client:
        assert client.agent("01890000-0000-7000-8000-000000000000").config().version == 1


LIVE = """{"version": 2, "config_hash": "b", "config": {"model": "new"}, "salt": "pepper", "arms": [
    {"version": 2, "weight": 0.75, "config_hash": "b", "config": null},
    {"version": 1, "weight": 0.25, "config_hash": "a", "config": {"model": "old"}}]}"""
AGENT_ID = "01890000-0000-7000-8000-000000000000"
SESSIONS = [f"session {number}" for number in range(400)]


def test_a_session_keeps_its_arm_for_ten_minutes_without_the_platform(
    scripted: tuple[str, type[Scripted]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock of our own: the platform answers once and is away while an agent asks every second."""
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    url, handler = scripted
    handler.answers.append((200, LIVE))
    with SpectralClient(url, "sk_live_x", workspace_id="w", cache_dir=tmp_path) as client:
        agent = client.agent(AGENT_ID)
        first = {session: agent.config(session=session).version for session in SESSIONS[:1]}
        before = {session: agent.config(60, session=session) for session in SESSIONS}
        handler.answers += [(503, "{}")] * 100
        for _ in range(600):
            now += 1.0
            config = agent.config(session=SESSIONS[int(now) % 400])
            known = before[SESSIONS[int(now) % 400]]
            assert (config.version, config.document, config.is_stale) == (known.version, known.document, True)
        # It asks less and less often: after 5, 10, 20, 40 seconds, and then once a minute.
        assert len(handler.asked) == 1 + 13
        handler.answers[:] = [(304, "")]
        now += 60
        assert not agent.config(session=SESSIONS[0]).is_stale
    assert first[SESSIONS[0]] == before[SESSIONS[0]].version
    versions = [config.version for config in before.values()]
    assert 60 < versions.count(1) < 140
    assert {config.version: config.document["model"] for config in before.values()} == {1: "old", 2: "new"}
    assert agent.config(60).version == 2
    old = next(config for config in before.values() if config.version == 1)
    assert old.attributes == {"spectral.agent.id": AGENT_ID, "spectral.agent.version": "1"}
    # Another process, started while the platform is away, gives every session what it had.
    handler.answers[:] = [(503, "{}")]
    with SpectralClient(url, "sk_live_x", workspace_id="w", cache_dir=tmp_path) as client:
        after = client.agent(AGENT_ID)
        assert [after.config(session=each).version for each in SESSIONS] == versions


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b'{"format": 3, "etag": "x", "config": {}}',
        b'{"format": 2, "etag": "x", "config": []}',
        b'{"format": 2, "etag": "x", "config": {"agent_id": "a", "arms": [{"weight": 1}]}}',
        b"[" * 100_000,
    ],
    ids=["empty", "list", "no-text", "later-format", "no-config", "half-an-arm", "deep"],
)
def test_a_broken_file_counts_as_none_and_is_replaced(
    scripted: tuple[str, type[Scripted]], tmp_path: Path, broken: bytes
) -> None:
    url, handler = scripted
    handler.answers += [(200, LIVE), (503, "{}"), (200, LIVE), (503, "{}")]

    def fetch() -> int:
        with SpectralClient(url, "sk_live_x", workspace_id="w", cache_dir=tmp_path) as client:
            return client.agent(AGENT_ID).config().version

    assert fetch() == 2
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(broken)
    with pytest.raises(UnavailableError):
        fetch()
    assert [fetch(), fetch()] == [2, 2]


def test_a_file_of_the_release_before_is_read(scripted: tuple[str, type[Scripted]], tmp_path: Path) -> None:
    url, handler = scripted
    handler.answers += [(200, LIVE), (503, "{}")]
    with SpectralClient(url, "sk_live_x", workspace_id="w", cache_dir=tmp_path) as client:
        client.agent(AGENT_ID).config()
    (kept,) = tmp_path.iterdir()
    document = json.loads(kept.read_text()) | {"format": 1}
    del document["config"]["arms"], document["config"]["salt"]
    kept.write_text(json.dumps(document))
    with SpectralClient(url, "sk_live_x", workspace_id="w", cache_dir=tmp_path) as client:
        config = client.agent(AGENT_ID).config(session="any")
    assert (config.version, config.is_stale, config.arms) == (2, True, ())


def test_the_hash_is_what_the_documentation_says() -> None:
    assert unit("pepper", "session 0") == int(hashlib.sha256(b"peppersession 0").hexdigest()[:13], 16) / 2**52
    assert 0 <= min(unit("s", each) for each in SESSIONS) < max(unit("s", each) for each in SESSIONS) < 1
    places = [place_of([0.9, 0.1], "pepper", "Grüße"), place_of([1.0], "", ""), place_of([0.0, 1.0], "x", "y")]
    assert places == [1, 0, 1]

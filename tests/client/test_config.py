"""An agent's config as a process reads it: while the platform is there, and while it is not."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from spectral.client import RefusedError, SpectralClient, UnavailableError
from spectral.client import config as module
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

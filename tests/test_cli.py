"""The operator's commands that keep an installation: each says in one line what was wrong, and exits with 1."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result
from litestar import Litestar

from spectral.cli import main
from spectral.settings import Settings
from tests.fixtures.databases import SQLITE, make_settings
from tests.fixtures.servers import ServerProcess, in_process
from tests.fixtures.tenants import Tenant, register_tenant

JWKS = "/.well-known/jwks.json"


def spectral(settings: Settings, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=ServerProcess(settings).environment)


@pytest.mark.databases(SQLITE)
async def test_backup_and_restore_by_command(
    client: httpx.AsyncClient, settings: Settings, create_app: Callable[[Settings], Litestar], tmp_path: Path
) -> None:
    tenant = await register_tenant(client, "ours")
    file = tmp_path / "all.backup"
    made = await asyncio.to_thread(spectral, settings, "backup", file)
    assert made.exit_code == 0, made.output
    assert str(file) in made.output
    target = make_settings(tmp_path / "new")
    done = await asyncio.to_thread(spectral, target, "restore", file)
    assert done.exit_code == 0, done.output
    async with in_process(create_app(target)) as restored:
        assert (await restored.get(f"{tenant.url}/agents", headers=tenant.key_headers)).status_code == 200
    again = await asyncio.to_thread(spectral, target, "restore", file)
    assert again.exit_code == 1
    (line,) = [line for line in again.stderr.splitlines() if line.strip()]
    assert line.startswith("spectral: the database is not empty")


@pytest.mark.databases(SQLITE)
def test_a_wrong_file_is_one_line(settings: Settings, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text(json.dumps({"no": "backup"}))
    for arguments in (("restore", wrong), ("backup", tmp_path / "nowhere" / "file")):
        refused = spectral(settings, *arguments)
        assert refused.exit_code == 1
        (line,) = [line for line in refused.stderr.splitlines() if line.strip()]
        assert line.startswith("spectral: ")
    assert spectral(settings, "restore", tmp_path / "missing").exit_code == 2


async def test_the_signing_key_is_rotated_by_hand(
    client: httpx.AsyncClient, tenant: Tenant, settings: Settings, create_app: Callable[[Settings], Litestar]
) -> None:
    before = await client.get(JWKS)
    assert before.headers["Cache-Control"] == "public, max-age=30"
    (former,) = [key["kid"] for key in before.json()["keys"]]
    done = await asyncio.to_thread(spectral, settings, "keys", "rotate-signing")
    assert done.exit_code == 0, done.output
    async with in_process(create_app(settings)) as other:
        published = [key["kid"] for key in (await other.get(JWKS)).json()["keys"]]
        assert len(published) == 2
        assert former in published
        assert (await other.get("/api/v1/auth/me", headers=tenant.client_headers)).status_code == 200
    done = await asyncio.to_thread(spectral, settings, "keys", "rotate-signing", "--at-once")
    assert done.exit_code == 0, done.output
    async with in_process(create_app(settings)) as other:
        (current,) = [key["kid"] for key in (await other.get(JWKS)).json()["keys"]]
        assert current not in published
        assert (await other.get("/api/v1/auth/me", headers=tenant.client_headers)).status_code == 401
        renewed = await other.post("/api/v1/auth/refresh", json={"refresh_token": tenant.refresh_token})
        fresh = {"Authorization": f"Bearer {renewed.json()['access_token']}"}
        assert (await other.get("/api/v1/auth/me", headers=fresh)).status_code == 200

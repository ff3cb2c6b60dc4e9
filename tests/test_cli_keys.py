"""`spectral keys`: for whoever runs the server."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from spectral.domains.keys.credentials import is_well_formed
from spectral.settings import Settings
from tests.fixtures.servers import ServerProcess
from tests.fixtures.tenants import Tenant


def spectral(settings: Settings, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("spectral"), *map(str, arguments)],
        env=ServerProcess(settings).environment,
        cwd=settings.data_dir,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def test_a_key_is_made_narrowed_and_revoked(
    client: httpx.AsyncClient, tenant: Tenant, settings: Settings
) -> None:
    listed = f"{tenant.url}/keys"
    narrow = ("--name", "from the shell", "--scope", "write:traces", "--no-expiry")
    made = spectral(settings, "keys", "create", tenant.workspace_id, *narrow)
    assert made.returncode == 0, made.stderr
    assert is_well_formed(made.stdout.strip())
    assert "expires never" in made.stderr
    # Ready to be put into a process's environment; the key alone goes to standard output.
    assert f"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20{made.stdout.strip()}\n" in made.stderr
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:" in made.stderr
    key = (await client.get(listed, headers=tenant.client_headers)).json()["results"][0]
    assert (key["name"], key["scopes"], key["expires_at"]) == ("from the shell", ["write:traces"], None)
    # Its right is to push traces, not to read agents.
    headers = {"X-API-Key": made.stdout.strip()}
    assert (await client.get(f"{tenant.url}/agents", headers=headers)).status_code == 403
    revoked = spectral(settings, "keys", "revoke", tenant.workspace_id, key["key_id"])
    assert revoked.returncode == 0, revoked.stderr
    read = await client.get(f"{listed}/{key['key_id']}", headers=tenant.client_headers)
    assert read.json()["status"] == "revoked"


@pytest.mark.databases("sqlite")
async def test_what_is_wrong_is_said_in_a_line(tenant: Tenant, settings: Settings) -> None:
    both = ("--name", "x", "--expires-days", 3, "--no-expiry")
    refused = spectral(settings, "keys", "create", tenant.workspace_id, *both)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "exclude each other" in refused.stderr
    unknown = spectral(settings, "keys", "create", tenant.user_id, "--name", "x")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr.strip().endswith("not found")
    wide = spectral(settings, "keys", "create", tenant.workspace_id, "--name", "x", "--scope", "admin:workspace")
    assert wide.returncode == 2

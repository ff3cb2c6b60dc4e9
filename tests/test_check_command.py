"""`spectral check` as a pipeline runs it: a process with a service account's key against a real server."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner

from spectral.check_command import check
from tests.domains.scans.toy_tickets import VOCABULARY, champion, tickets
from tests.fixtures.project import ROOT
from tests.fixtures.servers import ServerProcess, free_port
from tests.fixtures.tenants import Tenant, register_tenant

KNOWING = {label: " ".join(words) for label, words in VOCABULARY.items()}
SHARES = {"reflect": 0.2, "select": 0.6, "holdout": 0.2}


def config(**changes: Any) -> dict[str, Any]:
    """What the agent knows when it is live, with changes."""
    return champion(descriptions=KNOWING).as_json() | changes


async def shop(server: ServerProcess) -> tuple[Tenant, str]:
    """An agent, samples and a rubric, and the key of a service account."""
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        tenant = await register_tenant(client, "ours")

        async def post(path: str, body: Any, **headers: str) -> Any:
            content = {"content": body} if isinstance(body, str) else {"json": body}
            sent = tenant.client_headers | headers
            answer = await client.post(f"{tenant.url}{path}", headers=sent, **content)
            assert answer.is_success, answer.text
            return answer.json()

        await post("/agents", {"name": "triage", "config": config()})
        made = await post("/samples", {"name": "tickets", "shares": SHARES})
        lines = [json.dumps({"input": one.input, "expected": one.expected}) for one in tickets(300)]
        await post(f"/samples/{made['id']}/import", "\n".join(lines), **{"Content-Type": "application/x-ndjson"})
        dimensions = [{"name": "right", "scorer": "exact_match"}]
        await post("/evaluations/rubrics", {"name": "label", "dimensions": dimensions})
        account = await post("/service-accounts", {"name": "pipeline", "role": "contributor"})
    return tenant, account["key"]


@pytest.mark.databases("sqlite")
async def test_a_pipeline_is_told_no_regression_regression_or_how_many_samples_are_missing(
    server: ServerProcess, tmp_path: Path
) -> None:
    tenant, key = await shop(server)

    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPECTRAL_")}
    environment |= {"SPECTRAL_URL": server.url, "SPECTRAL_KEY": key}

    def command(document: Any, *arguments: str, name: str = "agent.json") -> list[str]:
        file = tmp_path / name
        file.write_text(json.dumps(document))
        return ["--agent", "triage", "--config", str(file), "--set", "tickets", *arguments]

    def process(*given: Any, **named: Any) -> tuple[int, str, str]:
        spectral = Path(sys.executable).with_name("spectral")
        arguments = [str(spectral), "check", *command(*given, **named)]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    same = config(custom={"note": "the same prompt"})
    code, told, error = process(same, "--margin", "0.1", "--json")
    assert (code, error) == (0, "")
    outcome = json.loads(told)
    assert (outcome["verdict"], outcome["result"]["effect"]) == ("no_regression", 0.0)
    assert outcome["experiment"]["execution"] == "native"

    code, told, error = process(champion().as_json(), "--rubric", "label", name="agent.yaml")
    assert (code, error) == (1, "")
    assert "Regression: upper bound below zero." in told
    assert "live (version 1)" in told

    code, told, error = process(same)
    assert (code, error) == (2, "")
    assert "Inconclusive: interval too wide (margin 0.01); about" in told
    assert "more samples would decide it" in " ".join(told.split())

    for arguments, changes, expected, words in (
        (command(config(), name="live.json"), {}, 0, "version 1, which is live"),
        (command(same, "--set", "unknown"), {}, 3, "Sample set 'unknown' not found"),
        (command(same, "--split", "holdout"), {}, 3, "'holdout' is not one of"),
        (command(same), {"SPECTRAL_KEY": "st_live_wrong"}, 3, "401"),
        (command(same), {"SPECTRAL_KEY": tenant.api_key}, 3, "403"),
        (command(same, "--timeout", "1"), {"SPECTRAL_URL": f"http://127.0.0.1:{free_port()}"}, 4, "cannot be reached"),
    ):
        called = CliRunner(env=environment | changes).invoke(check, arguments)
        assert (called.exit_code, words in called.output) == (expected, True), called.output


def test_the_documented_pipelines_call_it_rightly() -> None:
    page = (ROOT / "docs" / "continuous-integration.md").read_text(encoding="utf-8")
    (workflow,) = re.findall(r"^    name: agents\n(?:    .*\n)+", page, re.MULTILINE)
    steps = yaml.safe_load(textwrap.dedent(workflow))["jobs"]["check"]["steps"]
    calls = [step["run"] for step in steps if "spectral check" in step.get("run", "")]
    (shell,) = re.findall(r"^    spectral check .*\n(?:    .*\n)+", page, re.MULTILINE)
    calls.append(shell.strip().partition(" || ")[0])
    known = {option for parameter in check.params for option in parameter.opts}
    for call in calls:
        given = {word for word in call.split() if word.startswith("--")}
        assert {"--agent", "--config", "--set"} <= given <= known
    # The shell goes on after an inconclusive check, and ends with the code of every other.
    for code, expected in ((0, 0), (1, 1), (2, 0), (3, 3)):
        function = f"spectral() {{ return {code}; }}\n"
        script = ["bash", "-euo", "pipefail", "-c", function + textwrap.dedent(shell)]
        assert subprocess.run(script, capture_output=True, check=False).returncode == expected


def test_a_file_that_is_no_configuration_is_named(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    arguments = ["--agent", "a", "--config", str(file), "--set", "s", "--url", "http://127.0.0.1:1", "--key", "st_x"]
    for text, wrong in (
        ("model: 3\n", "/prompts Field required"),
        ("model: [\n", "is not valid YAML"),
        ("3\n", "is no configuration"),
    ):
        file.write_text(text)
        done = CliRunner().invoke(check, arguments)
        assert done.exit_code == 3
        assert wrong in done.output
    file.unlink()
    assert CliRunner().invoke(check, arguments).exit_code == 3

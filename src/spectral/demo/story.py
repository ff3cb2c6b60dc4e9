"""The whole job, step by step, through the public API: from an empty server to a proven change set."""

import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from rich.console import Console

from spectral.demo.aftermath import FEW_TICKETS, Job, ask_too_few, take_back
from spectral.demo.api import Api, StepFailedError
from spectral.demo.dataset import DEFAULT_TICKETS, demo_config, generate_tickets
from spectral.demo.traffic import send_traces

EMAIL = "demo@spectral.test"
PASSWORD = "demo-password-of-spectral"  # noqa: S105 - printed on purpose, for a server on this machine
TRACES = 60
SCAN_LIMIT_S = 600.0
POLL_S = 0.5
FINAL = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Choice:
    """What to demonstrate. null: the champion against itself. accept: also accept the change set and fetch it."""

    seed: int
    null: bool
    accept: bool


def tell(api: Api, choice: Choice, console: Console) -> dict[str, Any]:
    """Do every step; answers what happened, as plain JSON for `report`. Raises StepFailedError."""
    started = time.monotonic()
    signed_up = sign_up(api)
    console.print(f"[green]✓[/green] registered {signed_up['email']}, workspace {signed_up['workspace_id']}")
    key = api.post("W/keys", {"name": "Demo agent"})
    console.print(f"[green]✓[/green] API key {key['prefix']}… with {' and '.join(key['scopes'])}")
    agent = api.post(
        "W/agents",
        {
            "name": "Ticket triage",
            "description": "Sorts support tickets by intent. Runs on the built-in local runtime, not a language model.",
            "config": demo_config(),
        },
    )
    console.print("[green]✓[/green] agent “Ticket triage” with version 1 of its config live in production")
    tickets = generate_tickets(choice.seed, TRACES + DEFAULT_TICKETS + FEW_TICKETS)
    live, sampled, few = tickets[:TRACES], tickets[TRACES:-FEW_TICKETS], tickets[-FEW_TICKETS:]
    answered = [
        (ticket, api.post(f"W/agents/{agent['id']}/invoke", {"input": {"ticket": ticket.text}}, expect=200))
        for ticket in live
    ]
    sent = send_traces(api.url, key["key"], agent["id"], answered)
    listed = api.get("W/traces")["pagination"]["total"]
    if listed < sent:
        message = f"{sent} traces were acknowledged and {listed} are listed"
        raise StepFailedError(message)
    console.print(f"[green]✓[/green] {sent} traces over OTLP")
    samples = api.post("W/samples", {"name": "Synthetic tickets", "seed": choice.seed})
    lines = "\n".join(json.dumps(ticket.as_sample()) for ticket in sampled)
    api.upload(f"W/samples/{samples['id']}/import", lines, "application/x-ndjson")
    holdout = api.post(f"W/samples/{samples['id']}/holdouts", None)
    splits = api.get(f"W/samples/{samples['id']}")["splits"]
    console.print(
        f"[green]✓[/green] {len(sampled)} synthetic tickets: {splits['reflect']} to reflect on, {splits['select']} to "
        f"select by, {splits['holdout']} held out and frozen as {holdout['digest'][:12]}…"
    )
    rubric = api.post(
        "W/evaluations/rubrics",
        {"name": "Right intent", "dimensions": [{"name": "intent", "scorer": "label", "weight": 1}]},
    )
    objective = api.post(
        "W/evaluations/objectives",
        {"name": "Accuracy, within limits", "rubric_id": rubric["id"], "guards": [{"kind": "error_rate"}]},
    )
    console.print("[green]✓[/green] rubric and objective: accuracy, with a guard on the error rate")
    scan = start_scan(api, choice, agent["id"], samples["id"], rubric["id"], objective["id"])
    finished = watch(api, scan["id"], console)
    result = {
        "seed": choice.seed,
        "null": choice.null,
        "url": api.url,
        "email": signed_up["email"],
        "workspace_id": signed_up["workspace_id"],
        "agent_id": agent["id"],
        "scan_id": scan["id"],
        "changeset_id": finished["changeset_id"],
        "verdict": finished["outcome"],
        "cost": api.get(f"W/scans/{scan['id']}/cost"),
        "results": finished["results"],
        "candidates": len(finished["candidates"]),
        "changeset": api.get(f"W/changesets/{finished['changeset_id']}") if finished["changeset_id"] else None,
    }
    if finished["changeset_id"] and not choice.null:
        proposed = api.get(f"W/agents/{agent['id']}/configs/{result['changeset']['candidate_version']}")["config"]
        job = Job(agent["id"], samples["id"], rubric["id"], objective["id"], choice.seed, proposed)
        result["too_few"] = ask_too_few(api, job, few, console)
        result["taken_back"] = take_back(api, job, key["key"], console)
    if choice.accept and finished["outcome"] == "validated":
        accept(api, result, key["key"], console)
    result["seconds"] = round(time.monotonic() - started, 1)
    return result


def sign_up(api: Api) -> dict[str, Any]:
    """The demo account; on a server that has one already, another one beside it."""
    email = EMAIL
    answer = register(api, email)
    if answer.status_code == httpx.codes.CONFLICT:
        email = f"demo-{uuid4().hex[:8]}@spectral.test"
        answer = register(api, email)
    if answer.status_code != httpx.codes.CREATED:
        message = f"registering answered {answer.status_code}: {answer.text[:600]}"
        raise StepFailedError(message)
    tokens: dict[str, Any] = answer.json()
    api.sign_in(tokens["access_token"], tokens["workspace_id"])
    return tokens | {"email": email}


def register(api: Api, email: str) -> httpx.Response:
    body = {"email": email, "password": PASSWORD, "tenant_name": "Spectral demo"}
    try:
        return httpx.post(f"{api.url}/api/v1/auth/register", json=body, timeout=30)
    except httpx.TransportError as error:
        message = f"{api.url} cannot be reached: {error}"
        raise StepFailedError(message) from error


def start_scan(
    api: Api, choice: Choice, agent_id: str, sample_set_id: str, rubric_id: str, objective_id: str
) -> dict[str, Any]:
    """The search; with `null` the only candidate is the champion itself."""
    body: dict[str, Any] = {
        "agent_id": agent_id,
        "sample_set_id": sample_set_id,
        "rubric_id": rubric_id,
        "objective_id": objective_id,
        "strategies": ["template"] if choice.null else ["reflective", "few_shot"],
        "seed": choice.seed,
        "budget": {"max_cost_usd": "5.00"},
    }
    if choice.null:
        body["candidates"] = [demo_config()]
    scan: dict[str, Any] = api.post("W/scans", body, expect=202)
    return scan


def watch(api: Api, scan_id: str, console: Console) -> dict[str, Any]:
    """Show each phase as it starts; answers the finished scan. Raises StepFailedError when it did not complete."""
    seen = 0
    deadline = time.monotonic() + SCAN_LIMIT_S
    with console.status("scanning …") as status:
        while time.monotonic() < deadline:
            scan: dict[str, Any] = api.get(f"W/scans/{scan_id}")
            for event in api.get(f"W/scans/{scan_id}/events", params={"after": seen, "limit": 100})["results"]:
                seen = event["seq"]
                if event["type"] == "scan.phase_started":
                    console.print(f"  [dim]scan[/dim] {event['phase']}")
            progress = scan["progress"]
            status.update(f"scanning: {scan['phase']}, {progress['evaluations']:,} evaluations")
            if scan["status"] in FINAL:
                break
            time.sleep(POLL_S)
    if scan["status"] != "completed":
        message = f"the scan is {scan['status']}: {scan['failure']}"
        raise StepFailedError(message)
    return scan


def accept(api: Api, result: dict[str, Any], api_key: str, console: Console) -> None:
    """Accept the change set; the agent then gets the new config with its API key."""
    api.post(f"W/changesets/{result['changeset_id']}/accept", {}, expect=200)
    fetched = httpx.get(
        f"{api.url}{api.workspace}/agents/{result['agent_id']}/config",
        headers={"Authorization": f"Bearer {api_key}"},
        timeout=30,
    )
    if fetched.status_code != httpx.codes.OK or fetched.json()["version"] == 1:
        message = f"after accepting, the agent still gets: {fetched.status_code} {fetched.text[:300]}"
        raise StepFailedError(message)
    result["live_version"] = fetched.json()["version"]
    console.print(f"[green]✓[/green] accepted: the agent now fetches version {result['live_version']} of its config")

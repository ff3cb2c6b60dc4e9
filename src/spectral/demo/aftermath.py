"""What the platform refuses to claim, and what it takes back: the two other ends that a proposal can come to.

Both follow the demo's first scan and try what it proposed: on a holdout that is too small to tell, and on an agent
whose new version then fails live.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from spectral.demo.api import Api, StepFailedError
from spectral.demo.dataset import Ticket, demo_config
from spectral.demo.guard import Promotion, prepare_guard, watch_regression

FEW_TICKETS = 170
"""Of which 68 are held out: above the least that a look takes, below what the gain of the demo needs."""

SCAN_LIMIT_S = 300.0
POLL_S = 0.25
FINAL = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Job:
    """What the first scan was about, and what it proposed."""

    agent_id: str
    sample_set_id: str
    rubric_id: str
    objective_id: str
    seed: int
    candidate: dict[str, Any]


def ask_too_few(api: Api, job: Job, tickets: list[Ticket], console: Console) -> dict[str, Any]:
    """The same candidate on a small sample set; answers what the holdout could say. Raises StepFailedError."""
    samples = api.post("W/samples", {"name": "Only a few tickets", "seed": job.seed})
    lines = "\n".join(json.dumps(ticket.as_sample()) for ticket in tickets)
    api.upload(f"W/samples/{samples['id']}/import", lines, "application/x-ndjson")
    holdout = api.post(f"W/samples/{samples['id']}/holdouts", None)
    scan = _try_candidate(api, job, job.agent_id, samples["id"])
    look = _look(api, scan)
    said = {
        "verdict": scan["outcome"],
        "items": holdout["size"],
        "n_more": None if look is None else look["n_more"],
        "effect_95": None if look is None else look["effect_95"],
    }
    more = "" if said["n_more"] is None else f"; {said['n_more']} more samples would decide"
    console.print(f"[green]✓[/green] the same change on only {said['items']} held-out tickets: {said['verdict']}{more}")
    return said


def take_back(api: Api, job: Job, api_key: str, console: Console) -> dict[str, Any]:
    """A second agent gets the change and, live, a planted fault; answers what the guard did. Raises StepFailedError.

    Afterwards a person accepts change sets again.
    """
    agent = api.post(
        "W/agents",
        {
            "name": "Ticket triage, live",
            "description": "The demo's second agent: its new version fails live, and is rolled back without a person.",
            "config": demo_config(),
        },
    )
    prepare_guard(api, agent["id"])
    scan = _try_candidate(api, job, agent["id"], job.sample_set_id)
    if scan["outcome"] != "validated":
        console.print(f"[yellow]–[/yellow] a second look at the holdout was {scan['outcome']}: nothing to roll back")
        return {"verdict": scan["outcome"], "state": None, "reason": None}
    changeset = _accepted(api, scan["changeset_id"])
    console.print(f"[green]✓[/green] the change on a second agent: validated, accepted by {changeset['accepted_by']}")
    promotion = Promotion(agent["id"], changeset["id"], changeset["candidate_version"], job.seed)
    with console.status("live sessions …") as status:
        guard = watch_regression(api, api_key, promotion, status.update)
    api.put("W/autonomy", {"mode": "manual"})
    live = api.get(f"W/agents/{agent['id']}/config")["version"]
    console.print(
        f"[green]✓[/green] a fault planted in it: {guard['state'].replace('_', ' ')} after {guard['sessions']} live "
        f"sessions, version {live} serves everybody"
    )
    return {
        "verdict": scan["outcome"],
        "changeset_id": changeset["id"],
        "state": guard["state"],
        "sessions": guard["sessions"],
        "reason": guard["reason"],
        "live_version": live,
    }


def _try_candidate(api: Api, job: Job, agent_id: str, sample_set_id: str) -> dict[str, Any]:
    body = {
        "agent_id": agent_id,
        "sample_set_id": sample_set_id,
        "rubric_id": job.rubric_id,
        "objective_id": job.objective_id,
        "strategies": ["template"],
        "candidates": [job.candidate],
        "seed": job.seed,
    }
    scan: dict[str, Any] = api.post("W/scans", body, expect=202)
    deadline = time.monotonic() + SCAN_LIMIT_S
    while scan["status"] not in FINAL and time.monotonic() < deadline:
        time.sleep(POLL_S)
        scan = api.get(f"W/scans/{scan['id']}")
    if scan["status"] != "completed":
        message = f"the scan is {scan['status']}: {scan['failure']}"
        raise StepFailedError(message)
    return scan


def _look(api: Api, scan: dict[str, Any]) -> dict[str, Any] | None:
    if scan["changeset_id"] is None:
        return None
    looks = api.get(f"W/changesets/{scan['changeset_id']}/validation")["results"]
    return looks[0] if looks else None


def _accepted(api: Api, changeset_id: str) -> dict[str, Any]:
    """The change set once it is accepted: by itself inside the bounds, else by the demo's person."""
    for _ in range(20):
        changeset: dict[str, Any] = api.get(f"W/changesets/{changeset_id}")
        if changeset["state"] == "accepted":
            return changeset
        time.sleep(POLL_S)
    accepted: dict[str, Any] = api.post(f"W/changesets/{changeset_id}/accept", {"holdback": 0.1}, expect=200)
    return accepted

"""After the promotion: live sessions, a fault planted in the new version, and the guard that takes the version back.

Only what any user of the platform has: the public API, the client of the agent's process, and OpenTelemetry. The fault
is not in the configuration but in how it meets the world, as real ones are: the holdout has validated the change, and
live it fails for most sessions. The agent that answers is a stand-in of a few lines.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from spectral.client import AgentConfig, SpectralClient
from spectral.demo.api import Api, StepFailedError

RIGHT = "billing"
REFUSAL = "I am sorry, I cannot help with that."
FAULT_SHARE = 0.7
SESSIONS_A_ROUND = 100
ROUNDS = 10
ROUND_LIMIT_S = 60.0
POLL_S = 0.25
OPEN = frozenset({"running"})

BOUNDS: dict[str, Any] = {
    "max_cost_increase_percent": 20,
    "allowed_change_kinds": ["instructions", "template", "few_shot"],
    "budget_per_night_usd": "5",
    "allow_production": True,
}

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Promotion:
    """What is watched: an accepted change set of an agent. seed: of the stand-in's luck."""

    agent_id: str
    changeset_id: str
    candidate_version: int
    seed: int = 1


def prepare_guard(api: Api, agent_id: str) -> str:
    """What the guard needs, before the change set is accepted: the mode, and an evaluation that scores live answers.

    PUT W/autonomy, POST W/evaluations/rubrics, POST W/evaluations/online. Answers the online evaluation's id.
    """
    api.put("W/autonomy", {"mode": "bounded_auto", "bounds": BOUNDS})
    rubric = api.post(
        "W/evaluations/rubrics",
        {
            "name": "Answers with an intent",
            "dimensions": [
                {"name": "intent", "scorer": "regex", "weight": 1, "options": {"pattern": "^[a-z][a-z_ -]{1,39}$"}}
            ],
        },
    )
    online = api.post(
        "W/evaluations/online",
        {
            "name": "answers",
            "rubric_id": rubric["id"],
            "filter": {"agent_id": agent_id},
            "budget": {"max_evaluations": 10_000},
            "settle_s": 0,
        },
    )
    return str(online["id"])


def watch_regression(
    api: Api, api_key: str, promotion: Promotion, tell: Tell, *, sessions: int = SESSIONS_A_ROUND, rounds: int = ROUNDS
) -> dict[str, Any]:
    """Live sessions until the guard has decided; answers the guard (GET W/changesets/{id}/guard) as it then is.

    Raises StepFailedError where it has not decided after all rounds.
    """
    dice = Random(promotion.seed)  # noqa: S311 - a stand-in's luck
    with SpectralClient(api.url, api_key) as client:
        agent = client.agent(promotion.agent_id)
        for number in range(1, rounds + 1):
            names = [f"live-{promotion.changeset_id[-12:]}-{number}-{place}" for place in range(sessions)]
            # Within a round the config is asked for once; a session finds its arm by its own id.
            configs = [(name, agent.config(1.0, session=name)) for name in names]
            answered = [(name, config, _answer(config, promotion, dice)) for name, config in configs]
            _export(api.url, api_key, answered)
            guard = _counted(api, promotion.changeset_id, number * sessions)
            tell(f"{guard['sessions']} live sessions: {_said(guard)}")
            if guard["state"] not in OPEN:
                return guard
    message = f"the guard has not decided after {rounds * sessions} sessions: {guard}"
    raise StepFailedError(message)


def _answer(config: AgentConfig, promotion: Promotion, dice: Random) -> str:
    """The stand-in: the new version meets something that it refuses, for most sessions."""
    fails = config.version == promotion.candidate_version and dice.random() < FAULT_SHARE
    return REFUSAL if fails else RIGHT


def _export(url: str, api_key: str, answered: list[tuple[str, AgentConfig, str]]) -> None:
    """One trace a session; `config.attributes` say which version has answered."""
    exporter = OTLPSpanExporter(
        endpoint=f"{url}/otel/v1/traces", headers={"authorization": f"Bearer {api_key}"}, timeout=30
    )
    provider = TracerProvider(resource=Resource.create({"service.name": "demo-ticket-agent"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("spectral.demo")
    for session, config, output in answered:
        attributes = config.attributes | {
            "session.id": session,
            "gen_ai.operation.name": "invoke_agent",
            "spectral.input": "I was charged twice",
            "spectral.output": output,
        }
        with tracer.start_as_current_span("invoke_agent Ticket triage", attributes=attributes):
            pass
    provider.shutdown()


def _counted(api: Api, changeset_id: str, sessions: int) -> dict[str, Any]:
    """The guard, once it has counted so many sessions or has decided."""
    deadline = time.monotonic() + ROUND_LIMIT_S
    while True:
        guard: dict[str, Any] = api.get(f"W/changesets/{changeset_id}/guard")
        if guard["state"] not in OPEN or guard["sessions"] >= sessions:
            return guard
        if time.monotonic() > deadline:
            message = f"the guard has counted {guard['sessions']} of {sessions} sessions"
            raise StepFailedError(message)
        time.sleep(POLL_S)


def _said(guard: dict[str, Any]) -> str:
    if guard["reason"] is not None:
        return f"{guard['state']}. {guard['reason']}"
    arms = ", ".join(f"version {arm['version']} {arm['mean'] or 0:.2f} ({arm['sessions']})" for arm in guard["arms"])
    effect = guard["effect"]
    return f"{arms}; effect between {effect['low'] or -1:+.2f} and {effect['high'] or 1:+.2f}"

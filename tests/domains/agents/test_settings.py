"""What has to be said of an agent before it is executed: one shape for each runtime, every wrong place named."""

from typing import Any

import pytest

from spectral.domains.agents.errors import NotExecutableError
from spectral.domains.agents.models import Agent
from spectral.domains.agents.settings import (
    PLACE,
    checked_settings,
    execution_of,
    require_side_effects,
    runner_settings,
    runtime_names,
)
from spectral.platform.shared.errors import ValidationFailedError


def test_settings_are_stored_with_their_defaults_and_read_back() -> None:
    stored = checked_settings("runner", {"max_cost_usd": "0.05", "side_effects": "sandboxed"})
    assert stored == {
        "in_flight": 64,
        "lease_s": 60.0,
        "timeout_s": 900.0,
        "max_attempts": 3,
        "max_cost_usd": "0.05",
        "side_effects": "sandboxed",
    }
    assert checked_settings("runner", stored) == stored
    assert runner_settings(Agent(runtime="runner", runtime_settings=stored)).max_cost_usd == 50_000_000
    assert checked_settings("prompt", {}) == {"replica": False}
    assert checked_settings("observed", {}) == {}
    assert runtime_names()[:5] == ["prompt", "workflow", "http", "runner", "observed"]


@pytest.mark.parametrize(
    ("runtime", "given", "pointers"),
    [
        ("lambda", {}, ["/runtime"]),
        ("prompt", {"url": "https://a.example"}, ["/runtime_settings/url"]),
        ("observed", {"in_flight": 1}, ["/runtime_settings/in_flight"]),
        ("workflow", {}, ["/runtime_settings/workflow"]),
        ("workflow", {"workflow": "w", "version": 0}, ["/runtime_settings/version"]),
        ("http", {"timeout_s": 0.1}, ["/runtime_settings/url", "/runtime_settings/timeout_s"]),
        ("http", {"url": "ftp://a.example/x"}, ["/runtime_settings/url"]),
        ("http", {"url": "https://me:pass@a.example/x"}, ["/runtime_settings/url"]),
        ("http", {"url": "https:///x"}, ["/runtime_settings/url"]),
        ("http", {"url": "https://a.example", "side_effects": "many"}, ["/runtime_settings/side_effects"]),
        ("http", {"url": "https://a.example", "secret": "whsec_x"}, ["/runtime_settings/secret"]),
        ("runner", {"lease_s": float("nan")}, ["/runtime_settings/lease_s"]),
        ("runner", {"max_cost_usd": "-1", "in_flight": 0}, ["/runtime_settings/in_flight", f"{PLACE}/max_cost_usd"]),
    ],
)  # fmt: skip
def test_every_wrong_place_is_named(runtime: str, given: dict[str, Any], pointers: list[str]) -> None:
    with pytest.raises(ValidationFailedError) as refused:
        checked_settings(runtime, given)
    assert [error.pointer for error in refused.value.errors] == pointers


def test_evidence_says_how_an_agent_was_executed() -> None:
    executions = {
        (runtime, replica): execution_of(Agent(runtime=runtime, runtime_settings={"replica": replica}))
        for runtime, replica in (("prompt", False), ("prompt", True), ("workflow", False), ("http", False))
    }
    assert list(executions.values()) == ["native", "replica", "native", "runner"]


def test_side_effects_are_asked_for() -> None:
    with pytest.raises(NotExecutableError, match=r"set runtime_settings\.side_effects to 'none' or 'sandboxed'"):
        require_side_effects(Agent(name="Mailer"), None)
    require_side_effects(Agent(name="Mailer"), "none")

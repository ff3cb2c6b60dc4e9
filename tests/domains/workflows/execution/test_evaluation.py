"""A run's outputs scored before its last event: what scores, what cannot, and that nothing of it fails a run."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import pytest

from spectral.domains.workflows.definitions.model import Evaluation
from spectral.domains.workflows.execution.evaluation import EvaluationResult, evaluate_run, text_of_outputs
from spectral.platform.db.session import Database
from spectral.platform.llm.door import ModelDoor
from tests.fixtures.tenants import Tenant

EXACT = {"name": "right", "scorer": "exact_match", "weight": 3}
POLITE = {"name": "polite", "scorer": "contains", "options": {"values": ["please"]}}
PROMPT_OUTPUTS = {"text": "Paris please", "model": "m", "usage": {"input_tokens": 1}, "cost_usd": None}


class Known:
    """A scope in which everything is Paris."""

    def lookup(self, name: str) -> Any:
        del name
        return "Paris"


Evaluate = Callable[..., Awaitable[EvaluationResult]]


@pytest.fixture
def rubric(client: httpx.AsyncClient, tenant: Tenant) -> Callable[..., Awaitable[str]]:
    async def make(*dimensions: Mapping[str, Any], name: str = "good", **changes: Any) -> str:
        body = {"name": name, "dimensions": list(dimensions), **changes}
        made = await client.post(f"{tenant.url}/evaluations/rubrics", json=body, headers=tenant.client_headers)
        assert made.status_code == 201, made.text
        rubric_id: str = made.json()["id"]
        return rubric_id

    return make


@pytest.fixture
def evaluate(database: Database, tenant: Tenant) -> Evaluate:
    async def run(evaluation: Evaluation, inputs: Any, outputs: Any, **measured: Any) -> EvaluationResult:
        return await evaluate_run(database, tenant.access, ModelDoor([]), evaluation, inputs, outputs, **measured)

    return run


async def test_outputs_are_scored_against_what_the_inputs_expect(
    client: httpx.AsyncClient, tenant: Tenant, rubric: Callable[..., Awaitable[str]], evaluate: Evaluate
) -> None:
    rubric_id = await rubric(EXACT, POLITE, threshold=0.7)
    asked = Evaluation(rubric_id, expected="${inputs.expected}")
    result = await evaluate(asked, {"expected": "Paris"}, {"answer": "Paris"})
    assert result.summary == {
        "rubric_id": rubric_id,
        "rubric": "good",
        "rubric_version": 1,
        "threshold": 0.7,
        "total": 0.75,
        "passed": True,
    }
    assert {name: score["score"] for name, score in result.scores.items()} == {"right": 1.0, "polite": 0.0}
    assert result.error is None
    known = await evaluate(Evaluation(rubric_id, expected="${steps}"), {}, "Paris", scope=Known())
    assert known.summary["total"] == 0.75
    # What came in is never read as an expression.
    plain = await evaluate(asked, {"expected": "${inputs.other}", "other": "Paris"}, {"answer": "Paris"})
    assert plain.summary["total"] == 0.0
    # A later version of the rubric is used from then on, unless the definition names one.
    changed = {"dimensions": [POLITE]}
    path = f"{tenant.url}/evaluations/rubrics/{rubric_id}"
    assert (await client.patch(path, json=changed, headers=tenant.client_headers)).status_code == 200
    latest = await evaluate(Evaluation(rubric_id), {}, PROMPT_OUTPUTS)
    assert (latest.summary["rubric_version"], latest.summary["total"]) == (2, 1.0)
    first = await evaluate(Evaluation(rubric_id, 1, "Paris please"), {}, PROMPT_OUTPUTS)
    assert (first.summary["rubric_version"], first.summary["total"]) == (1, 1.0)
    assert first.to_document()["scores"]["right"]["scorer"] == "exact_match@1"


async def test_what_cannot_be_scored_is_an_error_and_no_score_of_zero(
    other_tenant: Tenant, database: Database, rubric: Callable[..., Awaitable[str]], evaluate: Evaluate
) -> None:
    rubric_id = await rubric(EXACT, POLITE)
    unexpected = await evaluate(Evaluation(rubric_id), {}, "Paris")
    assert unexpected.error == {"type": "scorer_failed", "message": "right: the item has no expected answer"}
    assert (unexpected.summary["total"], unexpected.summary["passed"]) == (None, False)
    assert (unexpected.scores["right"]["score"], unexpected.scores["polite"]["score"]) == (None, 0.0)
    cases: list[tuple[Evaluation, str]] = [
        (Evaluation("no rubric"), "not-found"),
        (Evaluation(str(other_tenant.workspace_id)), "not-found"),
        (Evaluation(rubric_id, 9), "not-found"),
        (Evaluation(rubric_id, expected="${inputs.a + 1}"), "expression"),
        (Evaluation(rubric_id, expected="${steps.a.outputs}"), "expression"),
    ]
    for asked, type in cases:
        result = await evaluate(asked, {"a": "x"}, "Paris")
        assert (result.error or {}).get("type") == type, asked
        assert (result.scores, result.summary) == ({}, {})
    theirs = await evaluate_run(database, other_tenant.access, ModelDoor([]), Evaluation(rubric_id), {}, "Paris")
    assert (theirs.error or {}).get("type") == "not-found"


async def test_time_and_money_count_only_where_they_were_measured(
    rubric: Callable[..., Awaitable[str]], evaluate: Evaluate
) -> None:
    fast = await rubric({"name": "fast", "scorer": "latency", "options": {"target_ms": 10, "limit_ms": 20}})
    cheap = await rubric(
        {"name": "cheap", "scorer": "cost", "options": {"target_usd": "1", "limit_usd": "2"}}, name="cheap"
    )
    assert ((await evaluate(Evaluation(fast), {}, "a")).error or {})["type"] == "unknown-latency"
    assert (await evaluate(Evaluation(fast), {}, "a", latency_ms=15.0)).summary["total"] == 0.5
    assert ((await evaluate(Evaluation(cheap), {}, "a")).error or {})["type"] == "scorer_failed"
    assert (await evaluate(Evaluation(cheap), {}, "a", cost_nano_usd=0)).summary["total"] == 1.0


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        (None, None),
        ("a", "a"),
        ({"answer": "a"}, "a"),
        ({"answer": {"b": [1, "ä"]}}, '{"b":[1,"ä"]}'),
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        (PROMPT_OUTPUTS, "Paris please"),
        ({"output": "o", "model": "m", "usage": {}, "cost_usd": None, "version": 1}, "o"),
        ([1], "[1]"),
        ({}, "{}"),
    ],
    ids=["none", "text", "one", "nested", "several", "prompt", "agent", "list", "empty"],
)
def test_outputs_read_as_text(outputs: Any, text: str | None) -> None:
    assert text_of_outputs(outputs) == text

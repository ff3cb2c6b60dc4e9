"""Judges over HTTP: tried, used, and calibrated against people."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar

from spectral.domains.evaluations.calibration import (
    LABELS_NEEDED,
    CalibrationService,
    RubricJudge,
    calibration_of_labels,
)
from spectral.domains.evaluations.scorers.judge import Judge
from spectral.platform.db.session import Database
from spectral.platform.llm.calls import ModelRequest
from tests.domains.evaluations.judges import PRICED, UNPRICED, JudgeProvider, verdict
from tests.fixtures.tenants import Tenant

PROMPT = "Is this polite?\n{input}\n{output}"
LABELS = {"kind": "labels", "labels": {"rude": 0.0, "flat": 0.5, "kind": 1.0}}
JUDGE = {
    "name": "manners",
    "scorer": "judge",
    "weight": 1,
    "options": {"model": PRICED, "prompt": PROMPT, "scale": LABELS},
}
SPEC = {"dimensions": [JUDGE]}


def by_length(request: ModelRequest) -> str:
    """Long answers are judged to be kind: a judge that can be wrong."""
    length = len(request.messages[-1].content.split("begin output")[1])
    return verdict(("rude", "flat", "kind")[length % 3], f"{length} characters")


@pytest.fixture
def judge(app: Litestar, monkeypatch: pytest.MonkeyPatch) -> JudgeProvider:
    provider = JudgeProvider(by_length)
    monkeypatch.setattr(app.state["door"], "_remote", provider)
    return provider


def cases(count: int) -> list[dict[str, Any]]:
    return [{"input": f"question {n}", "output": "x" * (1 + n)} for n in range(count)]


async def post(client: httpx.AsyncClient, tenant: Tenant, path: str, body: Any) -> httpx.Response:
    return await client.post(f"{tenant.url}/evaluations/{path}", json=body, headers=tenant.client_headers)


async def test_a_judge_is_tried_used_and_calibrated_blind(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database, judge: JudgeProvider
) -> None:
    tried = await post(client, tenant, "rubrics/preview", {"rubric": SPEC, "cases": cases(3), "max_cost_usd": "1"})
    assert tried.status_code == 200, tried.text
    assert tried.json()["cost_usd"] == "0.000003"
    assert sorted(case["total"] for case in tried.json()["cases"]) == [0.0, 0.5, 1.0]
    assert tried.json()["cases"][0]["dimensions"]["manners"]["explanation"].endswith("characters")
    made = await post(client, tenant, "rubrics", {"name": "Manners", **SPEC})
    assert made.status_code == 201, made.text
    rubric_id = made.json()["id"]
    url = f"{tenant.url}/evaluations/rubrics/{rubric_id}/calibration"
    empty = await client.get(f"{url}/next", headers=tenant.client_headers)
    assert (empty.json()["item_id"], empty.json()["waiting"]) == (None, 0)
    asked = len(judge.asked)
    scored = await post(client, tenant, f"rubrics/{rubric_id}/score", {"cases": cases(12)})
    assert scored.json()["cost_usd"] == "0.000012"
    again = await post(client, tenant, f"rubrics/{rubric_id}/score", {"cases": cases(12)})
    # What a stored rubric's judge has said is not asked again.
    assert (again.json()["cases"], again.json()["cost_usd"]) == (scored.json()["cases"], "0")
    assert len(judge.asked) == asked + 12
    scores: list[float] = []
    for number in range(6):
        item = (await client.get(f"{url}/next?dimension=manners", headers=tenant.client_headers)).json()
        assert (item["labelled"], item["waiting"]) == (number, 12 - number)
        assert item["instructions"] == PROMPT
        assert item["scale"] == LABELS
        assert not {"score", "rationale", "explanation", "total"} & set(item)
        shown = next(n for n in range(12) if item["input"] == f"question {n}")
        scores.append(scored.json()["cases"][shown]["total"])
        label = {"item_id": item["item_id"], "label": "kind" if shown % 2 else "rude", "comment": "so I think"}
        stored = await client.post(url, json=label, headers=tenant.client_headers)
        assert stored.status_code == 201, stored.text
        assert (stored.json()["labels"], stored.json()["labelled_by"]) == (number + 1, f"user:{tenant.user_id}")
    # Balanced over what the judge had said: two of each of its three points.
    assert sorted(scores) == [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]
    twice = await client.post(url, json=label, headers=tenant.client_headers)
    assert (twice.status_code, twice.json()["type"].rpartition("/")[2]) == (409, "already-labelled")
    wrong = await client.post(url, json={**label, "label": "polite"}, headers=tenant.client_headers)
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "/label"
    by_machine = await client.post(url, json=label, headers=tenant.key_headers)
    assert by_machine.status_code == 403
    read = (await client.get(url, headers=tenant.client_headers)).json()
    (found,) = read["judges"]
    assert (found["labels"], found["calibrated"], found["further_labels"]) == (6, False, LABELS_NEEDED - 6)
    assert sum(map(sum, found["table"])) == 6
    assert found["points"] == [0.0, 0.5, 1.0]
    assert found["agreement"]["kappa_low"] <= found["agreement"]["kappa"] <= found["agreement"]["kappa_high"]
    for path in (url, f"{url}/next"):
        theirs = path.replace(str(tenant.workspace_id), str(other_tenant.workspace_id))
        assert (await client.get(theirs, headers=other_tenant.client_headers)).status_code == 404
    async with database.transaction(tenant.access, read_only=True) as session:
        (evidence,) = await CalibrationService(session, tenant.access).calibration_of(UUID(rubric_id), 1)
    assert evidence.to_document()["agreement"]["kappa"] == found["agreement"]["kappa"]
    # Another judge begins at nothing: labels belong to the judge that was labelled.
    stricter = {**JUDGE, "options": {**JUDGE["options"], "prompt": f"{PROMPT} Be strict."}}  # type: ignore[dict-item]
    await client.patch(
        f"{tenant.url}/evaluations/rubrics/{rubric_id}", json={"dimensions": [stricter]}, headers=tenant.client_headers
    )
    assert (await client.get(url, headers=tenant.client_headers)).json()["judges"][0]["labels"] == 0
    assert (await client.get(f"{url}?version=1", headers=tenant.client_headers)).json()["judges"][0]["labels"] == 6


async def test_a_judge_that_cannot_be_asked_is_said_before_anything_is_spent(
    client: httpx.AsyncClient, tenant: Tenant, judge: JudgeProvider
) -> None:
    def rubric(model: str) -> dict[str, Any]:
        return {"dimensions": [{**JUDGE, "options": {"model": model, "prompt": "{output}"}}]}

    local = await post(client, tenant, "rubrics", {"name": "Local", **rubric("spectral-local/large")})
    assert local.status_code == 422
    assert "not a language model: it cannot judge" in local.text
    unpriced = {"rubric": rubric(UNPRICED), "cases": cases(1), "max_cost_usd": "1"}
    refused = await post(client, tenant, "rubrics/preview", unpriced)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (400, "unpriced-model")
    poor = {"rubric": rubric(PRICED), "cases": cases(1), "max_cost_usd": "0.000001"}
    refused = await post(client, tenant, "rubrics/preview", poor)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (400, "budget-exhausted")
    keyless = {"rubric": rubric("anthropic/claude-haiku-4-5"), "cases": cases(1)}
    refused = await post(client, tenant, "rubrics/preview", keyless)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (400, "missing-credential")
    plain = await post(client, tenant, "rubrics", {"name": "Plain", "dimensions": [{"name": "a", "scorer": "label"}]})
    none = await client.get(
        f"{tenant.url}/evaluations/rubrics/{plain.json()['id']}/calibration/next", headers=tenant.client_headers
    )
    assert (none.status_code, none.json()["type"].rpartition("/")[2]) == (400, "no-judge")
    judge.says = lambda _request: "I would rather not say."
    silent = await post(client, tenant, "rubrics/preview", {"rubric": rubric(UNPRICED), "cases": cases(1)})
    assert silent.json()["missing"] == 1
    assert silent.json()["cases"][0]["missing_reason"] == "scorer"
    assert silent.json()["cost_usd"] is None
    assert len(judge.asked) == 1


@pytest.mark.databases("sqlite")
def test_a_judge_is_calibrated_from_fifty_labels_on() -> None:
    scorer = Judge.model_validate({"model": PRICED, "prompt": "{output}"})
    judge = RubricJudge(uuid4(), 1, "good", scorer, "0" * 64)
    few = calibration_of_labels(judge, {(1.0, 1.0): 30, (0.0, 0.0): 19})
    assert (few.labels, few.calibrated, few.further_labels) == (49, False, 1)
    enough = calibration_of_labels(judge, {(1.0, 1.0): 30, (0.0, 0.0): 19, (0.0, 1.0): 1})
    assert (enough.labels, enough.calibrated, enough.mean_difference) == (50, True, 0.02)
    assert enough.agreement.agreement == 0.98
    # A scale without points is read in five equal parts.
    line = RubricJudge(
        uuid4(),
        1,
        "good",
        Judge.model_validate({"model": PRICED, "prompt": "{output}", "scale": {"kind": "numeric", "whole": False}}),
        "0" * 64,
    )
    assert [line.place(value) for value in (0.0, 0.19, 0.5, 1.0)] == [0, 0, 2, 4]

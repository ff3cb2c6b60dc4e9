"""Samples made of traces: what was asked, what should be answered, grouped by whose session it was."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.fixtures.tenants import Tenant

QUESTIONS = [
    "Where does the parcel with the blue lamp for my sister stay so long?",
    "I was charged twice for one and the same pair of hiking boots, why?",
    "How can the password of an account be set again without the old phone?",
    "The zip of the tent tore on the first night, will it be repaired?",
]


class Shop:
    """A workspace with traces of two sessions, and a sample set."""

    def __init__(self, client: httpx.AsyncClient, tenant: Tenant) -> None:
        self.client = client
        self.tenant = tenant
        self.set_id = ""
        self.traces: list[str] = []

    async def post(self, path: str, body: Any) -> httpx.Response:
        return await self.client.post(f"{self.tenant.url}{path}", json=body, headers=self.tenant.client_headers)

    async def trace(self, **members: Any) -> str:
        stored = await self.post("/traces", members)
        assert stored.status_code == 201, stored.text
        return str(stored.json()["trace_id"])

    async def collect(self, **members: Any) -> dict[str, Any]:
        answer = await self.post(f"/samples/{self.set_id}/import", members)
        assert answer.status_code == 200, answer.text
        receipt: dict[str, Any] = answer.json()
        return receipt

    async def items(self) -> list[dict[str, Any]]:
        path = f"{self.tenant.url}/samples/{self.set_id}/items"
        found: list[dict[str, Any]] = (await self.client.get(path, headers=self.tenant.client_headers)).json()[
            "results"
        ]
        return sorted(found, key=lambda one: QUESTIONS.index(one["input"]))


@pytest.fixture
async def shop(client: httpx.AsyncClient, tenant: Tenant) -> Shop:
    shop = Shop(client, tenant)
    shop.set_id = (await shop.post("/samples", {"name": "collected"})).json()["id"]
    for number, question in enumerate(QUESTIONS):
        output = None if number == 3 else f"answer {number}"
        told = {"input": question, "output": output, "session_id": f"s-{number % 2}", "user_id": f"u-{number % 2}"}
        shop.traces.append(await shop.trace(**{name: value for name, value in told.items() if value is not None}))
    shop.traces.append(await shop.trace(input="What is measured?", output="this", mode="evaluation"))
    return shop


async def test_traces_become_samples_grouped_by_session(shop: Shop) -> None:
    shown = await shop.client.get(f"{shop.tenant.url}/traces/{shop.traces[-1]}", headers=shop.tenant.client_headers)
    assert shown.json()["mode"] == "evaluation"
    receipt = await shop.collect(trace_ids=[*shop.traces, "ab" * 16], expected_from="output")
    assert (receipt["imported"], receipt["version"]) == (3, 2)
    wanted = {"evaluation": 1, "not_found": 1, "no_input": 0, "no_expected": 1, "unusable": 0}
    assert receipt["left_out"] == wanted
    first, second, third = await shop.items()
    assert (first["expected"], first["source_trace_id"]) == ("answer 0", shop.traces[0])
    assert first["metadata"]["session_id"] == "s-0"
    assert first["group_key"] == third["group_key"] != second["group_key"]
    assert first["split"] == third["split"]
    again = await shop.collect(filter='session_id = "s-0"', expected_from="output", limit=10)
    assert (again["imported"], again["skipped"]["duplicate"], again["left_out"]["evaluation"]) == (0, 2, 0)
    assert again["skipped_samples"][0]["same_as"] in {first["id"], third["id"]}


async def test_what_people_said_is_expected_and_a_split_can_be_chosen(shop: Shop) -> None:
    for number, given in (
        (0, {"name": "quality", "score": 0.9}),
        (1, {"name": "quality", "score": 0.1}),
        (3, {"name": "expected", "comment": "warranty"}),
    ):
        answer = await shop.post(f"/traces/{shop.traces[number]}/feedback", given)
        assert answer.status_code == 201, answer.text
    # Everything live, newest first: the evaluation's trace is not among them.
    receipt = await shop.collect(filter="span_count > 0", expected_from="feedback", split="select")
    assert receipt["splits"] == {"reflect": 0, "select": 2, "holdout": 0}
    assert (receipt["left_out"]["no_expected"], receipt["left_out"]["evaluation"]) == (2, 0)
    assert [(one["input"], one["expected"]) for one in await shop.items()] == [
        (QUESTIONS[0], "answer 0"),
        (QUESTIONS[3], "warranty"),
    ]
    open_ended = await shop.collect(trace_ids=shop.traces[1:3], expected_from="none", split="reflect")
    # Their sessions are in select already, and a session is never torn apart.
    assert open_ended["splits"] == {"reflect": 0, "select": 2, "holdout": 0}


@pytest.mark.databases("sqlite")
async def test_a_wrong_request_is_refused_with_its_place(shop: Shop, other_tenant: Tenant) -> None:
    path = f"/samples/{shop.set_id}/import"
    for body, pointer in (
        ({"expected_from": "output"}, ""),
        ({"trace_ids": ["x"], "expected_from": "output"}, "/trace_ids/0"),
        ({"trace_ids": shop.traces, "filter": "status = error", "expected_from": "output"}, ""),
        ({"filter": "status =", "expected_from": "output"}, "/filter"),
        ({"filter": 'content ~ "x"', "expected_from": "output"}, "/filter"),
        ({"filter": "status = error", "expected_from": "somebody"}, "/expected_from"),
        ({"filter": "status = error", "expected_from": "none", "limit": 2001}, "/limit"),
    ):
        answer = await shop.post(path, body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer, answer.text
    asked = {"trace_ids": shop.traces[:1], "expected_from": "output"}
    assert (await shop.post(f"/samples/{uuid4()}/import", asked)).status_code == 404
    theirs = f"{other_tenant.url}/samples"
    made = await shop.client.post(theirs, json={"name": "theirs"}, headers=other_tenant.client_headers)
    stolen = await shop.client.post(
        f"{theirs}/{made.json()['id']}/import", json=asked, headers=other_tenant.client_headers
    )
    assert (stolen.json()["imported"], stolen.json()["left_out"]["not_found"]) == (0, 1)

"""Lists of traces: the filter expression and the search of words, the same on both databases."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from spectral.platform.db.session import Database
from tests.domains.traces.otlp_samples import PROTOBUF, SECOND, START, make_request, make_span
from tests.fixtures.tenants import Tenant

MESSAGES = '[{{"role":"user","parts":[{{"type":"text","content":"{}"}}]}}]'


async def export(client: httpx.AsyncClient, tenant: Tenant, *spans: Any) -> None:
    body = make_request(*spans).SerializeToString()
    answer = await client.post("/otel/v1/traces", content=body, headers=PROTOBUF | tenant.key_headers)
    assert answer.status_code == 200, answer.content


async def listed(client: httpx.AsyncClient, tenant: Tenant, **query: Any) -> list[int]:
    """The first bytes of the ids of the traces that are found, in their order."""
    answer = await client.get(f"{tenant.url}/traces", params=query, headers=tenant.client_headers)
    assert answer.status_code == 200, answer.text
    found = [bytes.fromhex(trace["trace_id"])[0] for trace in answer.json()["results"]]
    assert answer.json()["pagination"]["total"] == len(found)
    return found


async def fill(client: httpx.AsyncClient, tenant: Tenant) -> None:
    """Traces 1 to 6, a minute apart, each an agent with a call of a model and, the odd ones, of a tool."""
    spans = []
    for number in range(1, 7):
        trace_id, start = bytes([number] * 16), START + 60 * number * SECOND
        spans.append(
            make_span(
                trace_id,
                bytes([number] * 8),
                name="invoke_agent Helper" if number % 2 else "plan",
                start=start,
                end=start + number * SECOND,
                status=2 if number == 3 else 1,
                attributes={
                    "spectral.agent.id": "helper",
                    "spectral.agent.version": f"1.{number}",
                    "spectral.tags": ["prod", f"t{number}"] if number > 2 else ["test"],
                }
                | ({"session.id": f"s-{number % 2}"} if number != 6 else {}),
            )
        )
        spans.append(
            make_span(
                trace_id,
                bytes([number + 100] * 8),
                parent=bytes([number] * 8),
                name="chat",
                start=start,
                end=start + SECOND,
                attributes={
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "gpt-4o" if number < 4 else "claude-3",
                    "gen_ai.usage.input_tokens": 10 * number,
                    "gen_ai.usage.output_tokens": number,
                }
                | ({"gen_ai.usage.cost": number / 100} if number != 5 else {}),
            )
        )
        if number % 2:
            spans.append(
                make_span(
                    trace_id,
                    bytes([number + 200] * 8),
                    parent=bytes([number] * 8),
                    name="execute_tool search",
                    start=start,
                    end=start + SECOND // 2,
                    attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"},
                )
            )
    await export(client, tenant, *spans)


async def test_an_expression_narrows_the_list(client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant) -> None:
    await fill(client, tenant)
    await fill(client, other_tenant)
    for number, score in ((1, 0.2), (2, 0.9)):
        path = f"{tenant.url}/traces/{bytes([number] * 16).hex()}/feedback"
        given = await client.post(path, json={"name": "helpful", "score": score}, headers=tenant.client_headers)
        assert given.status_code == 201

    expected = {
        'model = "gpt-4o"': [3, 2, 1],
        "model ~ CLAUDE": [6, 5, 4],
        'model not in ("gpt-4o", "x")': [6, 5, 4],
        "status = error": [3],
        "error_count > 0 or duration_ms >= 6s": [6, 3],
        "error_count = 0 and duration_ms < 3000": [2, 1],
        "tags has prod and not tag = t4": [6, 5, 3],
        "session_id = null": [6],
        'session_id != "s-1"': [6, 4, 2],
        'not (session_id = "s-1" or session_id = null)': [4, 2],
        "cost_usd exists and cost_usd <= 0.02": [2, 1],
        "not cost_usd exists": [5],
        "tokens in (11, 66)": [6, 1],
        "agent_version = 1.4": [4],
        'name ~ "AGENT h"': [5, 3, 1],
        "span.tool = search and span.model = claude-3": None,
        'span.tool = "search" and span.model = "claude-3"': [5],
        "not span.tool exists": [6, 4, 2],
        "span.duration_ms < 600 and span.kind = tool": [5, 3, 1],
        'span.id = "6464646464646464" or span.parent = "0202020202020202"': [2],
        "score.helpful < 0.5": [1],
        'score["helpful"] exists': [2, 1],
        "score.other = 1": [],
        f'trace_id = "{"04" * 16}"': [4],
        'started_at >= "2025-11-21T12:05:00Z"': [6, 5],
        "started_at > now-1h": [],
        "feedback_count = 1 and unpriced_spans = 0": [2, 1],
    }
    for expression, wanted in expected.items():
        if wanted is None:
            answer = await client.get(
                f"{tenant.url}/traces", params={"filter": expression}, headers=tenant.client_headers
            )
            (error,) = answer.json()["errors"]
            assert (answer.status_code, error["pointer"]) == (422, "filter")
            assert error["detail"].startswith("position 43: ")
            continue
        assert await listed(client, tenant, filter=expression) == wanted, expression
    # Together with the other parameters, and in every order.
    assert await listed(client, tenant, filter="error_count = 0", model="gpt-4o", sort="-duration_ms") == [2, 1]
    assert await listed(client, tenant, tag="prod", sort="score:helpful") == [3, 4, 5, 6]
    assert (await listed(client, tenant, sort="-score:helpful"))[:2] == [2, 1]


async def test_pages_in_the_order_of_a_score_follow_each_other(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await fill(client, tenant)
    for number, score in ((1, 0.1), (2, -3.5), (3, 0.30000000000000004), (4, 0.3)):
        path = f"{tenant.url}/traces/{bytes([number] * 16).hex()}/feedback"
        await client.post(path, json={"name": "tone", "score": score}, headers=tenant.client_headers)
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        query = {"sort": "-score:tone", "limit": "2"} | cursor
        page = (await client.get(f"{tenant.url}/traces", params=query, headers=tenant.client_headers)).json()
        found += [bytes.fromhex(trace["trace_id"])[0] for trace in page["results"]]
        if page["pagination"]["next_cursor"] is None:
            break
        cursor = {"cursor": page["pagination"]["next_cursor"]}
    assert found == [3, 4, 1, 2, 6, 5]


async def test_words_are_searched_in_name_input_and_output(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    texts = {
        1: ("chat gpt-4o", "Where is my late delivery?", "Order 4711 is on its way."),
        2: ("chat gpt-4o", "delivery was late", "We are sorry: REFUND-42 follows"),
        3: ("triage/intent", "Löschen Sie bitte mein Konto", "user@example.com gelöscht"),
        4: ("invoke_agent", "invoice for order_4711", ""),
    }

    def spans() -> list[Any]:
        return [
            make_span(
                bytes([number] * 16),
                bytes([number] * 8),
                name=name,
                start=START + number * SECOND,
                end=START + (number + 1) * SECOND,
                attributes={"input.value": asked, "output.value": answered},
            )
            for number, (name, asked, answered) in texts.items()
        ]

    await export(client, tenant, *spans())
    await export(client, other_tenant, *spans()[:2])
    expected = {
        "delivery": [2, 1],
        "DELIVERY late": [2, 1],
        '"late delivery"': [1],
        "late -refund": [1],
        "-delivery": [4, 3],
        "deliv*": [2, 1],
        '"gpt 4o"': [2, 1],
        "gpt-4o 4711": [1],
        "4711": [4, 1],
        "refund-42": [2],
        "löschen": [3],
        "konto example": [3],
        "intent": [3],
        "invoice agent": [4],
        # Not across two texts.
        '"delivery order"': [],
        '"4o where"': [],
        "nothing": [],
        f"{tenant.workspace_id.hex}": [],
    }
    for words, wanted in expected.items():
        assert await listed(client, tenant, q=words) == wanted, words
    assert await listed(
        client, tenant, q="delivery", filter='name ~ "gpt" and started_at > "2025-11-21T12:00:01Z"'
    ) == [2]
    assert await listed(client, other_tenant, q="4711") == [1]
    # What is stored later replaces what was found before.
    late = make_span(
        bytes([1] * 16), b"the root", name="earlier", start=START, end=START + 9 * SECOND,
        attributes={"input.value": "something else", "output.value": "done"},
    )  # fmt: skip
    await export(client, tenant, late)
    assert await listed(client, tenant, q="something") == [1]
    assert await listed(client, tenant, q='"late delivery"') == []


@pytest.mark.parametrize(
    "words",
    [
        '"',
        "a' OR 1=1 --",
        "NEAR(a b)",
        "name:x",
        "^abc",
        "foo AND",
        "(foo",
        "foo & | !",
        "x\\y zz*",
        "{name} : yy",
        "🙂 ab",
    ],
)
async def test_hostile_words_are_searched_or_refused(client: httpx.AsyncClient, tenant: Tenant, words: str) -> None:
    await export(client, tenant, make_span())
    answer = await client.get(f"{tenant.url}/traces", params={"q": words}, headers=tenant.client_headers)
    assert answer.status_code in {200, 422}, answer.text


async def test_common_words_are_found_by_walking_the_list(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spectral.domains.traces.search.trace_search.RARE", 2)
    await fill(client, tenant)
    for sort in ("-started_at", "-duration_ms"):
        query = {"q": "agent", "sort": sort}
        answer = await client.get(f"{tenant.url}/traces", params=query, headers=tenant.client_headers)
        assert [bytes.fromhex(trace["trace_id"])[0] for trace in answer.json()["results"]] == [5, 3, 1]
        assert answer.json()["pagination"]["total_is_estimate"]


@pytest.mark.parametrize("kind", ["plain", "narrowed"])
async def test_a_long_list_is_counted_among_its_newest(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("spectral.domains.traces.search.trace_search.COUNTED", 4)
    await fill(client, tenant)
    query = {"filter": "model ~ gpt"} if kind == "narrowed" else {}
    answer = (await client.get(f"{tenant.url}/traces", params=query, headers=tenant.client_headers)).json()
    assert answer["pagination"]["total_is_estimate"]
    assert (answer["pagination"]["total"], len(answer["results"])) == ((1, 3) if query else (4, 6))


async def test_a_trace_of_log_events_only_is_nowhere(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    await fill(client, tenant)
    async with database.transaction(tenant.access) as session:
        await session.execute(sa.text("UPDATE trace SET span_count = 0, error_count = 0"))
    headers = tenant.client_headers
    assert await listed(client, tenant) == []
    assert await listed(client, tenant, q="chat") == []
    identifier = bytes([1] * 16).hex()
    assert (await client.get(f"{tenant.url}/traces/{identifier}", headers=headers)).status_code == 404
    given = await client.post(f"{tenant.url}/traces/{identifier}/feedback", json={"score": 1}, headers=headers)
    assert given.status_code == 404
    assert (await client.get(f"{tenant.url}/traces/filters", headers=headers)).json()["traces"] == 0
    assert (await client.get(f"{tenant.url}/traces/export", headers=headers)).content == b""


@pytest.mark.databases("postgresql")
async def test_the_words_of_another_workspace_are_not_reached(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database, identity: Database
) -> None:
    """The function runs as the tables' owner; it sees what its caller's transaction is bound to, and no more."""
    await fill(client, tenant)
    theirs = sa.select(sa.func.spectral_search_traces(f"w{tenant.workspace_id.hex}", 100))
    for access, count in ((tenant.access, 6), (other_tenant.access, 0), (None, 0)):
        async with database.transaction(access, read_only=True) as session:
            assert len((await session.execute(theirs)).all()) == count
    async with identity.transaction(tenant.access, read_only=True) as session:
        assert (await session.execute(theirs)).all() == []

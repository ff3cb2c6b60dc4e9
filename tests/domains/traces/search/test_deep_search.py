"""Traces by what was sent for their spans: any text, any attribute, events; window, budget and cursor."""

from typing import Any

import httpx
import pytest

from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.search.deep_search import DeepBudget, DeepSearch
from spectral.domains.traces.search.filter_expression import parse_filter
from spectral.domains.traces.search.trace_filter import NEWEST_FIRST, TraceFilter
from spectral.platform.db.session import Database
from spectral.platform.shared.pagination import Page
from tests.domains.traces.otlp_samples import PROTOBUF, SECOND, START, make_request, make_span, pairs
from tests.fixtures.tenants import Tenant

WINDOW = {"from": "2025-11-21T00:00:00Z", "to": "2025-11-22T00:00:00Z"}


def spans() -> list[Any]:
    """Traces 1 to 5, a second apart, each a root with what is searched in a span below it."""
    sent: dict[int, dict[str, Any]] = {
        1: {"gen_ai.request.temperature": 0.7, "flag": True, "note": "The Zebra crossed"},
        2: {"gen_ai.request.temperature": 1, "prompt": '{"text":"say \\"zebra\\" in \\u00c4rger\\nand stop"}'},
        3: {"nested": {"list": ["one", {"deep": "a zebra, twice"}]}, "nr": "0.7"},
        4: {"zebra.key": "x", "日本": "東京タワー"},
        5: {"plain": "nothing of it", "count": 41},
    }
    found = []
    for number, attributes in sent.items():
        trace_id, start = bytes([number] * 16), START + number * SECOND
        root = make_span(trace_id, bytes([number] * 8), name="root", start=start, end=start + SECOND)
        below = make_span(
            trace_id,
            bytes([number + 100] * 8),
            parent=root.span_id,
            start=start,
            end=start + SECOND,
            status=2 if number == 5 else 1,
            attributes=attributes,
        )
        if number == 5:
            below.status.message = "the ZEBRA broke it"
            below.events.add(name="exception", attributes=pairs({"exception.message": "stripes"}))
        found += [root, below]
    return found


async def export(client: httpx.AsyncClient, tenant: Tenant, *sent: Any) -> None:
    body = make_request(*sent).SerializeToString()
    answer = await client.post("/otel/v1/traces", content=body, headers=PROTOBUF | tenant.key_headers)
    assert answer.status_code == 200, answer.content


async def search(client: httpx.AsyncClient, tenant: Tenant, **query: Any) -> Any:
    answer = await client.get(f"{tenant.url}/traces", params=WINDOW | query, headers=tenant.client_headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def numbers(found: Any) -> list[int]:
    return [bytes.fromhex(trace["trace_id"])[0] for trace in found["results"]]


async def test_what_was_sent_is_found_however_it_was_written(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    await export(client, tenant, *spans())
    await export(client, other_tenant, make_span(attributes={"note": "their zebra"}))
    expected: list[tuple[dict[str, str], list[int]]] = [
        ({"content": "zebra"}, [5, 4, 3, 2, 1]),
        ({"content": 'SAY "ZEBRA"'}, [2]),
        ({"content": "in ärger\nand"}, [2]),
        ({"content": "東京"}, [4]),
        ({"content": "stripes"}, [5]),
        ({"content": "nobody wrote this"}, []),
        ({"filter": 'attr["gen_ai.request.temperature"] > 0.5'}, [2, 1]),
        ({"filter": 'attr["gen_ai.request.temperature"] = 1'}, [2]),
        ({"filter": 'attr["nr"] = "0.7" or attr["flag"] = true'}, [3, 1]),
        ({"filter": 'attr["nr"] > 0.5'}, []),
        ({"filter": 'attr["note"] ~ "zebra cross" and attr["note"] in ("The Zebra crossed", "b")'}, [1]),
        ({"filter": 'attr["service.name"] = "shop" and not attr["note"] exists'}, [5, 4, 3, 2]),
        ({"filter": 'event = "exception"'}, [5]),
        ({"filter": "event exists or status = ok"}, [5]),
        ({"filter": '(content ~ zebra and error_count > 0) or attr["zebra.key"] exists'}, [5, 4]),
        ({"filter": "not content ~ zebra"}, []),
        (
            {"content": "zebra", "filter": 'trace_id != "05" and not attr["zebra.key"] = x', "has_error": "false"},
            [3, 2, 1],
        ),
        ({"content": "zebra", "q": "root -missing", "status": "unset"}, [5, 4, 3, 2, 1]),
    ]
    for query, wanted in expected:
        found = await search(client, tenant, **query)
        assert numbers(found) == wanted, query
        assert found["pagination"]["next_cursor"] is None
        assert found["search"]["reached"] == found["search"]["searched_from"] == "2025-11-21T00:00:00.000000000Z"
    found = await search(client, tenant, content="zebra")
    assert [trace["matched_span_ids"] for trace in found["results"]] == [
        [bytes([n + 100] * 8).hex()] for n in (5, 4, 3, 2, 1)
    ]
    shallow = await search(client, tenant)
    assert (shallow["search"], shallow["results"][0]["matched_span_ids"]) == (None, None)


async def test_a_search_goes_on_from_its_cursor_within_its_window(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await export(client, tenant, *spans())
    first = await search(client, tenant, content="zebra", limit=2)
    assert (numbers(first), first["search"]["reached"]) == ([5, 4], "2025-11-21T12:00:04.000000000Z")
    cursor = first["pagination"]["next_cursor"]
    second = await search(client, tenant, content="zebra", limit=3, cursor=cursor)
    assert numbers(second) == [3, 2, 1]
    # Without a window it is the last day, in which there is nothing.
    path = f"{tenant.url}/traces"
    recent = (await client.get(path, params={"content": "zebra"}, headers=tenant.client_headers)).json()
    assert recent["results"] == []
    to = {"content": "zebra", "to": "2025-11-22T12:00:02Z"}
    assert numbers((await client.get(path, params=to, headers=tenant.client_headers)).json()) == [5, 4, 3, 2]
    for query, pointer in (
        ({"sort": "-duration_ms"}, "sort"),
        ({"offset": "1"}, "offset"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "WyItc3RhcnRlZF9hdCIsMSwiIl0"}, "cursor"),
        ({"content": ""}, "content"),
        ({"content": "x" * 513}, "content"),
    ):
        answer = await client.get(path, params={"content": "zebra"} | query, headers=tenant.client_headers)
        assert answer.status_code == 422, answer.text
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_request_stops_when_its_work_is_done_and_says_how_far_it_came(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spectral.domains.traces.search.trace_batches.BATCH_SPANS", 4)
    await export(client, tenant, *spans())
    deep = DeepSearch(database, tenant.access, SpanMapper(), DeepBudget(spans=1))
    wanted = TraceFilter(start_from=START, start_to=START + 60 * SECOND, expression=parse_filter('attr["flag"] = true'))
    cursor, reached, rows = None, [], []
    while True:
        found = await deep.page(wanted, NEWEST_FIRST, Page(limit=10), cursor)
        reached.append((found.reached - START) // SECOND)
        rows += found.rows
        cursor = found.next_cursor
        if cursor is None:
            break
    assert reached[:2] == [4, 2]
    assert reached[-1] == 0
    assert [(trace.trace_id[0], spans) for trace, spans in rows] == [(1, [bytes([101] * 8)])]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
async def test_batches_that_are_read_ahead_are_neither_lost_nor_repeated(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr("spectral.domains.traces.search.trace_batches.BATCH_SPANS", 1)
    await export(client, tenant, *spans())
    found, cursor = [], None
    while True:
        query = {"filter": 'content ~ zebra and not attr["flag"] exists', "limit": limit}
        page = await search(client, tenant, **query, **({"cursor": cursor} if cursor else {}))
        found += numbers(page)
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            break
        assert len(numbers(page)) == limit
    assert found == [5, 4, 3, 2]


async def test_a_copy_that_lost_is_not_found(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await export(client, tenant, make_span(attributes={"note": "first thoughts"}))
    await export(client, tenant, make_span(attributes={"note": "second thoughts, which are longer"}))
    assert numbers(await search(client, tenant, content="first thoughts")) == []
    assert len(numbers(await search(client, tenant, content="second thoughts"))) == 1

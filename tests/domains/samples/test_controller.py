"""The samples API: every route, what it answers, and that everything wrong is refused and changes nothing."""

import csv
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from spectral.demo.dataset import generate_tickets
from spectral.platform.docs.document import openapi_document
from tests.fixtures.tenants import Tenant

NDJSON = {"Content-Type": "application/x-ndjson"}
TEXT = "My parcel from order 123 was marked as delivered on Monday and it is nowhere to be found."


class Api:
    """The samples routes of one workspace, as its owner."""

    def __init__(self, client: httpx.AsyncClient, tenant: Tenant) -> None:
        self.client = client
        self.tenant = tenant
        self.url = f"{tenant.url}/samples"

    async def call(self, method: str, path: str = "", **options: Any) -> httpx.Response:
        headers = self.tenant.client_headers | options.pop("headers", {})
        return await self.client.request(method, f"{self.url}{path}", headers=headers, **options)

    async def create(self, name: str = "tickets", **members: Any) -> str:
        answer = await self.call("POST", json={"name": name, **members})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def add(self, set_id: str, **members: Any) -> dict[str, Any]:
        answer = await self.call("POST", f"/{set_id}/items", json=members)
        assert answer.status_code == 201, answer.text
        item: dict[str, Any] = answer.json()
        return item

    async def bring(self, set_id: str, body: str | bytes, **headers: str) -> httpx.Response:
        return await self.call("POST", f"/{set_id}/import", content=body, headers=NDJSON | headers)

    async def everything(self) -> list[Any]:
        """All that the routes show, to see that nothing changed."""
        sets = (await self.call("GET")).json()["results"]
        items = [(await self.call("GET", f"/{one['id']}/items", params={"limit": 100})).json() for one in sets]
        return [sets, items]


@pytest.fixture
async def api(client: httpx.AsyncClient, tenant: Tenant) -> Api:
    return Api(client, tenant)


def lines(count: int, seed: int = 1) -> str:
    return "\n".join(json.dumps(ticket.as_sample()) for ticket in generate_tickets(seed, count))


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["type"] == f"https://spectral.dev/errors/{slug}"
    return document


# ----------------------------------------------------------------------------------------------------------------- sets


async def test_a_set_is_created_read_renamed_and_deleted(api: Api) -> None:
    created = await api.call("POST", json={"name": "  tickets ", "description": "of the demo", "seed": 5})

    assert created.status_code == 201
    one = created.json()
    assert created.headers["location"] == f"{api.url}/{one['id']}"
    assert (one["name"], one["version"], one["seed"], one["items"], one["holdout"]) == ("tickets", 1, 5, 0, None)
    assert one["shares"] == {"reflect": 0.4, "select": 0.2, "holdout": 0.4}
    assert one["group_by"] == ["session_id", "conversation_id", "user_id", "customer_id"]
    assert one["splits"] == {"reflect": 0, "select": 0, "holdout": 0}
    assert (await api.call("GET", f"/{one['id']}")).json() == one

    renamed = await api.call("PATCH", f"/{one['id']}", json={"name": "mail", "description": None})
    assert (renamed.status_code, renamed.json()["name"], renamed.json()["description"]) == (200, "mail", None)
    assert renamed.json()["version"] == 1

    assert (await api.call("DELETE", f"/{one['id']}")).status_code == 204
    problem(await api.call("GET", f"/{one['id']}"), 404, "not-found")
    assert (await api.call("GET")).json()["results"] == []


async def test_sets_are_listed_newest_first_in_pages(api: Api) -> None:
    for number in range(3):
        await api.create(f"set {number}")

    page = (await api.call("GET", params={"limit": 2, "offset": 1})).json()

    assert [one["name"] for one in page["results"]] == ["set 1", "set 0"]
    assert page["pagination"] == {"total": 3, "limit": 2, "offset": 1}
    problem(await api.call("GET", params={"limit": 101}), 422, "validation-error")
    problem(await api.call("GET", params={"offset": -1}), 422, "validation-error")


async def test_a_name_is_unique_in_the_workspace(api: Api) -> None:
    await api.create("one")
    other = await api.create("two")

    problem(await api.call("POST", json={"name": "one"}), 409, "sample-set-name-taken")
    problem(await api.call("PATCH", f"/{other}", json={"name": "one"}), 409, "sample-set-name-taken")


WRONG_SETS: list[tuple[dict[str, Any], str]] = [
    ({}, "/name"),
    ({"name": " "}, "/name"),
    ({"name": "x" * 201}, "/name"),
    ({"name": 1}, "/name"),
    ({"name": "x", "colour": "red"}, "/colour"),
    ({"name": "x", "seed": -1}, "/seed"),
    ({"name": "x", "seed": 2**53}, "/seed"),
    ({"name": "x", "shares": {"reflect": 0.5, "select": 0.4, "holdout": 0.4}}, "/shares"),
    ({"name": "x", "shares": {"reflect": 0, "select": 0.5, "holdout": 0.5}}, "/shares"),
    ({"name": "x", "shares": {"reflect": -0.2, "select": 0.6, "holdout": 0.6}}, "/shares/reflect"),
    ({"name": "x", "group_by": "session_id"}, "/group_by"),
    ({"name": "x", "group_by": [""]}, "/group_by/0"),
    ({"name": "x", "group_by": ["a"] * 11}, "/group_by"),
]


@pytest.mark.databases("sqlite")
async def test_a_wrong_set_is_refused(api: Api) -> None:
    for body, pointer in WRONG_SETS:
        refused = problem(await api.call("POST", json=body), 422, "validation-error")
        assert [each["pointer"] for each in refused["errors"]] == [pointer], body
    assert (await api.everything()) == [[], []]


@pytest.mark.databases("sqlite")
async def test_the_rules_of_a_set_are_never_changed(api: Api) -> None:
    set_id = await api.create()
    before = await api.everything()

    wrong: list[dict[str, Any]] = [{"name": None}, {"name": ""}, {"seed": 3}, {"shares": {}}, {"group_by": []}]
    for body in wrong:
        problem(await api.call("PATCH", f"/{set_id}", json=body), 422, "validation-error")

    assert await api.everything() == before


# ---------------------------------------------------------------------------------------------------------------- items


async def test_a_sample_is_added_read_changed_and_deleted(api: Api) -> None:
    set_id = await api.create()
    body = {
        "input": {"ticket": TEXT},
        "expected": "late",
        "metadata": {"session_id": "s1"},
        "source_trace_id": "a" * 32,
    }
    created = await api.call("POST", f"/{set_id}/items", json=body)

    assert created.status_code == 201
    item = created.json()
    assert created.headers["location"] == f"{api.url}/{set_id}/items/{item['id']}"
    assert {name: item[name] for name in body} == body
    assert (item["group_key"], item["frozen"], item["holdout_id"]) == ("session_id=s1", False, None)
    assert item["split"] in {"reflect", "select", "holdout"}
    assert (await api.call("GET", f"/{set_id}/items/{item['id']}")).json() == item

    changed = await api.call(
        "PATCH", f"/{set_id}/items/{item['id']}", json={"expected": None, "metadata": {"session_id": "s2"}}
    )
    assert changed.status_code == 200
    assert (changed.json()["expected"], changed.json()["metadata"]) == (None, {"session_id": "s2"})
    # A new session does not move it: what a search has seen must not get into a holdout.
    assert (changed.json()["split"], changed.json()["group_key"]) == (item["split"], "session_id=s1")
    assert changed.json()["input"] == {"ticket": TEXT}

    assert (await api.call("GET", f"/{set_id}")).json()["version"] == 3
    assert (await api.call("DELETE", f"/{set_id}/items/{item['id']}")).status_code == 204
    problem(await api.call("GET", f"/{set_id}/items/{item['id']}"), 404, "not-found")
    assert (await api.call("GET", f"/{set_id}")).json()["items"] == 0


async def test_samples_of_a_session_stay_together(api: Api) -> None:
    set_id = await api.create()

    items = [
        await api.add(set_id, input=f"text {number}", metadata={"session_id": f"s{number % 3}"}) for number in range(15)
    ]

    assert all(len({one["split"] for one in items[first::3]}) == 1 for first in range(3))


async def test_samples_are_listed_by_split_newest_first(api: Api) -> None:
    set_id = await api.create()
    for number in range(10):
        await api.add(set_id, input=f"text {number}")

    everything = (await api.call("GET", f"/{set_id}/items")).json()
    assert [one["input"] for one in everything["results"]] == [f"text {number}" for number in range(9, -1, -1)]
    by_split = {
        split: (await api.call("GET", f"/{set_id}/items", params={"split": split})).json()["pagination"]["total"]
        for split in ("reflect", "select", "holdout")
    }
    assert by_split == {"reflect": 4, "select": 2, "holdout": 4}
    assert (await api.call("GET", f"/{set_id}/items", params={"frozen": "true"})).json()["results"] == []
    problem(await api.call("GET", f"/{set_id}/items", params={"split": "test"}), 422, "validation-error")
    problem(await api.call("GET", f"/{set_id}/items", params={"frozen": "perhaps"}), 422, "validation-error")


WRONG_SAMPLES: list[tuple[dict[str, Any], str]] = [
    ({}, "/input"),
    ({"input": None}, "/input"),
    ({"input": 2**64}, "/input"),
    ({"input": 1e300}, "/input"),
    ({"input": "x" * 300_000}, "/input"),
    ({"input": "x", "metadata": []}, "/metadata"),
    ({"input": "x", "metadata": {str(number): 1 for number in range(101)}}, "/metadata"),
    ({"input": "x", "source_trace_id": "abc"}, "/source_trace_id"),
    ({"input": "x", "split": "reflect"}, "/split"),
]


@pytest.mark.databases("sqlite")
async def test_a_wrong_sample_is_refused_and_changes_nothing(api: Api) -> None:
    set_id = await api.create()
    path = f"/{set_id}/items/{(await api.add(set_id, input='fine'))['id']}"
    before = await api.everything()

    for body, pointer in WRONG_SAMPLES:
        refused = problem(await api.call("POST", f"/{set_id}/items", json=body), 422, "validation-error")
        assert [each["pointer"] for each in refused["errors"]] == [pointer], body
        if body:
            refused = problem(await api.call("PATCH", path, json=body), 422, "validation-error")
            assert [each["pointer"] for each in refused["errors"]] == [pointer], body

    assert await api.everything() == before


@pytest.mark.databases("sqlite")
async def test_values_that_json_allows_and_databases_do_not_are_refused(api: Api) -> None:
    set_id = await api.create()
    headers = {"Content-Type": "application/json"}
    nested = '{"input": ' + "[" * 50 + "]" * 50 + "}"

    for body in ('{"input": "\\ud800"}', '{"input": "\\u0000"}', '{"input": NaN}', "[1", nested, '{"input": 1e999}'):
        answer = await api.call("POST", f"/{set_id}/items", content=body, headers=headers)
        assert answer.status_code in {400, 422}, (body, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await api.call("GET", f"/{set_id}")).json()["items"] == 0


async def test_a_repetition_is_refused_and_names_what_it_repeats(api: Api) -> None:
    set_id = await api.create()
    first = await api.add(set_id, input=TEXT, expected="late")
    other = await api.add(set_id, input="something else entirely", expected="late")
    before = await api.everything()

    for body in (
        {"input": TEXT, "expected": "late"},
        {"input": TEXT, "expected": "refund"},
        {"input": TEXT.replace("123", "987"), "expected": "late"},
    ):
        refused = problem(await api.call("POST", f"/{set_id}/items", json=body), 400, "duplicate-sample")
        assert refused["item_id"] == first["id"]
        path = f"/{set_id}/items/{other['id']}"
        problem(await api.call("PATCH", path, json=body), 400, "duplicate-sample")
    assert await api.everything() == before
    await api.add(set_id, input=TEXT.replace("123", "987"), expected="refund")


async def test_a_sample_that_ties_two_splits_is_refused(api: Api) -> None:
    set_id = await api.create()
    items = [
        await api.add(set_id, input=f"text {number}", metadata={"session_id": f"s{number}"}) for number in range(8)
    ]
    one = next(item for item in items if item["split"] == "reflect")
    two = next(item for item in items if item["split"] == "holdout")
    before = await api.everything()

    body = {
        "input": "new",
        "metadata": {"session_id": one["metadata"]["session_id"], "user_id": "u"},
    }
    await api.add(set_id, input="of two", metadata={"session_id": two["metadata"]["session_id"], "user_id": "u"})
    problem(await api.call("POST", f"/{set_id}/items", json=body), 400, "bridging-sample")

    after = await api.everything()
    assert after[1][0]["pagination"]["total"] == before[1][0]["pagination"]["total"] + 1


# --------------------------------------------------------------------------------------------------------------- import


async def test_json_lines_are_imported_split_and_counted(api: Api) -> None:
    set_id = await api.create()
    body = lines(200)
    first = body.split("\n")[0]

    answer = await api.bring(set_id, f"{body}\n{first}")

    assert answer.status_code == 200, answer.text
    receipt = answer.json()
    assert (receipt["lines"], receipt["imported"], receipt["version"]) == (201, 200, 2)
    assert receipt["skipped"] == {"duplicate": 1, "contradiction": 0, "near_duplicate": 0, "bridge": 0}
    assert receipt["skipped_samples"] == [{"line": "line 201", "reason": "duplicate", "same_as": "line 1"}]
    assert receipt["splits"] == (await api.call("GET", f"/{set_id}")).json()["splits"]
    assert sum(receipt["splits"].values()) == 200


async def test_csv_and_forms_are_imported(api: Api) -> None:
    set_id = await api.create()
    table = "input.ticket,expected,metadata.session_id\nhello,late,s1\n"
    path = f"/{set_id}/import"

    by_body = await api.call("POST", path, content=table, headers={"Content-Type": "text/csv; charset=utf-8"})
    by_form = await api.call("POST", path, files={"file": ("more.CSV", table.replace("hello", "other"), "text/plain")})
    by_type = await api.call("POST", path, files={"file": ("unnamed", '{"input": 1}', "application/x-ndjson")})
    by_name = await api.call("POST", path, files={"file": ("x.jsonl", '{"input": 2}', "application/octet-stream")})

    assert [one.json()["imported"] for one in (by_body, by_form, by_type, by_name)] == [1, 1, 1, 1]
    items = (await api.call("GET", f"/{set_id}/items")).json()["results"]
    assert [one["input"] for one in items] == [2, 1, {"ticket": "other"}, {"ticket": "hello"}]


Send = Callable[[Api, str], Awaitable[httpx.Response]]


def by(**options: Any) -> Send:
    async def send(api: Api, set_id: str) -> httpx.Response:
        return await api.call("POST", f"/{set_id}/import", **options)

    return send


WRONG_FILES: list[tuple[Send, int, str, list[str]]] = [
    (by(content='{"input": 1}', headers={"Content-Type": "text/plain"}), 415, "unsupported-media-type", []),
    (by(content='{"input": 1}'), 415, "unsupported-media-type", []),
    (by(files={"file": ("x.xlsx", "x", "application/vnd.ms-excel")}), 415, "unsupported-media-type", []),
    (by(files={"other": ("x.csv", "input\n1", "text/csv")}), 422, "import-refused", ["/file"]),
    (by(files=[("file", ("a.csv", "input\n1")), ("file", ("b.csv", "input\n2"))]), 422, "import-refused", ["/file"]),
    (by(data={"file": "input\n1"}, files={"x": ("x.csv", "y")}), 422, "import-refused", ["/file"]),
    (
        by(content=b"--x\r\nbroken", headers={"Content-Type": "multipart/form-data; boundary=x"}),
        400,
        "malformed-request",
        [],
    ),
    (by(content=b"x", headers={"Content-Type": "multipart/form-data"}), 400, "malformed-request", []),
    (by(content=b"", headers=NDJSON), 422, "import-refused", [""]),
    (by(content=b'{"input": "new"}\n{"input": }\n[]', headers=NDJSON), 422, "import-refused", ["/lines/2", "/lines/3"]),
    (by(content=b'{"input": "new"}\n{"input": "\xff"}', headers=NDJSON), 422, "import-refused", ["/lines/2"]),
    (by(content=b"input\nnew\na,b", headers={"Content-Type": "text/csv"}), 422, "import-refused", ["/lines/3"]),
    (by(files={"file": ("x.csv", "inputs\nnew")}), 422, "import-refused", ["/lines/1/inputs", "/lines/1"]),
    (by(content=b" " * (65 * 2**20), headers=NDJSON), 413, "payload-too-large", []),
    (by(files={"file": ("x.csv", b" " * (65 * 2**20))}), 413, "payload-too-large", []),
]


@pytest.mark.databases("sqlite")
async def test_a_wrong_file_is_refused_and_nothing_of_it_imported(api: Api) -> None:
    set_id = await api.create()
    await api.add(set_id, input="fine")
    before = await api.everything()

    for number, (send, status, slug, pointers) in enumerate(WRONG_FILES):
        refused = problem(await send(api, set_id), status, slug)
        assert [each["pointer"] for each in refused.get("errors", [])] == pointers, number

    assert await api.everything() == before


async def test_an_import_with_the_same_key_is_done_once(api: Api) -> None:
    set_id = await api.create()

    first = await api.bring(set_id, lines(20), **{"Idempotency-Key": "k1"})
    again = await api.bring(set_id, lines(20), **{"Idempotency-Key": "k1"})
    other = await api.bring(set_id, lines(21), **{"Idempotency-Key": "k1"})

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert other.status_code == 422
    assert (await api.call("GET", f"/{set_id}")).json()["items"] == 20


async def test_a_form_with_an_idempotency_key_is_imported(api: Api) -> None:
    set_id = await api.create()

    answer = await api.call(
        "POST",
        f"/{set_id}/import",
        files={"file": ("x.jsonl", lines(5))},
        headers={"Idempotency-Key": "k2"},
    )

    assert (answer.status_code, answer.json()["imported"]) == (200, 5)


# --------------------------------------------------------------------------------------------------------------- export


async def test_what_is_exported_can_be_imported_again(api: Api) -> None:
    set_id = await api.create()
    await api.bring(set_id, lines(1200))

    exported = await api.call("GET", f"/{set_id}/export")

    assert exported.status_code == 200
    assert exported.headers["content-type"].startswith("application/x-ndjson")
    assert exported.headers["content-disposition"] == f'attachment; filename="samples-{set_id}.jsonl"'
    found = [json.loads(line) for line in exported.text.splitlines()]
    assert len(found) == 1200
    assert {one["split"] for one in found} == {"reflect", "select", "holdout"}
    copied = await api.create("copy")
    assert (await api.bring(copied, exported.content)).json()["imported"] == 1200
    ours, theirs = [(await api.call("GET", f"/{one}")).json()["splits"] for one in (set_id, copied)]
    assert ours == theirs


async def test_csv_is_exported_for_spreadsheets(api: Api) -> None:
    set_id = await api.create()
    await api.add(set_id, input={"ticket": "=1+1", "lang": "en"}, expected="late", metadata={"session_id": "s"})
    await api.add(set_id, input={"ticket": 'say "hi",\nyou'}, expected="refund")

    exported = await api.call("GET", f"/{set_id}/export", params={"format": "csv"})

    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(exported.text, newline="")))
    assert [(row["input.ticket"], row["input.lang"], row["metadata.session_id"]) for row in rows] == [
        ("'=1+1", "en", "s"),
        ('say "hi",\nyou', "", ""),
    ]
    copied = await api.create("copy")
    answer = await api.call("POST", f"/{copied}/import", content=exported.content, headers={"Content-Type": "text/csv"})
    assert answer.json()["imported"] == 2


async def test_an_empty_set_is_an_empty_file(api: Api) -> None:
    set_id = await api.create()

    assert (await api.call("GET", f"/{set_id}/export")).content == b""
    table = (await api.call("GET", f"/{set_id}/export", params={"format": "csv"})).text
    assert table == "id,input,expected,source_trace_id,split,frozen\r\n"
    problem(await api.call("GET", f"/{set_id}/export", params={"format": "xml"}), 422, "validation-error")


# ------------------------------------------------------------------------------------------------------------- holdouts


async def test_a_holdout_is_frozen_once_and_its_items_with_it(api: Api) -> None:
    set_id = await api.create()
    await api.bring(set_id, lines(120))

    frozen = await api.call("POST", f"/{set_id}/holdouts")

    assert frozen.status_code == 201, frozen.text
    holdout = frozen.json()
    assert frozen.headers["location"] == f"{api.url}/{set_id}/holdouts/{holdout['id']}"
    assert (holdout["size"], holdout["looks"], holdout["retired_at"]) == (48, 0, None)
    assert holdout["frozen_by"] == f"user:{api.tenant.user_id}"
    assert (await api.call("GET", f"/{set_id}/holdouts/{holdout['id']}")).json() == holdout
    assert (await api.call("GET", f"/{set_id}/holdouts")).json()["results"] == [holdout]
    assert (await api.call("GET", f"/{set_id}")).json()["holdout"] == holdout
    items = (await api.call("GET", f"/{set_id}/items", params={"frozen": True, "limit": 100})).json()["results"]
    assert {(one["split"], one["frozen"], one["holdout_id"]) for one in items} == {("holdout", True, holdout["id"])}
    assert len(items) == 48

    path = f"/{set_id}/items/{items[0]['id']}"
    problem(await api.call("PATCH", path, json={"expected": "x"}), 400, "sample-frozen")
    problem(await api.call("DELETE", path), 400, "sample-frozen")
    problem(await api.call("POST", f"/{set_id}/holdouts"), 400, "invalid-transition")
    assert (await api.call("GET", path)).json() == items[0]


async def test_a_small_set_has_no_holdout(api: Api) -> None:
    set_id = await api.create()
    await api.bring(set_id, lines(30))

    refused = problem(await api.call("POST", f"/{set_id}/holdouts"), 400, "holdout-too-small")

    assert refused["further_samples"] == 18
    assert (await api.call("GET", f"/{set_id}/holdouts")).json()["pagination"]["total"] == 0


# --------------------------------------------------------------------------------------------------------------- rights


ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("POST", "", {"name": "theirs"}),
    ("GET", "/{set}", None),
    ("PATCH", "/{set}", {"name": "stolen"}),
    ("DELETE", "/{set}", None),
    ("GET", "/{set}/items", None),
    ("POST", "/{set}/items", {"input": "stolen"}),
    ("GET", "/{set}/items/{item}", None),
    ("PATCH", "/{set}/items/{item}", {"input": "stolen"}),
    ("DELETE", "/{set}/items/{item}", None),
    ("POST", "/{set}/import", '{"input": "stolen"}'),
    ("GET", "/{set}/export", None),
    ("GET", "/{set}/holdouts", None),
    ("POST", "/{set}/holdouts", None),
    ("GET", "/{set}/holdouts/{holdout}", None),
]


def options(body: Any) -> dict[str, Any]:
    if isinstance(body, str):
        return {"content": body, "headers": NDJSON}
    return {} if body is None else {"json": body}


async def test_nobody_else_reaches_anything(api: Api, other_tenant: Tenant) -> None:
    set_id = await api.create()
    await api.bring(set_id, lines(120))
    holdout = (await api.call("POST", f"/{set_id}/holdouts")).json()["id"]
    item = (await api.call("GET", f"/{set_id}/items")).json()["results"][0]["id"]
    before = await api.everything()
    stranger = Api(api.client, other_tenant)
    own = await stranger.create("their own")

    for method, template, body in ROUTES:
        path = template.format(set=set_id, item=item, holdout=holdout)
        extra = options(body)
        headers = extra.pop("headers", {})
        url = f"{api.url}{path}"
        anonymous = await api.client.request(method, url, headers=headers, **extra)
        problem(anonymous, 401, "not-authenticated")
        with_key = await api.client.request(method, url, headers=headers | api.tenant.key_headers, **extra)
        problem(with_key, 403, "forbidden")
        foreign = await api.client.request(method, url, headers=headers | other_tenant.client_headers, **extra)
        problem(foreign, 404, "not-found")
        if "{set}" in template:
            # Existing ids of somebody else under one's own workspace.
            problem(await stranger.call(method, path, **options(body)), 404, "not-found")
        if "{item}" in template or "{holdout}" in template:
            mixed = template.format(set=own, item=item, holdout=holdout)
            problem(await stranger.call(method, mixed, **options(body)), 404, "not-found")
    assert await api.everything() == before


@pytest.mark.databases("sqlite")
async def test_an_item_of_another_set_and_unknown_ids_are_not_found(api: Api) -> None:
    one, two = await api.create("one"), await api.create("two")
    await api.bring(one, lines(120))
    holdout = (await api.call("POST", f"/{one}/holdouts")).json()["id"]
    item = (await api.call("GET", f"/{one}/items")).json()["results"][0]["id"]

    for method, template, body in ROUTES[2:]:
        for ids in ({"set": uuid4(), "item": item, "holdout": holdout}, {"set": "x", "item": "y", "holdout": "z"}):
            problem(await api.call(method, template.format(**ids), **options(body)), 404, "not-found")
        if "{item}" in template or "{holdout}" in template:
            path = template.format(set=two, item=item, holdout=holdout)
            problem(await api.call(method, path, **options(body)), 404, "not-found")


@pytest.mark.databases("sqlite")
async def test_the_document_says_what_an_import_takes(app: Litestar) -> None:
    paths = openapi_document(app)["paths"]
    operation = paths["/api/v1/workspaces/{workspace_id}/samples/{set_id}/import"]["post"]

    assert set(operation["requestBody"]["content"]) == {
        "application/json",
        "application/x-ndjson",
        "multipart/form-data",
        "text/csv",
    }
    assert operation["operationId"] == "importSamples"

"""What runs remember, as steps store and recall it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.nodes import memory as memory_module
from spectral.domains.workflows.nodes.calls import NodeError
from spectral.domains.workflows.nodes.memory import MemoryRecallWork, MemoryStoreWork
from spectral.domains.workflows.settings.repository import MemoryRepository
from spectral.platform.db.session import Database
from tests.domains.workflows.nodes.calling import NOBODY, node_call
from tests.fixtures.tenants import Tenant


class Memory:
    """Steps of one workspace."""

    def __init__(self, database: Database, tenant: Tenant) -> None:
        self.database = database
        self.access = tenant.access

    async def store(self, key: Any, value: Any, *, memory: str | None = None, **params: Any) -> Any:
        stored = {"key": key, "value": value, **params}
        call = node_call(self.database, self.access, NodeKind.MEMORY_STORE, stored, memory=memory)
        return (await MemoryStoreWork()(call)).outputs

    async def recall(self, key: Any, *, memory: str | None = None, **params: Any) -> Any:
        call = node_call(self.database, self.access, NodeKind.MEMORY_RECALL, {"key": key, **params}, memory=memory)
        return (await MemoryRecallWork()(call)).outputs

    async def count(self) -> int:
        async with self.database.transaction(self.access, read_only=True) as session:
            return await MemoryRepository(session, self.access).count()


async def test_what_was_stored_last_is_recalled_in_its_namespace_only(
    database: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    ours, theirs = Memory(database, tenant), Memory(database, other_tenant)
    assert await ours.recall("last", default={"none": 1}) == {
        "namespace": "orders",
        "key": "last",
        "value": {"none": 1},
        "found": False,
    }
    stored = await ours.store("last", {"id": 7, "name": "ä"})
    assert stored == {"namespace": "orders", "key": "last", "value": {"id": 7, "name": "ä"}, "found": True}
    # The same step once more, after a crash.
    assert await ours.store("last", {"id": 7, "name": "ä"}) == stored
    assert await ours.recall("last", default=1) == stored
    await ours.store("last", None)
    assert await ours.recall("last", default=1) == {**stored, "value": None}
    # Namespaces: the step's, else the definition's, else the workflow's name.
    await ours.store(3.5, "shared", memory="shared")
    await ours.store("3.5", "own", namespace="own", memory="shared")
    assert (await ours.recall("3.5", memory="shared"))["value"] == "shared"
    assert (await ours.recall("3.5", namespace="own"))["value"] == "own"
    assert not (await ours.recall("3.5"))["found"]
    assert not (await theirs.recall("last"))["found"]
    assert (await ours.count(), await theirs.count()) == (3, 0)


async def test_the_last_place_is_given_once(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_module, "MAXIMUM_KEYS", 3)
    memory = Memory(database, tenant)
    done = await asyncio.gather(*(memory.store(f"k{n}", n) for n in range(6)), return_exceptions=True)
    failures = [one for one in done if isinstance(one, NodeError)]
    assert len(failures) == 3
    assert {(one.type, one.retryable) for one in failures} == {("memory-full", False)}
    assert "3 keys" in failures[0].message
    assert await memory.count() == 3
    # What is there can still change.
    kept = next(one["key"] for one in done if isinstance(one, dict))
    await memory.store(kept, "new")
    assert (await memory.recall(kept))["value"] == "new"


async def test_two_runs_that_store_one_new_key_at_once_both_succeed(database: Database, tenant: Tenant) -> None:
    memory = Memory(database, tenant)
    stored = await asyncio.gather(*(memory.store("one", n) for n in range(5)))
    assert (await memory.recall("one"))["value"] in {one["value"] for one in stored}
    assert await memory.count() == 1


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"key": ""}, "key must be"),
        ({"key": None}, "key must be"),
        ({"key": True}, "key must be"),
        ({"key": "k" * 129}, "key must be"),
        ({"key": "a\x00"}, "key must be"),
        ({"key": "a", "namespace": "a/b"}, "namespace must be"),
        ({"key": "a", "namespace": {}}, "namespace must be"),
        ({"key": "a", "value": {"b": ["x\x00"]}}, "value/b/0 holds a NUL"),
        ({"key": "a", "value": "\ud800"}, "value holds"),
        ({"key": "a", "value": "x" * 65_536}, "at most 65536"),
    ],
    ids=str,
)
async def test_what_cannot_be_remembered_says_why(params: dict[str, Any], problem: str) -> None:
    call = replace(node_call(None, NOBODY, NodeKind.MEMORY_STORE, {}), params=params)
    with pytest.raises(NodeError, match=problem) as failure:
        await MemoryStoreWork()(call)
    assert not failure.value.retryable

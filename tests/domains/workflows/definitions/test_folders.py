"""Workflows from a folder are one workspace's, change with their files, and a broken one harms nothing."""

import asyncio
import os
from pathlib import Path

import httpx

from spectral.domains.workflows.definitions.folders import DefinitionFolder, FolderSync, broken_files
from spectral.domains.workflows.definitions.publishing import Publisher
from spectral.platform.db.session import Database
from tests.fixtures.tenants import Tenant

TASKS = frozenset({"spectral.pass"})


def document(name: str, text: str = "a") -> str:
    return f"name: {name}\nsteps:\n  - {{id: a, kind: map, mapping: {{v: {text}}}}}\n"


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    # Files are looked at again when their times differ, however fast the test is.
    write.turn += 1  # type: ignore[attr-defined]
    os.utime(path, ns=(write.turn, write.turn))  # type: ignore[attr-defined]


write.turn = 10**18  # type: ignore[attr-defined]


async def test_files_come_change_break_and_go(
    client: httpx.AsyncClient,
    database: Database,
    identity: Database,
    tenant: Tenant,
    other_tenant: Tenant,
    tmp_path: Path,
) -> None:
    url, headers = f"{tenant.url}/workflows", tenant.client_headers
    made = await client.post(url, content=document("mine"), headers=headers | {"Content-Type": "application/yaml"})
    assert made.status_code == 201
    folder = DefinitionFolder(tmp_path, tenant.workspace_id)
    sync = FolderSync(folder, database, identity, TASKS)
    publisher = Publisher(database, tenant.access, TASKS)

    async def listed() -> dict[str, tuple[int, str]]:
        results = (await client.get(url, headers=headers)).json()["results"]
        return {one["name"]: (one["version"], one["origin"]) for one in results}

    write(tmp_path / "first.yaml", document("first"))
    write(tmp_path / "second.json", '{"steps": [{"id": "a", "kind": "sleep", "seconds": 1}]}')
    write(tmp_path / "mine.yaml", document("mine", "b"))
    write(tmp_path / "broken.yaml", "name: broken\nsteps:\n  - {id: a, kind: tsk}\n")
    write(tmp_path / "other name.yaml", document("x"))
    write(tmp_path / "misnamed.yaml", document("named"))
    write(tmp_path / "README.md", "no workflow")
    (tmp_path / "bytes.yml").write_bytes(b"\xff\xfe\x00")
    await sync.run()
    await sync.run()
    wanted = {"first": (1, "folder"), "mine": (1, "api"), "second": (1, "folder")}
    assert await listed() == wanted
    broken = {one.file: one.errors[0] for one in await broken_files(folder, database, publisher)}
    assert set(broken) == {"broken.yaml", "bytes.yml", "mine.yaml", "misnamed.yaml", "other name.yaml"}
    assert (broken["broken.yaml"].line, broken["broken.yaml"].column) == (3, 19)
    assert broken["misnamed.yaml"].code == "name-mismatch"

    # Nobody changes what comes from the folder; nobody else sees it.
    for answer in (
        await client.put(f"{url}/first", json={"source": document("first", "c")}, headers=headers),
        await client.delete(f"{url}/first", headers=headers),
    ):
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "read-only-workflow")
    theirs = await client.get(f"{other_tenant.url}/workflows", headers=other_tenant.client_headers)
    assert theirs.json()["results"] == []

    # A change is a version; a file that breaks leaves the version before; one that goes is withdrawn.
    write(tmp_path / "first.yaml", document("first", "c"))
    await sync.run()
    assert (await listed())["first"] == (2, "folder")
    write(tmp_path / "first.yaml", "steps: [")
    (tmp_path / "second.json").unlink()
    (tmp_path / "mine.yaml").unlink()
    write(tmp_path / "broken.yaml", document("broken"))
    await sync.run()
    assert await listed() == {"first": (2, "folder"), "mine": (1, "api"), "broken": (1, "folder")}
    left = {one.file for one in await broken_files(folder, database, publisher)}
    assert left == {"bytes.yml", "first.yaml", "misnamed.yaml", "other name.yaml"}

    # Two processes at once do no harm, nor does a folder that is gone.
    again = FolderSync(DefinitionFolder(tmp_path, tenant.workspace_id), database, identity, TASKS)
    await asyncio.gather(sync.run(), again.run())
    assert (await listed())["broken"] == (1, "folder")
    gone = DefinitionFolder(tmp_path / "gone", tenant.workspace_id)
    await FolderSync(gone, database, identity, TASKS).run()
    assert (await listed())["broken"] == (1, "folder")
    (unreadable,) = await broken_files(gone, database, publisher)
    assert "cannot be read" in unreadable.errors[0].message

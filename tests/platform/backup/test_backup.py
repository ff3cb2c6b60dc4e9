"""A backup restored into an empty installation of either database is the same installation, or nothing at all."""

import asyncio
import hashlib
import io
import json
import math
import os
import stat
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar
from pydantic import SecretStr

from spectral.domains.accounts.models import Account
from spectral.domains.traces.ingestion.partitions import make_partitions_of_days
from spectral.domains.traces.models import SpanChunk, SpanRecord
from spectral.platform.audit import AuditEntry
from spectral.platform.backup.archive import BackupError, BackupReader, Manifest
from spectral.platform.backup.restore import restore
from spectral.platform.backup.snapshot import back_up, snapshot
from spectral.platform.backup.values import Rows, kind_of
from spectral.platform.db.base import Base
from spectral.platform.db.migrations import current_revision, downgrade, owner_engine
from spectral.platform.db.roles import CROSS_ACCOUNT
from spectral.platform.db.session import Database
from spectral.platform.db.tenants import OwnerNeededError, Parts
from spectral.platform.engine.context import WorkContext, WorkItem
from spectral.platform.engine.engine import Engine
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from spectral.settings import Settings
from tests.fixtures.databases import POSTGRESQL, SECRET, SQLITE, make_settings
from tests.fixtures.exemptions import ACCOUNT, NOT_A_WORKSPACES
from tests.fixtures.project import tables
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import Tenant, register_tenant
from tests.fixtures.world import World, WorldBuilder

Contents = dict[str, list[str]]
MakeEmpty = Callable[..., Settings]


@pytest.fixture(autouse=True)
def all_models() -> None:
    tables()


@pytest.fixture
def make_empty(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakeEmpty]:
    """`make_empty(kind)`: an installation that holds nothing, with the schema or, with `bare=True`, without."""
    with ExitStack() as stack:

        def make(kind: str, *, bare: bool = False) -> Settings:
            data_dir = tmp_path / f"empty-{uuid4().hex}"
            if bare and kind == SQLITE:
                return make_settings(data_dir)
            name = "postgres_template" if kind == POSTGRESQL else "sqlite_template"
            template: Any = request.getfixturevalue(name)
            settings: Settings = stack.enter_context((template.empty if bare else template.fresh)(data_dir))
            return settings

        yield make


def quiet(_table: str, _rows: int) -> None:
    """Nobody watches."""


def saved(settings: Settings, path: Path) -> Manifest:
    return back_up(settings, path, quiet)


def restored(settings: Settings, path: Path, **options: Any) -> Manifest:
    return restore(settings, path, make_partitions=make_partitions_of_days, progress=quiet, **options)


def contents(settings: Settings) -> Contents:
    """Every row of every table, as the models read it; JSON as values."""
    found: Contents = {}
    with snapshot(settings.owner_url) as connection:
        parts = Parts(connection)
        for table in Base.metadata.sorted_tables:
            rows: list[sa.Row[Any]] = []
            for part in parts.of(table):
                part.bind(connection)
                rows += connection.execute(sa.select(table).where(part.rows(table))).all()
            found[table.name] = sorted(repr(tuple(map(comparable, row))) for row in rows)
    return found


def comparable(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else value


def is_empty(settings: Settings) -> bool:
    engine = owner_engine(settings.owner_url)
    try:
        with engine.connect() as connection:
            if current_revision(connection) is None:
                return True
        return not any(contents(settings).values())
    finally:
        engine.dispose()


async def extreme_rows(database: Database, identity: Database, tenant: Tenant) -> None:
    """What is easily lost on the way: bytes, large integers, infinities, old days, text of all kinds, NULL."""
    text = "ü\u2028\r\n\t\"\\'\x7f𝄞, {}"
    long_ago = int((utc_now() - timedelta(days=20)).timestamp()) * 10**9 + 123_456_789
    span = {
        "trace_id": bytes(range(16)),
        "ended_at": 2**63 - 1,
        "name": text,
        "kind": "",
        "otel_kind": 0,
        "status": 0,
        "operation": "chat",
        "mode": "live",
        "encoded_length": 2**62,
        "digest": b"\xff\x00" * 8,
        "cost_nano_usd": 2**62 + 1,
    }
    async with database.transaction(tenant.access) as session:
        for number, started_at in enumerate((0, long_ago, 2**62)):
            session.add(
                SpanRecord(
                    workspace_id=tenant.workspace_id,
                    span_id=bytes([number] * 8),
                    started_at=started_at,
                    **span,
                )
            )
        session.add(
            SpanChunk(
                workspace_id=tenant.workspace_id,
                trace_id=bytes(16),
                start_ns=long_ago,
                digest=bytes(16),
                codec=1,
                span_count=1,
                payload=os.urandom(300_000),
            )
        )
    async with identity.transaction() as session:
        detail = {"a": 10**30, "b": 0.1, "c": [None, True, text], "d": {"": -1e-7}}
        # An account that is no more: its log outlives it.
        session.add(
            AuditEntry(account_id=new_id(), actor="user:x", action="account.deleted", subject="s", detail=detail)
        )


# --------------------------------------------------------------------------------------------------------- the whole


@pytest.mark.slow
async def test_a_restored_installation_is_the_same_and_works(
    client: httpx.AsyncClient,
    database: Database,
    identity: Database,
    settings: Settings,
    make_empty: MakeEmpty,
    create_app: Callable[[Settings], Litestar],
    tmp_path: Path,
) -> None:
    world = await WorldBuilder(client, database, "ours").build()
    other = await register_tenant(client, "theirs")
    await extreme_rows(database, identity, world.tenant)
    made = await asyncio.to_thread(saved, settings, tmp_path / "all.backup")
    before = contents(settings)
    assert {table.name: table.rows for table in made.tables} == {name: len(rows) for name, rows in before.items()}

    assert sum(map(bool, before.values())) > 30, "the comparison compares little"
    for kind in (SQLITE, POSTGRESQL):
        target = make_empty(kind)
        await asyncio.to_thread(restored, target, tmp_path / "all.backup")
        after = contents(target)
        assert after == before
        async with in_process(create_app(target)) as restored_client:
            await works_as_before(restored_client, world, other)


async def works_as_before(client: httpx.AsyncClient, world: World, other: Tenant) -> None:
    """Passwords, sessions that were open, keys and boundaries are what they were, and work goes on."""
    for tenant in (world.tenant, other):
        sign_in = {"email": tenant.email, "password": tenant.password}
        signed_in = await client.post("/api/v1/auth/login", json=sign_in)
        assert signed_in.status_code == 200, signed_in.text
        fresh = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        for headers in (fresh, tenant.client_headers):
            assert (await client.get(f"{tenant.url}/agents", headers=headers)).status_code == 200
    found = await client.get(f"{world.tenant.url}/agents", headers=world.tenant.key_headers)
    assert world.marker in found.text
    assert (await client.get(f"{world.tenant.url}/traces", headers=fresh)).status_code == 404
    agent = {"name": "after the restore"}
    made = await client.post(f"{world.tenant.url}/agents", json=agent, headers=world.tenant.client_headers)
    assert made.status_code == 201, made.text


@pytest.mark.databases(SQLITE)
async def test_a_restored_span_lies_in_the_partition_of_its_day(
    client: httpx.AsyncClient,
    database: Database,
    identity: Database,
    settings: Settings,
    make_empty: MakeEmpty,
    tmp_path: Path,
) -> None:
    tenant = await register_tenant(client, "ours")
    await extreme_rows(database, identity, tenant)
    await asyncio.to_thread(saved, settings, tmp_path / "all.backup")
    target = make_empty(POSTGRESQL)
    await asyncio.to_thread(restored, target, tmp_path / "all.backup")
    day = utc_now() - timedelta(days=20)
    engine = owner_engine(target.owner_url)
    with engine.begin() as connection:
        name = sa.text("SELECT set_config('spectral.workspace', :id, true)")
        connection.execute(name, {"id": str(tenant.workspace_id)})
        found = connection.execute(sa.text("SELECT DISTINCT tableoid::regclass::text FROM span")).scalars().all()
        forced = connection.execute(
            sa.text("SELECT count(*) FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relname = 'span'")
        ).scalar_one()
        triggers = connection.execute(
            sa.text("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'O'")
        ).scalar_one()
    engine.dispose()
    assert set(found) == {f"spectral_partitions.span_{day:%Y%m%d}", "spectral_partitions.span_default"}
    assert (forced, triggers) == (1, 0)


async def test_work_that_was_waiting_is_done_after_the_restore(
    client: httpx.AsyncClient,
    database: Database,
    settings: Settings,
    database_kind: str,
    make_empty: MakeEmpty,
    tmp_path: Path,
) -> None:
    tenant = await register_tenant(client, "ours")
    item = WorkItem("errand", tenant.workspace_id, tenant.account_id, new_id(), {"to": "the shop"})

    async def never(_context: WorkContext) -> None:
        raise AssertionError

    before = Engine(database, executes=False)
    before.register("errand", never)
    async with database.transaction(tenant.access) as session:
        await before.enqueue(session, item)
    await before.stop()
    await asyncio.to_thread(saved, settings, tmp_path / "all.backup")
    target = make_empty(database_kind, bare=True)
    await asyncio.to_thread(restored, target, tmp_path / "all.backup")

    done: asyncio.Queue[Any] = asyncio.Queue()

    async def run_errand(context: WorkContext) -> None:
        await done.put((context.key, context.payload))

    there = Database(target.url)
    after = Engine(there)
    after.register("errand", run_errand)
    await after.start()
    try:
        assert await asyncio.wait_for(done.get(), 20) == (item.key, {"to": "the shop"})
    finally:
        await after.stop()
        await there.close()


# ------------------------------------------------------------------------------------------------------ the snapshot


async def test_a_backup_is_of_one_moment_and_holds_nobody_up(
    client: httpx.AsyncClient, identity: Database, settings: Settings, make_empty: MakeEmpty, tmp_path: Path
) -> None:
    await register_tenant(client, "ours")
    loop = asyncio.get_running_loop()
    written = []

    async def write() -> None:
        async with identity.transaction() as session:
            account = Account(name="in the middle of the backup")
            session.add(account)
            await session.flush()
            written.append(account.id)

    def meanwhile(table: str, _rows: int) -> None:
        if not written:
            # Another connection commits between two tables of the backup.
            asyncio.run_coroutine_threadsafe(write(), loop).result(10)
        assert table

    before = contents(settings)
    await asyncio.to_thread(back_up, settings, tmp_path / "all.backup", meanwhile)
    assert len(contents(settings)["account"]) == len(before["account"]) + 1
    target = make_empty(SQLITE)
    await asyncio.to_thread(restored, target, tmp_path / "all.backup")
    assert contents(target) == before


def test_the_file_is_private_and_whole_or_as_it_was(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "all.backup"
    path.write_text("an older one")
    path.chmod(0o644)

    def breaks(table: str, _rows: int) -> None:
        if table == "workspace":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(settings, path, breaks)
    assert path.read_text() == "an older one"
    assert [found.name for found in tmp_path.iterdir() if "backup" in found.name] == ["all.backup"]
    saved(settings, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_bytes()
    assert SECRET.encode() not in content
    with pytest.raises(FileNotFoundError):
        saved(settings, tmp_path / "nowhere" / "all.backup")


@pytest.mark.databases(POSTGRESQL)
def test_a_role_that_owns_nothing_makes_no_half_backup(settings: Settings, tmp_path: Path) -> None:
    bound = settings.model_copy(update={"migration_database_url": None})
    with pytest.raises(OwnerNeededError, match="SPECTRAL_MIGRATION_DATABASE_URL"):
        saved(bound, tmp_path / "all.backup")
    assert not (tmp_path / "all.backup").exists()


# --------------------------------------------------------------------------------------------------------- refusals


@pytest.fixture
async def backup(client: httpx.AsyncClient, settings: Settings, tmp_path: Path) -> Path:
    await register_tenant(client, "ours")
    path = tmp_path / "all.backup"
    await asyncio.to_thread(saved, settings, path)
    return path


def test_a_database_that_holds_something_is_left_alone(settings: Settings, backup: Path) -> None:
    before = contents(settings)
    with pytest.raises(BackupError, match=r"not empty \(.* has rows\)"):
        restored(settings, backup)
    assert contents(settings) == before


def test_another_revision_is_refused_and_says_which_version_to_use(
    backup: Path, database_kind: str, make_empty: MakeEmpty, tmp_path: Path
) -> None:
    target = make_empty(database_kind)
    older = rewritten(backup, tmp_path / "older", revision="0007", version="0.0.9")
    with pytest.raises(BackupError, match=r"0007.*Spectral 0\.0\.9"):
        restored(target, older)
    newer = rewritten(backup, tmp_path / "newer", format=2)
    with pytest.raises(BackupError, match="format 2"):
        restored(target, newer)
    downgrade(target, "0007")
    with pytest.raises(BackupError, match="schema is at 0007"):
        restored(target, backup)


@pytest.mark.databases(SQLITE)
def test_a_schema_that_is_not_current_is_not_backed_up(settings: Settings, tmp_path: Path) -> None:
    downgrade(settings, "0007")
    with pytest.raises(BackupError, match=r"0007.*spectral migrate"):
        saved(settings, tmp_path / "all.backup")
    with pytest.raises(BackupError, match="no database"):
        saved(make_settings(tmp_path / "nothing"), tmp_path / "all.backup")


async def test_secrets_that_do_not_fit_are_refused_unless_insisted_on(
    backup: Path, database_kind: str, make_empty: MakeEmpty, create_app: Callable[[Settings], Litestar]
) -> None:
    target = make_empty(database_kind).model_copy(update={"secret_keys": (SecretStr("x" * 40),)})
    with pytest.raises(BackupError, match=r"SPECTRAL_SECRET_KEYS .*fingerprint") as refused:
        restored(target, backup)
    assert SECRET not in str(refused.value)
    assert is_empty(target)
    await asyncio.to_thread(restored, target, backup, check_secrets=False)
    async with in_process(create_app(target)) as client:
        sign_in = {"email": "ours@example.com", "password": "a long test password"}
        assert (await client.post("/api/v1/auth/login", json=sign_in)).status_code == 200


@pytest.mark.databases(SQLITE)
def test_a_damaged_file_is_refused_before_anything_is_written(
    backup: Path, make_empty: MakeEmpty, tmp_path: Path
) -> None:
    target = make_empty(SQLITE, bare=True)
    content = backup.read_bytes()
    damaged = tmp_path / "damaged"
    with tarfile.open(backup) as tar:
        places = [(member.name, member.offset_data + member.size // 2) for member in tar.getmembers()]
    for name, place in places:
        damaged.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(BackupError, match="damaged"):
            restored(target, damaged)
        assert is_empty(target), name
    for length in (0, 1, 600, len(content) // 2, content.index(b"manifest.sha256") - 1):
        damaged.write_bytes(content[:length])
        with pytest.raises(BackupError, match="damaged"):
            restored(target, damaged)
    damaged.write_bytes(b"something else entirely" * 1000)
    with pytest.raises(BackupError, match="damaged or no backup"):
        restored(target, damaged)
    assert is_empty(target)
    restored(target, backup)
    assert not is_empty(target)


def test_what_the_database_refuses_leaves_it_empty_and_may_be_tried_again(
    backup: Path, database_kind: str, make_empty: MakeEmpty, tmp_path: Path
) -> None:
    """Sums that are right over rows that cannot be."""
    target = make_empty(database_kind)
    twice = doubled(backup, tmp_path / "twice", "workspace")
    with pytest.raises(BackupError, match=r"workspace|UNIQUE"):
        restored(target, twice)
    assert is_empty(target)
    restored(target, backup)
    assert contents(target)["workspace"]


def rewritten(backup: Path, path: Path, **changes: Any) -> Path:
    """The same backup with another manifest, whose sum is right."""
    return _repacked(backup, path, lambda manifest, _members: manifest.update(changes))


def doubled(backup: Path, path: Path, table: str) -> Path:
    """The same backup with every row of one table twice, and right sums."""

    def double(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        (entry,) = [entry for entry in manifest["tables"] if entry["name"] == table]
        with BackupReader.opened(backup) as reader:
            (known,) = [found for found in reader.manifest.tables if found.name == table]
            lines = [json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in reader.rows(known)]
        text = "".join(f"{line}\n" for line in lines).encode()
        entry |= {"rows": 2 * len(lines), "parts": 2, "sha256": hashlib.sha256(text + text).hexdigest()}
        members[f"{table}/000002.jsonl.zst"] = members[f"{table}/000001.jsonl.zst"]

    return _repacked(backup, path, double)


def _repacked(backup: Path, path: Path, change: Callable[[dict[str, Any], dict[str, bytes]], object]) -> Path:
    with tarfile.open(backup) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]
    manifest = json.loads(members["manifest.json"])
    change(manifest, members)
    members["manifest.json"] = json.dumps(manifest).encode()
    members["manifest.sha256"] = hashlib.sha256(members["manifest.json"]).hexdigest().encode()
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


# ----------------------------------------------------------------------------------------------------------- values


def test_every_column_of_the_models_has_a_kind_and_is_written_as_it_is() -> None:
    for table in tables():
        for column in table.columns:
            assert kind_of(column).name
            assert column.computed is None
            assert column.identity is None
        # A restored sequence would start again at one.
        assert table.autoincrement_column is None, table


def test_no_row_outlives_its_tenant_where_a_backup_would_not_see_it() -> None:
    """Bound tables are read tenant by tenant; what may outlive its tenant is read as a whole, by the owner's policy."""
    for table in tables():
        for column, tenant in (("workspace_id", "workspace"), ("account_id", "account")):
            bound = table.name in ACCOUNT if tenant == "account" else table.name not in NOT_A_WORKSPACES
            if not bound or table.name in CROSS_ACCOUNT:
                continue
            parents = {key.column.table.name for key in table.c[column].foreign_keys}
            # Spans go with their traces, by a trigger.
            assert tenant in parents or table.name in {"span", "span_chunk"}, table.name


def test_values_that_json_has_no_word_for_come_back() -> None:
    columns = (sa.Column("f", sa.Double), sa.Column("m", sa.DateTime(timezone=True)), sa.Column("d", sa.Date))
    rows = Rows(sa.Table("t", sa.MetaData(), *columns))
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    values: Sequence[Any] = (math.inf, moment, moment.date())
    assert rows.read(json.loads(json.dumps(rows.write(values)))) == list(values)
    assert math.isnan(rows.read(json.loads(json.dumps(rows.write((math.nan, None, None)))))[0])
    with pytest.raises(ValueError, match="values"):
        rows.read([1.0])
    with pytest.raises(TypeError, match="backups do not know"):
        kind_of(sa.Column("x", sa.Numeric))

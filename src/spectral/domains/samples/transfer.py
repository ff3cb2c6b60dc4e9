"""Whole sets in and out of the platform, outside of the request's one transaction where it takes long."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Literal
from uuid import UUID

from spectral.domains.samples.drafts import measure
from spectral.domains.samples.exporting import CsvColumns, csv_lines, jsonl_line
from spectral.domains.samples.importing import READERS, ImportedRow
from spectral.domains.samples.intake import Intake, Newcomer, Skipped, SkipReason
from spectral.domains.samples.models import SampleItem
from spectral.domains.samples.repository import SampleItemRepository, SampleSetRepository
from spectral.domains.samples.service import SampleService
from spectral.domains.samples.splitting import Split
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database

BATCH = 500
PART_ROWS = 5_000
PART_CHARACTERS = 16 * 1024 * 1024
SKIPPED_NAMED = 100

Format = Literal["jsonl", "csv"]


@dataclass(slots=True)
class Receipt:
    """What became of samples that arrived together. `skipped` names the first of those that were not taken."""

    version: int = 0
    samples: int = 0
    taken: Counter[Split] = field(default_factory=Counter)
    reasons: Counter[SkipReason] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)

    def note(self, intake: Intake, version: int) -> None:
        """Count what became of some more of them."""
        self.version = version
        self.samples += len(intake.taken) + len(intake.skipped)
        self.taken.update(intake.taken_by_split())
        self.reasons.update(intake.skipped_by_reason())
        self.skipped += intake.skipped[: SKIPPED_NAMED - len(self.skipped)]


class SampleImport:
    """Takes samples into sets, part by part, each in a transaction of its own: memory is bounded by a part."""

    def __init__(self, database: Database, access: WorkspaceAccess) -> None:
        self._database = database
        self._access = access

    async def import_file(self, set_id: UUID, file_format: str, file: IO[bytes]) -> Receipt:
        """The whole file is read before its first sample is stored, so a wrong line refuses all of it.

        A file of up to `PART_ROWS` samples is taken or not as one; of a larger one the parts that were stored stay when
        the import breaks off, and sending it again goes on, because what is there is not taken again.

        Raises NotFoundError, ImportRefusedError (422), SampleSetFullError (400).
        """
        reader = READERS[file_format]
        await asyncio.to_thread(_exhaust, reader(file))
        await asyncio.to_thread(file.seek, 0)
        receipt, rows = Receipt(), reader(file)
        while newcomers := await asyncio.to_thread(_next_part, rows):
            await self.admit(set_id, newcomers, receipt)
        return receipt

    async def admit(
        self, set_id: UUID, newcomers: Sequence[Newcomer], receipt: Receipt, *, split: Split | None = None
    ) -> None:
        """Some samples, in one transaction; the receipt counts them. Raises NotFoundError, SampleSetFullError (400)."""
        async with self._database.transaction(self._access) as session:
            service = SampleService(session, self._access)
            intake = await service.admit(set_id, newcomers, split=split)
            receipt.note(intake, (await service.read_set(set_id)).version)


def _exhaust(rows: Iterator[ImportedRow]) -> None:
    for _ in rows:
        pass


def _next_part(rows: Iterator[ImportedRow]) -> list[Newcomer]:
    part: list[ImportedRow] = []
    size = 0
    for row in rows:
        part.append(row)
        size += row.size
        if len(part) == PART_ROWS or size >= PART_CHARACTERS:
            break
    measured = measure([row.draft for row in part])
    return [Newcomer(f"line {row.line}", one) for row, one in zip(part, measured, strict=True)]


class SampleExport:
    """One set as a stream; each part is read in a short transaction of its own."""

    def __init__(self, database: Database, access: WorkspaceAccess) -> None:
        self._database = database
        self._access = access

    async def require_set(self, set_id: UUID) -> None:
        """Raises NotFoundError."""
        async with self._database.transaction(self._access, read_only=True) as session:
            await SampleSetRepository(session, self._access).get(set_id)

    async def stream(self, set_id: UUID, file_format: Format) -> AsyncIterator[bytes]:
        """The file, in the order in which the items came; what changes meanwhile may or may not be in it."""
        if file_format == "jsonl":
            async for batch in self._batches(set_id):
                yield b"".join(jsonl_line(one) for one in batch)
            return
        columns = CsvColumns()
        async for batch in self._batches(set_id):
            columns.see(batch)
        yield csv_lines([columns.header()])
        async for batch in self._batches(set_id):
            yield columns.lines(batch)

    async def _batches(self, set_id: UUID) -> AsyncIterator[Sequence[dict[str, Any]]]:
        after: UUID | None = None
        while True:
            async with self._database.transaction(self._access, read_only=True) as session:
                items = await SampleItemRepository(session, self._access).batch(set_id, after, BATCH)
            if not items:
                return
            yield [_members(item) for item in items]
            after = items[-1].id


def _members(item: SampleItem) -> dict[str, Any]:
    return {
        "id": str(item.id),
        "input": item.input,
        "expected": item.expected,
        "metadata": item.details,
        "source_trace_id": item.source_trace_id,
        "split": item.split,
        "frozen": item.frozen,
    }

"""Whole sets in and out of the platform, outside of the request's one transaction where it takes long."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from spectral.domains.samples.drafts import MeasuredDraft, measure
from spectral.domains.samples.exporting import CsvColumns, csv_lines, jsonl_line
from spectral.domains.samples.importing import READERS, ImportedRow
from spectral.domains.samples.models import SampleItem
from spectral.domains.samples.repository import SampleItemRepository, SampleSetRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database

BATCH = 500

Format = Literal["jsonl", "csv"]


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that was read and measured and only waits to be stored."""

    rows: list[ImportedRow]
    measured: list[MeasuredDraft]


async def read_file(file_format: str, body: bytes) -> ReadFile:
    """The samples of a file, worked out in a thread. Raises ImportRefusedError (422)."""
    return await asyncio.to_thread(_read, file_format, body)


def _read(file_format: str, body: bytes) -> ReadFile:
    rows = READERS[file_format](body)
    return ReadFile(rows, measure([row.draft for row in rows]))


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

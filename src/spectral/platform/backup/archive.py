"""The file: a tar of zstd-compressed JSON lines, a manifest with their sums, and at the end the manifest's sum.

`<table>/000001.jsonl.zst` …, then `manifest.json`, then `manifest.sha256`. What ends too early lacks the last.
"""

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
import zstandard
from pydantic import BaseModel, ConfigDict, ValidationError

FORMAT = 1
PART_BYTES = 4 * 1024 * 1024
MANIFEST = "manifest.json"
SUM = "manifest.sha256"
MAXIMUM_MANIFEST_BYTES = 4 * 1024 * 1024


class BackupError(Exception):
    """A backup cannot be made or restored; the message is one line for the operator."""


class DamagedBackupError(BackupError):
    """The file is not a backup, not a whole one, or was changed."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is damaged or no backup: {why}")


class TableEntry(BaseModel):
    """One table of a backup. sha256: of its lines, uncompressed. columns: names and kinds, in the lines' order."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    columns: list[list[str]]
    rows: int
    sha256: str
    parts: int


class Manifest(BaseModel):
    """What a backup says about itself. secret_keys: fingerprints of the keys that its sealed values may need."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: int
    version: str
    revision: str
    made_at: str
    database: str
    secret_keys: list[str]
    tables: list[TableEntry]


class BackupWriter:
    """Takes rows, table after table; memory holds one part at a time."""

    def __init__(self, file: Any) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed by `finish`
        self._compressor = zstandard.ZstdCompressor(level=6)
        self._encoder = msgspec.json.Encoder()
        self.tables: list[TableEntry] = []

    def add_table(self, name: str, columns: list[list[str]], rows: Iterator[list[Any]]) -> int:
        """All rows of one table; answers how many there were."""
        digest, count, parts, part = hashlib.sha256(), 0, 0, bytearray()
        for row in rows:
            part += self._encoder.encode(row)
            part += b"\n"
            count += 1
            if len(part) >= PART_BYTES:
                parts += 1
                self._add_part(name, parts, part, digest)
                part.clear()
        if part:
            parts += 1
            self._add_part(name, parts, part, digest)
        self.tables.append(TableEntry(name=name, columns=columns, rows=count, sha256=digest.hexdigest(), parts=parts))
        return count

    def finish(self, manifest: Manifest) -> None:
        """Nothing follows."""
        text = json.dumps(manifest.model_dump(), indent=1).encode()
        self._add(MANIFEST, text)
        self._add(SUM, hashlib.sha256(text).hexdigest().encode())
        self._tar.close()

    def _add_part(self, table: str, number: int, part: bytearray, digest: "hashlib._Hash") -> None:
        digest.update(part)
        self._add(part_name(table, number), self._compressor.compress(bytes(part)))

    def _add(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o600
        self._tar.addfile(member, io.BytesIO(content))


class BackupReader:
    """A backup whose manifest is whole; `verify` says whether the rest is."""

    def __init__(self, path: Path, tar: tarfile.TarFile) -> None:
        self.path = path
        self._tar = tar
        self._decompressor = zstandard.ZstdDecompressor()
        self._decoder = msgspec.json.Decoder(list[Any])
        text = self._read(MANIFEST)
        if hashlib.sha256(text).hexdigest().encode() != self._read(SUM):
            raise DamagedBackupError(path, "the manifest was changed")
        try:
            content = json.loads(text)
            if content.get("format") != FORMAT:
                raise BackupError(f"{path} has format {content.get('format')}; this build reads format {FORMAT}")
            self.manifest = Manifest.model_validate(content)
        except (ValidationError, ValueError, AttributeError) as error:
            raise DamagedBackupError(path, "the manifest cannot be read") from error

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Self]:
        """Raises DamagedBackupError, BackupError for another format, OSError."""
        with path.open("rb") as file:
            try:
                tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - closed below
            except tarfile.TarError as error:
                raise DamagedBackupError(path, "it is no archive") from error
            with tar:
                yield cls(path, tar)

    def rows(self, entry: TableEntry) -> Iterator[list[Any]]:
        """The table's rows; at their end it is known that there were no others. Raises DamagedBackupError."""
        digest, count = hashlib.sha256(), 0
        for number in range(1, entry.parts + 1):
            try:
                part = self._decompressor.decompress(self._read(part_name(entry.name, number), None))
                lines = [self._decoder.decode(line) for line in part.splitlines()]
            except (zstandard.ZstdError, msgspec.DecodeError, UnicodeDecodeError) as error:
                raise DamagedBackupError(self.path, f"{entry.name} cannot be read") from error
            digest.update(part)
            count += len(lines)
            yield from lines
        if (digest.hexdigest(), count) != (entry.sha256, entry.rows):
            raise DamagedBackupError(self.path, f"{entry.name} is not what the manifest says")

    def _read(self, name: str, limit: int | None = MAXIMUM_MANIFEST_BYTES) -> bytes:
        try:
            member = self._tar.getmember(name)
            if limit is not None and member.size > limit:
                raise DamagedBackupError(self.path, f"{name} is too large")
            file = self._tar.extractfile(member)
            content = b"" if file is None else file.read()
        except (KeyError, tarfile.TarError) as error:
            raise DamagedBackupError(self.path, f"{name} is missing") from error
        if len(content) != member.size:
            raise DamagedBackupError(self.path, f"{name} is cut off")
        return content


def part_name(table: str, number: int) -> str:
    return f"{table}/{number:06}.jsonl.zst"


@contextmanager
def whole_file(path: Path) -> Iterator[Any]:
    """A file that is at `path`, readable by its owner only, once the block has ended well; else nothing changed."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        # The new name is on disk as well.
        os.fsync(folder)
    finally:
        os.close(folder)

"""A sample as those who measure with it see it, and what a set of them is frozen by."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import IO, Any, Self
from uuid import UUID

from spectral.domains.samples.canonical import canonical_bytes

KEPT_IN_MEMORY = 256 * 1024
PARTS_AT_ONCE = 50
"""Files that are open at a time; each keeps a little in memory."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One item of a split; `expected` is None where nothing is expected, `group_key` is what may not be torn apart."""

    id: UUID
    input: Any
    expected: Any
    metadata: dict[str, Any]
    group_key: str


def digest_of(samples: Sequence[Sample]) -> str:
    """SHA-256, in hex, over the canonical items: input, expected, metadata and group, one a line, in sorted order.

    Ids are left out: the same items imported elsewhere have the same digest.
    """
    lines = sorted(_line(one) for one in samples)
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


class DigestOfMany:
    """As `digest_of`, of samples that are never in memory together: parts are sorted, put aside on disk and merged."""

    def __init__(self) -> None:
        self._parts: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._parts:
            part.close()

    def add(self, samples: Sequence[Sample]) -> None:
        """Some of the samples, in any order."""
        part = SpooledTemporaryFile(max_size=KEPT_IN_MEMORY)  # noqa: SIM115 - closed together with the others
        self._parts.append(part)
        # No line holds a line break: canonical JSON escapes it.
        part.writelines(line + b"\n" for line in sorted(_line(one) for one in samples))
        if len(self._parts) == PARTS_AT_ONCE:
            self._merge()

    def digest(self) -> str:
        """SHA-256, in hex, over all of them."""
        hashed = hashlib.sha256()
        for number, line in enumerate(self._sorted()):
            hashed.update((b"\n" if number else b"") + line[:-1])
        return hashed.hexdigest()

    def _merge(self) -> None:
        merged = TemporaryFile()  # noqa: SIM115 - closed together with the others
        merged.writelines(self._sorted())
        for part in self._parts:
            part.close()
        self._parts = [merged]

    def _sorted(self) -> Iterator[bytes]:
        for part in self._parts:
            part.seek(0)
        # By the line without its end, which is how `digest_of` sorts.
        return merge(*self._parts, key=lambda line: line[:-1])


def _line(sample: Sample) -> bytes:
    return canonical_bytes([sample.input, sample.expected, sample.metadata, sample.group_key])

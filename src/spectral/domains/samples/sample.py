"""A sample as those who measure with it see it, and what a set of them is frozen by."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from spectral.domains.samples.canonical import canonical_bytes


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
    lines = sorted(canonical_bytes([one.input, one.expected, one.metadata, one.group_key]) for one in samples)
    return hashlib.sha256(b"\n".join(lines)).hexdigest()

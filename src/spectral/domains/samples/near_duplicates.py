"""Near-duplicates of a text are found by MinHash: the same ticket with another order number must not be in two splits.

Shingles are the sets of 5 neighbouring characters of the comparable text. A signature holds, for each of 128 hash
functions, the least hash of any shingle; the share of equal places of two signatures estimates the Jaccard similarity
of the two sets (standard error ≤ 0.045, at 0.85: 0.03).  Source: Broder, "On the resemblance and containment of
documents", 1997; banding as in Leskovec, Rajaraman & Ullman, "Mining of Massive Datasets", chapter 3.
"""

import hashlib
from collections import defaultdict
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from spectral.domains.samples.canonical import comparable

HASHES: Final = 128
BANDS: Final = 16
THRESHOLD: Final = 0.85
SHORTEST: Final = 20
"""Characters of comparable text; shorter ones are duplicates only when they are equal."""

CROWD: Final = 32
"""Items that are found by one band; texts that more of them have in common are a phrase, not a repetition."""

_SHINGLE: Final = 5
_CHUNK: Final = 64
_ROWS: Final = HASHES // BANDS


def _constants(name: str) -> NDArray[np.uint32]:
    # From a hash and not from NumPy's generator, whose stream may change between releases: signatures are stored.
    drawn = [hashlib.blake2b(f"{name} {at}".encode(), digest_size=4).digest() for at in range(HASHES)]
    return np.array([int.from_bytes(each, "big") for each in drawn], dtype=np.uint32)


_MULTIPLIERS: Final = _constants("multiplier") | np.uint32(1)
_OFFSETS: Final = _constants("offset")
_POWERS: Final = np.array([1_000_003**power % 2**64 for power in range(_SHINGLE)], dtype=np.uint64)

Signature = NDArray[np.uint32]


def signature_of(text: str) -> Signature | None:
    """The MinHash signature of a text; None where it is too short to be compared by its parts."""
    reduced = comparable(text)
    if len(reduced) < SHORTEST:
        return None
    points = np.frombuffer(reduced.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    count = len(points) - _SHINGLE + 1
    shingles = np.zeros(count, dtype=np.uint64)
    for at, power in enumerate(_POWERS):
        shingles += points[at : at + count] * power
    shingles ^= shingles >> np.uint64(29)
    shingles *= np.uint64(0xBF58476D1CE4E5B9)
    folded = (shingles >> np.uint64(32)).astype(np.uint32)
    least = np.full(HASHES, np.iinfo(np.uint32).max, dtype=np.uint32)
    for start in range(0, count, _CHUNK):
        hashed = folded[start : start + _CHUNK, None] * _MULTIPLIERS
        hashed += _OFFSETS
        least = np.minimum(least, hashed.min(axis=0))
    return least


def packed(signature: Signature | None) -> bytes | None:
    """The signature as bytes, for storing; the same on every machine."""
    return None if signature is None else signature.astype("<u4").tobytes()


def unpacked(stored: bytes | None) -> Signature | None:
    """The signature that `packed` made these bytes of."""
    return None if stored is None else np.frombuffer(stored, dtype="<u4").astype(np.uint32)


def bands_of(set_id: UUID, kind: str, signature: Signature | None) -> list[int]:
    """What a text has in common with each near-duplicate of its kind in a set, as signed 64-bit numbers.

    Two texts of similarity 0.85 share at least one with probability 0.994; none for a text without a signature.
    """
    if signature is None:
        return []
    raw = signature.astype("<u4").tobytes()
    width = _ROWS * 4
    start = hashlib.blake2b(set_id.bytes + kind.encode(), digest_size=8)
    bands = []
    for band in range(BANDS):
        hashed = start.copy()
        hashed.update(bytes([band]) + raw[band * width : (band + 1) * width])
        bands.append(int.from_bytes(hashed.digest(), "big", signed=True))
    return bands


class NearDuplicateIndex:
    """Texts by signature, in the order in which they were added; each has a kind, and only one kind is compared."""

    def __init__(self) -> None:
        """Empty."""
        self._signatures: list[Signature] = []
        self._keys: list[str] = []
        self._buckets: dict[tuple[str, int, bytes], list[int]] = defaultdict(list)

    def add(self, key: str, kind: str, signature: Signature | None) -> None:
        """Remember a text under a key; one without a signature is never near anything."""
        if signature is None:
            return
        place = len(self._keys)
        self._keys.append(key)
        self._signatures.append(signature)
        for bucket in _buckets_of(kind, signature):
            self._buckets[bucket].append(place)

    def find(self, kind: str, signature: Signature | None) -> str | None:
        """The key of the first text added whose estimated similarity is at least `THRESHOLD`, or None."""
        if signature is None:
            return None
        near = {place for bucket in _buckets_of(kind, signature) for place in self._buckets.get(bucket, ())}
        if not near:
            return None
        places = sorted(near)
        alike = np.mean(np.stack([self._signatures[place] for place in places]) == signature, axis=1)
        found = np.flatnonzero(alike >= THRESHOLD)
        return self._keys[places[int(found[0])]] if found.size else None


def _buckets_of(kind: str, signature: Signature) -> list[tuple[str, int, bytes]]:
    raw = signature.tobytes()
    width = _ROWS * signature.itemsize
    return [(kind, band, raw[band * width : (band + 1) * width]) for band in range(BANDS)]

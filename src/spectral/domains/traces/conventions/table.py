"""All conventions as one table, so that one pass over a span's attributes fills the reading."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spectral.domains.traces.conventions.base import Convention, Parser
from spectral.domains.traces.vocabulary import Reading

STRIDE = 1_000
"""Ranks of one convention: number of the convention · STRIDE + place of the attribute inside it."""

EVENT = STRIDE // 2
"""What an event says ranks after everything that the same convention's attributes say."""

REMEMBERED_KEYS = 4096
"""Keys come from outside: those beyond are looked at again and again."""

UNFILLED = 1 << 30
"""The rank of a field that nothing has filled."""

SLOTS = {field.name: slot for slot, field in enumerate(dataclasses.fields(Reading))}
"""Where the rank of each field stands."""

AGENT_ID, AGENT_VERSION = SLOTS["agent_id"], SLOTS["agent_version"]

Fill = tuple[int, str, Parser, int]
"""(slot, field of the reading, parser, rank)"""

Entry = tuple[int, tuple[Fill, ...]]
"""What is done with one attribute: a bit per convention whose `derive` sees it, and what it fills."""


class ConventionTable:
    """`entries`: by attribute key. `strange`: keys that nothing reads, as far as they have been seen."""

    __slots__ = ("_prefixes", "_readers", "conventions", "entries", "strange")

    def __init__(self, conventions: Sequence[Convention]) -> None:
        self.conventions = tuple(conventions)
        fills: dict[str, list[Fill]] = {}
        met: dict[str, int] = {}
        for number, convention in enumerate(self.conventions):
            for place, field in enumerate(convention.fields):
                if field.field not in SLOTS:
                    raise TypeError(f"convention {convention.name} fills {field.field}, which no reading has")
                fills.setdefault(field.key, []).append(
                    (SLOTS[field.field], field.field, field.parse, number * STRIDE + place)
                )
            for key in convention.keys:
                met[key] = met.get(key, 0) | 1 << number
        self._readers = tuple(
            (prefix, 1 << number) for number, found in enumerate(self.conventions) for prefix in found.prefixes
        )
        self._prefixes = tuple(prefix for prefix, _ in self._readers)
        self.strange: set[str] = set()
        self.entries: dict[str, Entry] = {
            key: (met.get(key, 0) | self.met_by_prefix(key), tuple(fills.get(key, ()))) for key in {**fills, **met}
        }

    def is_known(self, key: str) -> bool:
        """Whether a key that has no entry starts with a prefix; if not it is remembered among the `strange`."""
        if key.startswith(self._prefixes):
            return True
        if len(self.strange) < REMEMBERED_KEYS:
            self.strange.add(key)
        return False

    def met_by_prefix(self, key: str) -> int:
        """A bit per convention that reads attributes which start like this one."""
        met = 0
        for prefix, bit in self._readers:
            if key.startswith(prefix):
                met |= bit
        return met

    def unfilled(self) -> list[int]:
        """The ranks of a reading that is still empty."""
        return [UNFILLED] * len(SLOTS)

    def entry(self, key: str) -> Entry:
        """The entry of any key; one that no convention knows is not looked at."""
        return self.entries.get(key) or (self.met_by_prefix(key), ())


def fill(reading: Reading, ranks: list[int], fills: Iterable[Fill], value: Any, later: int = 0) -> None:
    """Let one attribute fill its fields where nothing of a smaller rank did. `later` is added to its rank."""
    for slot, name, parse, rank in fills:
        if rank + later <= ranks[slot] and (parsed := parse(value)) is not None:
            setattr(reading, name, parsed)
            ranks[slot] = rank + later


def derive(conventions: Sequence[Convention], met: int, attributes: Mapping[str, Any], reading: Reading) -> None:
    """Ask the conventions that were met, the earlier first."""
    for number, convention in enumerate(conventions):
        if met >> number & 1:
            convention.derive(attributes, reading)

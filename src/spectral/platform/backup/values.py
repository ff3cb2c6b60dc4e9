"""Rows as JSON arrays and back, exactly: bytes, ids, moments, big integers, JSON documents and NULL survive."""

import base64
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of one kind are written. Without a function they are what JSON has anyway."""

    name: str
    write: Convert | None = None
    read: Convert | None = None


def _write_float(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


PLAIN = Kind("plain")
UUIDS = Kind("uuid", str, UUID)
DAYS = Kind("day", date.isoformat, date.fromisoformat)
MOMENTS = Kind("moment", datetime.isoformat, datetime.fromisoformat)
BYTES = Kind("bytes", lambda value: base64.b64encode(value).decode("ascii"), base64.b64decode)
FLOATS = Kind("float", _write_float, float)
# The text as the database has it: reading it as Python values would round long numbers.
JSON = Kind("json")

KINDS: tuple[tuple[type[sa.types.TypeEngine[Any]], Kind], ...] = (
    (sa.Uuid, UUIDS),
    (sa.DateTime, MOMENTS),
    (sa.Date, DAYS),
    (sa.LargeBinary, BYTES),
    (sa.JSON, JSON),
    (sa.Float, FLOATS),
    (sa.Boolean, PLAIN),
    (sa.Integer, PLAIN),
    (sa.String, PLAIN),
)


def kind_of(column: sa.Column[Any]) -> Kind:
    """Raises TypeError for a type that nobody has said how to write."""
    found = column.type.impl if isinstance(column.type, sa.types.TypeDecorator) else column.type
    for type_, kind in KINDS:
        if isinstance(found, type_) and not isinstance(column.type, sa.Enum | sa.Interval):
            return kind
    raise TypeError(f"{column} has a type that backups do not know: {column.type!r}")


class Rows:
    """How the rows of one table are selected, written and read; columns in the order of the model."""

    def __init__(self, table: sa.Table) -> None:
        self.table = table
        self.columns = tuple(table.columns)
        self.kinds = tuple(kind_of(column) for column in self.columns)
        self._write = [(place, kind.write) for place, kind in enumerate(self.kinds) if kind.write]
        self._read = [(place, kind.read) for place, kind in enumerate(self.kinds) if kind.read]

    @property
    def signature(self) -> list[list[str]]:
        """Names and kinds of the columns, as the manifest holds them."""
        return [[column.name, kind.name] for column, kind in zip(self.columns, self.kinds, strict=True)]

    def select(self, dialect: str) -> sa.Select[Any]:
        """Every column, JSON as text."""
        as_text = sa.cast if dialect == "postgresql" else sa.type_coerce
        return sa.select(
            *(
                as_text(column, sa.Text).label(column.name) if kind is JSON else column
                for column, kind in zip(self.columns, self.kinds, strict=True)
            )
        )

    def insert(self) -> sa.Insert:
        """An INSERT that takes what `read` answers, by column name."""
        columns = (
            sa.column(column.name, sa.Text() if kind is JSON else column.type)
            for column, kind in zip(self.columns, self.kinds, strict=True)
        )
        return sa.insert(sa.table(self.table.name, *columns))

    def write(self, row: Sequence[Any]) -> list[Any]:
        """What JSON can hold of a row."""
        values = list(row)
        for place, convert in self._write:
            if values[place] is not None:
                values[place] = convert(values[place])
        return values

    def read(self, values: list[Any]) -> list[Any]:
        """The row that `write` was given. Raises ValueError or TypeError for anything else."""
        if len(values) != len(self.columns):
            raise ValueError(f"{len(values)} values for {len(self.columns)} columns")
        for place, convert in self._read:
            if values[place] is not None:
                values[place] = convert(values[place])
        return values

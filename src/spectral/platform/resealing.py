"""After a new secret key was put in front: everything that an older one sealed is sealed again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from spectral.platform.db.base import Base
from spectral.platform.db.migrations import owner_engine
from spectral.platform.db.tenants import Part, Parts
from spectral.platform.shared.secret_box import SEALED, SealBrokenError, SecretBox
from spectral.settings import Settings

BATCH_ROWS = 200


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column that its model marks with `info=sealed(purpose)`."""

    table: sa.Table
    name: str
    purpose: str

    def __str__(self) -> str:
        return f"{self.table.name}.{self.name}"


@dataclass(slots=True)
class Resealed:
    """What became of one column's values. unreadable: no secret key of the installation opens them."""

    column: SealedColumn
    looked_at: int = 0
    resealed: int = 0
    unreadable: int = 0


Progress = Callable[[Resealed], None]


def sealed_columns() -> list[SealedColumn]:
    """Every sealed column of the models, parents' tables first."""
    return [
        SealedColumn(table, column.name, column.info[SEALED])
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if SEALED in column.info
    ]


def reseal(settings: Settings, progress: Progress) -> list[Resealed]:
    """Every sealed value is sealed by the first secret key. May be interrupted and repeated: what is done is done.

    Works in short transactions beside a running installation; a value that changes meanwhile is left as it was
    written, because whoever writes seals with the first key already. Raises OwnerNeededError.
    """
    engine = owner_engine(settings.owner_url)
    try:
        with engine.connect() as connection:
            parts = Parts(connection)
        done = []
        for column in sealed_columns():
            box, counts = SecretBox(settings.secrets, column.purpose), Resealed(column)
            for part in parts.of(column.table):
                for _batch in _batches(engine, column, part, box, counts):
                    progress(counts)
            progress(counts)
            done.append(counts)
        return done
    finally:
        engine.dispose()


def _batches(engine: sa.Engine, column: SealedColumn, part: Part, box: SecretBox, counts: Resealed) -> Iterator[None]:
    """One transaction each, in the order of the primary key."""
    table, value = column.table, column.table.c[column.name]
    key = list(table.primary_key.columns)
    every = sa.select(*key, value).where(value.is_not(None), part.rows(table)).order_by(*key).limit(BATCH_ROWS)
    statement = every
    while True:
        with engine.begin() as connection:
            part.bind(connection)
            rows = connection.execute(statement).all()
            for *identity, text in rows:
                mine = [own == found for own, found in zip(key, identity, strict=True)]
                _reseal(connection, sa.update(table).where(*mine, value == text), value, box, text, counts)
        if not rows:
            return
        last = [sa.literal(found, own.type) for own, found in zip(key, rows[-1], strict=False)]
        statement = every.where(sa.tuple_(*key) > sa.tuple_(*last))
        yield


def _reseal(
    connection: sa.Connection, update: sa.Update, value: sa.Column[Any], box: SecretBox, text: str, counts: Resealed
) -> None:
    counts.looked_at += 1
    if box.is_current(text):
        return
    try:
        renewed = box.reseal(text)
    except SealBrokenError:
        counts.unreadable += 1
        return
    counts.resealed += connection.execute(update.values({value.name: renewed})).rowcount

"""Files of samples: JSON Lines and CSV, read line by line; whoever has read to the end knows every wrong line.

JSON Lines (RFC 8259 values, one object a line, empty lines ignored): `{"input": …, "expected"?: …, "metadata"?: {…},
"source_trace_id"?: "…"}`.

CSV (RFC 4180, with a header): `input`, or `input.<member>` columns that make an object; `expected` or
`expected.<member>`; `metadata.<member>`; `source_trace_id`. Cells are text as they stand; an empty cell of `expected`,
`metadata` or `source_trace_id`, or of one of several `input.<member>` columns, is absent. A leading `'` before `=`,
`+`, `-`, `@`, tab or carriage return is dropped, because the export puts it there to keep spreadsheets from reading
the cell as a formula.

Both are UTF-8, with or without a byte-order mark.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from spectral.domains.samples.drafts import EXPORTED_MEMBERS, Draft, read_draft
from spectral.domains.samples.errors import ImportRefusedError
from spectral.platform.shared.errors import FieldError

MAXIMUM_ROWS = 100_000
LINE_BYTES = 4 * 1024 * 1024
MAXIMUM_ERRORS = 50
"""Of a refused file that are named; the rest is counted."""

_FORMULA = re.compile(r"'(?=[=+\-@\t\r])")
_NESTED = ("input", "expected", "metadata")


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """A sample and the line of the file on which it starts, from 1. size: about how many characters it has."""

    line: int
    draft: Draft
    size: int = 0


class _Refusals:
    """Collects what is wrong, so that a person hears of all of it at once."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []
        self._count = 0

    def add(self, *errors: FieldError) -> None:
        self._count += len(errors)
        self._errors.extend(errors[: MAXIMUM_ERRORS - len(self._errors)])

    def raise_any(self) -> None:
        if self._count:
            raise ImportRefusedError(
                f"The file was refused and nothing was imported; {self._count} errors, {len(self._errors)} named",
                self._errors,
            )


def jsonl_rows(file: IO[bytes]) -> Iterator[ImportedRow]:
    """The samples of a JSON Lines file as they are read. Raises ImportRefusedError (422), at the latest at its end."""
    refusals = _Refusals()
    rows = 0
    # Not `splitlines`: U+2028 and its kin may stand inside a JSON text.
    for line, text in _text_lines(file, refusals):
        if not text.strip():
            continue
        _check_count(rows)
        rows += 1
        place = f"/lines/{line}"
        try:
            value = json.loads(text.removesuffix("\n"), parse_constant=_refuse_constant)
        except RecursionError:
            refusals.add(FieldError(place, "is nested too deeply"))
            continue
        except ValueError as error:
            refusals.add(FieldError(place, f"is not valid JSON: {_reason(error)}"))
            continue
        if not isinstance(value, dict):
            refusals.add(FieldError(place, "is not a JSON object"))
            continue
        yield from _row(value, line, len(text), refusals)
    refusals.raise_any()
    if not rows:
        raise _refusal("", "holds no samples")


def csv_rows(file: IO[bytes]) -> Iterator[ImportedRow]:
    """The samples of a CSV file as they are read. Raises ImportRefusedError (422), at the latest at its end."""
    refusals = _Refusals()
    rows = 0
    records = _records(file, refusals)
    _, header = next(records, (1, []))
    _check_header(header)
    for line, cells in records:
        if not cells:
            continue
        _check_count(rows)
        rows += 1
        if len(cells) != len(header):
            refusals.add(FieldError(f"/lines/{line}", f"has {len(cells)} cells, the header has {len(header)}"))
            continue
        yield from _row(_members(header, cells), line, sum(map(len, cells)), refusals)
    refusals.raise_any()
    if not rows:
        raise _refusal("", "holds no samples")


READERS: Mapping[str, Callable[[IO[bytes]], Iterator[ImportedRow]]] = {"jsonl": jsonl_rows, "csv": csv_rows}
"""The reader of each format."""


def _text_lines(file: IO[bytes], refusals: _Refusals) -> Iterator[tuple[int, str]]:
    """The lines with their ends, by their number from 1; of one that is too long no more than its name is kept."""
    number = 0
    while line := file.readline(LINE_BYTES + 1):
        number += 1
        if len(line) > LINE_BYTES:
            refusals.add(FieldError(f"/lines/{number}", f"has more than {LINE_BYTES // 2**20} MiB"))
            while line and not line.endswith(b"\n"):
                line = file.readline(LINE_BYTES)
            continue
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise _refusal(f"/lines/{number}", "is not UTF-8 text") from None


def _records(file: IO[bytes], refusals: _Refusals) -> Iterator[tuple[int, list[str]]]:
    """Every record with the line on which it starts."""
    # A lone carriage return ends a line, too.
    lines = (part for _, line in _text_lines(file, refusals) for part in io.StringIO(line, newline=""))
    reader = csv.reader(lines, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _refusal(f"/lines/{line}", f"is not valid CSV: {error}") from None
        yield line, cells


def _check_header(header: list[str]) -> None:
    refusals = _Refusals()
    for at, name in enumerate(header):
        root, _, member = name.partition(".")
        nested = root in _NESTED and member != ""
        place = f"/lines/1/{name[:60]}"
        if name in header[:at]:
            refusals.add(FieldError(place, "is in the header twice"))
        elif not nested and name not in {"input", "expected", "source_trace_id", *EXPORTED_MEMBERS}:
            refusals.add(FieldError(place, "is not a column of samples"))
    for root in ("input", "expected"):
        if root in header and any(name.startswith(f"{root}.") for name in header):
            refusals.add(FieldError(f"/lines/1/{root}", f"cannot stand beside columns {root}.<member>"))
    if not any(name.partition(".")[0] == "input" for name in header):
        refusals.add(FieldError("/lines/1", "names no column input or input.<member>"))
    refusals.raise_any()


def _members(header: list[str], cells: list[str]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        root, _, member = name.partition(".")
        if cell == "":
            continue
        value = _FORMULA.sub("", cell, count=1) if cell.startswith("'") else cell
        if member:
            members.setdefault(root, {})[member] = value
        elif root not in EXPORTED_MEMBERS:
            members[root] = value
    return members


def _row(value: Mapping[str, Any], line: int, size: int, refusals: _Refusals) -> Iterator[ImportedRow]:
    draft, problems = read_draft(value, f"/lines/{line}")
    refusals.add(*problems)
    if draft is not None:
        yield ImportedRow(line, draft, size)


def _check_count(rows: int) -> None:
    if rows >= MAXIMUM_ROWS:
        raise _refusal("", f"holds more than {MAXIMUM_ROWS} samples; split it into several files")


def _refusal(pointer: str, detail: str) -> ImportRefusedError:
    return ImportRefusedError("The file was refused and nothing was imported", [FieldError(pointer, detail)])


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _reason(error: ValueError) -> str:
    # The decoder's own message names the column; Python's message on endless digits would name a setting of ours.
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return "a number has too many digits" if "digits" in str(error) else str(error)

"""A set as a file: JSON Lines without loss, CSV for spreadsheets; both can be imported again."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def jsonl_line(members: Mapping[str, Any]) -> bytes:
    """One sample as a line of JSON."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class CsvColumns:
    """The columns that a set needs: found in one pass over it, before the first line is written.

    Where every input is an object, its members become columns; otherwise there is one column `input`. The same goes for
    `expected`. Values that are no text are written as JSON, so numbers come back as text: JSON Lines is the lossless
    form.
    """

    def __init__(self) -> None:
        self._members: dict[str, dict[str, None]] = {"input": {}, "expected": {}, "metadata": {}}
        self._plain: set[str] = set()

    def see(self, members: Iterable[Mapping[str, Any]]) -> None:
        """Take these samples into account."""
        for one in members:
            for root, found in self._members.items():
                value = one[root]
                if isinstance(value, dict) and (root == "metadata" or all(value)):
                    found.update(dict.fromkeys(name for name in value if name))
                elif value is not None:
                    self._plain.add(root)

    def header(self) -> list[str]:
        """The names of the columns."""
        names = ["id"]
        for root, found in self._members.items():
            if found and root not in self._plain:
                names += [f"{root}.{member}" for member in sorted(found)]
            elif root != "metadata":
                names.append(root)
        return [*names, "source_trace_id", "split", "frozen"]

    def lines(self, members: Iterable[Mapping[str, Any]]) -> bytes:
        """These samples as lines of the file."""
        header = self.header()
        return csv_lines([[_cell(_value_at(one, name)) for name in header] for one in members])


def csv_lines(rows: Sequence[Sequence[str]]) -> bytes:
    """Rows of cells as CSV (RFC 4180)."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _value_at(members: Mapping[str, Any], name: str) -> Any:
    root, _, member = name.partition(".")
    value = members[root]
    return value.get(member) if member and isinstance(value, dict) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Spreadsheets execute cells that start like a formula; the import takes the quote off again.
    return f"'{text}" if text.startswith(_FORMULA_STARTS) or _looks_quoted(text) else text


def _looks_quoted(text: str) -> bool:
    return text.startswith("'") and text[1:].startswith(_FORMULA_STARTS)

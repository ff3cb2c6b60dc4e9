"""What is exported can be imported again, and no cell is a formula."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.samples.canonical import canonical
from spectral.domains.samples.exporting import CsvColumns, csv_lines, jsonl_line
from tests.domains.samples.reading import read_csv, read_jsonl

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
NAMES = st.text("abc.-_ ", min_size=1, max_size=5)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
).map(canonical)


def exported(value: Any, expected: Any = None, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "id": "0190",
        "input": value,
        "expected": expected,
        "metadata": metadata or {},
        "source_trace_id": None,
        "split": "reflect",
        "frozen": False,
    }


def as_csv(samples: list[dict[str, Any]]) -> bytes:
    columns = CsvColumns()
    columns.see(samples)
    return csv_lines([columns.header()]) + columns.lines(samples)


@given(
    st.lists(st.tuples(VALUES, VALUES | st.none(), st.dictionaries(TEXT, VALUES, max_size=3)), min_size=1, max_size=5)
)
def test_json_lines_are_read_back_without_loss(values: list[tuple[Any, Any, dict[str, Any]]]) -> None:
    body = b"".join(jsonl_line(exported(*each)) for each in values)

    drafts = [row.draft for row in read_jsonl(body)]

    assert [(draft.input, draft.expected, draft.metadata) for draft in drafts] == values


@given(st.lists(st.tuples(TEXT, TEXT, st.dictionaries(NAMES, TEXT, max_size=3)), min_size=1, max_size=5))
def test_texts_survive_csv(values: list[tuple[str, str, dict[str, str]]]) -> None:
    drafts = [row.draft for row in read_csv(as_csv([exported(*each) for each in values]))]

    assert [(draft.input, draft.expected, draft.metadata) for draft in drafts] == values


@given(st.lists(st.dictionaries(NAMES, TEXT, min_size=1, max_size=3), min_size=1, max_size=5))
def test_flat_inputs_survive_csv(values: list[dict[str, str]]) -> None:
    drafts = [row.draft for row in read_csv(as_csv([exported(each, "x") for each in values]))]

    assert [draft.input for draft in drafts] == values


def test_other_values_are_json_in_csv() -> None:
    body = as_csv([exported({"a": [1, 2], "b": None}, 3), exported({"a": "x"}, {"c": 1}, {"": 1, "m": True})])

    assert body.decode().splitlines() == [
        "id,input.a,input.b,expected,metadata.m,source_trace_id,split,frozen",
        '0190,"[1,2]",,3,,,reflect,false',
        '0190,x,,"{""c"":1}",true,,reflect,false',
    ]


def test_inputs_of_different_kinds_share_one_column() -> None:
    assert as_csv([exported({"a": "x"}), exported("y")]).decode().splitlines()[1:] == [
        '0190,"{""a"":""x""}",,,reflect,false',
        "0190,y,,,reflect,false",
    ]


def test_no_cell_starts_like_a_formula() -> None:
    body = as_csv([exported(start + "cmd|' /C calc'!A0") for start in "=+-@\t\r"])

    cells = [line.partition(",")[2] for line in body.decode().split("\r\n")[1:-1]]
    assert all(cell.startswith(("'", "\"'")) for cell in cells)

"""A file is read as a whole or refused as a whole, and every wrong line is named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.samples.drafts import Draft
from spectral.domains.samples.errors import ImportRefusedError
from spectral.domains.samples.importing import MAXIMUM_ROWS
from tests.domains.samples.reading import read_csv, read_jsonl

TRACE = "0af7651916cd43dd8448eb211c80319c"


def refused(reader: Any, body: bytes) -> list[tuple[str, str]]:
    with pytest.raises(ImportRefusedError) as error:
        reader(body)
    assert (error.value.status, error.value.slug) == (422, "import-refused")
    return [(each.pointer, each.detail) for each in error.value.errors]


def test_json_lines_are_samples() -> None:
    body = (
        '\ufeff{"input": {"ticket": "héllo"}, "expected": "late", "metadata": {"session_id": "s"}, '
        f'"source_trace_id": "{TRACE}"}}\r\n'
        "\n"
        '{"input": "two\u2028lines", "expected": null}\n'
        '{"input": 3.0, "id": "ignored", "split": "holdout", "frozen": true}'
    ).encode()

    rows = read_jsonl(body)

    assert [(row.line, row.draft) for row in rows] == [
        (1, Draft({"ticket": "héllo"}, "late", {"session_id": "s"}, TRACE)),
        (3, Draft("two\u2028lines", None, {}, None)),
        (4, Draft(3, None, {}, None)),
    ]


@pytest.mark.parametrize(
    ("line", "pointer", "detail"),
    [
        ("{", "", "is not valid JSON: Expecting property name enclosed in double quotes at column 2"),
        ('{"input": NaN}', "", "is not valid JSON: NaN is not a JSON number"),
        ('{"input": -Infinity}', "", "is not valid JSON: -Infinity is not a JSON number"),
        ('{"input": ' + "9" * 5000 + "}", "", "is not valid JSON: a number has too many digits"),
        ('{"input": 1e999}', "/input", "is not a finite number"),
        ("[" * 100_000, "", "is nested too deeply"),
        ('{"input": ' + "[" * 40 + "]" * 40 + "}", "/input", "is nested deeper than 32 levels"),
        ('["input"]', "", "is not a JSON object"),
        ("null", "", "is not a JSON object"),
        ("{}", "/input", "is required"),
        ('{"input": null}', "/input", "is required"),
        ('{"input": "a\\u0000"}', "/input", "holds a NUL character"),
        ('{"input": "x", "expected": "\\ud800"}', "/expected", "holds half of a surrogate pair"),
        ('{"input": "x", "metadata": []}', "/metadata", "is not an object"),
        ('{"input": "x", "metadata": "m"}', "/metadata", "is not an object"),
        ('{"input": "x", "expectd": 1}', "/expectd", "is not a member of a sample"),
        ('{"input": "x", "source_trace_id": "0AF7"}', "/source_trace_id", "is not 32 lower-case hexadecimal digits"),
        ('{"input": "x", "source_trace_id": 7}', "/source_trace_id", "is not 32 lower-case hexadecimal digits"),
    ],
)
def test_a_wrong_line_is_named(line: str, pointer: str, detail: str) -> None:
    body = f'{{"input": "fine"}}\n\n{line}\n{{"input": "fine too"}}'.encode()

    assert refused(read_jsonl, body) == [(f"/lines/3{pointer}", detail)]


def test_all_wrong_lines_are_named_up_to_a_limit() -> None:
    with pytest.raises(ImportRefusedError) as error:
        read_jsonl(b'{"input": 1}\n' + b"{}\n" * 60)

    assert len(error.value.errors) == 50
    assert "60 errors, 50 named" in error.value.detail


@pytest.mark.parametrize("body", [b"", b"\n\n  \n", "\ufeff".encode()])
def test_a_file_without_samples_is_refused(body: bytes) -> None:
    assert refused(read_jsonl, body) == [("", "holds no samples")]


def test_a_file_that_is_not_utf8_is_refused_with_its_line() -> None:
    assert refused(read_jsonl, b'{"input": "a"}\n{"input": "\xff"}') == [("/lines/2", "is not UTF-8 text")]
    assert refused(read_csv, "input\nhéllo".encode("latin-1")) == [("/lines/2", "is not UTF-8 text")]


def test_too_many_samples_are_refused() -> None:
    assert len(read_jsonl(b'{"input": 1}\n' * MAXIMUM_ROWS)) == MAXIMUM_ROWS
    detail = f"holds more than {MAXIMUM_ROWS} samples; split it into several files"
    assert refused(read_jsonl, b'{"input": 1}\n' * (MAXIMUM_ROWS + 1)) == [("", detail)]
    assert refused(read_csv, b"input\n" + b"1\n" * (MAXIMUM_ROWS + 1)) == [("", detail)]


def test_csv_rows_are_samples() -> None:
    body = (
        "\ufeffinput.ticket,input.lang,expected,metadata.session_id,source_trace_id,id\r\n"
        f'"hello, ""you""\nthere",,late,s1,{TRACE},1\r\n'
        "\r\n"
        "'=SUM(A1),en,,,,\r\n"
        "'tis fine,'',x,,,\r\n"
    ).encode()

    rows = read_csv(body)

    assert [(row.line, row.draft) for row in rows] == [
        (2, Draft({"ticket": 'hello, "you"\nthere'}, "late", {"session_id": "s1"}, TRACE)),
        (5, Draft({"ticket": "=SUM(A1)", "lang": "en"}, None, {}, None)),
        (6, Draft({"ticket": "'tis fine", "lang": "''"}, "x", {}, None)),
    ]


def test_csv_may_have_one_column_of_input_and_members_of_expected() -> None:
    (row,) = read_csv(b"input,expected.intent,expected.score,metadata.a.b\n1,refund,,x\n")

    assert row.draft == Draft("1", {"intent": "refund"}, {"a.b": "x"}, None)


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ("", [("/lines/1", "names no column input or input.<member>")]),
        ("expected\nx", [("/lines/1", "names no column input or input.<member>")]),
        ("input,inputs\n1,2", [("/lines/1/inputs", "is not a column of samples")]),
        ("input,metadata\n1,2", [("/lines/1/metadata", "is not a column of samples")]),
        ("input,input\n1,2", [("/lines/1/input", "is in the header twice")]),
        ("input.a,input\n1,2", [("/lines/1/input", "cannot stand beside columns input.<member>")]),
        ("input,expected,expected.a\n1,2,3", [("/lines/1/expected", "cannot stand beside columns expected.<member>")]),
        ("input.\n1", [("/lines/1/input.", "is not a column of samples")]),
        ("input,expected\n1\n2,3\n4,5,6", [
            ("/lines/2", "has 1 cells, the header has 2"),
            ("/lines/4", "has 3 cells, the header has 2"),
        ]),
        ('input\n"a"b', [("/lines/2", "is not valid CSV: ',' expected after '\"'")]),
        ('input\nfine\n"open', [("/lines/3", "is not valid CSV: unexpected end of data")]),
        ("input,expected\n,x", [("/lines/2/input", "is required")]),
        ("input\na\0b", [("/lines/2/input", "holds a NUL character")]),
        ("input,source_trace_id\na,xyz", [("/lines/2/source_trace_id", "is not 32 lower-case hexadecimal digits")]),
        ("input\n", [("", "holds no samples")]),
        ("input\n" + "x" * 200_000, [("/lines/2", "is not valid CSV: field larger than field limit (131072)")]),
    ],
)  # fmt: skip
def test_a_wrong_csv_file_is_refused_with_its_lines(body: str, errors: list[tuple[str, str]]) -> None:
    assert refused(read_csv, body.encode()) == errors


def outcome(reader: Any, body: bytes) -> tuple[int, list[str]]:
    """How many samples a file has, and where it is wrong."""
    try:
        return len(reader(body)), []
    except ImportRefusedError as error:
        return 0, [each.pointer for each in error.errors]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for reader in (read_jsonl, read_csv):
        rows, wrong = outcome(reader, body)
        assert bool(rows) != bool(wrong)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_json_is_read_or_refused(value: Any) -> None:
    rows, wrong = outcome(read_jsonl, json.dumps({"input": value}).encode())

    assert (rows, wrong == []) == (1, True) or all(pointer.startswith("/lines/1") for pointer in wrong)

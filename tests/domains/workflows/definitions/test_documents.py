"""YAML and JSON become plain values that know where they stand, and nothing else."""

from typing import Any

import pytest

from spectral.domains.workflows.definitions.documents import DocumentError, read_document

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "a: on\nno: yes\nb: [off, 1.0, 0123, 1:30, 2024-01-01, 0x1f, 1_000, ~, -2.5, true]\n12: x\n",
            {
                "a": "on",
                "no": "yes",
                "b": ["off", 1, "0123", "1:30", "2024-01-01", "0x1f", "1_000", None, -2.5, True],
                "12": "x",
            },
        ),
        ("a: &x [1, 2]\nb: *x\nc: !!str 5\nd: '5'\n", {"a": [1, 2], "b": [1, 2], "c": "5", "d": "5"}),
        ('{"a": [1, {"b": "\\ud83d\\ude00"}], "c": 1e2}', {"a": [1, {"b": "😀"}], "c": 100}),
        ("{a: 1, b: c}", {"a": 1, "b": "c"}),
    ],
    ids=["core-schema", "aliases-and-tags", "json", "flow-yaml"],
)
def test_values(text: str, value: Any) -> None:
    assert read_document(text, None).value == value


@pytest.mark.parametrize(
    ("text", "message", "line", "column", "code"),
    [
        ("", "the document is empty", 1, 1, "syntax"),
        ("- 1", "the document is not an object", 1, 1, "invalid-type"),
        ("a: 1\n---\nb: 2", "there is a second document; one is read", 2, 1, "syntax"),
        ("a:\n  b: *nope", "there is no anchor `nope` before", 2, 6, "syntax"),
        ("a: &a [*a]", "there is no anchor `a` before", 1, 8, "syntax"),
        (
            "a: !!python/object/apply:os.system [x]",
            "the tag tag:yaml.org,2002:python/object/apply",
            1,
            4,
            "invalid-tag",
        ),
        ("a: !!int x", "the tag tag:yaml.org,2002:int", 1, 4, "invalid-tag"),
        ("a: {<<: {b: 1}}", "merge keys are not read", 1, 5, "invalid-key"),
        ("? [a]\n: 1", "a name must be text", 1, 3, "invalid-key"),
        ("a: .nan", "infinity and NaN are no JSON", 1, 4, "invalid-number"),
        ("a: 99999999999999999999", "numbers are between -2^53 and 2^53", 1, 4, "invalid-number"),
        ("a: [1\nb: 2", "this is no YAML: while parsing a flow sequence", 2, 2, "syntax"),
        ("ü: x\n\ta: 1", "this is no YAML: while scanning", 2, 1, "syntax"),
        ("a: \x07", "this is no YAML: control characters", 1, 4, "syntax"),
        ("a: " + "[" * 40, "nested deeper than 32 levels", 1, 36, "too-deep"),
        (LAUGHS, "the document has more than 20000 values", 4, 5, "too-large"),
        ("a: " + "x" * 600_000, "the document is larger than 512 KiB", 1, 1, "too-large"),
        ("[" * 400_000, "nested deeper than 32 levels", 1, 34, "too-deep"),
        ("- x\n" * 100_000, "the document has more than 20000 values", 20_000, 3, "too-large"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else None,
)
def test_what_is_no_yaml(text: str, message: str, line: int, column: int, code: str) -> None:
    with pytest.raises(DocumentError) as wrong:
        read_document(text, "yaml")
    found = wrong.value.finding
    assert found.message.startswith(message)
    assert (found.line, found.column, found.code) == (line, column, code)


@pytest.mark.parametrize(
    ("text", "line", "column", "code"),
    [
        ('{"a": 1,\n "b" 2}', 2, 6, "syntax"),
        ('{"a": NaN}', 1, 7, "invalid-number"),
        ('{"a": "\\u0000"}', 1, 7, "not-storable"),
        ('{"a":\n "\\ud800"}', 2, 2, "not-storable"),
        ('{"a": ' + "[" * 50 + "]" * 50 + "}", 1, 39, "too-deep"),
        ('{"a":' * 100_000 + "1" + "}" * 1, 1, 1, "too-deep"),
        ('{"a": ' + "9" * 5000 + "}", 1, 1, "invalid-number"),
    ],
    ids=["comma", "nan", "nul", "surrogate", "deep", "very-deep", "digits"],
)
def test_what_is_no_json(text: str, line: int, column: int, code: str) -> None:
    with pytest.raises(DocumentError) as wrong:
        read_document(text, "json")
    found = wrong.value.finding
    assert (found.line, found.column, found.code) == (line, column, code)


@pytest.mark.parametrize(("text", "format"), [("a: 1\nb: 2\na: 3\n", "yaml"), ('{"a": 1, "b": 2,\n"a": 3}', "json")])
def test_names_that_are_there_twice_are_told_and_the_first_counts(text: str, format: str) -> None:
    document = read_document(text, format)
    assert document.value == {"a": 1, "b": 2}
    (mistake,) = document.mistakes
    assert (mistake.code, mistake.line, mistake.column) == ("duplicate-key", 3 if format == "yaml" else 2, 1)


@pytest.mark.parametrize(
    ("text", "pointer", "word", "line", "column"),
    [
        ("a: say ${bad +}", "/a", "bad", 1, 10),
        ("ü: 'é ${bad}'", "/ü", "bad", 1, 9),
        ('a: "q \\"z\\" ${bad}"', "/a", "bad", 1, 15),
        ("a:\n  b: |\n    one\n    two ${bad}\n", "/a/b", "bad", 4, 11),
        ("a: >-\n  one\n  two ${bad}\n", "/a", "bad", 3, 9),
        ("a: x x ${x}", "/a", "x}", 1, 10),
        ('{"a": ["b",\n "c ${bad}"]}', "/a/1", "bad", 2, 7),
    ],
    ids=["plain", "unicode", "escapes", "literal", "folded", "repeated", "json"],
)
def test_places_inside_of_texts(text: str, pointer: str, word: str, line: int, column: int) -> None:
    document = read_document(text, None)
    value: Any = document.value
    for token in pointer.split("/")[1:]:
        value = value[int(token)] if isinstance(value, list) else value[token]
    found = document.finding("x", "", pointer, offset=value.index(word))
    assert (found.line, found.column) == (line, column)

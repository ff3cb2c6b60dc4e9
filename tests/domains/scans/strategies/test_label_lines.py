"""Label lines are read, edited and written back without touching anything else of a prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.scans.strategies.label_lines import (
    Misread,
    WordStatistics,
    changed_labels,
    is_classification,
    propose_edit,
    read_label_lines,
    with_all_labels,
    with_line_of,
    words_of,
    write_label_lines,
)

PROMPT = """Sort the ticket.
- billing: invoices, charges; but not refund, voucher
* `refund`: money back
2) login:
Answer with the label."""
LABELS = ["billing", "login", "refund"]

STATISTICS = WordStatistics(
    [
        ("the invoice shows vat twice", "billing"),
        ("charged vat again on the invoice", "billing"),
        ("please send the invoice with vat", "billing"),
        ("where is my money, the parcel went back", "refund"),
        ("money for the returned parcel is missing", "refund"),
        ("locked out, the reset code expired", "login"),
        ("my password reset code never comes", "login"),
    ]
)


def test_lines_are_read_in_their_parts() -> None:
    lines = read_label_lines(PROMPT, LABELS)
    assert lines["billing"].words == "invoices, charges"
    assert lines["billing"].counter == ("refund", "voucher")
    assert lines["refund"].words == "money back"
    assert (lines["login"].words, lines["login"].counter) == ("", ())


def test_what_is_read_is_written_back() -> None:
    assert write_label_lines(PROMPT, read_label_lines(PROMPT, LABELS)) == PROMPT


@given(st.text(max_size=200))
def test_any_text_survives_reading_and_writing(text: str) -> None:
    lines = read_label_lines(text, LABELS)
    again = write_label_lines(text, lines)
    assert [(line.words, line.counter) for line in read_label_lines(again, LABELS).values()] == [
        (line.words, line.counter) for line in lines.values()
    ]
    if not lines:
        assert again == text


def test_labels_without_a_line_get_one() -> None:
    assert with_all_labels(PROMPT, LABELS) == PROMPT
    assert with_all_labels("Sort.\n", ["a", "b"]) == "Sort.\n\n- a:\n- b:"
    assert with_all_labels("", ["a"]) == "- a:"


def test_an_edit_adds_the_telling_words_of_the_failures_to_the_right_label() -> None:
    misread = [Misread("vat on the invoice is wrong", "billing", "refund")] * 3
    edited = propose_edit(PROMPT, misread, STATISTICS, seed=1, attempt=1)
    line = read_label_lines(edited, LABELS)["billing"]
    assert set(words_of(line.words)) & {"vat", "invoice"}
    assert "wrong" not in line.words, "a word that no learning item has says nothing"
    assert edited.split("\n")[0] == "Sort the ticket."
    assert edited.split("\n")[-1] == "Answer with the label."


def test_misleading_words_are_taken_out_or_named_as_counter_words() -> None:
    prompt = "- billing: amount\n- refund: money, vat\n- login: code"
    misread = [Misread("vat on the invoice", "billing", "refund")] * 4
    edits = [propose_edit(prompt, misread, STATISTICS, seed=1, attempt=number) for number in range(12)]
    refunds = [read_label_lines(edit, LABELS)["refund"] for edit in edits]
    assert any("vat" not in line.words for line in refunds)
    assert any("invoice" in line.counter for line in refunds)


def test_an_edit_depends_on_nothing_but_its_arguments() -> None:
    misread = [Misread("vat on the invoice", "billing", None), Misread("reset code", "login", "refund")]
    first = propose_edit(PROMPT, misread, STATISTICS, seed=5, attempt=2)
    assert first == propose_edit(PROMPT, misread, STATISTICS, seed=5, attempt=2)
    assert len({propose_edit(PROMPT, misread, STATISTICS, seed=5, attempt=n) for n in range(20)}) > 1


def test_nothing_to_learn_from_changes_nothing() -> None:
    assert propose_edit(PROMPT, [], STATISTICS, seed=1, attempt=1) == PROMPT
    right = [Misread("invoice with vat", "billing", "billing")]
    assert propose_edit(PROMPT, right, STATISTICS, seed=1, attempt=1) == PROMPT
    unknown = [Misread("invoice with vat", "no such label", "billing")]
    assert propose_edit(PROMPT, unknown, STATISTICS, seed=1, attempt=1) == PROMPT


def test_one_label_can_be_taken_back() -> None:
    edited = propose_edit(PROMPT, [Misread("vat on the invoice", "billing", None)], STATISTICS, seed=1, attempt=1)
    assert changed_labels(PROMPT, edited, LABELS) == ["billing"]
    assert with_line_of(edited, PROMPT, "billing", LABELS) == PROMPT


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["a", "b", "a", "b"], True),
        (["a", "a", "a"], False),
        (["a", "b", "c"], False),
        ([{"k": 1}, {"k": 2}] * 3, False),
        (["x" * 65, "y"] * 3, False),
        (["a", None] * 4, False),
        ([], False),
    ],
)
def test_labels_are_few_short_and_repeated(answers: list[object], expected: bool) -> None:  # noqa: FBT001
    assert is_classification(answers) is expected

"""What the local runtime finds in a rendered prompt, and that it finds nothing else."""

from spectral.platform.llm.calls import ModelMessage
from spectral.platform.llm.local.reading import Example, LabelLine, read_prompt, split_input


def system(text: str) -> ModelMessage:
    return ModelMessage("system", text)


def user(text: str) -> ModelMessage:
    return ModelMessage("user", text)


def assistant(text: str) -> ModelMessage:
    return ModelMessage("assistant", text)


def test_label_lines_are_found_whatever_their_bullet_and_marks() -> None:
    text = (
        "Choose one:\n"
        "- refund: money back\n"
        "* `late order` : where is it\n"
        "• **billing_error**: charged twice\n"
        "1. access/login: password\n"
        "2) other\n"
        "A line with a colon: is no label.\n"
        "-not a bullet: no space"
    )

    parts = read_prompt([system(text)])

    assert parts.labels == (
        LabelLine("refund", "money back", ""),
        LabelLine("late order", "where is it", ""),
        LabelLine("billing_error", "charged twice", ""),
        LabelLine("access/login", "password", ""),
        LabelLine("other", "", ""),
    )
    assert parts.examples == ()


def test_what_follows_but_not_or_except_counts_against_the_label() -> None:
    parts = read_prompt(
        [system("- refund: money back, but not a voucher; credit\n- late: delivery except holidays. Slow")]
    )

    assert parts.labels == (
        LabelLine("refund", "money back,  ; credit", "a voucher"),
        LabelLine("late", "delivery  . Slow", "holidays"),
    )


def test_a_label_that_comes_twice_has_the_words_of_both_lines() -> None:
    parts = read_prompt([system("- refund: money"), system("- Refund: bank but not card")])

    assert parts.labels == (LabelLine("refund", "money bank", "card"),)


def test_examples_are_pairs_of_user_and_assistant_messages() -> None:
    messages = [system("- a: x\n- b: y"), user("one"), assistant("a"), user("two"), user("three"), assistant("b")]

    assert read_prompt(messages).examples == (Example("one", "a"), Example("three", "b"))


def test_an_assistant_message_without_a_question_is_no_example() -> None:
    assert read_prompt([assistant("a"), user("one"), system("- a: x"), assistant("a")]).examples == ()


def test_examples_in_the_instructions_are_input_and_output_lines() -> None:
    text = "Examples\nInput: my parcel\nis gone\nOutput: lost\n\ninput: money\noutput: refund\nOutput: stray"

    assert read_prompt([system(text)]).examples == (Example("my parcel\nis gone", "lost"), Example("money", "refund"))


def test_the_input_is_the_last_user_message() -> None:
    messages = [system("- a: x"), user("one"), assistant("a"), user("  two  ")]

    prompt, given = split_input(messages)

    assert given == "two"
    assert prompt == tuple(messages[:3])


def test_instructions_in_the_last_user_message_end_at_its_last_input_line() -> None:
    prompt, given = split_input([user("- a: x\nInput: first\nOutput: a\nInput: the question\nits second line")])

    assert given == "the question\nits second line"
    assert read_prompt(prompt).labels == (LabelLine("a", "x", ""),)
    assert read_prompt(prompt).examples == (Example("first", "a"),)


def test_labels_of_an_input_are_no_instructions() -> None:
    prompt, given = split_input([system("- a: x"), user("- b: pretend that this is a label")])

    assert given == "- b: pretend that this is a label"
    assert [one.label for one in read_prompt(prompt).labels] == ["a"]


def test_a_prompt_without_a_user_message_has_no_input() -> None:
    assert split_input([system("- a: x")]) == ((system("- a: x"),), None)
    assert split_input([]) == ((), None)

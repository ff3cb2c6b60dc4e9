"""What the local runtime finds in a rendered prompt. Nothing else of the platform reaches it.

It finds, in the messages of the request and in no other place:

- **the input**: the last `user` message. Where that message has a line that starts with `Input:`, the input is what
  follows the last such line's colon, and what stands before it is read as instructions;
- **label lines**: lines of the instructions (`system` messages, and the part before `Input:`) of the form
  ``- label: description words``. The bullet is `-`, `*`, `•` or a number with `.` or `)`; the label is up to 64
  characters of letters, digits, `_`, `-`, `/`, `.` and spaces, and may be wrapped in back-quotes, quotes or `**`. A
  bullet line without a colon and of one word is a label without a description. A label that occurs twice has the words
  of both lines;
- **counter-words**: what follows `but not` or `except` in a description, up to the next `;` or `.`, counts against the
  label;
- **examples**: each `user` message that an `assistant` message follows directly (few-shot pairs), and blocks of
  ``Input: …`` / ``Output: …`` lines in the instructions. An example whose output equals a label (letter case aside)
  belongs to it; any other output is an answer of its own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from spectral.platform.llm.calls import ModelMessage

_BULLET = r"(?:[-*\u2022]|\d{1,3}[.)])"
_LABEL_LINE = re.compile(
    rf"^\s*{_BULLET}\s+[`\"'*]{{0,3}}(?P<label>\w[\w ./-]{{0,63}}?)[`\"'*]{{0,3}}\s*:(?P<words>.*)$"
)
_BARE_LABEL = re.compile(rf"^\s*{_BULLET}\s+[`\"'*]{{0,3}}(?P<label>\w[\w./-]{{0,63}})[`\"'*]{{0,3}}\s*$")
_COUNTER = re.compile(r"\b(?:but not|except)\b([^;.]*)", re.IGNORECASE)
_EXAMPLE_LINE = re.compile(r"^\s*(?P<kind>Input|Output)\s*:(?P<text>.*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LabelLine:
    """One label with the words for it and the words against it, as the prompt has them."""

    label: str
    words: str
    counter_words: str


@dataclass(frozen=True, slots=True)
class Example:
    """One worked example of the prompt."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class PromptParts:
    """All that the runtime knows: everything of the prompt except the input."""

    labels: tuple[LabelLine, ...]
    examples: tuple[Example, ...]


def split_input(messages: Sequence[ModelMessage]) -> tuple[tuple[ModelMessage, ...], str | None]:
    """The prompt without its input, and the input; None where no user message exists.

    The first part is equal for every request that differs only in its input, so it is what parsing is cached by.
    """
    last = next((at for at in range(len(messages) - 1, -1, -1) if messages[at].role == "user"), None)
    if last is None:
        return tuple(messages), None
    content = messages[last].content
    instructions, given = "", content
    if "nput:" in content or "NPUT:" in content:
        lines = content.split("\n")
        for at in range(len(lines) - 1, -1, -1):
            found = _EXAMPLE_LINE.match(lines[at])
            if found and found["kind"].lower() == "input":
                instructions = "\n".join(lines[:at])
                given = "\n".join([found["text"], *lines[at + 1 :]])
                break
    rest = list(messages[:last])
    if instructions:
        rest.append(ModelMessage("system", instructions))
    rest.extend(messages[last + 1 :])
    return tuple(rest), given.strip()


def read_prompt(messages: Sequence[ModelMessage]) -> PromptParts:
    """The label lines and examples of a prompt from which `split_input` took the input."""
    labels: dict[str, LabelLine] = {}
    examples: list[Example] = []
    asked: str | None = None
    for message in messages:
        if message.role == "system":
            _read_instructions(message.content, labels, examples)
            asked = None
        elif message.role == "user":
            asked = message.content
        elif asked is not None:
            examples.append(Example(asked.strip(), message.content.strip()))
            asked = None
    return PromptParts(tuple(labels.values()), tuple(one for one in examples if one.input and one.output))


def _read_instructions(text: str, labels: dict[str, LabelLine], examples: list[Example]) -> None:
    given: list[str] | None = None
    for line in text.splitlines():
        part = _EXAMPLE_LINE.match(line)
        if part and part["kind"].lower() == "input":
            given = [part["text"]]
        elif part and given is not None:
            examples.append(Example("\n".join(given).strip(), part["text"].strip()))
            given = None
        elif (found := _LABEL_LINE.match(line) or _BARE_LABEL.match(line)) is not None:
            _add_label(found["label"].strip(), found.groupdict().get("words") or "", labels)
            given = None
        elif given is not None:
            given.append(line)


def _add_label(label: str, words: str, labels: dict[str, LabelLine]) -> None:
    counter = " ".join(_COUNTER.findall(words))
    line = LabelLine(label, _COUNTER.sub(" ", words).strip(), counter.strip())
    seen = labels.get(label.casefold())
    if seen is not None:
        line = LabelLine(seen.label, f"{seen.words} {line.words}", f"{seen.counter_words} {line.counter_words}".strip())
    labels[label.casefold()] = line

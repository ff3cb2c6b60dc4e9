"""A proposer without a language model: it reads the failures and edits the label lines of a prompt.

For agents that classify. A label line is a line of the prompt such as ``- refund: money back, returned parcel``; an
edit adds words that tell the right label from the wrongly answered one, takes away words that mislead, or names them
as counter-words (``but not …``). Which words tell labels apart is counted on the items that may be learnt from.

Pure and deterministic: the same prompt, the same failures and the same seed give the same edit.
"""

import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from spectral.domains.scans.strategies.base import seeded

MAXIMUM_LABELS = 100
MAXIMUM_LABEL_LENGTH = 64
WORDS_PER_EDIT = 8
SUPPORT_MINIMUM = 2
MISLEADING_FROM = 1.5
_SPREAD = 0.6
"""How much a proposal's own randomness may reorder words; without any, a rejected edit would be proposed for ever."""

_WORD = re.compile(r"[a-z][a-z'-]+[a-z]")
_COUNTER = re.compile(r"[;,.]?\s*\b(?:but not|except)\b(?P<words>[^;.]*)", re.IGNORECASE)
_COMMON = frozenset(
    [
        *("about", "after", "all", "also", "and", "any", "are", "been", "but", "can", "could", "did", "does", "for"),
        *("from", "get", "had", "has", "have", "hello", "her", "him", "his", "how", "its", "just", "like", "more"),
        *("not", "now", "off", "our", "out", "please", "she", "should", "since", "some", "thank", "thanks", "that"),
        *("the", "their", "them", "then", "there", "they", "this", "very", "was", "were", "what", "when", "which"),
        *("who", "will", "with", "would", "you", "your", "i'm", "i've", "don't", "into", "than", "here"),
    ]
)


@dataclass(frozen=True, slots=True)
class Misread:
    """One item with the label it should have got and the answer it got; `got` is None where there was no answer."""

    text: str
    expected: str
    got: str | None


@dataclass(frozen=True, slots=True)
class LabelLine:
    """One label line in its parts; `head` is everything up to and including the colon."""

    number: int
    label: str
    head: str
    words: str
    counter: tuple[str, ...]

    def render(self) -> str:
        """The line as it stands in the prompt."""
        words = self.words.strip().rstrip(";,")
        against = f"; but not {', '.join(self.counter)}" if self.counter else ""
        return f"{self.head} {words}{against}".rstrip()


def words_of(text: str) -> list[str]:
    """The words of a text that can tell labels apart, in lower case, in order, repetitions included."""
    found = _WORD.findall(text.lower().replace("\u2019", "'"))
    return [word for word in found if word not in _COMMON]


def is_classification(answers: Iterable[object]) -> bool:
    """Whether these expected answers are labels: few, short, and each of them more than once on average."""
    texts = list(answers)
    distinct = {text for text in texts if isinstance(text, str)}
    return (
        2 <= len(distinct) <= MAXIMUM_LABELS
        and all(isinstance(text, str) and 0 < len(text) <= MAXIMUM_LABEL_LENGTH for text in texts)
        and len(texts) >= 2 * len(distinct)
        and not any("\n" in label for label in distinct)
    )


class WordStatistics:
    """In how many items of each label each word occurs."""

    def __init__(self, items: Iterable[tuple[str, str]]) -> None:
        """Take (text, label) pairs of the items that may be learnt from."""
        self._items: Counter[str] = Counter()
        self._with_word: dict[str, Counter[str]] = {}
        for text, label in items:
            self._items[label] += 1
            self._with_word.setdefault(label, Counter()).update(set(words_of(text)))
        self._anywhere: Counter[str] = Counter()
        for counts in self._with_word.values():
            self._anywhere.update(counts)
        self._total = sum(self._items.values())

    @property
    def labels(self) -> list[str]:
        """Every label, sorted."""
        return sorted(self._items)

    def support(self, word: str, label: str) -> int:
        """How many items of the label have the word."""
        return self._with_word.get(label, Counter())[word]

    def weight(self, word: str, label: str, rival: str | None = None) -> float:
        """How surely the word speaks for `label` against `rival`, or against all others where that is None.

        The log odds ratio of having the word, half an item added to every count, in units of its standard error: a
        word that two tickets happen to share weighs little.
        Source: Haldane (1956) and Anscombe (1956) for the correction; Woolf (1955) for the standard error.
        """
        with_word, items = self.support(word, label), self._items[label]
        if rival is None:
            other_with, others = self._anywhere[word] - with_word, self._total - items
        else:
            other_with, others = self.support(word, rival), self._items[rival]
        cells = [each + 0.5 for each in (with_word, items - with_word, other_with, others - other_with)]
        ratio = math.log(cells[0] / cells[1]) - math.log(cells[2] / cells[3])
        return ratio / math.sqrt(sum(1 / each for each in cells))

    def telling(self, word: str, label: str) -> float:
        """How much more often the word occurs with `label` than with all others: the log of the ratio of its shares.

        Half an item is added to the others' count. Unlike `weight` it does not shrink what is rare; that many failures
        share a word is the proof that it matters.
        """
        inside = self.support(word, label) / self._items[label]
        others = self._total - self._items[label]
        outside = (self._anywhere[word] - self.support(word, label) + 0.5) / max(1, others)
        return math.log(inside / outside)


def read_label_lines(text: str, labels: Sequence[str]) -> dict[str, LabelLine]:
    """The first line of each label that has one, by label."""
    found: dict[str, LabelLine] = {}
    patterns = {label: _line_pattern(label) for label in labels}
    for number, line in enumerate(text.split("\n")):
        for label, pattern in patterns.items():
            match = pattern.match(line)
            if match is None or label in found:
                continue
            description = match["rest"]
            counter = tuple(
                word.strip()
                for clause in _COUNTER.finditer(description)
                for word in clause["words"].split(",")
                if word.strip()
            )
            found[label] = LabelLine(number, label, match["head"], _COUNTER.sub("", description).strip(), counter)
            break
    return found


def write_label_lines(text: str, lines: Mapping[str, LabelLine]) -> str:
    """The text with these lines in the place of those they were read from; every other line is untouched."""
    rows = text.split("\n")
    for line in lines.values():
        rows[line.number] = line.render()
    return "\n".join(rows)


def with_all_labels(text: str, labels: Sequence[str]) -> str:
    """The text with a line added at its end for every label that has none."""
    missing = [label for label in labels if label not in read_label_lines(text, labels)]
    if not missing:
        return text
    added = "\n".join(f"- {label}:" for label in missing)
    body = text.rstrip("\n")
    return f"{body}\n\n{added}" if body else added


def propose_edit(text: str, misread: Sequence[Misread], statistics: WordStatistics, *, seed: int, attempt: int) -> str:
    """The prompt edited for the labels of these failures; the same text where there is nothing to learn from them.

    Only the failures' own words are added, so an edit says nothing that no failure said.
    """
    known = set(statistics.labels)
    failures = [one for one in misread if one.expected in known and one.got != one.expected]
    text = with_all_labels(text, statistics.labels)
    lines = read_label_lines(text, statistics.labels)
    generator = seeded("label-lines", seed, attempt, text)
    gains: dict[str, dict[str, float]] = {}
    misleading: dict[str, dict[str, float]] = {}
    for failure in failures:
        rival = failure.got if failure.got in known else None
        for word in sorted(set(words_of(failure.text))):
            if statistics.support(word, failure.expected) < SUPPORT_MINIMUM:
                continue
            telling = statistics.telling(word, failure.expected)
            if telling > 0:
                _add_weight(gains, failure.expected, word, telling)
            if rival is not None and statistics.weight(word, failure.expected, rival) > MISLEADING_FROM:
                _add_weight(misleading, rival, word, telling)
    for label in sorted(gains):
        held = set(words_of(lines[label].words)) | set(words_of(label.replace("_", " ")))
        ranked = _ranked(gains[label], held, generator)
        lines[label] = _with_words(lines[label], ranked[: generator.randint(1, WORDS_PER_EDIT)])
    for label in sorted(misleading):
        ranked = _ranked(misleading[label], set(), generator)
        lines[label] = _with_counter(lines[label], ranked[: generator.randint(0, WORDS_PER_EDIT // 4)])
    return write_label_lines(text, lines)


def changed_labels(before: str, after: str, labels: Sequence[str]) -> list[str]:
    """The labels whose lines differ between two versions of a prompt, sorted."""
    old, new = read_label_lines(before, labels), read_label_lines(after, labels)
    return [
        label
        for label in sorted(new)
        if label not in old or (old[label].words, old[label].counter) != (new[label].words, new[label].counter)
    ]


def with_line_of(text: str, other: str, label: str, labels: Sequence[str]) -> str:
    """The text with one label's description taken from another version of the prompt."""
    lines, theirs = read_label_lines(text, labels), read_label_lines(other, labels)
    if label not in lines:
        return text
    source = theirs.get(label)
    line = replace(lines[label], words=source.words if source else "", counter=source.counter if source else ())
    return write_label_lines(text, {label: line})


def _line_pattern(label: str) -> re.Pattern[str]:
    name = re.escape(label)
    return re.compile(
        rf"^(?P<head>\s*(?:(?:[-*\u2022]|\d{{1,3}}[.)])\s+)?[`\"'*]{{0,3}}{name}[`\"'*]{{0,3}}\s*:)(?P<rest>.*)$",
        re.IGNORECASE,
    )


def _add_weight(weights: dict[str, dict[str, float]], label: str, word: str, weight: float) -> None:
    of_label = weights.setdefault(label, {})
    of_label[word] = of_label.get(word, 0.0) + weight


def _ranked(weights: Mapping[str, float], held: set[str], generator: random.Random) -> list[str]:
    """The words by weight, each weight moved by up to `_SPREAD` of itself."""
    scored = [
        (weight * (1.0 + _SPREAD * (2.0 * generator.random() - 1.0)), word)
        for word, weight in sorted(weights.items())
        if word not in held
    ]
    return [word for _, word in sorted(scored, key=lambda pair: (-pair[0], pair[1]))]


def _with_words(line: LabelLine, words: Sequence[str]) -> LabelLine:
    if not words:
        return line
    text = line.words.strip().rstrip(";,")
    counter = tuple(word for word in line.counter if word not in words)
    return replace(line, words=", ".join([text, *words] if text else words), counter=counter)


def _with_counter(line: LabelLine, words: Sequence[str]) -> LabelLine:
    """The words are taken out of the description where they stand alone in it, else they are named as counter-words."""
    for word in words:
        phrases = [phrase.strip() for phrase in line.words.split(",")]
        if word in phrases and len(phrases) > 1:
            line = replace(line, words=", ".join(phrase for phrase in phrases if phrase != word))
        elif word not in line.counter:
            line = replace(line, counter=(*line.counter, word))
    return line

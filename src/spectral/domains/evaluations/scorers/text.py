"""Scorers that compare the answer's text with the expected one or with a pattern."""

import re
import string
from collections import Counter
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from spectral.domains.evaluations.scorers.base import (
    Answer,
    NotJsonError,
    ScoredCase,
    Scorer,
    ScorerError,
    Verdict,
    canonical_json,
    excerpt,
    expected_text,
    parse_json,
)
from spectral.domains.evaluations.scorers.patterns import LinearPattern, PatternError, linear_pattern

Phrase = Annotated[str, Field(min_length=1, max_length=10_000)]
Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]

MAX_EDIT_CHARACTERS = 20_000

_WORDS = re.compile(r"\w+")
_LABEL_PREFIX = re.compile(r"^(?:the )?(?:label|class|category|intent|answer)(?: is\b ?:?| ?[:=]) ?")
_LABEL_EDGES = string.whitespace + "\"'`*.,;:!?()[]{}<>"


class ExactMatch(Scorer):
    """1 when the answer is the expected one: as text, or as a JSON value where the expected one is not a text."""

    version: ClassVar[str] = "1"

    case_sensitive: bool = True
    collapse_whitespace: bool = True

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        if isinstance(case.expected, dict | list):
            return self._compare_json(case, answer)
        wanted, got = self._normal(expected_text(case)), self._normal(answer.output)
        if wanted == got:
            return Verdict(1.0, "equals the expected answer")
        return Verdict(0.0, f"expected {excerpt(wanted)}, got {excerpt(got)}")

    def _compare_json(self, case: ScoredCase, answer: Answer) -> Verdict:
        try:
            got = parse_json(answer.output)
        except NotJsonError as error:
            return Verdict(0.0, f"the answer {error}")
        wanted_text, got_text = canonical_json(case.expected), canonical_json(got)
        if wanted_text == got_text:
            return Verdict(1.0, "equals the expected value")
        return Verdict(0.0, f"expected {excerpt(wanted_text)}, got {excerpt(got_text)}")

    def _normal(self, text: str) -> str:
        spaced = " ".join(text.split()) if self.collapse_whitespace else text
        return spaced if self.case_sensitive else spaced.casefold()


class Contains(Scorer):
    """The share of wanted phrases that occur in the answer (`all`), or 1 when one of them does (`any`).

    Without `values` the expected answer is the phrase, or each text of the expected list is one.
    """

    version: ClassVar[str] = "1"

    values: tuple[Phrase, ...] | None = Field(default=None, min_length=1, max_length=100)
    mode: Literal["all", "any"] = "all"
    case_sensitive: bool = False

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        phrases = self.values or self._expected_phrases(case)
        text = self._normal(answer.output)
        absent = [phrase for phrase in phrases if self._normal(phrase) not in text]
        found = len(phrases) - len(absent)
        if self.mode == "any":
            return Verdict(1.0 if found else 0.0, f"contains {found} of {len(phrases)} phrases, one was wanted")
        if not absent:
            return Verdict(1.0, f"contains all {len(phrases)} phrases")
        return Verdict(
            found / len(phrases), f"{len(absent)} of {len(phrases)} phrases are absent: {excerpt(absent[0])}"
        )

    @staticmethod
    def _expected_phrases(case: ScoredCase) -> tuple[str, ...]:
        expected = case.expected
        if isinstance(expected, list) and expected and all(isinstance(entry, str) and entry for entry in expected):
            return tuple(expected)
        phrase = expected_text(case)
        if not phrase:
            message = "the expected answer is empty"
            raise ScorerError(message)
        return (phrase,)

    def _normal(self, text: str) -> str:
        return text if self.case_sensitive else text.casefold()


class Regex(Scorer):
    """1 when the pattern matches the answer (RE2 syntax, linear time), or does not where `expect` is `absent`."""

    version: ClassVar[str] = "1"

    pattern: str = Field(min_length=1)
    mode: Literal["search", "fullmatch"] = "search"
    ignore_case: bool = False
    expect: Literal["present", "absent"] = "present"

    @model_validator(mode="after")
    def compiles(self) -> Self:
        """Refuses a pattern that could not be run."""
        try:
            self._compiled.search("")
        except PatternError as error:
            message = f"pattern {error}"
            raise ValueError(message) from error
        return self

    @cached_property
    def _compiled(self) -> LinearPattern:
        return linear_pattern(self.pattern, ignore_case=self.ignore_case)

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        del case
        match = (
            self._compiled.fullmatch(answer.output)
            if self.mode == "fullmatch"
            else self._compiled.search(answer.output)
        )
        present = match is not None
        wanted = present == (self.expect == "present")
        what = f"the pattern matches {excerpt(match)}" if match is not None else "the pattern does not match"
        return Verdict(1.0 if wanted else 0.0, what)


class LabelMatch(Scorer):
    """1 when the answer names the expected label and no other one.

    Case, quotes, punctuation at the edges and a lead-in such as "Label:" do not count. With `labels` the answer may be
    a sentence: it must name exactly one of them as whole words, the longest reading counting where one label is part
    of another.
    """

    version: ClassVar[str] = "1"

    labels: tuple[Label, ...] | None = Field(default=None, min_length=2, max_length=500)

    @model_validator(mode="after")
    def labels_differ(self) -> Self:
        """Refuses labels that could not be told apart."""
        normal = {_normal_label(label) for label in self.labels or ()}
        if "" in normal:
            message = "a label needs more than punctuation"
            raise ValueError(message)
        if self.labels and len(normal) < len(self.labels):
            message = "labels must differ by more than case and punctuation"
            raise ValueError(message)
        return self

    @cached_property
    def _readings(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        longest_first = sorted(
            {_normal_label(label) for label in self.labels or ()}, key=lambda label: (-len(label), label)
        )
        # Only escaped label texts between word edges: nothing here can backtrack.
        return tuple((label, re.compile(rf"(?<!\w){re.escape(label)}(?!\w)")) for label in longest_first)

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        wanted = _normal_label(expected_text(case))
        if not wanted:
            message = "the expected label is empty"
            raise ScorerError(message)
        got = _normal_label(answer.output)
        if self.labels is not None:
            known = {label for label, _ in self._readings}
            if wanted not in known:
                message = f"the expected label {excerpt(wanted)} is not one of the rubric's labels"
                raise ScorerError(message)
            if got not in known:
                return self._read_sentence(wanted, got)
        if got == wanted:
            return Verdict(1.0, f"the label is {excerpt(wanted)}")
        return Verdict(0.0, f"expected label {excerpt(wanted)}, got {excerpt(got)}")

    def _read_sentence(self, wanted: str, text: str) -> Verdict:
        named = []
        for label, reading in self._readings:
            # A long answer against many labels: the plain search is some hundred times faster than the pattern.
            if label in text:
                text, times = reading.subn("\n", text)
                if times:
                    named.append(label)
        if named == [wanted]:
            return Verdict(1.0, f"the only label named is {excerpt(wanted)}")
        if not named:
            return Verdict(0.0, f"expected label {excerpt(wanted)}, the answer names none")
        listed = ", ".join(excerpt(label) for label in sorted(named)[:5])
        return Verdict(0.0, f"expected label {excerpt(wanted)}, the answer names {listed}")


class Levenshtein(Scorer):
    """1 − edit distance ÷ length of the longer text: the share of characters that need no edit."""

    version: ClassVar[str] = "1"

    case_sensitive: bool = True
    collapse_whitespace: bool = True

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        wanted, got = self._normal(expected_text(case)), self._normal(answer.output)
        if len(wanted) > MAX_EDIT_CHARACTERS:
            message = f"the expected answer is longer than {MAX_EDIT_CHARACTERS} characters"
            raise ScorerError(message)
        longest = max(len(wanted), len(got))
        if longest == 0:
            return Verdict(1.0, "both are empty")
        distance = edit_distance(wanted, got)
        return Verdict(1.0 - distance / longest, f"{distance} edits over {longest} characters")

    def _normal(self, text: str) -> str:
        spaced = " ".join(text.split()) if self.collapse_whitespace else text
        return spaced if self.case_sensitive else spaced.casefold()


class TokenF1(Scorer):
    """Harmonic mean of token precision and recall against the expected text, case and punctuation aside.

    Source: Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text" (2016), section 6.1;
    articles are kept unless `drop_articles`, since they are English only.
    """

    version: ClassVar[str] = "1"

    drop_articles: bool = False

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        wanted, got = self._tokens(expected_text(case)), self._tokens(answer.output)
        if not wanted and not got:
            return Verdict(1.0, "both have no words")
        shared = (wanted & got).total()
        if shared == 0:
            return Verdict(0.0, "no word in common")
        precision, recall = shared / got.total(), shared / wanted.total()
        f1 = 2 * precision * recall / (precision + recall)
        return Verdict(f1, f"{shared} words in common, precision {precision:.2f}, recall {recall:.2f}")

    def _tokens(self, text: str) -> Counter[str]:
        words = _WORDS.findall(text.casefold())
        return Counter(word for word in words if not (self.drop_articles and word in {"a", "an", "the"}))


def edit_distance(first: str, second: str) -> int:
    """The least number of insertions, deletions and substitutions that turn one text into the other.

    Bit-parallel: a step of big-integer arithmetic for each character of the longer text, as wide as the shorter one.
    Source: H. Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances" (2003), figure 5
    (G. Myers 1999).
    """
    prefix = 0
    for left, right in zip(first, second, strict=False):
        if left != right:
            break
        prefix += 1
    first, second = first[prefix:], second[prefix:]
    if len(first) > len(second):
        first, second = second, first
    size = len(first)
    if size == 0:
        return len(second)
    positions: dict[str, int] = {}
    for index, character in enumerate(first):
        positions[character] = positions.get(character, 0) | (1 << index)
    everything = (1 << size) - 1
    last = 1 << (size - 1)
    up, down, distance = everything, 0, size
    for character in second:
        match = positions.get(character, 0)
        zero = ((((match & up) + up) ^ up) | match | down) & everything
        right_up = down | (everything & ~(zero | up))
        right_down = zero & up
        distance += bool(right_up & last) - bool(right_down & last)
        right_up = ((right_up << 1) | 1) & everything
        right_down = (right_down << 1) & everything
        up = right_down | (everything & ~(zero | right_up))
        down = zero & right_up
    return distance


def _normal_label(text: str) -> str:
    folded = " ".join(text.casefold().split()).strip(_LABEL_EDGES)
    return _LABEL_PREFIX.sub("", folded, count=1).strip(_LABEL_EDGES)

"""One text of a template from observed texts: fixed text and variables, whatever a few of them do differently.

Pure and deterministic, and bounded: at most `WORK_TOKENS` are put side by side, and what comes of that is tried on all
texts in time linear in their length.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from spectral.domains.agents.placeholders import fill
from spectral.domains.scans.inference.alignment import Piece, align, tokens_of

SAMPLE = 40
SAMPLE_TOKENS = 40_000
WORK_TOKENS = 160_000
DRAWS = 16
DRAWN = (12, 4)
DRAWN_FROM = 6
"""Besides the widest sample so many small ones are tried, of so many texts in turn: one without the odd ones is among
them.

Source: Fischler & Bolles, "Random Sample Consensus", CACM 24 (1981).
"""

REFINEMENTS = 3
ADDED_A_ROUND = 4
VARIABLE_LENGTH = 8
VALUE_LENGTH = 2
SHINGLE = 4
SHINGLED_CHARACTERS = 3_000
STRANGER = 0.5
"""A text that has less than this share of what most texts have in common was not made with the template."""

ODD_ONES = 0.1
"""A variable that is the same value in all but this share of the texts is fixed text, and those are odd."""

ODD_FROM = 10
AFFIX_FROM = 5
MAXIMUM_VARIABLES = 100

_LABEL = re.compile(r"([A-Za-z][\w \-/]{0,40}?)\s*(?:[\"'`*]{0,3}\s*[:=]|\))\s*[\"'`*]{0,3}\s*(?:[-*>]\s*)?\Z")
_TAG = re.compile(r"<\s*([A-Za-z][\w-]{0,40})[^<>]*>\s*\Z")
_HEADING = re.compile(r"^\s{0,3}(?:#{1,6}|\*\*|=+)\s*([A-Za-z][\w \-/]{0,40}?)\s*[:=*#]*\s*\Z")
_BRACKET = re.compile(r"\[\s*([A-Za-z][\w -]{0,40})\s*\]\s*\Z")
_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_UNNAMED = frozenset(
    [
        *("a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "in", "into", "is", "it", "of", "on", "or"),
        *("the", "this", "that", "these", "those", "to", "with", "your", "you", "our", "my", "about", "please", "now"),
        *("only", "here", "following", "below", "dear", "hello", "hi"),
    ]
)


@dataclass(frozen=True, slots=True)
class Recovered:
    """A template of one text. pieces: fixed texts and numbers of variables.  coverage: the share of the texts that it
    reproduces to the letter.  values: of each text, by variable; None where it does not.
    """  # noqa: D205 - one sentence

    pieces: tuple[Piece, ...]
    coverage: float
    values: tuple[tuple[str, ...] | None, ...]

    @property
    def variables(self) -> int:
        """How many different ones."""
        return len({piece for piece in self.pieces if isinstance(piece, int)})


def recover(texts: Sequence[str]) -> Recovered:
    """The template that these texts were made with. At least one text."""
    distinct = list(dict.fromkeys(texts))
    samples = [_spread(distinct, SAMPLE)]
    if len(distinct) >= DRAWN_FROM:
        strangers = _strangers(distinct)
        usual = [text for text in distinct if text not in strangers]
        generator = random.Random(len(distinct))  # noqa: S311 - which texts are looked at together
        for draw in range(DRAWS):
            size = max(3, min(DRAWN[draw % len(DRAWN)], len(usual) // 2))
            samples.append(_spread(generator.sample(usual, min(size, len(usual))), size))
    work = _Work()
    found = [each for each in (_refined(work, sample, texts) for sample in samples) if each is not None]
    return min(found, key=lambda each: _length(each, texts))


@dataclass(slots=True)
class _Work:
    """How many tokens may still be put side by side."""

    left: int = WORK_TOKENS

    def align(self, sample: Sequence[str], texts: Sequence[str]) -> Recovered | None:
        """What the sample says, tried on all texts; None where it is too much by now."""
        tokens = [tokens_of(text) for text in sample]
        size = sum(map(len, tokens))
        if size > self.left:
            return None
        self.left -= size
        return _assess(align(tokens), texts)


def _refined(work: _Work, sample: Sequence[str], texts: Sequence[str]) -> Recovered | None:
    """The template of a sample, widened by texts that it does not reproduce as long as that describes all of them in
    less.
    """  # noqa: D205 - one sentence
    best = work.align(sample, texts)
    if best is None:
        return None
    for _ in range(REFINEMENTS):
        missed = [text for text, values in zip(texts, best.values, strict=True) if values is None]
        added = [text for text in dict.fromkeys(missed) if text not in sample][:ADDED_A_ROUND]
        if not added:
            break
        wider = [*sample, *added]
        again = work.align(wider, texts)
        if again is None or _length(again, texts) >= _length(best, texts):
            break
        sample, best = wider, again
    return best


def _length(found: Recovered, texts: Sequence[str]) -> int:
    """How many characters it takes to write the template once and then every text by it; what it misses in full.

    Source: Rissanen, "Modeling by Shortest Data Description" (1978): the shortest description is the best model.
    """
    length = sum(len(piece) if isinstance(piece, str) else VARIABLE_LENGTH for piece in found.pieces)
    for text, values in zip(texts, found.values, strict=True):
        length += len(text) if values is None else sum(map(len, values)) + VALUE_LENGTH * len(values)
    return length


def match(pieces: Sequence[Piece], text: str) -> tuple[str, ...] | None:
    """The values with which the pieces are this text, by number of the variable; None where there are none.

    Every fixed text is taken where it first fits; where that fails no other choice would do, but for a variable that
    stands twice.
    """
    values: dict[int, str] = {}
    at, waiting = 0, None
    for place, piece in enumerate(pieces):
        if isinstance(piece, int):
            if piece in values and text.startswith(values[piece], at):
                at += len(values[piece])
            elif piece in values or waiting is not None:
                return None
            else:
                waiting = piece
            continue
        if waiting is None:
            found = at if text.startswith(piece, at) else -1
        elif place == len(pieces) - 1:
            found = len(text) - len(piece) if len(text) - len(piece) >= at and text.endswith(piece) else -1
        else:
            found = text.find(piece, at)
        if found < 0:
            return None
        if waiting is not None:
            values[waiting], waiting = text[at:found], None
        at = found + len(piece)
    if waiting is not None:
        values[waiting], at = text[at:], len(text)
    return tuple(values[number] for number in sorted(values)) if at == len(text) else None


def template_text(pieces: Sequence[Piece], names: Mapping[int, str]) -> str:
    """The pieces as a prompt is written: `{{name}}` for a variable, two literal braces escaped."""
    return "".join(
        piece.replace("{{", "\\{{") if isinstance(piece, str) else f"{{{{{names[piece]}}}}}" for piece in pieces
    )


@dataclass(frozen=True, slots=True)
class Hint:
    """What a variable may be called. is_label: a label, tag or heading says so, not just the word before it."""

    name: str
    is_label: bool


def hints_of(pieces: Sequence[Piece]) -> dict[int, Hint]:
    """A name for every variable from what stands before it; from a label where it has one at any of its places."""
    hints: dict[int, Hint] = {}
    before = ""
    for piece in pieces:
        if isinstance(piece, str):
            before = piece
            continue
        # What a variable stands for is no context of the next one.
        hint = _hint(before) or Hint("input" if len(pieces) == 1 else "value", is_label=False)
        if piece not in hints or (hint.is_label and not hints[piece].is_label):
            hints[piece] = hint
        before = ""
    return hints


def _assess(skeleton: Sequence[Piece], texts: Sequence[str]) -> Recovered:
    writable = _writable(_settled(skeleton, texts))
    names = {piece: f"v{piece}" for piece in writable if isinstance(piece, int)}
    template = template_text(writable, names)
    values: list[tuple[str, ...] | None] = []
    for text in texts:
        found = match(writable, text)
        # The proof is in the rendering: what the platform would send must be what was seen.
        given = {} if found is None else dict(zip((names[number] for number in sorted(names)), found, strict=True))
        values.append(found if found is not None and fill(template, given) == text else None)
    coverage = sum(each is not None for each in values) / len(values)
    return Recovered(tuple(writable), coverage, tuple(values))


def _strangers(texts: Sequence[str]) -> set[str]:
    """Texts that have little of what most of them have in common; the texts are distinct."""
    shingles = [set(_shingles(text[:SHINGLED_CHARACTERS])) for text in texts]
    counts = Counter(shingle for each in shingles for shingle in each)
    core = {shingle for shingle, count in counts.items() if 2 * count > len(texts)}
    if not core:
        return set()
    shares = [len(core & each) / len(core) for each in shingles]
    usual = sorted(shares)[len(shares) // 2]
    return {text for text, share in zip(texts, shares, strict=True) if share < STRANGER * usual}


def _shingles(text: str) -> Iterator[tuple[str, ...]]:
    tokens = [token for token in tokens_of(text) if not token.isspace()]
    return zip(*(tokens[start:] for start in range(min(SHINGLE, max(1, len(tokens))))), strict=False)


def _spread(texts: Sequence[str], most: int) -> list[str]:
    """Texts of every length, the shortest among them: few words leave little to agree on by accident.

    At least three, and not many more tokens than `SAMPLE_TOKENS`, three characters taken for one.
    """
    ordered = sorted(texts, key=lambda text: (len(text), text))
    mean = max(1, sum(map(len, ordered)) // len(ordered) // 3)
    number = max(3, min(most, SAMPLE_TOKENS // mean))
    if len(ordered) <= number:
        return ordered
    return [ordered[place * (len(ordered) - 1) // (number - 1)] for place in range(number)]


def _settled(pieces: Sequence[Piece], texts: Sequence[str]) -> list[Piece]:
    """The skeleton with constants as fixed text, equal variables as one, and units beside numbers taken out of them."""
    matched = [values for values in (match(pieces, text) for text in texts) if values is not None]
    if not matched or sum(isinstance(piece, int) for piece in pieces) > MAXIMUM_VARIABLES:
        return [0] if not matched or len(pieces) > 2 * MAXIMUM_VARIABLES else list(pieces)
    columns = list(zip(*matched, strict=True)) if matched[0] else []
    settled: list[Piece] = []
    first: dict[tuple[str, ...], int] = {}
    for piece in pieces:
        if isinstance(piece, str):
            settled.append(piece)
            continue
        column = columns[piece]
        (value, count), *_ = Counter(column).most_common(1)
        if count == len(column) or (len(column) >= ODD_FROM and len(column) - count <= ODD_ONES * len(column)):
            settled.append(value)
            continue
        before, after = _affixes(column)
        number = first.setdefault(column, len(first)) if any(column) else len(first)
        settled += [each for each in (before, number, after) if each != ""]
    return _joined(settled)


def _affixes(column: Sequence[str]) -> tuple[str, str]:
    """Letters that stand before or after the digits of every value: a unit, a currency, a prefix."""
    if len(column) < AFFIX_FROM or not all(column):
        return "", ""
    before = _common_start(column)
    after = _common_start([value[::-1] for value in column])[::-1]
    before = before if before.isalpha() and all(value[len(before) :][:1].isdigit() for value in column) else ""
    cut = [value[: len(value) - len(after)] for value in column]
    after = after if after.isalpha() and all(value[-1:].isdigit() for value in cut) else ""
    return before, after


def _common_start(values: Sequence[str]) -> str:
    low, high = min(values), max(values)
    same = next((place for place, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), len(low))
    return low[:same]


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in pieces:
        if piece == "":
            continue
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        elif isinstance(piece, int) and joined and isinstance(joined[-1], int):
            continue  # two values with nothing between them cannot be told apart
        else:
            joined.append(piece)
    return joined


def _writable(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces that can be written as a prompt: a brace or backslash right before a variable becomes a part of it."""
    written = list(pieces)
    for place, piece in enumerate(written):
        follows = place + 1 < len(written) and isinstance(written[place + 1], int)
        if isinstance(piece, str) and follows:
            written[place] = piece.rstrip("{\\")
    return _joined(written)


def _hint(text: str) -> Hint | None:
    """What the text before a variable calls it."""
    stripped = text.rstrip(" \t\"'`([{<")
    line = stripped.rstrip().rsplit("\n", 1)[-1]
    for pattern, where in ((_TAG, text), (_BRACKET, stripped), (_LABEL, text.rstrip()), (_HEADING, line)):
        found = pattern.search(where)
        name = None if found is None else _identifier(found[1])
        if name is not None:
            return Hint(name, is_label=True)
    words = [word for word in _WORDS.findall(line) if word.lower() not in _UNNAMED]
    name = _identifier(words[-1]) if words else None
    return None if name is None else Hint(name, is_label=False)


def _identifier(label: str) -> str | None:
    words = _WORDS.findall(label)[-3:]
    name = "_".join(word.lower() for word in words)[:48]
    return name or None

"""Texts made from one template are put side by side: what they have in common, in the same order, is its fixed text.

Runs of tokens that stand exactly once in every text are chained by weight, the rest between them is looked at again,
since what is not unique in a whole text may be between two fixed runs. Pure and deterministic.
Source: the anchors are those of patience sorting (Cohen, "Patience Diff Advantages", 2010), for more than two texts;
the heaviest chain is the weighted form of the longest common subsequence of permutations.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Piece = str | int
"""Fixed text, or the number of a variable; the same number is the same value."""

Tokens = list[str]
Span = tuple[int, int]

GRAMS = (1, 2, 3, 5)
MAXIMUM_RUNS = 300
MAXIMUM_DEPTH = 12
LINE_BREAK = "\n"

_TOKEN = re.compile(r"\n|[^\S\n]+|\w+|[^\w\s]")
_COMMON = frozenset(
    [
        *("a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "do", "for", "from", "has", "have", "he", "i"),
        *(
            "if",
            "in",
            "is",
            "it",
            "its",
            "me",
            "my",
            "no",
            "not",
            "of",
            "on",
            "or",
            "our",
            "so",
            "that",
            "the",
            "their",
        ),
        *("them", "then", "there", "these", "they", "this", "to", "up", "was", "we", "were", "what", "when", "which"),
        *("who", "will", "with", "would", "you", "your"),
    ]
)


def tokens_of(text: str) -> Tokens:
    """Words, marks, line breaks and the space between them; joined they are the text."""
    return _TOKEN.findall(text)


def align(texts: Sequence[Tokens]) -> list[Piece]:
    """The common skeleton of at least one text; variables are numbered from 0 in their order."""
    pieces: list[Piece] = []
    variables = 0
    for part in _aligned(texts, [(0, len(text)) for text in texts], 0):
        if part is None:
            pieces.append(variables)
            variables += 1
        elif pieces and isinstance(pieces[-1], str):
            pieces[-1] += part
        else:
            pieces.append(part)
    return pieces


@dataclass(frozen=True, slots=True)
class _Run:
    """The same `size` tokens in every text, beginning at `starts`."""

    starts: tuple[int, ...]
    size: int
    weight: float

    def precedes(self, other: "_Run") -> bool:
        return all(mine + self.size <= theirs for mine, theirs in zip(self.starts, other.starts, strict=True))


def _aligned(texts: Sequence[Tokens], spans: Sequence[Span], depth: int) -> Iterator[str | None]:
    """Fixed text, and None for what varies."""
    start, end = spans[0]
    first = texts[0][start:end]
    if all(text[low:high] == first for text, (low, high) in zip(texts, spans, strict=True)):
        if first:
            yield "".join(first)
        return
    before, after = _shared_ends(texts, spans)
    if before or after:
        # Whether all values begin or end like that, or the template says it, cannot be told apart.
        if before:
            yield "".join(first[:before])
        yield from _aligned(texts, [(low + before, high - after) for low, high in spans], depth)
        if after:
            yield "".join(first[len(first) - after :])
        return
    chain = _heaviest_chain(_runs(texts, spans)) if depth < MAXIMUM_DEPTH else []
    if not chain:
        yield None
        return
    lows = [low for low, _ in spans]
    for run in chain:
        yield from _aligned(texts, list(zip(lows, run.starts, strict=True)), depth + 1)
        yield "".join(texts[0][run.starts[0] : run.starts[0] + run.size])
        lows = [each + run.size for each in run.starts]
    yield from _aligned(texts, [(low, high) for low, (_, high) in zip(lows, spans, strict=True)], depth + 1)


def _shared_ends(texts: Sequence[Tokens], spans: Sequence[Span]) -> tuple[int, int]:
    """With how many tokens all of them begin, and with how many others they end."""
    shortest = min(high - low for low, high in spans)
    before = 0
    while before < shortest and len({text[low + before] for text, (low, _) in zip(texts, spans, strict=True)}) == 1:
        before += 1
    after = 0
    while (
        after < shortest - before
        and len({text[high - 1 - after] for text, (_, high) in zip(texts, spans, strict=True)}) == 1
    ):
        after += 1
    return before, after


def _runs(texts: Sequence[Tokens], spans: Sequence[Span]) -> list[_Run]:
    """What is in every text, unique in each, as long as it can be, and no accident."""
    found: dict[tuple[tuple[int, ...], int], _Run] = {}
    covered: set[tuple[int, int]] = set()
    words = sum(
        sum(token[0].isalnum() for token in text[low:high]) for text, (low, high) in zip(texts, spans, strict=True)
    )
    for size in GRAMS:
        for starts in _unique_in_all(texts, spans, size):
            # Runs that lie on the same diagonal of the first two texts are one run, found at each of its tokens.
            if (starts[0], starts[-1]) in covered:
                continue
            run = _extended(texts, spans, starts, size)
            covered |= {(run.starts[0] + place, run.starts[-1] + place) for place in range(run.size)}
            tokens = texts[0][run.starts[0] : run.starts[0] + run.size]
            if _is_fixed(tokens, len(texts), words / len(texts)):
                found[run.starts, run.size] = run
    return sorted(found.values(), key=lambda run: (-run.weight, run.starts))[:MAXIMUM_RUNS]


def _unique_in_all(texts: Sequence[Tokens], spans: Sequence[Span], size: int) -> list[tuple[int, ...]]:
    """Where each gram stands that is exactly once in every text; in the order of the first text."""
    common: set[tuple[str, ...]] | None = None
    for text, (low, high) in zip(texts, spans, strict=True):
        counts = Counter(_grams(text[low:high], size))
        once = {gram for gram, count in counts.items() if count == 1}
        common = once if common is None else common & once
        if not common:
            return []
    places: list[dict[tuple[str, ...], int]] = []
    for text, (low, high) in zip(texts, spans, strict=True):
        grams = _grams(text[low:high], size)
        places.append({gram: low + place for place, gram in enumerate(grams) if gram in (common or ())})
    ordered = sorted(places[0], key=places[0].__getitem__)
    return [tuple(of_text[gram] for of_text in places) for gram in ordered]


def _grams(tokens: Tokens, size: int) -> Iterator[tuple[str, ...]]:
    return zip(*(tokens[start:] for start in range(size)), strict=False)


def _extended(texts: Sequence[Tokens], spans: Sequence[Span], starts: tuple[int, ...], size: int) -> _Run:
    before = 0
    while _is_same(texts, spans, [start - before - 1 for start in starts]):
        before += 1
    while _is_same(texts, spans, [start + size for start in starts]):
        size += 1
    begun = tuple(start - before for start in starts)
    tokens = texts[0][begun[0] : begun[0] + before + size]
    return _Run(begun, before + size, sum(map(_weight, tokens)))


def _is_same(texts: Sequence[Tokens], spans: Sequence[Span], places: Sequence[int]) -> bool:
    low, high = spans[0]
    if not low <= places[0] < high:
        return False
    wanted = texts[0][places[0]]
    return all(
        low <= place < high and text[place] == wanted
        for text, (low, high), place in zip(texts[1:], spans[1:], places[1:], strict=True)
    )


def _weight(token: str) -> float:
    if token[0].isalnum():
        return 0.5 if token.lower() in _COMMON else 1.0 + len(token) / 8
    return 0.05 if token.isspace() and token != LINE_BREAK else 0.5


def _is_fixed(tokens: Tokens, texts: int, words_in_gap: float) -> bool:
    """Whether so many texts would hardly have this in common by accident, with so many words each to have it in."""
    words = [token for token in tokens if token[0].isalnum()]
    telling = [word for word in words if word.lower() not in _COMMON and not word.isdigit()]
    marks = [token for token in tokens if not token[0].isalnum() and not token.isspace()]
    breaks = tokens.count(LINE_BREAK)
    if len(words) >= 2:
        return bool(telling) or texts >= 5 or breaks > 0
    if telling and len(telling[0]) >= 4:
        return texts >= 4 or bool(marks) or breaks > 0 or words_in_gap <= 12
    if words:
        return texts >= 8 or (texts >= 4 and (words_in_gap <= 8 or breaks > 0 or len(marks) > 1))
    if breaks:
        return True
    # Marks inside of a word (a date, an address, a number) say nothing; with space beside them they part two values.
    parted = any(token.isspace() for token in tokens)
    return bool(marks) and ((parted and texts >= 5) or (len(marks) >= 3 and texts >= 4))


def _heaviest_chain(runs: Sequence[_Run]) -> list[_Run]:
    """The runs that stand in the same order in every text and weigh most together."""
    ordered = sorted(runs, key=lambda run: run.starts)
    best: list[float] = []
    came_from: list[int | None] = []
    for place, run in enumerate(ordered):
        weight, before = run.weight, None
        for earlier in range(place):
            if best[earlier] + run.weight > weight and ordered[earlier].precedes(run):
                weight, before = best[earlier] + run.weight, earlier
        best.append(weight)
        came_from.append(before)
    chain: list[_Run] = []
    at = max(range(len(best)), key=best.__getitem__) if best else None
    while at is not None:
        chain.append(ordered[at])
        at = came_from[at]
    return chain[::-1]

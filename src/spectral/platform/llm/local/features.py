"""How the local runtime sees text: words and character n-grams, and its count of tokens."""

import re
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_TOKEN = re.compile(r"\w{1,12}|[^\w\s]")
_PART = "#"
"""Marks a part of a word; no word contains it."""
_CACHED_UP_TO = 4_000
"""Characters; longer texts are analysed each time, so that the caches stay small."""
_WORD_UP_TO = 40
"""Characters of a word that count for n-grams."""

_STOP_TEXT = """\
a about after again all also am an and any are as at be because been before being but by can could did do does
doing during each for from further get got had has have having he hello her here hers hi him his how i i'd i'll i'm
i've if in into is it it's its itself just kindly let like me more most my myself no nor not now of off on once only
or other our ours out over own please regards same she should so some such thank thanks than that that's the their
them then there these they this those through to too under until up us very was we were what when where which while
who whom why will with would yes you your yours"""
STOP_WORDS = frozenset(_STOP_TEXT.split())


def count_tokens(text: str) -> int:
    """The number of words (runs of letters, digits and `_`; one for every 12 characters begun) and other symbols.

    This is the local runtime's own count. It is near, and not equal, to what a language model would be billed for.
    """
    return len(_TOKEN.findall(text))


def first_tokens(text: str, count: int) -> str:
    """The text up to the end of its `count`-th token, as `count_tokens` counts them; `count` ≥ 1."""
    for number, token in enumerate(_TOKEN.finditer(text), start=1):
        if number == count:
            return text[: token.end()]
    return text


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, `_` and punctuation being spaces."""
    return _WORD.findall(text.lower().replace("\u2019", "'"))


def plain_features(text: str) -> tuple[str, ...]:
    """Words without stop words, plural and singular folded together: what `small` reads."""
    return _plain_cached(text) if len(text) <= _CACHED_UP_TO else _plain(text)


def rich_features(text: str) -> tuple[str, ...]:
    """Stems, and the character n-grams of 4 and 5 of each word: what `large` reads.

    n-grams of a word that is misspelt still meet those of the right spelling, and `delivery` meets `delivered`.
    """
    return _rich_cached(text) if len(text) <= _CACHED_UP_TO else _rich(text)


def is_part(feature: str) -> bool:
    """Whether a feature is a part of a word and not a whole one."""
    return feature.startswith(_PART)


def _plain(text: str) -> tuple[str, ...]:
    return tuple(_singular(word) for word in words_of(text) if word not in STOP_WORDS)


def _rich(text: str) -> tuple[str, ...]:
    words = [word for word in words_of(text) if word not in STOP_WORDS]
    features = [_stem(word) for word in words]
    for word in words:
        features.extend(_grams(word[:_WORD_UP_TO]))
    return tuple(features)


_plain_cached = lru_cache(maxsize=8192)(_plain)
_rich_cached = lru_cache(maxsize=8192)(_rich)


@lru_cache(maxsize=16384)
def _grams(word: str) -> tuple[str, ...]:
    padded = f" {word} "
    return tuple(f"{_PART}{padded[at : at + size]}" for size in (4, 5) for at in range(max(len(padded) - size + 1, 1)))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _stem(word: str) -> str:
    stem = _singular(word)
    for ending in ("ing", "ed"):
        if stem.endswith(ending) and len(stem) - len(ending) >= 3:
            stem = stem[: -len(ending)]
            if stem[-1] == stem[-2] and stem[-1] not in "sle":
                stem = stem[:-1]
            break
    return stem[:-1] if len(stem) > 4 and stem.endswith("e") else stem

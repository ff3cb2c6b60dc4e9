"""The agent's memory: help articles and solved tickets, found by the words that they share with a question."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ARTICLES: Mapping[str, Sequence[str]] = json.loads(Path(__file__).with_name("knowledge.json").read_text())
WORD = re.compile(r"[a-z]+")
COMMON = frozenset(
    WORD.findall(
        "a an and are at be but by can do for from has have i in is it me my no not of on or so that the then there "
        "this to up was we what when where with would you your"
    )
)
ENDINGS = ("ations", "ation", "ments", "ment", "ings", "ing", "ied", "ies", "ed", "es", "s", "d", "e")


@dataclass(frozen=True)
class Passage:
    """A piece of text and the intent that it speaks of. similarity: to the question, from 0 to 1."""

    intent: str
    text: str
    similarity: float


def words_of(text: str, *, stemming: bool) -> list[str]:
    """The words that tell something."""
    words = [word for word in WORD.findall(text.lower()) if word not in COMMON]
    return [_stem(word) for word in words] if stemming else words


def search(question: str, top_k: int, *, stemming: bool, solved: Iterable[tuple[str, str]] = ()) -> list[Passage]:
    """The `top_k` most similar passages of the articles and of the solved tickets `(text, intent)`, best first."""
    passages = [(intent, text) for intent, texts in ARTICLES.items() for text in texts]
    passages += [(intent, text) for text, intent in solved]
    counted = [Counter(words_of(text, stemming=stemming)) for _, text in passages]
    seen = Counter(word for words in counted for word in words)
    weights = {word: math.log(1 + len(passages) / count) for word, count in seen.items()}
    asked = _vector(Counter(words_of(question, stemming=stemming)), weights)
    found = [
        Passage(intent, text, _similarity(asked, _vector(words, weights)))
        for (intent, text), words in zip(passages, counted, strict=True)
    ]
    return sorted(found, key=lambda passage: (-passage.similarity, passage.intent, passage.text))[:top_k]


def _vector(words: Counter[str], weights: Mapping[str, float]) -> dict[str, float]:
    return {word: math.sqrt(count) * weights[word] for word, count in words.items() if word in weights}


def _similarity(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    shared = sum(weight * other[word] for word, weight in one.items() if word in other)
    lengths = math.sqrt(sum(w * w for w in one.values())) * math.sqrt(sum(w * w for w in other.values()))
    return shared / lengths if lengths else 0.0


def _stem(word: str) -> str:
    ending = next((each for each in ENDINGS if word.endswith(each) and len(word) - len(each) >= 3), "")
    return word.removesuffix(ending) if ending else word

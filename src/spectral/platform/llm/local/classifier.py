"""A classifier fitted to one prompt: TF-IDF overlap of an input with the prompt's label lines and examples."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spectral.platform.llm.local.features import is_part
from spectral.platform.llm.local.reading import PromptParts

Analyser = Callable[[str], tuple[str, ...]]
Floats = NDArray[np.float64]

_ROUNDED_TO = 9
"""Scores are compared at this many decimals, so that no sum's last bit ever decides an answer."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """What makes one variant of the runtime stronger than another.

    analyse: text → features, repetitions included. parts: weight of a part of a word, where a whole word has 1.
    nearest: weight of the most similar example of an answer.
    support: weight of the mean similarity of an answer's `neighbours` most similar examples.
    counter: weight of the overlap with an answer's counter-words, subtracted.
    """

    analyse: Analyser
    parts: float
    nearest: float
    support: float
    neighbours: int
    counter: float


class PromptClassifier:
    """Answers with the label or example output of one prompt that an input overlaps most.

    The score of an answer is the cosine between the TF-IDF vectors of the input and of its label line, plus its
    examples' weighted cosines, minus its counter-words'. Inverse document frequencies come from the prompt's own label
    lines and examples (`log((1 + n) / (1 + df)) + 1`), term frequencies are sublinear (`1 + log tf`). Features that
    the prompt does not contain are unknown and count for nothing. Where nothing separates the answers, the one that
    stands first in the prompt is given.
    """

    def __init__(self, parts: PromptParts, weighing: Weighing) -> None:
        """Fit to the parts of a prompt; costs milliseconds."""
        self._weighing = weighing
        self.answers, example_answer = _answers_of(parts)
        label_documents = [weighing.analyse(f"{one.label} {one.words}") for one in parts.labels]
        counter_documents = [weighing.analyse(one.counter_words) for one in parts.labels]
        example_documents = [weighing.analyse(one.input) for one in parts.examples]
        known = [*label_documents, *example_documents]
        frequency = Counter(feature for document in known for feature in set(document))
        for document in counter_documents:
            frequency.update({feature: 1 for feature in set(document) if feature not in frequency})
        self._column = {feature: at for at, feature in enumerate(sorted(frequency))}
        self._idf = [
            (log((1 + len(known)) / (1 + frequency[one])) + 1) * (weighing.parts if is_part(one) else 1.0)
            for one in self._column
        ]
        self._label_count = len(label_documents)
        documents = [*label_documents, *counter_documents, *example_documents]
        self._documents = csr_array(self._matrix(documents).T)
        self._examples_of = [
            [at for at, answer in enumerate(example_answer) if answer == place] for place in range(len(self.answers))
        ]
        self._salts = np.array([_digest(answer) for answer in self.answers], dtype=np.uint64)

    def answer_many(self, inputs: Sequence[str], temperatures: Sequence[float], seeds: Sequence[int]) -> list[str]:
        """One answer for each input; the same for one input whatever the others of the batch are.

        temperatures: ≥ 0; Gumbel noise of that scale (× 0.1) is added to the scores, drawn from (seed, input, answer).
        Needs at least one answer in the prompt.
        """
        scores = self._scores(inputs)
        warm = np.array(temperatures, dtype=float)
        if np.any(warm > 0):
            scores += 0.1 * warm[:, None] * self._noise(inputs, seeds)
        best = np.argmax(np.round(scores, _ROUNDED_TO), axis=1)
        return [self.answers[at] for at in best]

    def _scores(self, inputs: Sequence[str]) -> Floats:
        similar = self._similarities(inputs)
        scores = np.zeros((len(inputs), len(self.answers)))
        count = self._label_count
        scores[:, :count] = similar[:, :count] - self._weighing.counter * similar[:, count : 2 * count]
        for place, examples in enumerate(self._examples_of):
            if not examples:
                continue
            of_answer = similar[:, [2 * count + at for at in examples]]
            of_answer = -np.sort(-of_answer, axis=1)
            scores[:, place] += self._weighing.nearest * of_answer[:, 0]
            scores[:, place] += self._weighing.support * of_answer[:, : self._weighing.neighbours].mean(axis=1)
        return scores

    def _similarities(self, inputs: Sequence[str]) -> Floats:
        # Sparse rows are multiplied one by one, each summed in the order of its columns, so an answer does not depend
        # on what else is in the batch; BLAS may round differently for another shape.
        similar: Floats = (self._matrix([self._weighing.analyse(text) for text in inputs]) @ self._documents).toarray()
        return similar

    def _matrix(self, documents: Sequence[Sequence[str]]) -> csr_array:
        columns: list[int] = []
        weights: list[float] = []
        ends = [0]
        for document in documents:
            counts = Counter(at for one in document if (at := self._column.get(one)) is not None)
            of_document = sorted(counts)
            raw = [(1 + log(counts[at])) * self._idf[at] for at in of_document]
            norm = sqrt(sum(weight * weight for weight in raw)) or 1.0
            columns.extend(of_document)
            weights.extend(weight / norm for weight in raw)
            ends.append(len(columns))
        return csr_array((weights, columns, ends), shape=(len(documents), len(self._column)), dtype=float)

    def _noise(self, inputs: Sequence[str], seeds: Sequence[int]) -> Floats:
        keys = np.array([_digest(f"{seed}\0{text}") for seed, text in zip(seeds, inputs, strict=True)], dtype=np.uint64)
        mixed = _mix(keys[:, None] ^ self._salts[None, :])
        uniform = ((mixed >> np.uint64(11)).astype(float) + 0.5) / float(1 << 53)
        noise: Floats = -np.log(-np.log(uniform))
        return noise


def _answers_of(parts: PromptParts) -> tuple[list[str], list[int]]:
    """Every answer of a prompt, labels first, and the answer's place for each example."""
    answers = [one.label for one in parts.labels]
    place_of = {answer.casefold(): place for place, answer in enumerate(answers)}
    places: list[int] = []
    for example in parts.examples:
        place = place_of.setdefault(example.output.casefold(), len(answers))
        if place == len(answers):
            answers.append(example.output)
        places.append(place)
    return answers, places


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _mix(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea & Flood, 2014)."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))

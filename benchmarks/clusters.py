"""Failures with planted causes: are the causes found, and does each keep its name from scan to scan?"""

import itertools
import random
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from benchmarks.figures import Figure
from spectral.domains.changesets.identity import (
    SAME_FROM,
    Found,
    Known,
    Recognition,
    Rules,
    blended,
    cosine,
    recognise,
)
from spectral.domains.scans.clustering import Clustering, Failure, cluster_failures

SPACE = UUID("9a5f1f0c-3f0e-4f5e-8a53-4c1f1c6d5b10")
LABELS = ("billing", "refund", "login", "account", "bug", "feature", "invoice", "security", "shipping", "upgrade")
DIMENSIONS = ("correct", "complete", "tone", "sources")
COMMON = (
    *("answer", "question", "customer", "should", "mention", "states", "wrong", "missing", "instead", "although"),
    *("asked", "given", "says", "never", "also", "order", "product", "support", "please", "today", "information"),
    *("reply", "detail", "part", "whole", "case"),
)
KINDS = {
    "price": "price cost fee amount charged euro",
    "deadline": "deadline days window late return period",
    "person": "colleague handover human agent transfer phone",
    "address": "address street postcode city parcel delivery",
    "language": "language german english translated reply switched",
    "refusal": "refused cannot sorry policy allowed forbidden",
    "invention": "invented source link citation nonexistent article",
    "format": "json brace field schema bracket parse",
    "repetition": "repeated twice again paragraph loop same",
    "date": "date month year monday calendar misread",
    "unit": "kilogram litre unit converted metric inch",
    "privacy": "name email birth private leaked personal",
}
SYNONYMS = 8
BORROWED = 0.25
"""So many failures of a kind use a word of the next kind as well."""

SEEDS = (11, 12, 13, 14, 15)
"""Not those that the constants of the clustering were chosen with."""

SCANS = 5
DRIFT = 0.15
MEBIBYTE_KIB = 1024


@dataclass(frozen=True, slots=True)
class Planted:
    """A world of failures. kind: of each item, None for noise that belongs to no kind."""

    failures: list[Failure]
    kind: dict[UUID, str | None]


@dataclass(frozen=True, slots=True)
class World:
    """What the agent gets wrong: `sizes` failures of each kind, and `noise` that has nothing in common.

    answers: long answers with an explanation, otherwise class labels that are confused.  drift: the share of a kind's
    own words that every later scan replaces.
    """

    seed: int
    answers: bool
    sizes: tuple[int, ...]
    noise: int
    drift: float = 0.0

    def scan(self, number: int) -> Planted:
        """The failures of one scan; the same seed and number give the same ones, other numbers other items."""
        rng = random.Random(f"{self.seed}/{number}")  # noqa: S311 - planted data
        failures: list[Failure] = []
        kinds: dict[UUID, str | None] = {}
        for place, (name, size) in enumerate(zip(KINDS, self.sizes, strict=False)):
            words = self._words(name, number)
            for index in range(size):
                failure = self._of_kind(rng, place, words, f"{self.seed}/{number}/{name}/{index}")
                failures.append(failure)
                kinds[failure.item_id] = name
        for index in range(self.noise):
            failure = self._noise(rng, f"{self.seed}/{number}/noise/{index}")
            failures.append(failure)
            kinds[failure.item_id] = None
        rng.shuffle(failures)
        return Planted(failures, kinds)

    def _words(self, name: str, number: int) -> list[str]:
        """The kind's words as this scan's failures have them: with every scan some have given way to synonyms."""
        words = KINDS[name].split()
        rng = random.Random(f"{self.seed}/{name}")  # noqa: S311 - planted data
        for step in range(number):
            for place in range(len(words)):
                if rng.random() < self.drift:
                    words[place] = f"{KINDS[name].split()[place]}{chr(97 + (step + 1) % SYNONYMS)}"
        return words

    def _of_kind(self, rng: random.Random, place: int, words: Sequence[str], key: str) -> Failure:
        item_id = uuid5(SPACE, key)
        if not self.answers:
            expected, got = LABELS[place % 10], LABELS[(3 * place + 1) % 10]
            if expected == got:
                got = LABELS[(3 * place + 2) % 10]
            if rng.random() < 0.15:  # a kind is rarely one pair alone
                got = rng.choice([label for label in LABELS if label != expected])
            hint = " ".join(rng.sample(words, 2) + rng.sample(COMMON, 2))
            return Failure(item_id, expected, got, "label", f"expected {expected!r}, got {got!r}: {hint}")
        own = rng.sample(words, rng.randint(2, 4))
        if rng.random() < BORROWED:
            own.append(rng.choice(KINDS[list(KINDS)[(place + 1) % len(KINDS)]].split()))
        explanation = own + rng.sample(COMMON, rng.randint(3, 6))
        rng.shuffle(explanation)
        answer = rng.sample(COMMON, 8) + rng.sample(words, rng.randint(0, 2))
        rng.shuffle(answer)
        dimension = DIMENSIONS[place % 4] if rng.random() < 0.9 else rng.choice(DIMENSIONS)
        expected = "what a good answer would be: " + " ".join(rng.sample(COMMON, 8))
        return Failure(
            item_id, expected, "the agent's whole answer: " + " ".join(answer), dimension, " ".join(explanation)
        )

    def _noise(self, rng: random.Random, key: str) -> Failure:
        item_id = uuid5(SPACE, key)
        odd = ["".join(rng.choices("bdfgklmnprstvz", k=4)) + rng.choice(("ing", "ed", "ness", "ion")) for _ in range(4)]
        explanation = " ".join(odd + rng.sample(COMMON, 4))
        if not self.answers:
            expected, got = rng.sample(LABELS, 2)
            return Failure(item_id, expected, got, "label", f"expected {expected!r}, got {got!r}: {explanation}")
        answer = "the agent's whole answer: " + " ".join(rng.sample(COMMON, 8))
        expected = "what a good answer would be: " + " ".join(rng.sample(COMMON, 8))
        return Failure(item_id, expected, answer, rng.choice(DIMENSIONS), explanation)


def agreement(planted: Planted, clustering: Clustering) -> float:
    """The adjusted Rand index over the failures that belong to a planted kind; an unclustered one is a group alone."""
    from sklearn.metrics import adjusted_rand_score  # noqa: PLC0415 - takes a second to import

    found = {item: place for place, one in enumerate(clustering.clusters) for item in one.member_item_ids}
    items = [item for item, kind in planted.kind.items() if kind is not None]
    alone = iter(range(len(clustering.clusters), len(clustering.clusters) + len(items)))
    labels = [found[item] if item in found else next(alone) for item in items]
    return float(adjusted_rand_score([planted.kind[item] for item in items], labels))


def kinds_found(planted: Planted, clustering: Clustering) -> dict[str, int]:
    """Each planted kind that is most of a cluster which holds most of it, with that cluster's place."""
    found: dict[str, int] = {}
    for place, cluster in enumerate(clustering.clusters):
        members = [planted.kind[item] for item in cluster.member_item_ids]
        for name in {each for each in members if each is not None}:
            size = sum(kind == name for kind in planted.kind.values())
            if 2 * members.count(name) > len(members) and 2 * members.count(name) > size:
                found[name] = place
    return found


class Memory:
    """An agent's clusters from scan to scan, as change sets remember them, without a database."""

    def __init__(self) -> None:
        self.known: dict[UUID, Known] = {}

    def see(self, clustering: Clustering) -> tuple[Recognition, list[UUID]]:
        """What the scan's clusters are; the ids in the order of the recognised clusters."""
        found = [Found(one.centroid_terms, one.member_item_ids) for one in clustering.clusters]
        recognition = recognise(
            list(self.known.values()),
            found,
            Rules({}, {}),
            unclustered=clustering.unclustered_item_ids,
            terms=clustering.terms,
        )
        for one, match in zip(found, recognition.matches, strict=True):
            if match is not None:
                self.known[match] = replace(
                    self.known[match], centroid=blended(self.known[match].centroid, one.centroid)
                )
        ids = []
        for seen in recognition.clusters:
            identity = seen.cluster_id
            if identity is None:
                identity = uuid5(SPACE, f"cluster/{len(self.known)}")
                self.known[identity] = Known(identity, found[seen.found[0]].centroid, identity, identity)
            ids.append(identity)
        return recognition, ids


@dataclass(frozen=True, slots=True)
class Kept:
    """How kinds kept their ids over scans. again: sightings after a kind's first; kept: those under the same id.

    alike, unlike: cosine similarities of centroids between consecutive scans, of the same kind and of different ones.
    """

    again: int
    kept: int
    alike: list[float]
    unlike: list[float]


def over_scans(world: World, scans: int = SCANS) -> Kept:
    """The same world scanned again and again, every time with other items and words that drift."""
    memory, names = Memory(), dict[str, UUID]()
    again = kept = 0
    alike: list[float] = []
    unlike: list[float] = []
    before: dict[str, dict[str, float]] = {}
    for number in range(scans):
        planted = world.scan(number)
        clustering = cluster_failures(planted.failures, seed=world.seed)
        recognition, ids = memory.see(clustering)
        sizes = [len(seen.members) for seen in recognition.clusters]
        for name in KINDS:
            counts = [sum(planted.kind[item] == name for item in seen.members) for seen in recognition.clusters]
            place = max(range(len(counts)), key=counts.__getitem__, default=None)
            if place is None or 2 * counts[place] <= sizes[place] or not counts[place]:
                continue
            again += name in names
            kept += names.get(name) == ids[place]
            names[name] = ids[place]
        centroids = {
            name: clustering.clusters[place].centroid_terms for name, place in kinds_found(planted, clustering).items()
        }
        for (one, centroid), (other, earlier) in itertools.product(centroids.items(), before.items()):
            (alike if one == other else unlike).append(cosine(centroid, earlier))
        before = centroids
    return Kept(again, kept, alike, unlike)


ROUND = (200, 120, 80, 60, 40, 30, 25, 20, 15, 10, 8, 5)
WORLDS: dict[str, Callable[[int], World]] = {
    "12 kinds in long answers": lambda seed: World(seed, True, ROUND, 120, DRIFT),
    "10 confusions of labels": lambda seed: World(seed, False, ROUND[:10], 120, DRIFT),
    "8 kinds, few failures": lambda seed: World(seed, True, (40, 30, 20, 15, 12, 10, 8, 6), 40, DRIFT),
    "8 confusions, few failures": lambda seed: World(seed, False, (40, 30, 20, 15, 12, 10, 8, 6), 40, DRIFT),
}
LARGE = World(SEEDS[0], True, (1000, 750, 500, 400, 300, 200, 150, 100, 50, 25), 525)


def measure_clusters() -> list[Figure]:
    """Every planted world at every seed, then 4,000 failures at once."""
    figures: list[Figure] = []
    for name, make in WORLDS.items():
        figures += _of_world(name, make)
    planted = LARGE.scan(0)
    started = time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clustering = cluster_failures(planted.failures, seed=LARGE.seed)
    took = time.process_time() - started
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / MEBIBYTE_KIB
    detail = f"adjusted Rand index {agreement(planted, clustering):.3f}, {grown:,.0f} MiB more memory at the most"
    figures.append(Figure(f"{len(planted.failures):,} failures clustered, stability included", took, "CPU s", detail))
    return figures


def _of_world(name: str, make: Callable[[int], World]) -> list[Figure]:
    indices: list[float] = []
    left: list[float] = []
    noise: list[float] = []
    found: list[float] = []
    times: list[float] = []
    stable: list[float] = []
    kept: list[Kept] = []
    for seed in SEEDS:
        planted = make(seed).scan(0)
        started = time.process_time()
        clustering = cluster_failures(planted.failures, seed=seed)
        times.append(time.process_time() - started)
        out = set(clustering.unclustered_item_ids)
        of_kinds = [item for item, kind in planted.kind.items() if kind is not None]
        others = [item for item, kind in planted.kind.items() if kind is None]
        indices.append(agreement(planted, clustering))
        left.append(sum(item in out for item in of_kinds) / len(of_kinds))
        noise.append(sum(item in out for item in others) / len(others))
        found.append(len(kinds_found(planted, clustering)))
        stable.append(_same(clustering, cluster_failures(planted.failures, seed=seed + 1)))
        kept.append(over_scans(make(seed)))
    again, same = sum(one.again for one in kept), sum(one.kept for one in kept)
    alike = sorted(value for one in kept for value in one.alike)
    unlike = sorted(value for one in kept for value in one.unlike)
    kinds = len(make(0).sizes)
    size = len(make(SEEDS[0]).scan(0).failures)
    return [
        Figure(
            f"{name}: adjusted Rand index × 100",
            100 * statistics.mean(indices),
            "",
            f"worst {100 * min(indices):.1f} of {len(SEEDS)} seeds; {size} failures; {statistics.mean(found):.1f} of "
            f"{kinds} kinds found; unclustered {100 * statistics.mean(left):.0f} % of the kinds, "
            f"{100 * statistics.mean(noise):.0f} % of the noise; {statistics.mean(times):.2f} CPU s",
        ),
        Figure(
            f"{name}: same id over {SCANS} scans",
            100 * same / max(1, again),
            "%",
            f"{same} of {again} sightings; {100 * DRIFT:.0f} % of the words new each scan; centroids of the same kind "
            f"≥ {alike[len(alike) // 20]:.2f} in 95 %, of others ≤ {unlike[-1 - len(unlike) // 100]:.2f} in 99 % "
            f"(same from {SAME_FROM}); another seed, same failures: {statistics.mean(stable):.3f}",
        ),
    ]


def _same(one: Clustering, other: Clustering) -> float:
    """The adjusted Rand index between two clusterings of the same failures; an unclustered one is a group alone."""
    from sklearn.metrics import adjusted_rand_score  # noqa: PLC0415 - takes a second to import

    def labels(clustering: Clustering) -> dict[UUID, int]:
        alone = {item: -1 - place for place, item in enumerate(clustering.unclustered_item_ids)}
        return alone | {item: n for n, cluster in enumerate(clustering.clusters) for item in cluster.member_item_ids}

    first, second = labels(one), labels(other)
    return float(adjusted_rand_score([first[item] for item in first], [second[item] for item in first]))

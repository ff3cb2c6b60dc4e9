"""Which scorers exist: the built-in ones and those that installed packages bring, found the same way.

A package adds one with an entry point, `[project.entry-points."spectral.scorers"]` `my_scorer = "my_package:MyScorer"`,
where `MyScorer` is a subclass of `scorers.base.Scorer`.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from spectral.domains.evaluations.scorers.base import Scorer

GROUP = "spectral.scorers"

_HERE = "spectral.domains.evaluations.scorers"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

BUILT_IN: tuple[EntryPoint, ...] = tuple(
    EntryPoint(name, f"{_HERE}.{value}", GROUP)
    for name, value in (
        ("exact_match", "text:ExactMatch"),
        ("contains", "text:Contains"),
        ("regex", "text:Regex"),
        ("label", "text:LabelMatch"),
        ("levenshtein", "text:Levenshtein"),
        ("token_f1", "text:TokenF1"),
        ("json_schema", "structured:JsonSchemaMatch"),
        ("numeric_tolerance", "structured:NumericTolerance"),
        ("latency", "usage:Latency"),
        ("cost", "usage:Cost"),
        ("tool_called", "usage:ToolCalled"),
        ("embedding", "embedding:EmbeddingSimilarity"),
        ("judge", "judge:Judge"),
    )
)


class ScorerRegistrationError(Exception):
    """An installed package names a scorer that cannot be used; the message names the entry point."""


def load_scorers(found: Iterable[EntryPoint]) -> Mapping[str, type[Scorer]]:
    """Name → scorer class.

    Raises ScorerRegistrationError for a bad name, one that is taken, and what is not a Scorer with a version.
    """
    chosen: dict[str, EntryPoint] = {}
    for point in found:
        if _NAME.fullmatch(point.name) is None:
            message = f"scorer {point.name!r} ({point.value}): a name is lower case letters, digits and _"
            raise ScorerRegistrationError(message)
        earlier = chosen.setdefault(point.name, point)
        if earlier.value != point.value:
            # A package must not be able to change what stored rubrics mean by taking over a name.
            message = f"scorer {point.name!r} is registered twice: {earlier.value} and {point.value}"
            raise ScorerRegistrationError(message)
    return {name: _load(point) for name, point in sorted(chosen.items())}


@cache
def installed_scorers() -> Mapping[str, type[Scorer]]:
    """The scorers of this process: read once, since a package installed later needs a restart anyway."""
    return load_scorers((*BUILT_IN, *entry_points(group=GROUP)))


def _load(point: EntryPoint) -> type[Scorer]:
    try:
        scorer = point.load()
    except Exception as error:
        message = f"scorer {point.name!r} ({point.value}) cannot be loaded: {error}"
        raise ScorerRegistrationError(message) from error
    if not (isinstance(scorer, type) and issubclass(scorer, Scorer)) or not isinstance(
        getattr(scorer, "version", None), str
    ):
        message = f"scorer {point.name!r} ({point.value}) is not a Scorer with a version"
        raise ScorerRegistrationError(message)
    return scorer

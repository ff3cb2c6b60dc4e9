"""Which strategies exist: the built-in ones and those that installed packages bring, found the same way.

A package adds one with an entry point: `[project.entry-points."spectral.strategies"]`,
`my_search = "my_package:MyStrategy"`, where `MyStrategy()` has the name `my_search` and a `run` as in `base.Strategy`.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from spectral.domains.scans.strategies.base import Strategy

GROUP = "spectral.strategies"

_HERE = "spectral.domains.scans.strategies"

BUILT_IN: tuple[EntryPoint, ...] = (
    EntryPoint("few_shot", f"{_HERE}.few_shot:FewShotStrategy", GROUP),
    EntryPoint("knobs", f"{_HERE}.knobs:KnobsStrategy", GROUP),
    EntryPoint("reflective", f"{_HERE}.reflective:ReflectiveStrategy", GROUP),
    EntryPoint("template", f"{_HERE}.template:TemplateStrategy", GROUP),
)


class StrategyRegistrationError(Exception):
    """An installed package names a strategy that cannot be used; the message names the entry point."""


def load_strategies(found: Iterable[EntryPoint]) -> Mapping[str, Strategy]:
    """Name → strategy. Raises StrategyRegistrationError: a name taken twice, or what is no strategy of that name."""
    chosen: dict[str, EntryPoint] = {}
    for point in found:
        earlier = chosen.setdefault(point.name, point)
        if earlier.value != point.value:
            # A package must not be able to change what a scan means by taking over a name.
            message = f"strategy {point.name!r} is registered twice: {earlier.value} and {point.value}"
            raise StrategyRegistrationError(message)
    return {name: _load(point) for name, point in sorted(chosen.items())}


@cache
def installed_strategies() -> Mapping[str, Strategy]:
    """The strategies of this process: read once, since a package installed later needs a restart anyway."""
    return load_strategies((*BUILT_IN, *entry_points(group=GROUP)))


def _load(point: EntryPoint) -> Strategy:
    try:
        strategy: Strategy = point.load()()
    except Exception as error:
        message = f"strategy {point.name!r} ({point.value}) cannot be loaded: {error}"
        raise StrategyRegistrationError(message) from error
    if getattr(strategy, "name", None) != point.name or not callable(getattr(strategy, "run", None)):
        message = f"strategy {point.name!r} ({point.value}) is not a Strategy of that name"
        raise StrategyRegistrationError(message)
    return strategy

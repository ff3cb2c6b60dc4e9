"""What a model call cost by the table of the `genai-prices` package: offline, exact, in integer nano-USD.

The package reckons one call in about 120 µs. Here the prices of a model are looked up once, turned into integers and
remembered; the sum is the package's to the last digit, rounded half-even to a nano-dollar. Nothing is fetched: the
package asks the network only when its `UpdatePrices` is started, which nothing here does.
"""

from datetime import UTC, datetime, time
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import NamedTuple

from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.data_units import unit_data
from genai_prices.types import (
    ConditionalPrice,
    ModelPrice,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

USAGE_KEYS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
)
"""The package's names for the counts that we know, in the order in which `Counts` holds them."""

Counts = tuple[int | None, int | None, int | None, int | None, int | None, int | None, int | None]
"""In the order of `USAGE_KEYS`. Cached and audio tokens are parts of input, reasoning and audio tokens of output."""

REMEMBERED_MODELS = 4096
"""Names of models come from outside: more than these are looked up again."""

PROVIDERS = {
    "aws.bedrock": "aws",
    "azure": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "x_ai": "x-ai",
    "together_ai": "together",
    "togetherai": "together",
    "fireworks_ai": "fireworks",
}
"""Our providers (of `domains/traces/conventions`) → the package's, where it would not find them or find another one."""

GATEWAYS = frozenset({"gateway", "litellm", "portkey", "vercel"})
"""Not who answers: the name of the model says it, often as `provider/model`."""

_NOT_TEXT = (
    "audio",
    "computer-use",
    "dall-e",
    "ft-",
    "image",
    "realtime",
    "search",
    "sora",
    "transcribe",
    "tts",
    "vision",
    "whisper",
)
_NO_TIER = 1 << 62
_DAY_NS = 86_400 * 10**9
_NANO_PER_USD = 10**9


class _Unit(NamedTuple):
    """The price of one unit of a model, and how its own share of the usage is found.

    `place`: in `Counts`, None for a unit that we never know. `below`: units earlier in the list that are parts of it.
    `parts`: places that must not be known when `place` is not; `crossing`: pairs that leave it undecided.
    `prices`: (tokens above which it holds, scaled price) from the highest tier down; the last holds from 0.
    """

    place: int | None
    below: tuple[int, ...]
    parts: tuple[int, ...]
    crossing: tuple[tuple[int, int], ...]
    prices: tuple[tuple[int, int], ...]


class _Plan(NamedTuple):
    """The units of one set of prices, the most specific first. Prices are nano-USD · `scale`; `fixed` is per call.

    `lowest_tier`: input tokens above which a price may be another one.
    """

    units: tuple[_Unit, ...]
    fixed: int
    scale: int
    lowest_tier: int


class _Period(NamedTuple):
    """When prices hold: from a moment on, and between two times of every day, both in nanoseconds."""

    start: int
    daily: tuple[int, int] | None
    plan: _Plan

    def holds(self, moment: int) -> bool:
        if moment < self.start:
            return False
        if self.daily is None:
            return True
        first, end = self.daily
        now = moment % _DAY_NS
        return now >= first or now < end if end < first else first <= now < end


Periods = tuple[_Period, ...]
"""The one that is tried first comes first; the last holds when no other does."""


def price(provider: str | None, model: str, counts: Counts, started_at_ns: int) -> int | None:
    """The cost in nano-USD of one call; None where model or provider is unknown or the counts contradict each other.

    provider: as in a span's row, None when nobody said. started_at_ns: nanoseconds since 1970, UTC.
    """
    if counts[0] is None and counts[1] is None:
        return None
    periods = _periods(provider, model)
    if not periods:
        return None
    if len(periods) == 1:
        return _reckon(periods[0].plan, counts)
    for period in periods:
        if period.holds(started_at_ns):
            return _reckon(period.plan, counts)
    return _reckon(periods[-1].plan, counts)


@lru_cache(maxsize=64)
def tabled_models(provider: str) -> tuple[str, ...]:
    """The models of a provider that the table has under names of their own, by name; not those for sound and images."""
    found = (one for one in get_snapshot().providers if one.id == provider)
    names = {model.id for one in found for model in one.models if not model.deprecated}
    return tuple(sorted(name for name in names if ":" not in name and not any(word in name for word in _NOT_TEXT)))


def _reckon(plan: _Plan, counts: Counts) -> int | None:
    units, cost, scale, lowest_tier = plan
    threshold = counts[0] or 0
    is_tiered = threshold > lowest_tier
    if lowest_tier < _NO_TIER and counts[0] is None and any(counts[part] for part in _INPUT_PARTS):
        return None
    shares: list[int] = []
    for unit in units:
        place, below, parts, crossing, prices = unit
        share = None if place is None else counts[place]
        if share is None:
            if (parts or crossing) and _is_undecided(unit, counts):
                return None
            share = 0
        for index in below:
            share -= shares[index]
        if share < 0:
            return None
        shares.append(share)
        if share:
            cost += share * (_tier(prices, threshold) if is_tiered else prices[-1][1])
    whole, rest = divmod(cost, scale)
    double = 2 * rest
    return whole + 1 if double > scale or (double == scale and whole & 1) else whole


def _tier(prices: tuple[tuple[int, int], ...], threshold: int) -> int:
    return next(scaled for start, scaled in prices if threshold > start)


def _is_undecided(unit: _Unit, counts: Counts) -> bool:
    """Whether the count of a unit cannot be left out, given what is known of others."""
    return any(counts[part] for part in unit.parts) or any(
        counts[one] and counts[other] for one, other in unit.crossing
    )


@lru_cache(maxsize=REMEMBERED_MODELS)
def _periods(provider: str | None, model: str) -> Periods:
    """The prices of a model; empty where it is unknown."""
    known = None if provider is None or provider in GATEWAYS else PROVIDERS.get(provider, provider)
    if provider in GATEWAYS and "/" in model:
        known = "litellm"  # The package's word for "look into the model's name".
    snapshot = DataSnapshot(get_snapshot().providers, from_auto_update=False)  # Its own caches have no bound.
    try:
        _, found = snapshot.find_provider_model(model, None, known, None)
    except LookupError:
        return ()
    prices = found.prices
    if isinstance(prices, ModelPrice):
        return (_Period(0, None, _plan(prices)),)
    if not prices:
        return ()
    # The last that holds counts; when none does, the first.
    return (*(_period(condition) for condition in reversed(prices)), _Period(0, None, _plan(prices[0].prices)))


def _period(condition: ConditionalPrice) -> _Period:
    constraint, plan = condition.constraint, _plan(condition.prices)
    if isinstance(constraint, StartDateConstraint):
        midnight = datetime.combine(constraint.start_date, time(), UTC)
        return _Period(int(midnight.timestamp()) * 10**9, None, plan)
    if isinstance(constraint, TimeOfDateConstraint):
        return _Period(0, (_time_of_day(constraint.start_time), _time_of_day(constraint.end_time)), plan)
    return _Period(0, None, plan)


def _time_of_day(value: time) -> int:
    """Nanoseconds since midnight, UTC; a time without a zone is in UTC."""
    if value.tzinfo is not None:
        value = datetime.combine(datetime(1970, 1, 1, tzinfo=UTC).date(), value).astimezone(UTC).time()
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 10**9 + value.microsecond * 1000


_DIMENSIONS: dict[str, frozenset[tuple[str, str]]] = {
    key: frozenset(unit["dimensions"].items()) for key, unit in unit_data.items()
}
_KEY_BY_PRICE: dict[str, str] = {unit["price_key"]: key for key, unit in unit_data.items()}
_PLACES = {key: place for place, key in enumerate(USAGE_KEYS)}


def _parts_of(key: str) -> tuple[int, ...]:
    """The places of those counts that are parts of the unit."""
    return tuple(place for known, place in _PLACES.items() if known != key and _DIMENSIONS[key] <= _DIMENSIONS[known])


_INPUT_PARTS = _parts_of("input_tokens")


def _crossing(key: str) -> tuple[tuple[int, int], ...]:
    """Pairs of counts whose overlap is exactly the unit: knowing both, one must know it too."""
    return tuple(
        (_PLACES[one], _PLACES[other])
        for index, one in enumerate(USAGE_KEYS)
        for other in USAGE_KEYS[index + 1 :]
        if not _DIMENSIONS[one] <= _DIMENSIONS[other]
        and not _DIMENSIONS[other] <= _DIMENSIONS[one]
        and len(dict(union := _DIMENSIONS[one] | _DIMENSIONS[other])) == len(union)
        and union == _DIMENSIONS[key]
    )


def _plan(prices: ModelPrice) -> _Plan:
    priced = {
        _KEY_BY_PRICE[price_key]: value
        for price_key, value in vars(prices).items()
        if value is not None and price_key in _KEY_BY_PRICE
    }
    # The smallest number that makes every price an integer.
    scale = lcm(*(_nano(amount, key).denominator for key, value in priced.items() for _, amount in _amounts(value)))
    # The most specific first, so that a unit can take off what its parts have taken. What is never counted here and
    # has nothing to do with what is (searches, pages, seconds) costs nothing.
    keys = sorted(
        (key for key in priced if key in _PLACES or _parts_of(key) or _crossing(key)),
        key=lambda key: (-len(_DIMENSIONS[key]), key),
    )
    units = tuple(
        _Unit(
            _PLACES.get(key),
            tuple(index for index, part in enumerate(keys) if part != key and _DIMENSIONS[key] <= _DIMENSIONS[part]),
            _parts_of(key),
            _crossing(key),
            _scaled(priced[key], key, scale),
        )
        for key in keys
    )
    requests = priced.get("requests")
    fixed = 0 if requests is None else _scaled(requests, "requests", scale)[-1][1]
    tiers = [tier.start for value in priced.values() if isinstance(value, TieredPrices) for tier in value.tiers]
    return _Plan(units, fixed, scale, min(tiers, default=_NO_TIER))


def _amounts(value: Decimal | TieredPrices) -> list[tuple[int, Decimal]]:
    """(tokens above which it holds, price) from the highest tier down."""
    if isinstance(value, TieredPrices):
        return [*((tier.start, tier.price) for tier in reversed(value.tiers)), (-1, value.base)]
    return [(-1, value)]


def _nano(amount: Decimal, key: str) -> Fraction:
    """Nano-USD of one unit."""
    return Fraction(amount) * _NANO_PER_USD / int(unit_data[key]["per"])


def _scaled(value: Decimal | TieredPrices, key: str, scale: int) -> tuple[tuple[int, int], ...]:
    return tuple((start, int(_nano(amount, key) * scale)) for start, amount in _amounts(value))

"""What calls of models cost: by the operations staff's prices, else by the price table, else nobody knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from spectral.platform.llm.catalogue import ModelCatalogue, ModelSettings
from spectral.platform.llm.pricing import Counts, price
from spectral.platform.shared.clock import utc_now

MILLION: Final = 1_000_000
SAMPLE: Final = 1000
MOST_OUTPUT_TOKENS: Final = 4096
"""What a call may answer at most where its parameters say nothing: without a limit there is no price ceiling."""
LIMITS: Final = ("max_completion_tokens", "max_tokens")
"""The parameters that limit an answer; the first one that is given counts."""
TABLED: Final = frozenset({"openai", "anthropic"})
"""The providers that we call by these names, and whose prices the table has. Others' names are their owners' own."""
_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """What a call took. cache_read and cache_write are parts of the input, reasoning of the output."""

    input: int
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class ListPrice:
    """Nano-USD for a million tokens, of a call that is not a long one and reads nothing from a cache."""

    input: int
    output: int


class Prices:
    """The prices of models that are called over the network; those of this process cost nothing."""

    def __init__(self, catalogue: ModelCatalogue) -> None:
        self._catalogue = catalogue

    def cost(self, model: str, counts: TokenCounts) -> int | None:
        """Nano-USD of one call, rounded half-even; None where the price is not known.

        model: `provider/model`.  Where the staff set prices, tokens from or into a cache cost what others cost.
        """
        settings = self._catalogue.settings(model)
        if settings.input_price is not None and settings.output_price is not None:
            return _by_override(settings, counts)
        provider, _, name = model.partition("/")
        if provider not in TABLED:
            return None
        return price(provider, name, _tabled(counts), int(utc_now().timestamp() * _NANOSECONDS))

    def ceiling(self, model: str, prompt_characters: int, max_output_tokens: int | None) -> int | None:
        """Nano-USD that one call can cost at most, None where the price is not known.

        prompt_characters: bytes of UTF-8, of which a token takes one at least (`calls.prompt_size`).
        max_output_tokens: `MOST_OUTPUT_TOKENS` where the request says nothing.
        """
        output = MOST_OUTPUT_TOKENS if max_output_tokens is None else max_output_tokens
        return self.cost(model, TokenCounts(input=max(prompt_characters, 1), output=output))

    def listed(self, model: str) -> ListPrice | None:
        """What a million tokens cost; None where the price is not known."""
        given = self.cost(model, TokenCounts(input=SAMPLE))
        made = self.cost(model, TokenCounts(input=0, output=SAMPLE))
        if given is None or made is None:
            return None
        return ListPrice(given * (MILLION // SAMPLE), made * (MILLION // SAMPLE))

    def known(self, model: str) -> bool:
        """Whether the cost of a call would be known."""
        return self.cost(model, TokenCounts(input=1, output=1)) is not None


def output_limit(parameters: Mapping[str, Any]) -> int:
    """How many tokens a call over the network with these parameters answers at most."""
    for name in LIMITS:
        value = parameters.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
    return MOST_OUTPUT_TOKENS


def _by_override(settings: ModelSettings, counts: TokenCounts) -> int:
    total = counts.input * (settings.input_price or 0) + counts.output * (settings.output_price or 0)
    whole, rest = divmod(total, MILLION)
    return whole + (2 * rest > MILLION or (2 * rest == MILLION and whole % 2 == 1))


def _tabled(counts: TokenCounts) -> Counts:
    return (
        counts.input,
        counts.output,
        counts.cache_read or None,
        counts.cache_write or None,
        counts.reasoning or None,
        None,
        None,
    )

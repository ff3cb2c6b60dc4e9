"""The spans that Anthropic's own SDK writes once a tracer is installed (since its version 2).

Source: recordings of `anthropic` 2.12 under four instrumentations.
"""

from collections.abc import Mapping
from typing import Any

from spectral.domains.traces.conventions.base import Convention
from spectral.domains.traces.vocabulary import Kind, Reading

SCOPE = "com.anthropic.sdk."


class AnthropicSdkConvention(Convention):
    """A request that an instrumentation's span tells as well, below it or beside it, with the same usage.

    As a model call it would be counted twice, and it never has content; so it is a chain, whose usage counts only in a
    trace that has no model call.
    """

    name = "anthropic_sdk"
    keys = frozenset({"http.route"})

    def derive(self, attributes: Mapping[str, Any], reading: Reading) -> None:
        """Take back what its `gen_ai.operation.name` says."""
        if str(attributes.get("otel.scope.name")).startswith(SCOPE):
            reading.kind = Kind.CHAIN
            reading.operation = None

"""Attributes of our own, which go before every other convention's."""

from collections.abc import Mapping
from typing import Any

from spectral.domains.traces.conventions.base import first_text, nano_usd, text, texts
from spectral.domains.traces.vocabulary import Kind, Reading

_KINDS = {str(kind): kind for kind in Kind}


class SpectralConvention:
    """`spectral.*`: which agent and configuration version ran, in which mode, and what the runner knows of it.

    `session.id`, `user.id` and `error.type` are general OpenTelemetry conventions and are read here for all.
    """

    name = "spectral"
    keys = frozenset(
        {
            "spectral.agent.id",
            "spectral.agent.version",
            "spectral.mode",
            "spectral.kind",
            "spectral.cost_usd",
            "spectral.session.id",
            "spectral.user.id",
            "spectral.tags",
            "spectral.input",
            "spectral.output",
            "session.id",
            "user.id",
            "enduser.id",
            "error.type",
        }
    )
    prefixes: tuple[str, ...] = ()

    def read(self, attributes: Mapping[str, Any], reading: Reading) -> None:
        get = attributes.get
        if (agent := text(get("spectral.agent.id"))) is not None:
            reading.agent_id = agent
            reading.agent_version = text(get("spectral.agent.version"), 64)
            reading.agent_is_explicit = True
        reading.mode = text(get("spectral.mode"), 32)
        reading.kind = _KINDS.get(str(get("spectral.kind")))
        reading.cost_nano_usd = nano_usd(attributes, "spectral.cost_usd")
        reading.session_id = first_text(attributes, "spectral.session.id", "session.id")
        reading.user_id = first_text(attributes, "spectral.user.id", "user.id", "enduser.id")
        reading.error_type = text(get("error.type"))
        reading.tags = texts(get("spectral.tags"))
        reading.input = get("spectral.input")
        reading.output = get("spectral.output")

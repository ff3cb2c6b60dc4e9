"""Attributes of our own, which go before every other convention's."""

from typing import Any

from spectral.domains.traces.conventions.base import Convention, Field, content, one_of, text, texts, usd, word
from spectral.domains.traces.vocabulary import Kind


def _is_named(value: Any) -> bool | None:
    return None if text(value) is None else True


def _mode(value: Any) -> str | None:
    return text(value, 32)


class SpectralConvention(Convention):
    """`spectral.*`: which agent and configuration version ran, in which mode, and what the runner knows of it.

    `session.id`, `user.id` and `error.type` are general OpenTelemetry conventions and are read here for all.
    """

    name = "spectral"
    fields = (
        Field("spectral.agent.id", "agent_id", text),
        Field("spectral.agent.id", "agent_is_explicit", _is_named),
        Field("spectral.agent.version", "agent_version", word),
        Field("spectral.mode", "mode", _mode),
        Field("spectral.kind", "kind", one_of({str(kind): kind for kind in Kind})),
        Field("spectral.cost_usd", "cost_nano_usd", usd),
        Field("spectral.session.id", "session_id", text),
        Field("session.id", "session_id", text),
        Field("spectral.user.id", "user_id", text),
        Field("user.id", "user_id", text),
        Field("enduser.id", "user_id", text),
        Field("error.type", "error_type", text),
        Field("spectral.tags", "tags", texts),
        Field("spectral.input", "input", content),
        Field("spectral.output", "output", content),
        Field("spectral.prompt.template", "prompt_template", content),
        Field("spectral.prompt.variables", "prompt_variables", content),
    )

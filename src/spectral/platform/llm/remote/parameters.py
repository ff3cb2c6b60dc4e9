"""The parameters of a request, in each provider's words."""

from collections.abc import Mapping
from typing import Any, Final

from spectral.platform.llm.prices import LIMITS, output_limit
from spectral.platform.llm.remote.clients import InvalidRequestError

OURS: Final = frozenset(
    {"model", "messages", "input", "stream", "stream_options", "n", "tools", "tool_choice", "functions", "system"}
)
"""What a request says itself, and what would make another answer of it than one text."""

KNOWN: Final = frozenset(
    {
        "temperature",
        "top_p",
        "stop",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "response_format",
        "reasoning_effort",
        "verbosity",
        "user",
        *LIMITS,
    }
)
"""What is sent to OpenAI. Others may cost more than the price table says (priority tiers, searches, audio)."""


def openai_parameters(given: Mapping[str, Any], seed: int, *, compatible: bool) -> dict[str, Any]:
    """The body's members besides model and messages. compatible: an endpoint of somebody else's.

    Raises InvalidRequestError for what must not be said.
    """
    said = {name: value for name, value in given.items() if value is not None}
    _check_limit(said)
    for name in said:
        if name in OURS or not (compatible or name in KNOWN):
            raise InvalidRequestError(f"the parameter {name} is not supported")
    if "seed" not in given:
        said["seed"] = seed
    limit = output_limit(said)
    for name in LIMITS:
        said.pop(name, None)
    # OpenAI's newer models know only the second name, everybody else the first.
    said["max_tokens" if compatible else "max_completion_tokens"] = limit
    return said


def anthropic_parameters(given: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The body's members besides model, messages and system; and an instruction to be added to the system prompt.

    Raises InvalidRequestError for what cannot be said.
    """
    said = {name: value for name, value in given.items() if value is not None}
    _check_limit(said)
    body: dict[str, Any] = {"max_tokens": output_limit(said)}
    output: dict[str, Any] = {}
    instruction = None
    for name, value in said.items():
        if name in LIMITS or name == "seed":
            continue
        if name in {"temperature", "top_p", "top_k"}:
            body[name] = value
        elif name == "stop":
            body["stop_sequences"] = [value] if isinstance(value, str) else value
        elif name == "reasoning_effort":
            output["effort"] = value
        elif name == "response_format":
            instruction, schema = _json_format(value)
            if schema is not None:
                output["format"] = {"type": "json_schema", "schema": schema}
        else:
            raise InvalidRequestError(f"the parameter {name} is not supported")
    if output:
        body["output_config"] = output
    return body, instruction


JSON_ONLY: Final = "Answer with one JSON object and nothing else."


def _json_format(value: Any) -> tuple[str | None, Any]:
    """(an instruction, a schema): JSON without a schema is only asked for, with one it is enforced."""
    kind = value.get("type") if isinstance(value, Mapping) else None
    if kind == "json_object":
        return JSON_ONLY, None
    if kind == "text":
        return None, None
    described = value.get("json_schema") if isinstance(value, Mapping) else None
    if kind != "json_schema" or not isinstance(described, Mapping) or not isinstance(described.get("schema"), Mapping):
        raise InvalidRequestError("response_format must be text, json_object, or json_schema with a schema")
    return None, dict(described["schema"])


def _check_limit(said: Mapping[str, Any]) -> None:
    for name in LIMITS:
        value = said.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise InvalidRequestError(f"{name} must be a whole number of at least 1")

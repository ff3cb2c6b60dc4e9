"""What is stored of a step's inputs: not what looks like a credential."""

from typing import Any

from spectral.domains.workflows.nodes.secrets import PLACEHOLDER
from spectral.platform.logs import MASK, SECRET_MEMBERS, masked


def masked_inputs(value: Any) -> Any:
    """The inputs as history and events show them; the step itself is given what they were.

    Members that are named like credentials (password, token, api_key, …) and texts that look like keys or tokens are
    replaced. Numbers stay (`max_tokens` is none), and so does `${secrets.NAME}`, which tells nothing.
    """
    if isinstance(value, dict):
        return {name: _member(name, member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [masked_inputs(member) for member in value]
    return masked(value)


def _member(name: Any, value: Any) -> Any:
    if value is None or isinstance(value, int | float) or not SECRET_MEMBERS.search(str(name)):
        return masked_inputs(value)
    if isinstance(value, str) and (not value or PLACEHOLDER.search(value)):
        return masked(value)
    return MASK

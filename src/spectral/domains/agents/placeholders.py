r"""Placeholders in prompt text: `{{name}}` stands for a variable, `\{{` for two literal braces."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from pydantic import JsonValue

from spectral.domains.agents.json_values import json_text

WHOLE_INPUT = "input"
"""The variable that stands for the whole input where the input has no member of that name."""

_PLACEHOLDER = re.compile(r"\\\{\{|\{\{(.*?)\}\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def is_variable_name(name: str) -> bool:
    """Whether a placeholder can name it: a letter or underscore, then letters, digits and underscores, 64 at most."""
    return _NAME.fullmatch(name) is not None


def text_of(value: JsonValue) -> str:
    """How a value reads in a prompt: text as it is, everything else as compact JSON with sorted members.

    Sorted, because a database may hand an object back in another order and the prompt must stay the same.
    """
    return value if isinstance(value, str) else json_text(value)


def variables_in(text: str) -> list[str]:
    """The variables of a text, each once, in order of first use; malformed placeholders are left out."""
    names = (match[1].strip() for match in _PLACEHOLDER.finditer(text) if match[1] is not None)
    return list(dict.fromkeys(name for name in names if is_variable_name(name)))


def malformed_in(text: str) -> list[str]:
    """The `{{…}}` of a text that name no variable."""
    found = (match for match in _PLACEHOLDER.finditer(text) if match[1] is not None)
    return [match[0] for match in found if not is_variable_name(match[1].strip())]


def fill(text: str, values: Mapping[str, JsonValue]) -> str:
    """The text with every placeholder replaced, in one pass: braces inside of a value are never read again.

    Raises KeyError for a variable without a value.
    """

    def replacement(match: re.Match[str]) -> str:
        return "{{" if match[1] is None else text_of(values[match[1].strip()])

    return _PLACEHOLDER.sub(replacement, text)


def bind(variables: Sequence[str], value: JsonValue) -> dict[str, JsonValue]:
    """The values of these variables in one input; a variable that the input does not give is left out.

    An object gives its members (others than the variables are ignored). Anything else is the value of the only
    variable, or of `input` where there are several.
    """
    if isinstance(value, dict):
        bound = {name: value[name] for name in variables if name in value}
        return {WHOLE_INPUT: value, **bound} if WHOLE_INPUT in variables else bound
    if len(variables) == 1:
        return {variables[0]: value}
    return {WHOLE_INPUT: value} if WHOLE_INPUT in variables else {}


def variable_problems(
    variables: Sequence[str],
    texts: Iterable[str],
    report: Callable[[tuple[str | int, ...], str], None],
) -> None:
    """Reports every declared variable that is misnamed, repeated or unused, and every placeholder without one.

    report: called with where it is (`("variables", i)` or `("messages", i, "content")`) and what is wrong there.
    """
    used: set[str] = set()
    for index, text in enumerate(texts):
        place = ("messages", index, "content")
        for malformed in malformed_in(text):
            shown = malformed if len(malformed) <= 60 else f"{malformed[:57]}…"
            report(place, f"'{shown}' names no variable; write '\\{{{{' where two braces are meant")
        names = variables_in(text)
        used.update(names)
        for name in names:
            if name not in variables:
                report(place, f"the placeholder '{{{{{name}}}}}' is not declared in variables")
    for index, name in enumerate(variables):
        if not is_variable_name(name):
            report(("variables", index), "is not a name: a letter or '_', then letters, digits or '_', 64 at most")
        elif name in variables[:index]:
            report(("variables", index), f"'{name}' is declared twice")
        elif name not in used:
            report(("variables", index), f"'{name}' is declared and used by no message")

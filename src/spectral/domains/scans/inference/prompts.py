"""A prompt template from whole prompts: messages by their roles, variables that several of them share. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spectral.domains.agents.placeholders import is_variable_name
from spectral.domains.scans.inference.templates import Hint, Recovered, hints_of, recover, template_text

ROLES: Mapping[str, str] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
NAMED_SHARE = 0.9
"""A variable is what the instrumentation calls it where that has its value in so many of the prompts that say."""

SHARED_FROM = 3

Message = tuple[str, str]
Column = tuple[str | None, ...]
"""The values of one variable, by prompt; None where the prompt is not reproduced."""


@dataclass(frozen=True, slots=True)
class InferredTemplate:
    """The template of prompts.

    messages: (role, content with placeholders).  coverage: the share of all prompts that it reproduces to the letter.
    reproduced, other_shape: how many it does, and how many have other roles in another order, which it cannot.
    """

    messages: tuple[Message, ...]
    variables: tuple[str, ...]
    coverage: float
    prompts: int
    reproduced: int
    other_shape: int


def infer_template(
    prompts: Sequence[Sequence[Message]], said: Sequence[Mapping[str, str]] | None = None
) -> InferredTemplate:
    """The template of the commonest shape of these prompts, of which there is at least one.

    said: for each prompt what its instrumentation says about its variables.
    """
    shapes = [tuple(ROLES.get(role, role) for role, _ in prompt) for prompt in prompts]
    shape = Counter(shapes).most_common(1)[0][0]
    mine = [place for place, each in enumerate(shapes) if each == shape]
    found = [recover([prompts[place][position][1] for place in mine]) for position in range(len(shape))]
    names = _names(found, [said[place] for place in mine] if said is not None else [])
    reproduced = sum(_is_reproduced(found, names, place) for place in range(len(mine)))
    contents = [template_text(one.pieces, named) for one, named in zip(found, names, strict=True)]
    variables = dict.fromkeys(
        named[piece] for one, named in zip(found, names, strict=True) for piece in one.pieces if isinstance(piece, int)
    )
    return InferredTemplate(
        messages=tuple(zip(shape, contents, strict=True)),
        variables=tuple(variables),
        coverage=reproduced / len(prompts),
        prompts=len(prompts),
        reproduced=reproduced,
        other_shape=len(prompts) - len(mine),
    )


def _names(found: Sequence[Recovered], said: Sequence[Mapping[str, str]]) -> list[dict[int, str]]:
    """The name of each variable of each message; one that has the same values in two messages has one name."""
    columns: list[Column] = []
    hints: list[Hint] = []
    places: list[dict[int, int]] = []
    for one in found:
        placed: dict[int, int] = {}
        for index, (number, hint) in enumerate(sorted(hints_of(one.pieces).items())):
            column = tuple(None if values is None else values[index] for values in one.values)
            at = next((at for at, other in enumerate(columns) if _is_same(column, other)), len(columns))
            if at == len(columns):
                columns.append(column)
                hints.append(hint)
            elif hint.is_label and not hints[at].is_label:
                hints[at] = hint
            placed[number] = at
        places.append(placed)
    used: list[str] = []
    for column, hint in zip(columns, hints, strict=True):
        wanted = _told(column, said) or hint.name
        taken = [number for number in range(1, len(used) + 2) if (_numbered(wanted, number) not in used)]
        used.append(_numbered(wanted, taken[0]))
    return [{number: used[at] for number, at in placed.items()} for placed in places]


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}_{number}"


def _is_same(one: Column, other: Column) -> bool:
    pairs = [(mine, theirs) for mine, theirs in zip(one, other, strict=True) if mine is not None and theirs is not None]
    return len(pairs) >= SHARED_FROM and all(mine == theirs for mine, theirs in pairs)


def _told(column: Column, said: Sequence[Mapping[str, str]]) -> str | None:
    """What the instrumentation calls these values."""
    pairs = [(value, each) for value, each in zip(column, said, strict=False) if value is not None and each]
    counts = Counter(name for value, each in pairs for name, given in each.items() if given.strip() == value.strip())
    for name, count in counts.most_common(1):
        if is_variable_name(name) and count >= NAMED_SHARE * len(pairs):
            return name
    return None


def _is_reproduced(found: Sequence[Recovered], names: Sequence[Mapping[int, str]], place: int) -> bool:
    """Whether every message is, with one value for each variable."""
    bound: dict[str, str] = {}
    for one, named in zip(found, names, strict=True):
        values = one.values[place]
        if values is None:
            return False
        for number, value in zip(sorted(named), values, strict=True):
            if bound.setdefault(named[number], value) != value:
                return False
    return True

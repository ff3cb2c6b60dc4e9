"""Expressions in definitions: `${inputs.name}` anywhere in a text of a document, or a bare condition.

Nothing of Python is reachable: the text is read into a tree of our own (`expression_terms`), which knows names,
members, a fixed list of functions, comparisons and arithmetic. A member or an index of null or of something missing is
null. Bounded: 2,000 characters and 32 levels an expression, 1 MiB a result, 16 Mi characters and elements looked at.
`$${` is a plain `${`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from spectral.domains.workflows.definitions.expression_syntax import MAXIMUM_CHARACTERS, Parser
from spectral.domains.workflows.definitions.expression_terms import SECRETS, Path, Term, references_in
from spectral.domains.workflows.definitions.expression_values import (
    ExpressionError,
    Work,
    bounded,
    short_text,
    text_of,
    truth,
)

__all__ = (
    "ExpressionError",
    "Reference",
    "Scope",
    "evaluate",
    "evaluate_condition",
    "references",
    "secrets_in",
)

OPENING = "${"
ESCAPED = "$${"
CACHED = 1024
SHOWN = 120


class Scope(Protocol):
    """What names mean where an expression stands."""

    def lookup(self, name: str) -> Any:
        """The JSON value of a root (`inputs`, `steps`, `item` …); None for one that does not exist here."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A path in an expression: `steps.fetch.outputs["a b"][0]` is `("steps", "fetch", "outputs", "a b", 0)`.

    path: ends before the first member that is itself an expression.  position: of its root in the text, from 0.
    """

    path: tuple[str | int, ...]
    position: int

    @property
    def root(self) -> str:
        return str(self.path[0])


@dataclass(frozen=True, slots=True)
class _Template:
    """Plain texts and expressions in turn; `texts` is one longer than `terms`. sources: what errors show."""

    texts: tuple[str, ...]
    terms: tuple[Term, ...]
    sources: tuple[str, ...]

    @property
    def is_one_expression(self) -> bool:
        return len(self.terms) == 1 and not self.texts[0] and not self.texts[1]


def evaluate(value: Any, scope: Scope) -> Any:
    """The JSON value with every expression in it resolved; names of members are left as they are.

    A text that is exactly one `${…}` becomes the value itself; in other text null is empty, and lists and objects are
    compact JSON. `secrets.NAME` stays the text `${secrets.NAME}`. Raises ExpressionError.
    """
    work = Work()
    try:
        return bounded(_resolved(value, scope, work), work)
    except RecursionError as error:
        raise ExpressionError("the value is nested too deeply") from error


def evaluate_condition(text: str | bool, scope: Scope) -> bool:  # noqa: FBT001 - `when: false` is a condition
    """Whether an expression, with or without `${}` around it, is true. Raises ExpressionError."""
    if isinstance(text, bool):
        return text
    term, source = _condition(text)
    try:
        return truth(_value_of(term, source, scope, Work()))
    except RecursionError as error:
        raise ExpressionError("a value is nested too deeply") from error


def references(text: str, *, condition: bool = False) -> list[Reference]:
    """What the text's expressions refer to, in order of their places.

    condition: the text is an expression even without `${}`. Raises ExpressionError with a position: this is the check
    that every expression of a document goes through.
    """
    terms = [_condition(text)[0]] if condition else list(_template(text).terms)
    found = [_reference(path) for term in terms for path in references_in(term)]
    return sorted(found, key=lambda one: one.position)


def secrets_in(value: Any) -> frozenset[str]:
    """Names of the secrets that a value of a document asks for itself. Raises ExpressionError."""
    return frozenset(
        str(reference.path[1]) for text in _texts(value) for reference in references(text) if reference.root == SECRETS
    )


def _texts(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            pending.extend(one.values())
        elif isinstance(one, list | tuple):
            pending.extend(one)


def _reference(path: Path) -> Reference:
    named: list[str | int] = [path.root]
    for member in path.members:
        if not isinstance(member, str | int):
            break
        named.append(member)
    return Reference(tuple(named), path.position)


def _resolved(value: Any, scope: Scope, work: Work) -> Any:
    if isinstance(value, str):
        if OPENING not in value:
            return value
        template = _template(value)
        if template.is_one_expression:
            return bounded(_value_of(template.terms[0], template.sources[0], scope, work), work)
        return _filled(template, scope, work)
    if isinstance(value, Mapping):
        return {name: _resolved(member, scope, work) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_resolved(element, scope, work) for element in value]
    return value


def _filled(template: _Template, scope: Scope, work: Work) -> str:
    parts = [template.texts[0]]
    for term, source, text in zip(template.terms, template.sources, template.texts[1:], strict=True):
        part = text_of(_value_of(term, source, scope, work), work)
        parts += [part, text]
    return short_text("".join(parts))


def _value_of(term: Term, source: str, scope: Scope, work: Work) -> Any:
    try:
        return term.value(scope, work)
    except ExpressionError as error:
        raise ExpressionError(f"{error.message}, in `{source}`") from error
    except (OverflowError, MemoryError) as error:
        raise ExpressionError(f"the result is too large, in `{source}`") from error


def _template(text: str) -> _Template:
    # Long texts are prompts and bodies: reading them again costs less than keeping thousands of them.
    return _kept_template(text) if len(text) <= MAXIMUM_CHARACTERS else _read_template(text)


def _read_template(text: str) -> _Template:
    texts, terms, sources = [], [], []
    plain, position = "", 0
    while (found := text.find("$", position)) >= 0:
        plain += text[position:found]
        if text.startswith(ESCAPED, found):
            plain += OPENING
            position = found + len(ESCAPED)
        elif text.startswith(OPENING, found):
            term, position = _expression_at(text, found + len(OPENING))
            texts.append(plain)
            terms.append(term)
            sources.append(_shown(text[found:position]))
            plain = ""
        else:
            plain += "$"
            position = found + 1
    texts.append(plain + text[position:])
    return _Template(tuple(texts), tuple(terms), tuple(sources))


def _expression_at(text: str, start: int) -> tuple[Term, int]:
    parser = Parser(text, start)
    term = parser.expression()
    token = parser.token
    if token.kind != "operator" or token.value != "}":
        raise ExpressionError(
            "`}` is missing" + ("" if token.kind == "end" else f" before `{text[token.position : token.end][:40]}`"),
            token.position,
        )
    return term, token.end


def _condition(text: str) -> tuple[Term, str]:
    return _kept_condition(text) if len(text) <= MAXIMUM_CHARACTERS else _read_condition(text)


def _read_condition(text: str) -> tuple[Term, str]:
    if text.lstrip().startswith(OPENING):
        template = _template(text)
        if len(template.terms) == 1 and not any(part.strip() for part in template.texts):
            return template.terms[0], template.sources[0]
        raise ExpressionError("a condition is one expression: write all of it in one `${…}`, or none of it", 0)
    parser = Parser(text)
    term = parser.expression()
    token = parser.token
    if token.kind != "end":
        raise ExpressionError(f"the expression ends before `{text[token.position : token.end][:40]}`", token.position)
    return term, _shown(text)


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


_kept_template = lru_cache(maxsize=CACHED)(_read_template)
_kept_condition = lru_cache(maxsize=CACHED)(_read_condition)

"""What an expression is made of: a tree of our own in which nothing leads to Python."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Protocol

from spectral.domains.workflows.definitions.expression_functions import Function
from spectral.domains.workflows.definitions.expression_values import (
    ExpressionError,
    Work,
    equal,
    holds,
    is_number,
    kind_of,
    less,
    number,
    short_text,
    truth,
)

SECRETS = "secrets"
STEPS = "steps"


class Lookup(Protocol):
    """Where names come from."""

    def lookup(self, name: str) -> Any:
        """The value of a root, None where there is none of that name."""


class Term(Protocol):
    """A part of an expression that has a value."""

    def value(self, scope: Lookup, work: Work) -> Any:
        """Raises ExpressionError."""

    def parts(self) -> "Iterator[Term]":
        """The parts it is made of."""


@dataclass(frozen=True, slots=True)
class Constant:
    constant: Any

    def value(self, scope: Lookup, work: Work) -> Any:
        del scope, work
        return self.constant

    def parts(self) -> Iterator[Term]:
        return iter(())


@dataclass(frozen=True, slots=True)
class Path:
    """A root and the members below it; whatever is missing on the way makes it null."""

    root: str
    members: tuple[Any, ...]
    position: int

    def value(self, scope: Lookup, work: Work) -> Any:
        if self.root == SECRETS:
            return f"${{secrets.{self.members[0]}}}"
        found = scope.lookup(self.root)
        for member in self.members:
            found = _member(found, _name(member, scope, work))
            if found is None:
                return None
        return found

    def parts(self) -> Iterator[Term]:
        return (member for member in self.members if not isinstance(member, _PLAIN))


@dataclass(frozen=True, slots=True)
class Inside:
    """Members of what a call, a list or brackets gave."""

    of: Term
    members: tuple[Any, ...]

    def value(self, scope: Lookup, work: Work) -> Any:
        found = self.of.value(scope, work)
        for member in self.members:
            found = _member(found, _name(member, scope, work))
        return found

    def parts(self) -> Iterator[Term]:
        yield self.of
        yield from (member for member in self.members if not isinstance(member, _PLAIN))


@dataclass(frozen=True, slots=True)
class Call:
    function: Function
    arguments: tuple[Term, ...]

    def value(self, scope: Lookup, work: Work) -> Any:
        return self.function.apply([one.value(scope, work) for one in self.arguments], work)

    def parts(self) -> Iterator[Term]:
        return iter(self.arguments)


@dataclass(frozen=True, slots=True)
class Elements:
    elements: tuple[Term, ...]

    def value(self, scope: Lookup, work: Work) -> Any:
        return [one.value(scope, work) for one in self.elements]

    def parts(self) -> Iterator[Term]:
        return iter(self.elements)


@dataclass(frozen=True, slots=True)
class Members:
    members: tuple[tuple[str, Term], ...]

    def value(self, scope: Lookup, work: Work) -> Any:
        return {name: one.value(scope, work) for name, one in self.members}

    def parts(self) -> Iterator[Term]:
        return (one for _, one in self.members)


@dataclass(frozen=True, slots=True)
class Choice:
    """`then if condition else otherwise`; only one of the two is evaluated."""

    condition: Term
    then: Term
    otherwise: Term

    def value(self, scope: Lookup, work: Work) -> Any:
        chosen = self.then if truth(self.condition.value(scope, work)) else self.otherwise
        return chosen.value(scope, work)

    def parts(self) -> Iterator[Term]:
        return iter((self.condition, self.then, self.otherwise))


@dataclass(frozen=True, slots=True)
class Either:
    """`or` (until: true) and `and` (until: false): the first value that decides, else the last."""

    terms: tuple[Term, ...]
    until: bool

    def value(self, scope: Lookup, work: Work) -> Any:
        found = None
        for term in self.terms:
            found = term.value(scope, work)
            if truth(found) is self.until:
                break
        return found

    def parts(self) -> Iterator[Term]:
        return iter(self.terms)


@dataclass(frozen=True, slots=True)
class Negation:
    """`not` of a value, or a number's sign."""

    term: Term
    sign: bool

    def value(self, scope: Lookup, work: Work) -> Any:
        found = self.term.value(scope, work)
        if not self.sign:
            return not truth(found)
        if found is None:
            return None
        if not is_number(found):
            raise ExpressionError(f"{kind_of(found)} has no sign")
        return number(-found)

    def parts(self) -> Iterator[Term]:
        return iter((self.term,))


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: str
    left: Term
    right: Term

    def value(self, scope: Lookup, work: Work) -> Any:
        left, right = self.left.value(scope, work), self.right.value(scope, work)
        match self.operator:
            case "==":
                return equal(left, right, work)
            case "!=":
                return not equal(left, right, work)
            case "in":
                return holds(right, left, work)
            case "not in":
                return not holds(right, left, work)
        if left is None or right is None:
            # A skipped step is neither less nor more than anything.
            return False
        if self.operator in {"<", ">="}:
            return less(left, right) is (self.operator == "<")
        return less(right, left) is (self.operator == ">")

    def parts(self) -> Iterator[Term]:
        return iter((self.left, self.right))


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A chain of one precedence, from left to right. Null anywhere makes it null; texts and lists can be added."""

    first: Term
    rest: tuple[tuple[str, Term], ...]

    def value(self, scope: Lookup, work: Work) -> Any:
        found = self.first.value(scope, work)
        for operator, term in self.rest:
            other = term.value(scope, work)
            found = None if found is None or other is None else _calculated(operator, found, other, work)
        return found

    def parts(self) -> Iterator[Term]:
        yield self.first
        yield from (term for _, term in self.rest)


_PLAIN = (str, int, float, NoneType)


def _name(member: Any, scope: Lookup, work: Work) -> Any:
    return member if isinstance(member, _PLAIN) else member.value(scope, work)


def _member(value: Any, member: Any) -> Any:
    if isinstance(value, Mapping):
        return value.get(member) if isinstance(member, str) else None
    if isinstance(value, list | tuple):
        if isinstance(member, str) and member.isascii() and member.isdigit() and len(member) <= 9:
            member = int(member)
        if isinstance(member, int) and not isinstance(member, bool) and -len(value) <= member < len(value):
            return value[member]
    return None


def _calculated(operator: str, left: Any, right: Any, work: Work) -> Any:
    if operator == "+":
        if isinstance(left, str) and isinstance(right, str):
            work.spend(len(left) + len(right))
            return short_text(left + right)
        if isinstance(left, list | tuple) and isinstance(right, list | tuple):
            work.spend(len(left) + len(right))
            return [*left, *right]
    if not (is_number(left) and is_number(right)):
        wish = " (str() and ${…} in running text make text of a value)" if isinstance(left, str) else ""
        raise ExpressionError(f"{kind_of(left)} {operator} {kind_of(right)} is not possible{wish}")
    number(left), number(right)
    match operator:
        case "+":
            return number(left + right)
        case "-":
            return number(left - right)
        case "*":
            return number(left * right)
    if right == 0:
        raise ExpressionError("division by zero")
    match operator:
        case "/":
            whole = isinstance(left, int) and isinstance(right, int) and left % right == 0
            return number(left // right if whole else left / right)
        case "//":
            return number(left // right)
        case _:
            return number(left % right)


def references_in(term: Term) -> Iterator[Path]:
    """Every path in the expression."""
    pending: list[Term] = [term]
    while pending:
        one = pending.pop()
        if isinstance(one, Path):
            yield one
        pending.extend(one.parts())

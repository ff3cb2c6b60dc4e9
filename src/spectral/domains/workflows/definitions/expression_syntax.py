"""How an expression's text is read.

Precedence, loosest first: `a if b else c`, `or`, `and`, `not`, comparisons (not chained), `+ -`, `* / // %`, sign,
then members (`a.b`, `a["b"]`, `a[0]`) and calls of the functions of `expression_functions`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from spectral.domains.workflows.definitions.expression_functions import FUNCTIONS
from spectral.domains.workflows.definitions.expression_terms import (
    SECRETS,
    STEPS,
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Constant,
    Either,
    Elements,
    Inside,
    Members,
    Negation,
    Path,
    Term,
)
from spectral.domains.workflows.definitions.expression_values import ExpressionError, is_number, number

MAXIMUM_CHARACTERS = 2_000
MAXIMUM_NESTING = 32

LITERALS: Mapping[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "True": True,
    "False": False,
    "None": None,
}
WORDS = frozenset({"and", "or", "not", "in", "if", "else"})
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not in"})
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "/": "/", "$": "$"}

_SPACE = re.compile(r"[ \t\r\n]+")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?(?![A-Za-z0-9_])")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MEMBER = re.compile(r"[A-Za-z0-9_]+")
# Ids of steps may hold hyphens, and nobody subtracts steps from each other.
_STEP = re.compile(r"[A-Za-z0-9_]+(?:-+[A-Za-z0-9_]+)*")
_SECRET = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_OPERATOR = re.compile(r"==|!=|<=|>=|&&|\|\||//|[-+*/%<>!.,:()\[\]{}]")
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Token:
    """kind: `number`, `string`, `name`, `operator` or `end`. The value of a string is without quotes and escapes."""

    kind: str
    value: Any
    position: int
    end: int


class Parser:
    """Reads one expression from a place in a text; stops at the first token that cannot belong to it."""

    def __init__(self, text: str, start: int = 0) -> None:
        self._text = text
        self._start = start
        self._limit = start + MAXIMUM_CHARACTERS
        self._depth = 0
        self._token = self._read(start)

    @property
    def token(self) -> Token:
        """What comes next."""
        return self._token

    def expression(self) -> Term:
        """Raises ExpressionError with a position."""
        with _Deeper(self):
            then = self._either("or", "||", until=True)
            if not self._take("if"):
                return then
            condition = self._either("or", "||", until=True)
            self._expect("else")
            return Choice(condition, then, self.expression())

    def deeper(self, by: int) -> None:
        """Raises ExpressionError when it is too deep."""
        self._depth += by
        if self._depth > MAXIMUM_NESTING:
            raise ExpressionError(
                f"the expression is nested deeper than {MAXIMUM_NESTING} levels", self._token.position
            )

    def _either(self, word: str, sign: str, *, until: bool) -> Term:
        below: Callable[[], Term] = (lambda: self._either("and", "&&", until=False)) if until else self._negation
        terms = [below()]
        while self._take(word) or self._take(sign):
            terms.append(below())
        return terms[0] if len(terms) == 1 else Either(tuple(terms), until)

    def _negation(self) -> Term:
        if self._take("not") or self._take("!"):
            with _Deeper(self):
                return Negation(self._negation(), sign=False)
        left = self._sum()
        operator = self._comparison()
        if operator is None:
            return left
        compared = Comparison(operator, left, self._sum())
        position = self._token.position
        if self._comparison() is not None:
            raise ExpressionError("comparisons are not chained: write `a < b and b < c`", position)
        return compared

    def _comparison(self) -> str | None:
        token = self._token
        if token.kind not in {"operator", "name"}:
            return None
        if token.value == "not":
            self._advance()
            self._expect("in")
            return "not in"
        if token.value in COMPARISONS:
            self._advance()
            return str(token.value)
        return None

    def _sum(self) -> Term:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/", "//", "%"), self._signed))

    def _chain(self, operators: tuple[str, ...], below: Callable[[], Term]) -> Term:
        first = below()
        rest = []
        while self._token.kind == "operator" and self._token.value in operators:
            operator = str(self._token.value)
            self._advance()
            rest.append((operator, below()))
        return Arithmetic(first, tuple(rest)) if rest else first

    def _signed(self) -> Term:
        if self._take("-"):
            with _Deeper(self):
                term = self._signed()
                if isinstance(term, Constant) and is_number(term.constant):
                    return Constant(-term.constant)
                return Negation(term, sign=True)
        return self._members(self._primary())

    def _members(self, of: Term) -> Term:
        members: list[Any] = []
        of_steps = isinstance(of, Path) and of.root == STEPS
        of_secrets = isinstance(of, Path) and of.root == SECRETS
        while self._token.kind == "operator" and self._token.value in {".", "["}:
            if self._token.value == ".":
                first = not members
                shape = _STEP if of_steps and first else _SECRET if of_secrets and first else _MEMBER
                members.append(self._member_name(shape))
            else:
                self._advance()
                index = self.expression()
                self._expect("]")
                members.append(index.constant if isinstance(index, Constant) else index)
        if isinstance(of, Path):
            if of_secrets and (
                len(members) != 1 or not isinstance(members[0], str) or not _SECRET.fullmatch(members[0])
            ):
                raise ExpressionError("a secret is named as `secrets.NAME`", of.position)
            return Path(of.root, tuple(members), of.position)
        return Inside(of, tuple(members)) if members else of

    def _member_name(self, shape: re.Pattern[str]) -> str:
        after = self._token.end
        found = shape.match(self._text, after)
        if found is None or found.end() > self._limit:
            raise ExpressionError("a name is missing after `.`", after)
        self._token = self._read(found.end())
        return found.group()

    def _primary(self) -> Term:
        token = self._token
        if token.kind in {"number", "string"}:
            self._advance()
            return Constant(token.value)
        if token.kind == "name" and token.value not in WORDS:
            self._advance()
            if token.value in LITERALS:
                return Constant(LITERALS[token.value])
            if self._take("("):
                return self._call(token)
            return Path(str(token.value), (), token.position)
        if self._take("("):
            term = self.expression()
            self._expect(")")
            return term
        if self._take("["):
            return Elements(tuple(self._listed("]", self.expression)))
        if self._take("{"):
            return Members(tuple(self._listed("}", self._pair)))
        raise self._unexpected("a value is missing")

    def _call(self, name: Token) -> Term:
        function = FUNCTIONS.get(name.value)
        if function is None:
            close = get_close_matches(str(name.value), FUNCTIONS, n=1)
            wish = f"; did you mean `{close[0]}`?" if close else f"; there are {', '.join(FUNCTIONS)}"
            raise ExpressionError(f"there is no function `{name.value}`{wish}", name.position)
        arguments = tuple(self._listed(")", self.expression))
        if len(arguments) < function.least or (function.most is not None and len(arguments) > function.most):
            most = "or more" if function.most is None else f"to {function.most}"
            takes = str(function.least) if function.least == function.most else f"{function.least} {most}"
            raise ExpressionError(f"`{function.name}` takes {takes} arguments, not {len(arguments)}", name.position)
        return Call(function, arguments)

    def _pair(self) -> tuple[str, Term]:
        name = self._token
        if name.kind not in {"string", "name"}:
            raise self._unexpected("the name of a member is missing")
        self._advance()
        self._expect(":")
        return str(name.value), self.expression()

    def _listed(self, closing: str, read: Callable[[], Any]) -> Iterator[Any]:
        while not self._take(closing):
            yield read()
            if not self._take(","):
                self._expect(closing)
                return

    def _take(self, value: str) -> bool:
        if self._token.kind in {"operator", "name"} and self._token.value == value:
            self._advance()
            return True
        return False

    def _expect(self, value: str) -> None:
        if not self._take(value):
            raise self._unexpected(f"`{value}` is missing")

    def _unexpected(self, wish: str) -> ExpressionError:
        token = self._token
        if token.kind == "end":
            return ExpressionError(f"{wish} at the end", token.position)
        return ExpressionError(f"{wish} before `{self._text[token.position : token.end][:40]}`", token.position)

    def _advance(self) -> None:
        self._token = self._read(self._token.end)

    def _read(self, position: int) -> Token:
        space = _SPACE.match(self._text, position)
        start = space.end() if space else position
        if start > self._limit:
            raise ExpressionError(f"the expression is longer than {MAXIMUM_CHARACTERS} characters", self._start)
        token = self._token_at(start)
        if token.end > self._limit:
            raise ExpressionError(f"the expression is longer than {MAXIMUM_CHARACTERS} characters", self._start)
        return token

    def _token_at(self, start: int) -> Token:
        text = self._text
        if start >= len(text):
            return Token("end", None, len(text), len(text))
        if found := _NUMBER.match(text, start):
            return Token("number", _number_of(found.group(), start), start, found.end())
        if found := _NAME.match(text, start):
            return Token("name", found.group(), start, found.end())
        if found := _STRING.match(text, start, self._limit):
            return Token("string", _string_of(found.group(), start), start, found.end())
        if found := _OPERATOR.match(text, start):
            return Token("operator", found.group(), start, found.end())
        if text[start] in "\"'":
            raise ExpressionError("the text is not closed", start)
        raise ExpressionError(f"`{text[start]}` has no meaning here", start)


class _Deeper:
    """One level of nesting."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser

    def __enter__(self) -> None:
        self._parser.deeper(1)

    def __exit__(self, *_: object) -> None:
        self._parser.deeper(-1)


def _number_of(text: str, position: int) -> int | float:
    try:
        value: float = number(int(text) if text.isdigit() and len(text) <= MAXIMUM_NESTING else float(text))
    except ExpressionError as error:
        raise ExpressionError(error.message, position) from error
    return value


def _string_of(quoted: str, position: int) -> str:
    def meant(found: re.Match[str]) -> str:
        code, letter = found.groups()
        if code is None:
            if letter in ESCAPES:
                return ESCAPES[letter]
        elif int(code, 16) and not 0xD800 <= int(code, 16) <= 0xDFFF:
            return chr(int(code, 16))
        raise ExpressionError(f"`{found.group()}` has no meaning in a text", position + 1 + found.start())

    text = _ESCAPE.sub(meant, quoted[1:-1])
    if "\x00" in text or _SURROGATE.search(text):
        raise ExpressionError("the text holds a character that cannot be stored", position)
    return text

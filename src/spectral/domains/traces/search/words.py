"""The words of traces: what `?q=` asks for, and how each database is asked.

Words are runs of letters and digits, in any case; everything else separates them. All of them must be there:
`refund "late delivery" -test invo*` finds traces with `refund`, with `late` directly before `delivery`, with a word
that starts with `invo`, and without `test`. A word with separators in it (`gpt-4o`) is a phrase of its parts.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from spectral.platform.shared.errors import FieldError, ValidationFailedError

MAXIMUM_CHARACTERS = 512
MAXIMUM_TERMS = 20
MINIMUM_PREFIX = 2

_TERM = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))(?P<star>\*?)')
_WORD = re.compile(r"[^\W_]+")
_COLUMNS = "{name input_preview output_preview}"


@dataclass(frozen=True, slots=True)
class Term:
    """Words that follow each other; of the last one only the beginning when `is_prefix`."""

    words: tuple[str, ...]
    is_prefix: bool = False
    is_excluded: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """What a search of words asks for; at least one term. Holds letters and digits only, whatever was typed."""

    terms: tuple[Term, ...]

    def fts5(self, workspace_id: UUID) -> str:
        """The MATCH expression on SQLite: the workspace's own word first, so that no other's rows are looked at."""
        wanted = [_fts5_term(term) for term in self.terms if not term.is_excluded]
        excluded = [_fts5_term(term) for term in self.terms if term.is_excluded]
        expression = f'workspace_id : "{workspace_id.hex}"'
        if wanted:
            expression = f"{expression} AND {_COLUMNS} : ({' AND '.join(wanted)})"
        return f"({expression}) NOT {_COLUMNS} : ({' OR '.join(excluded)})" if excluded else expression

    def tsquery(self, workspace_id: UUID) -> str:
        """What `to_tsquery('simple', …)` reads on PostgreSQL."""
        terms = [("!" if term.is_excluded else "") + _tsquery_term(term) for term in self.terms]
        return " & ".join((f"w{workspace_id.hex}", *terms))


def parse_words(text: str | None) -> Words | None:
    """The words of a query parameter. Raises ValidationFailedError (422) for one without words or with too many."""
    if text is None:
        return None
    terms = [term for match in _TERM.finditer(text) if (term := _term(match)) is not None]
    if not terms:
        raise _refused("has no word in it: letters or digits")
    if len(terms) > MAXIMUM_TERMS:
        raise _refused(f"has more than {MAXIMUM_TERMS} words and phrases")
    return Words(tuple(terms))


def _term(match: re.Match[str]) -> Term | None:
    phrase, word = match["phrase"], match["word"]
    is_prefix = bool(match["star"]) if phrase is not None else word.endswith("*")
    words = tuple(_WORD.findall(phrase if phrase is not None else word))
    if not words:
        return None
    if is_prefix and len(words[-1]) < MINIMUM_PREFIX:
        raise _refused(f"a beginning of a word needs {MINIMUM_PREFIX} characters before its *")
    return Term(words, is_prefix, bool(match["minus"]))


def _fts5_term(term: Term) -> str:
    return f'"{" ".join(term.words)}"' + (" *" if term.is_prefix else "")


def _tsquery_term(term: Term) -> str:
    words = [f"'{word}'" for word in term.words]
    if term.is_prefix:
        words[-1] += ":*"
    return f"({' <-> '.join(words)})"


def _refused(detail: str) -> ValidationFailedError:
    return ValidationFailedError("The query failed validation", [FieldError("q", detail)])

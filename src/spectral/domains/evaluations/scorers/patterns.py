"""Customers' regular expressions run in linear time: RE2 has no backtracking, so no pattern can hang a process.

The price is RE2's syntax: no look-around and no back-references; such a pattern is refused when it is saved.
"""

from functools import lru_cache
from typing import Any

import re2

MAX_PATTERN_CHARACTERS = 2_000
MAX_PROGRAM_BYTES = 4 * 1024 * 1024


class PatternError(ValueError):
    """A pattern is not one that RE2 accepts; the message says why."""


class LinearPattern:
    """A compiled pattern. Matching takes time linear in the text, and a bounded amount of memory."""

    def __init__(self, pattern: str, *, ignore_case: bool = False) -> None:
        """Raises PatternError when the pattern is too long, malformed, or needs backtracking."""
        if len(pattern) > MAX_PATTERN_CHARACTERS:
            message = f"is longer than {MAX_PATTERN_CHARACTERS} characters"
            raise PatternError(message)
        options = re2.Options()
        options.log_errors = False
        options.max_mem = MAX_PROGRAM_BYTES
        options.case_sensitive = not ignore_case
        try:
            self._compiled: Any = re2.compile(pattern, options=options)
        except UnicodeEncodeError as error:
            message = "is not valid Unicode"
            raise PatternError(message) from error
        except re2.error as error:
            reason = error.args[0] if error.args else error
            text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            message = f"is not a supported pattern (RE2 syntax, no look-around or back-references): {text}"
            raise PatternError(message) from error

    def search(self, text: str) -> str | None:
        """The first match anywhere in the text, or None."""
        return self._matched(self._compiled.search(_encodable(text)))

    def fullmatch(self, text: str) -> str | None:
        """The text if the pattern matches all of it, or None."""
        return self._matched(self._compiled.fullmatch(_encodable(text)))

    @staticmethod
    def _matched(match: Any) -> str | None:
        return None if match is None else str(match.group(0))


@lru_cache(maxsize=512)
def linear_pattern(pattern: str, *, ignore_case: bool = False) -> LinearPattern:
    """The compiled pattern, from a cache. Raises PatternError."""
    return LinearPattern(pattern, ignore_case=ignore_case)


def _encodable(text: str) -> str:
    # A lone surrogate can stand in JSON text, but RE2 reads UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")

"""What a workspace wants to be masked: the wire shape, and the form in which it is stored."""

import re
from enum import StrEnum
from typing import Annotated, Literal, Self

import re2
from pydantic import Field, StringConstraints, field_validator, model_validator

from spectral.platform.shared.wire import WireIn

MAXIMUM_RULES = 50
MAXIMUM_PATTERN_CHARACTERS = 500
MAXIMUM_DROPPED = 100
PATTERN_MEMORY_BYTES = 4 * 1024 * 1024
JSON_WORDS = frozenset({"null", "true", "false", "NaN", "Infinity"})

AttributeKey = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00*]+\*?$")]


class Detector(StrEnum):
    """What is recognised without a rule of one's own."""

    EMAIL = "email"
    PHONE = "phone"
    CREDIT_CARD = "credit_card"
    IBAN = "iban"
    IP_ADDRESS = "ip_address"
    SECRETS = "secrets"


class MaskingRule(WireIn):
    """What matches `pattern` (RE2 syntax) becomes `[replacement]`; without a replacement, `[name]`.

    The square brackets are always there: by them masked text is known, and is not masked again.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$", description="also what it is replaced by, unless said")
    pattern: str = Field(min_length=1, max_length=MAXIMUM_PATTERN_CHARACTERS, description="RE2 syntax")
    replacement: str | None = Field(
        default=None, pattern=r"^[A-Za-z][A-Za-z0-9 _.:-]{0,49}$", description="stands in square brackets"
    )

    @field_validator("pattern")
    @classmethod
    def readable(cls, value: str) -> str:
        try:
            compiled = compiled_pattern(value)
        except (re2.error, UnicodeEncodeError) as error:
            message = f"is not a pattern in RE2 syntax: {_said(error)}"
            raise ValueError(message) from error
        if compiled.search(b"") is not None:
            raise ValueError("must not match the empty text")
        return value

    @field_validator("name", "replacement")
    @classmethod
    def no_word_of_json(cls, value: str | None) -> str | None:
        if value in JSON_WORDS:
            raise ValueError("must not be a word of JSON")
        return value

    @property
    def placeholder(self) -> str:
        """What stands in the place of a match."""
        return f"[{self.replacement or self.name}]"


class MaskingRules(WireIn):
    """What of a span is changed before it is stored. Nothing, unless something is chosen.

    drop_attributes: keys of attributes that are not stored, exact or with `*` at the end.  content: `drop` stores no
    message content, neither input nor output.
    """

    detectors: list[Detector] = Field(default_factory=list, max_length=len(Detector))
    rules: list[MaskingRule] = Field(default_factory=list, max_length=MAXIMUM_RULES)
    drop_attributes: list[AttributeKey] = Field(default_factory=list, max_length=MAXIMUM_DROPPED)
    content: Literal["keep", "drop"] = "keep"

    @model_validator(mode="after")
    def names_of_their_own(self) -> Self:
        names = [rule.name for rule in self.rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            message = f"two rules have the name {twice[0]}"
            raise ValueError(message)
        if len(set(self.detectors)) != len(self.detectors):
            raise ValueError("a detector is named twice")
        return self

    @property
    def are_active(self) -> bool:
        """Whether anything is masked or dropped at all."""
        return bool(self.detectors or self.rules or self.drop_attributes or self.content == "drop")


def compiled_pattern(pattern: str) -> "re2._Regexp":
    """A pattern that matches in linear time, for bytes of UTF-8. Raises `re2.error`."""
    options = re2.Options()
    options.max_mem = PATTERN_MEMORY_BYTES
    options.log_errors = False
    return re2.compile(pattern, options)


def _said(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return re.sub(r"[^\x20-\x7e]", "?", text)[:200]

"""Samples on their way into a set: checked, in canonical form and measured, before any transaction is open."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spectral.domains.samples.canonical import UnstorableValueError, canonical, sha256_of, text_of
from spectral.domains.samples.near_duplicates import Signature, signature_of
from spectral.platform.shared.errors import FieldError, ValidationFailedError

MAXIMUM_METADATA_MEMBERS = 100
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_MEMBERS = frozenset({"input", "expected", "metadata", "source_trace_id"})
EXPORTED_MEMBERS = frozenset({"id", "split", "frozen", "group_key"})
"""What an export says besides; an import accepts and ignores it, because the set decides where items go."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One sample that may be stored: `input` is not null; `expected` None means that nothing is expected."""

    input: Any
    expected: Any
    metadata: dict[str, Any]
    source_trace_id: str | None


@dataclass(frozen=True, slots=True)
class MeasuredDraft:
    """A draft with what it is compared by."""

    draft: Draft
    fingerprint: str
    expected_hash: str
    signature: Signature | None


def read_draft(members: Mapping[str, Any], place: str) -> tuple[Draft | None, list[FieldError]]:
    """The draft of one JSON object, or everything that is wrong with it.

    place: the pointer that errors start with ("/lines/3", or "" for a request body).
    """
    problems = [
        FieldError(f"{place}/{str(name)[:60]}", "is not a member of a sample")
        for name in members
        if name not in _MEMBERS and name not in EXPORTED_MEMBERS
    ]
    if members.get("input") is None:
        problems.append(FieldError(f"{place}/input", "is required"))
    values: dict[str, Any] = {}
    for name in ("input", "expected", "metadata"):
        try:
            values[name] = canonical(members.get(name))
        except UnstorableValueError as error:
            problems.append(FieldError(f"{place}/{name}", str(error)))
    metadata = values.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        problems.append(FieldError(f"{place}/metadata", "is not an object"))
    elif metadata is not None and len(metadata) > MAXIMUM_METADATA_MEMBERS:
        problems.append(FieldError(f"{place}/metadata", f"has more than {MAXIMUM_METADATA_MEMBERS} members"))
    trace_id = members.get("source_trace_id")
    if trace_id is not None and not (isinstance(trace_id, str) and _TRACE_ID.fullmatch(trace_id)):
        problems.append(FieldError(f"{place}/source_trace_id", "is not 32 lower-case hexadecimal digits"))
    if problems:
        return None, problems
    return Draft(values["input"], values["expected"], metadata or {}, trace_id), []


def checked_draft(members: Mapping[str, Any]) -> Draft:
    """The draft of a request body. Raises ValidationFailedError (422) that names every wrong place."""
    draft, problems = read_draft(members, "")
    if draft is None:
        raise ValidationFailedError("The sample cannot be stored", problems)
    return draft


def measure(drafts: Sequence[Draft]) -> list[MeasuredDraft]:
    """Each draft with its fingerprint and signature; about 0.1 ms a draft, so larger numbers belong in a thread."""
    return [
        MeasuredDraft(
            draft=draft,
            fingerprint=sha256_of(draft.input),
            expected_hash=sha256_of(draft.expected),
            signature=signature_of(text_of(draft.input)),
        )
        for draft in drafts
    ]

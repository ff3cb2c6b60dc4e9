"""What a candidate may have copied out of traces: text that a customer of the agent wrote, not its owner.

A search reads inputs and outputs, so whoever writes to the agent can try to write into its next prompt. Nothing is
refused here; what is found stands on the candidate as flags, and an agent that changes itself does not accept them.
Pure.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spectral.domains.agents.pointers import PointerError, child_pointer, value_at

COPIED_WORDS = 8
"""So many words in the order of a trace are not chance; label words and their like are fewer."""

MAXIMUM_FLAGS = 10
FLAG_CHARACTERS = 120
SOURCE_CHARACTERS = 10_000

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]{1,20}://|www\.|mailto:|javascript:|data:[a-z]+/)[^\s<>\"')\]]+", re.IGNORECASE)
_HOST = re.compile(r"(?<![\w.@-])(?:[a-z0-9-]+\.)+(?:[a-z]{2,24})/[^\s<>\"')\]]*", re.IGNORECASE)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_TOOL = re.compile(r"\b[A-Za-z]\w*_\w+\b|\b[a-z]+(?:[A-Z][a-z0-9]+)+\b|\b[A-Za-z_][\w.]*(?=\()")
_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,40}\b(?:instructions?|rules?|prompts?|above|previous|prior)\b"
    r"|\bsystem prompt\b|\byou are now\b|\bfrom now on\b|\bnew instructions?\b"
    r"|\b(?:always|only|never)\s+(?:answer|reply|respond|classify|label|output|say|call|use|send)\b"
    r"|\b(?:answer|reply|respond|classify|label)\s+(?:\w+\s+){0,3}(?:with|as)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Untrusted:
    """The texts of inputs and outputs, ready to be searched. words: one text a line, in lower case, single spaces."""

    words: str
    tools: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Untrusted":
        """Of each text the first 10,000 characters."""
        cut = [plain(text[:SOURCE_CHARACTERS]) for text in texts]
        return cls(
            "\n".join(f" {' '.join(_words(text))} " for text in cut),
            frozenset(tool for text in cut for tool in _TOOL.findall(text)),
        )


def flags_of(
    champion: Mapping[str, Any], changes: Mapping[str, Any], untrusted: Untrusted, labels: Iterable[str] = ()
) -> dict[str, list[str]]:
    """JSON pointer → what stands there now and did not before; only places with a flag.

    A flag is `url: …`, `tool: …` or `instruction: …` with what was found. Text of the champion is never flagged, nor
    are the expected answers, `labels`. Of examples, which are copies by their nature, only what reads like an
    instruction is one.
    """
    known = _Known(champion, labels)
    found: dict[str, list[str]] = {}
    for pointer, value in sorted(changes.items()):
        if isinstance(value, str):
            _note(found, pointer, [*_common(value, known, untrusted), *_copied(value, known, untrusted)])
        elif isinstance(value, list):
            held = _held(champion, pointer)
            for place, example in enumerate(value):
                if example not in held:
                    text = "\n".join(_strings(example))
                    flags = [*_common(text, known, untrusted), *_instructions(text, known)]
                    _note(found, child_pointer(pointer, place), flags)
    return found


def plain(text: str) -> str:
    """The text as it is read: compatibility forms as their plain letters, nothing invisible."""
    normal = unicodedata.normalize("NFKC", text)
    return "".join(char for char in normal if unicodedata.category(char) != "Cf")


class _Known:
    """What the champion says already."""

    def __init__(self, champion: Mapping[str, Any], labels: Iterable[str]) -> None:
        texts = [plain(text) for text in _strings({**champion, "search_space": None})]
        self.text = "\n".join(texts)
        self.words = "\n".join(f" {' '.join(_words(text))} " for text in texts)
        self.labels = {plain(label) for label in labels}
        self.own_tools = {str(name) for tool in champion.get("tools", []) for name in _names(tool)}
        # A tool's own description is no text that mentions it.
        mentioned = "\n".join(plain(text) for text in _strings({**champion, "search_space": None, "tools": None}))
        self.mentioned = frozenset(_WORD.findall(mentioned))


def _common(raw: str, known: _Known, untrusted: Untrusted) -> list[str]:
    """URLs, addresses and names of tools."""
    text = plain(raw)
    places = [match[0].rstrip(".,;:") for each in (_URL, _HOST, _ADDRESS) for match in each.finditer(text)]
    flags = [f"url: {place}" for place in places if place not in known.text]
    named = {*_TOOL.findall(text), *(name for name in known.own_tools if re.search(rf"\b{re.escape(name)}\b", text))}
    flags += [
        f"tool: {name}"
        for name in sorted(named)
        if name not in known.labels
        and name not in known.mentioned
        and (name in untrusted.tools or name in known.own_tools)
    ]
    return flags


def _instructions(raw: str, known: _Known) -> list[str]:
    return [
        f"instruction: {match[0]}"
        for match in _INSTRUCTION.finditer(plain(raw))
        if f" {_joined(match[0])} " not in known.words
    ]


def _copied(raw: str, known: _Known, untrusted: Untrusted) -> list[str]:
    """Runs of words that are in a trace and not in the champion; the longest ones, each once."""
    words = _words(plain(raw))
    flags: list[str] = []
    start = 0
    while start + COPIED_WORDS <= len(words):
        end = start + COPIED_WORDS
        if not _is_copy(words[start:end], known, untrusted):
            start += 1
            continue
        while end < len(words) and _is_copy(words[start : end + 1], known, untrusted):
            end += 1
        flags.append(f"instruction: {' '.join(words[start:end])}")
        start = end
    # What commands is worth a flag even where it is short.
    return flags or [flag for flag in _instructions(raw, known) if f" {_joined(flag)} " in untrusted.words]


def _is_copy(words: Sequence[str], known: _Known, untrusted: Untrusted) -> bool:
    run = f" {' '.join(words)} "
    return run in untrusted.words and run not in known.words


def _joined(flag: str) -> str:
    return " ".join(_words(flag.removeprefix("instruction: ")))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _note(found: dict[str, list[str]], pointer: str, flags: Sequence[str]) -> None:
    shown = [flag if len(flag) <= FLAG_CHARACTERS else f"{flag[: FLAG_CHARACTERS - 1]}…" for flag in flags]
    if shown:
        found[pointer] = list(dict.fromkeys(shown))[:MAXIMUM_FLAGS]


def _held(champion: Mapping[str, Any], pointer: str) -> list[Any]:
    try:
        value = value_at(dict(champion), pointer)
    except PointerError:
        return []
    return value if isinstance(value, list) else []


def _names(tool: Any) -> list[Any]:
    if not isinstance(tool, Mapping):
        return []
    function = tool.get("function")
    return [each["name"] for each in (tool, function) if isinstance(each, Mapping) and "name" in each]


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for key in sorted(value, key=str) for text in _strings(value[key])]
    if isinstance(value, list | tuple):
        return [text for part in value for text in _strings(part)]
    return []

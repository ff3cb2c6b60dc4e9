"""YAML and JSON documents as plain JSON values that know where each of them stands in the text.

YAML is read by the core schema of YAML 1.2: `on`, `no` and `yes` are text, and so are dates, `1:30`, `1_000` and
`0123`. Keys are text as they are written. Aliases may repeat parts as long as the whole stays within 20,000 values;
tags, merge keys (`<<`) and keys that are there twice are mistakes.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from spectral.domains.agents.json_values import MAXIMUM_NUMBER, plain_number, storable_text
from spectral.domains.agents.pointers import child_pointer

MAXIMUM_BYTES = 512 * 1024
MAXIMUM_VALUES = 20_000
MAXIMUM_DEPTH = 32
MAXIMUM_MISTAKES = 100
FORMATS = ("yaml", "json")

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,4})?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAGS = {f"tag:yaml.org,2002:{name}": name for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DECODER = json.JSONDecoder()
_JSON_SPACE = re.compile(r"[ \t\r\n]*")
_JSON_PLAIN = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a document. line and column count from 1; code: a slug for programs; pointer: JSON pointer."""

    message: str
    line: int
    column: int
    pointer: str
    code: str


class DocumentError(Exception):
    """The text is no document; `finding` says where it ends to be one."""

    def __init__(self, message: str, line: int, column: int, code: str = "syntax", pointer: str = "") -> None:
        super().__init__(message)
        self.finding = Finding(message, line, column, pointer, code)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: line and column from 1, and the piece of the text that it is made of (for texts)."""

    line: int
    column: int
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class _Value:
    """One value of the text. depth: levels below it.  size: values in it, itself among them, aliases followed."""

    value: Any
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)
    size: int = 1
    depth: int = 0


@dataclass(frozen=True)
class Document:
    """value: plain JSON.  places, keys: of each value, and of the name of each member, by JSON pointer."""

    text: str
    format: str
    value: dict[str, Any]
    places: dict[str, Place]
    keys: dict[str, Place]
    mistakes: tuple[Finding, ...] = ()

    def finding(
        self, code: str, message: str, pointer: str, *, offset: int | None = None, key: bool = False
    ) -> Finding:
        """A finding at the value of the pointer, or at the nearest one around it.

        offset: where in the value, which is a text.  key: at the member's name instead.
        """
        place = self.keys.get(pointer) if key else None
        known = pointer
        while place is None and known not in self.places:
            known = known.rpartition("/")[0]
        place = place or self.places[known]
        line, column = place.line, place.column
        if offset is not None and known == pointer and not key:
            line, column = self._within(place, self._text_at(pointer), offset)
        return Finding(message, line, column, pointer, code)

    def _text_at(self, pointer: str) -> str:
        value: Any = self.value
        for token in pointer.split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            value = value[int(name)] if isinstance(value, list) else value[name]
        return value if isinstance(value, str) else ""

    def _within(self, place: Place, value: str, offset: int) -> tuple[int, int]:
        """Line and column of a character of a text: by the word that begins there, which quoting does not change."""
        raw = self.text[place.start : place.end]
        behind = 0
        word = _word_at(value, offset)
        if not word and offset:
            # At the end, or at a space: one further than what stands before.
            behind = 1
            while offset - behind > 0 and not _word_at(value, offset - behind):
                behind += 1
            word = _word_at(value, offset - behind)[:1]
        if not word:
            return place.line, place.column
        wanted = value.count(word, 0, max(0, offset - behind))
        found = -1
        for _ in range(wanted + 1):
            found = raw.find(word, found + 1)
            if found < 0:
                return place.line, place.column
        found += behind
        before = raw[:found]
        lines = before.count("\n")
        if lines == 0:
            return place.line, place.column + found
        return place.line + lines, found - before.rfind("\n")


def _word_at(value: str, offset: int) -> str:
    found = re.compile(r"[^\s\"'\\]+").match(value, offset)
    return found.group()[:40] if found else ""


def read_document(text: str, source_format: str | None) -> Document:
    """The document; `mistakes` are such as leave it readable (names that are there twice).

    source_format: None takes JSON for what begins with `{`. Raises DocumentError.
    """
    if len(text) > MAXIMUM_BYTES or len(text.encode("utf-8", "replace")) > MAXIMUM_BYTES:
        raise DocumentError(f"the document is larger than {MAXIMUM_BYTES // 1024} KiB", 1, 1, "too-large")
    try:
        storable_text(text)
    except ValueError as error:
        raise DocumentError(f"the document {error}", 1, 1) from error
    if source_format is None:
        # Flow mappings of YAML begin with a brace too; what is no JSON is read as that.
        source_format = "json" if text.lstrip().startswith("{") and _is_json(text) else "yaml"
    reader: _YamlReader | _JsonReader = _JsonReader(text) if source_format == "json" else _YamlReader(text)
    root = reader.read()
    if not isinstance(root.value, dict):
        raise DocumentError("the document is not an object", root.place.line, root.place.column, "invalid-type")
    places: dict[str, Place] = {}
    keys: dict[str, Place] = {}
    value = _laid_out(root, "", places, keys)
    return Document(text, source_format, value, places, keys, tuple(reader.mistakes))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _laid_out(node: _Value, pointer: str, places: dict[str, Place], keys: dict[str, Place]) -> Any:
    places[pointer] = node.place
    if isinstance(node.value, dict):
        laid: dict[str, Any] = {}
        for name, member in node.value.items():
            below = child_pointer(pointer, name)
            keys[below] = node.keys[name]
            laid[name] = _laid_out(member, below, places, keys)
        return laid
    if isinstance(node.value, list):
        return [_laid_out(one, child_pointer(pointer, index), places, keys) for index, one in enumerate(node.value)]
    return node.value


class _Reader:
    """What both languages share: the limits, and names that are there twice."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.mistakes: list[Finding] = []

    def _member(self, owner: _Value, name: str, at: Place, member: _Value) -> None:
        if name in owner.keys:
            if len(self.mistakes) < MAXIMUM_MISTAKES:
                self.mistakes.append(Finding(f"`{name[:80]}` is there twice", at.line, at.column, "", "duplicate-key"))
            return
        owner.value[name] = member
        owner.keys[name] = at
        self._grown(owner, member)

    def _element(self, owner: _Value, element: _Value) -> None:
        owner.value.append(element)
        self._grown(owner, element)

    @staticmethod
    def _grown(owner: _Value, member: _Value) -> None:
        owner.size += member.size
        owner.depth = max(owner.depth, member.depth + 1)
        if owner.size > MAXIMUM_VALUES:
            raise DocumentError(
                f"the document has more than {MAXIMUM_VALUES} values",
                member.place.line,
                member.place.column,
                "too-large",
            )
        if owner.depth > MAXIMUM_DEPTH:
            raise _too_deep(member.place)


def _too_deep(place: Place) -> DocumentError:
    return DocumentError(f"nested deeper than {MAXIMUM_DEPTH} levels", place.line, place.column, "too-deep")


def _number(text: str, place: Place) -> int | float:
    value = plain_number(int(text) if _INTEGER.fullmatch(text) and len(text) <= MAXIMUM_DEPTH else float(text))
    if not abs(value) <= MAXIMUM_NUMBER:
        raise DocumentError("numbers are between -2^53 and 2^53", place.line, place.column, "invalid-number")
    number: int | float = value
    return number


@dataclass(slots=True)
class _Open:
    """A mapping or a sequence that has begun. name: of the member that comes next."""

    value: _Value
    anchor: str | None
    name: tuple[str, Place] | None = None

    @property
    def wants_name(self) -> bool:
        return self.name is None and isinstance(self.value.value, dict)


def _at(event: Any, message: str, code: str = "syntax") -> DocumentError:
    return DocumentError(message, event.start_mark.line + 1, event.start_mark.column + 1, code)


class _YamlReader(_Reader):
    """Builds values from the parser's events, so that nothing is made that is not allowed."""

    def read(self) -> _Value:
        """Raises DocumentError."""
        try:
            return self._read(yaml.parse(self.text, Loader=_LOADER))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = " ".join(str(part) for part in (error.context, error.problem) if part)
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise DocumentError(f"this is no YAML: {problem}", line, column) from error
        except yaml.reader.ReaderError as error:
            before = self.text[: error.position] if isinstance(error.position, int) else ""
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            raise DocumentError(f"this is no YAML: {error.reason}", line, column) from error

    def _read(self, events: Iterator[Any]) -> _Value:
        self._anchors: dict[str, _Value] = {}
        self._open: list[_Open] = []
        self._root: _Value | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if self._root is not None:
                    raise _at(event, "there is a second document; one is read")
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._begin(event)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                ended = self._open.pop()
                self._done(ended.value, ended.anchor)
            elif isinstance(event, yaml.ScalarEvent):
                self._text(event)
            elif isinstance(event, yaml.AliasEvent):
                self._repeat(event)
        if self._root is None:
            raise DocumentError("the document is empty", 1, 1)
        return self._root

    def _begin(self, event: Any) -> None:
        self._no_name(event)
        if len(self._open) > MAXIMUM_DEPTH:
            raise _too_deep(self._place(event))
        self._open.append(_Open(self._opened(event), event.anchor))

    def _text(self, event: Any) -> None:
        place = self._place(event)
        if self._open and self._open[-1].wants_name:
            if event.value == "<<" and event.implicit[0]:
                raise _at(
                    event, "merge keys are not read: write the members, or an alias for all of them", "invalid-key"
                )
            self._open[-1].name = (event.value, place)
        else:
            self._done(_Value(self._scalar(event, place), place), event.anchor)

    def _repeat(self, event: Any) -> None:
        self._no_name(event)
        found = self._anchors.get(event.anchor)
        if found is None:
            raise _at(event, f"there is no anchor `{event.anchor[:80]}` before")
        self._done(found, None)

    def _no_name(self, event: Any) -> None:
        if self._open and self._open[-1].wants_name:
            raise _at(event, "a name must be text", "invalid-key")

    def _done(self, value: _Value, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = value
        if not self._open:
            self._root = value
            return
        owner = self._open[-1]
        if owner.name is None:
            self._element(owner.value, value)
        else:
            self._member(owner.value, *owner.name, value)
            owner.name = None

    def _opened(self, event: Any) -> _Value:
        place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag and _TAGS.get(event.tag, event.tag) not in {"map" if is_mapping else "seq", "!"}:
            raise _at(event, f"the tag {event.tag[:80]} is not known here", "invalid-tag")
        return _Value({} if is_mapping else [], place)

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        return Place(start.line + 1, start.column + 1, start.index, end.index)

    def _scalar(self, event: Any, place: Place) -> Any:
        text: str = event.value
        if not event.tag or event.tag == "!":
            return self._resolved(text, place) if event.implicit[0] else text
        name = _TAGS.get(event.tag)
        if name == "str":
            return text
        value = self._resolved(text, place)
        kinds: dict[str | None, Any] = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}
        if name not in kinds or not isinstance(value, kinds[name]):
            raise _at(event, f"the tag {event.tag[:80]} is not known, or not for this value", "invalid-tag")
        return value

    def _resolved(self, text: str, place: Place) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text) or _FLOAT.fullmatch(text):
            return _number(text, place)
        if _NOT_FINITE.fullmatch(text):
            raise DocumentError("infinity and NaN are no JSON", place.line, place.column, "invalid-number")
        return text


class _JsonReader(_Reader):
    """Reads text that `json.loads` took, for the places of its values."""

    def read(self) -> _Value:
        """Raises DocumentError."""
        try:
            json.loads(self.text, parse_constant=self._no_constant)
        except json.JSONDecodeError as error:
            raise DocumentError(f"this is no JSON: {error.msg}", error.lineno, error.colno) from error
        except RecursionError as error:
            raise DocumentError("the document is nested too deeply", 1, 1, "too-deep") from error
        except ValueError as error:
            # Python refuses integers of thousands of digits.
            raise DocumentError("numbers are between -2^53 and 2^53", 1, 1, "invalid-number") from error
        self._lines = [0, *(found.end() for found in re.finditer("\n", self.text))]
        return self._value(self._skip(0), 0)[0]

    def _no_constant(self, name: str) -> Any:
        offset = self.text.find(name)
        line, column = self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)
        raise DocumentError(f"{name} is no JSON", line, column, "invalid-number")

    def _skip(self, position: int) -> int:
        found = _JSON_SPACE.match(self.text, position)
        return found.end() if found else position

    def _place(self, start: int, end: int) -> Place:
        low, high = 0, len(self._lines)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._lines[middle] <= start else (low, middle)
        return Place(low + 1, start - self._lines[low] + 1, start, end)

    def _value(self, start: int, depth: int) -> tuple[_Value, int]:
        first = self.text[start]
        place = self._place(start, start)
        if first in "{[":
            if depth > MAXIMUM_DEPTH:
                raise _too_deep(place)
            return self._container(_Value({} if first == "{" else [], place), start, depth)
        if first == '"':
            text, end = self._string(start)
            return _Value(text, self._place(start, end)), end
        found = _JSON_PLAIN.match(self.text, start)
        assert found is not None  # noqa: S101 - `json.loads` read it
        word = found.group()
        place = self._place(start, found.end())
        return _Value(_WORDS[word] if word in _WORDS else _number(word, place), place), found.end()

    def _container(self, owner: _Value, start: int, depth: int) -> tuple[_Value, int]:
        closing = "}" if isinstance(owner.value, dict) else "]"
        position = self._skip(start + 1)
        while self.text[position] != closing:
            if isinstance(owner.value, dict):
                name, end = self._string(position)
                at = self._place(position, end)
                member, end = self._value(self._skip(self._skip(end) + 1), depth + 1)
                self._member(owner, name, at, member)
            else:
                element, end = self._value(position, depth + 1)
                self._element(owner, element)
            position = self._skip(end)
            if self.text[position] == ",":
                position = self._skip(position + 1)
        return owner, position + 1

    def _string(self, start: int) -> tuple[str, int]:
        text, end = _DECODER.raw_decode(self.text, start)
        try:
            storable_text(text)
        except ValueError as error:
            place = self._place(start, end)
            raise DocumentError(f"the text {error}", place.line, place.column, "not-storable") from error
        return text, end

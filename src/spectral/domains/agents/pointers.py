"""JSON pointers over plain JSON values.

Source: RFC 6901, "JavaScript Object Notation (JSON) Pointer".
"""

import re

from pydantic import JsonValue

_SYNTAX = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
_INDEX = re.compile(r"0|[1-9][0-9]*")


class PointerError(ValueError):
    """The pointer is malformed or names nothing in the value."""


def parse_pointer(pointer: str) -> list[str]:
    """The unescaped tokens of a pointer; the empty pointer has none. Raises PointerError."""
    if _SYNTAX.fullmatch(pointer) is None:
        message = "is not a JSON pointer (RFC 6901): it starts with '/' and writes '~' as '~0'"
        raise PointerError(message)
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def child_pointer(pointer: str, token: str | int) -> str:
    """The pointer of a member or element one level down."""
    return f"{pointer}/{str(token).replace('~', '~0').replace('/', '~1')}"


def _step(value: JsonValue, token: str) -> JsonValue:
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
        return value[int(token)]
    message = f"names nothing: there is no '{token}' at that place"
    raise PointerError(message)


def value_at(document: JsonValue, pointer: str) -> JsonValue:
    """What the pointer names. Raises PointerError when that is nothing."""
    value = document
    for token in parse_pointer(pointer):
        value = _step(value, token)
    return value


def exists_at(document: JsonValue, pointer: str) -> bool:
    """Whether the pointer names something."""
    try:
        value_at(document, pointer)
    except PointerError:
        return False
    return True


def put_at(document: JsonValue, pointer: str, value: JsonValue) -> None:
    """Sets what the pointer names, in place; a missing last member of an object is created.

    Raises PointerError for the whole document, a missing parent, or an index outside of its list.
    """
    tokens = parse_pointer(pointer)
    if not tokens:
        message = "names the whole document"
        raise PointerError(message)
    parent = document
    for token in tokens[:-1]:
        parent = _step(parent, token)
    last = tokens[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list) and _INDEX.fullmatch(last) and int(last) < len(parent):
        parent[int(last)] = value
    else:
        message = f"names nothing: there is no '{last}' at that place"
        raise PointerError(message)

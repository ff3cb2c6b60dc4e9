"""Fields of OTLP/JSON messages → fields of the protobuf messages: integers, ids, enums, attributes and their values.

Not the standard protobuf JSON mapping: trace and span ids are hexadecimal, enums are integers, unknown fields are
ignored. Source: OpenTelemetry protocol specification, "JSON Protobuf Encoding".
"""

import base64
import binascii
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from spectral.domains.traces.errors import MalformedOtlpError
from spectral.domains.traces.otlp.requests import LARGE_BYTES, MAXIMUM_PARTS, too_many_parts
from spectral.domains.traces.otlp.surrogates import without_half_pairs

MAXIMUM_LEVELS = 100
"""Of messages in messages, counted from the request. Protobuf readers stop there, so what is deeper is not stored."""

ATTRIBUTE_LEVEL = 5
"""The level of the value of an attribute of a span, a log record or a scope; one less for a resource."""

ABSENT = msgspec.Raw()
"""A member that is still encoded, where there is none."""

UINT32 = 2**32 - 1
UINT64 = 2**64 - 1
INT64 = 2**63

_DIGITS = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
T = TypeVar("T")


class BadValueError(ValueError):
    """Something inside one message has the wrong form; its text names the place."""


def decode_document(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """The outer structure of a request, its spans still encoded. Raises MalformedOtlpError and PayloadTooLargeError.

    Half a surrogate pair becomes U+FFFD.
    """
    # As in protobuf; braces inside of texts count too, so there may be more of them.
    if len(body) > LARGE_BYTES and body.count(b"{") > 8 * MAXIMUM_PARTS:
        raise too_many_parts()
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise MalformedOtlpError(f"The body is not an export request: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        repaired = without_half_pairs(body)
        if repaired == body:
            raise MalformedOtlpError("The body is not valid JSON") from error
        return decode_document(decoder, repaired)


def given(raw: msgspec.Raw) -> bool:
    """Whether a member is there: `null` is the same as absent."""
    return len(raw) > 0 and bytes(raw) != b"null"


def decode_message(raw: msgspec.Raw, what: str) -> dict[str, Any]:
    """One message of a request. Raises BadValueError."""
    try:
        found = msgspec.json.decode(raw)
    except UnicodeDecodeError as error:
        raise BadValueError(f"{what} has text that is not UTF-8") from error
    except msgspec.ValidationError as error:
        raise BadValueError(f"{what} has a number that is out of range") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadValueError(f"{what} is not valid JSON, or nested too deeply") from error
    return mapping(found, what)


def read_resource(source: dict[str, Any], target: Resource) -> None:
    target.SetInParent()
    read_attributes(source, target.attributes, ATTRIBUTE_LEVEL - 1)
    target.dropped_attributes_count = integer(source, "droppedAttributesCount", UINT32)
    for reference in list_of(source, "entityRefs"):
        found, added = mapping(reference, "entityRefs"), target.entity_refs.add()
        added.schema_url, added.type = string(found, "schemaUrl"), string(found, "type")
        added.id_keys.extend(_strings(found, "idKeys"))
        added.description_keys.extend(_strings(found, "descriptionKeys"))


def read_scope(source: dict[str, Any], target: InstrumentationScope) -> None:
    target.SetInParent()
    target.name = string(source, "name")
    target.version = string(source, "version")
    read_attributes(source, target.attributes, ATTRIBUTE_LEVEL)
    target.dropped_attributes_count = integer(source, "droppedAttributesCount", UINT32)


def read_attributes(source: dict[str, Any], target: Any, level: int) -> None:
    """level: of the values among the messages."""
    for pair in list_of(source, "attributes"):
        _pair(mapping(pair, "attribute"), target.add(), level)


def read_value(source: dict[str, Any], target: AnyValue, level: int) -> None:
    """An `AnyValue`; one without a known form stays empty."""
    if level > MAXIMUM_LEVELS:
        raise BadValueError("attribute values are nested too deeply")
    for form, found in source.items():
        if found is None:
            continue
        if form in _SCALARS:
            field, read = _SCALARS[form]
            setattr(target, field, read(source, form))
        elif form == "arrayValue":
            target.array_value.SetInParent()
            for item in list_of(mapping(found, form), "values"):
                read_value(mapping(item, form), target.array_value.values.add(), level + 2)
        elif form == "kvlistValue":
            target.kvlist_value.SetInParent()
            for item in list_of(mapping(found, form), "values"):
                _pair(mapping(item, form), target.kvlist_value.values.add(), level + 3)
        else:
            continue
        return


def mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadValueError(f"{what} must be an object")
    return value


def list_of(source: dict[str, Any], key: str) -> list[Any]:
    value = source.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadValueError(f"{key} must be a list")
    return value


def string(source: dict[str, Any], key: str) -> str:
    value = source.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadValueError(f"{key} must be a string")
    return value


def hexadecimal(source: dict[str, Any], key: str) -> bytes:
    value = source.get(key)
    if value is None:
        return b""
    if not isinstance(value, str):
        raise BadValueError(f"{key} must be a hexadecimal string")
    try:
        return binascii.unhexlify(value)
    except ValueError as error:
        raise BadValueError(f"{key} must be a hexadecimal string") from error


def integer(source: dict[str, Any], key: str, maximum: int, *, minimum: int = 0) -> int:
    """A whole number, as a JSON number or as text, in any spelling (`3`, `"3"`, `3.0`, `"3e0"`)."""
    value = source.get(key)
    if value is None:
        return 0
    if isinstance(value, str):
        value = int(value) if _DIGITS.fullmatch(value) else _whole(value, key)
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadValueError(f"{key} must be an integer")
    if not minimum <= value <= maximum:
        raise BadValueError(f"{key} must be between {minimum} and {maximum}")
    return value


def enum(source: dict[str, Any], key: str, names: dict[str, int]) -> int:
    """The number of an enum; one that this version does not know is kept."""
    value = source.get(key)
    if isinstance(value, str) and value in names:
        # The specification forbids names; exporters that use the standard JSON mapping send them all the same.
        return names[value]
    return integer(source, key, 2**31 - 1, minimum=-(2**31))


def _pair(source: dict[str, Any], target: KeyValue, level: int) -> None:
    target.key = string(source, "key")
    value = source.get("value")
    if value is not None:
        target.value.SetInParent()
        read_value(mapping(value, "attribute value"), target.value, level)


def _strings(source: dict[str, Any], key: str) -> list[str]:
    found = list_of(source, key)
    if not all(isinstance(item, str) for item in found):
        raise BadValueError(f"{key} must be a list of strings")
    return found


def _whole(text: str, key: str) -> int:
    try:
        value = Decimal(text) if _NUMBER.fullmatch(text) else None
    except InvalidOperation:
        value = None
    # An exponent of a billion is few characters and a number that fills the memory.
    if value is None or value.adjusted() > 20 or value != value.to_integral_value():
        raise BadValueError(f"{key} must be an integer")
    return int(value)


def _boolean(source: dict[str, Any], key: str) -> bool:
    value = source[key]
    if not isinstance(value, bool):
        raise BadValueError(f"{key} must be true or false")
    return value


def _int64(source: dict[str, Any], key: str) -> int:
    return integer(source, key, INT64 - 1, minimum=-INT64)


def _double(source: dict[str, Any], key: str) -> float:
    value = source[key]
    if isinstance(value, str) and (value in {"NaN", "Infinity", "-Infinity"} or _NUMBER.fullmatch(value)):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadValueError("doubleValue must be a number")
    try:
        return float(value)
    except OverflowError as error:
        raise BadValueError("doubleValue must be a number of 64 bits") from error


def _base64(source: dict[str, Any], key: str) -> bytes:
    value = source[key]
    if not isinstance(value, str):
        raise BadValueError("bytesValue must be base64")
    try:
        return base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadValueError("bytesValue must be base64") from error


_SCALARS: dict[str, tuple[str, Callable[[dict[str, Any], str], Any]]] = {
    "stringValue": ("string_value", string),
    "boolValue": ("bool_value", _boolean),
    "intValue": ("int_value", _int64),
    "doubleValue": ("double_value", _double),
    "bytesValue": ("bytes_value", _base64),
}
"""Forms of `AnyValue` → the field of the message, and what reads it."""

"""JSON Schemas (draft 2020-12) in definitions: of inputs and outputs, of answers, of signals, of structured output.

References stay inside a schema, nothing is fetched; patterns are RE2 and every check takes a bounded number of steps.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from spectral.domains.agents.pointers import PointerError, child_pointer, value_at
from spectral.domains.evaluations.scorers.base import ScorerError, canonical_json
from spectral.domains.evaluations.scorers.structured import (
    check_json_schema,
    json_schema_failures,
    json_schema_validator,
)
from spectral.platform.shared.errors import FieldError

MAXIMUM_FAILURES = 50
CACHED = 256


def schema_problem(schema: Any) -> str | None:
    """Why something is no JSON Schema that we can use, None for one that is."""
    if not isinstance(schema, dict | bool):
        return "a JSON Schema is an object"
    try:
        check_json_schema(schema)
        _check_references(schema)
        json_schema_failures(json_schema_validator(schema), None, 1)
    except (ValueError, ScorerError) as error:
        return str(error)
    except RecursionError:
        return "the schema refers to itself without end"
    return None


def schema_failures(schema: Any, value: Any, pointer: str = "") -> list[FieldError]:
    """What is wrong with a value, up to 50 places in the order of the document; pointer: of the value itself.

    schema: one that has no `schema_problem`.
    """
    try:
        failures = json_schema_failures(_validator(canonical_json(schema)), value, MAXIMUM_FAILURES)
    except (ScorerError, RecursionError) as error:
        return [FieldError(pointer, str(error) or "takes too long to check against its schema")]
    found = []
    for failure in failures:
        place = pointer
        for part in failure.absolute_path:
            place = child_pointer(place, part)
        found.append(FieldError(place, failure.message[:300]))
    return sorted(found, key=lambda one: one.pointer)


def with_defaults(schema: Any, value: Any) -> Any:
    """The value with the `default` of every property that it leaves out, in objects within objects as well."""
    if not isinstance(schema, Mapping) or not isinstance(value, dict):
        return value
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return value
    filled = dict(value)
    for name, rule in properties.items():
        if not isinstance(rule, Mapping):
            continue
        if name not in filled:
            if "default" not in rule:
                continue
            filled[name] = deepcopy(rule["default"])
        filled[name] = with_defaults(rule, filled[name])
    return filled


def _check_references(schema: Any) -> None:
    """Raises ValueError for a reference that leads out of the schema, or nowhere in it."""
    pending = [schema]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            target = value.get("$ref")
            if isinstance(target, str):
                _follow(schema, target)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def _follow(schema: Any, reference: str) -> None:
    if not reference.startswith("#"):
        message = f"the schema refers to something outside itself: {reference[:200]}"
        raise ValueError(message)
    if reference.startswith("#/"):
        try:
            value_at(schema, unquote(reference[1:]))
        except PointerError as error:
            message = f"the reference {reference[:200]} leads nowhere"
            raise ValueError(message) from error


@lru_cache(maxsize=CACHED)
def _validator(text: str) -> Any:
    # By text: schemas are mutable, and runs of one version bring a new copy each.
    return json_schema_validator(json.loads(text))

"""Models are documented by Pydantic itself, so that what is documented is what is read and written.

Litestar derives a schema from Python types alone: an amount, an int that becomes a decimal string, would be an integer.
"""

from collections.abc import Iterator
from typing import Any, Literal

from litestar._openapi.schema_generation import SchemaCreator
from litestar.openapi.spec import Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

Mode = Literal["validation", "serialization"]

_PLACEHOLDER = "pydantic:"
_COMPONENTS = "#/components/schemas/"


_asked: dict[str, type[BaseModel]] = {}
"""The models that placeholders stand for; every document of a process may refer to any of them."""


def model_schema(model: type[BaseModel]) -> Schema:
    """The placeholder of a model, also for bodies that no parameter's type describes."""
    name = ".".join(_name(model))
    _asked[name] = model
    # Litestar wants to look every reference up in its own registry, so the placeholder is a title.
    return Schema(title=_PLACEHOLDER + name)


class PydanticModels(OpenAPISchemaPlugin):
    """Stands a placeholder in for every model; `resolve_models` replaces them once it is known who reads and writes."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        # Of a union every member is asked about by itself.
        return not field_definition.is_union and field_definition.is_subclass_of(BaseModel)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Schema:
        del schema_creator
        return model_schema(field_definition.annotation)


def resolve_models(document: dict[str, Any]) -> None:
    """Put the schemas of all models into the document's components, and references to them where they are used.

    A model in a request body is documented as it is read, anywhere else as it is written.
    """
    places = [
        (schema, _asked[schema.pop("title").removeprefix(_PLACEHOLDER)], mode)
        for schema, mode in list(_placeholders(document, "serialization"))
    ]
    ordered = sorted({(model, mode) for _, model, mode in places}, key=lambda each: (*_name(each[0]), each[1]))
    references, definitions = models_json_schema(ordered, ref_template=_COMPONENTS + "{model}")
    for schema, model, mode in places:
        schema.update(references[(model, mode)])
    document["components"]["schemas"] |= definitions.get("$defs", {})


def _placeholders(value: Any, mode: Mode) -> Iterator[tuple[dict[str, Any], Mode]]:
    if isinstance(value, list):
        for part in value:
            yield from _placeholders(part, mode)
    elif isinstance(value, dict):
        if str(value.get("title", "")).startswith(_PLACEHOLDER):
            yield value, mode
        for name, part in value.items():
            yield from _placeholders(part, "validation" if name == "requestBody" else mode)


def _name(model: type[BaseModel]) -> tuple[str, str]:
    return model.__module__, model.__qualname__

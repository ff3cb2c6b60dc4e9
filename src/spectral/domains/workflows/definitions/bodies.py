"""How documents arrive: as JSON with the text or the document in it, or as YAML itself."""

import json
from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from pydantic import ValidationError

from spectral.domains.agents.json_values import pointer_of
from spectral.domains.workflows.definitions.documents import MAXIMUM_BYTES
from spectral.domains.workflows.definitions.publishing import Draft
from spectral.domains.workflows.definitions.schemas import SOURCE, WorkflowIn
from spectral.platform.docs.schemas import model_schema
from spectral.platform.shared.errors import (
    FieldError,
    MalformedRequestError,
    PayloadTooLargeError,
    UnsupportedMediaTypeError,
    ValidationFailedError,
)

YAML = "application/yaml"
YAML_TYPES = frozenset({YAML, "application/x-yaml", "text/yaml", "text/x-yaml", "text/vnd.yaml"})
JSON_TYPES = frozenset({"application/json", ""})
MAXIMUM_BODY_BYTES = 4 * MAXIMUM_BYTES
"""A document of the largest size, with every character of it escaped."""


@dataclass(frozen=True, slots=True)
class SentDocument:
    """A document, and the name that the request gives it besides."""

    draft: Draft
    name: str | None = None


@dataclass
class DocumentOperation(Operation):
    """Documents both kinds of bodies, of which no typed parameter can be."""

    def __post_init__(self) -> None:
        text = Schema(type=OpenAPIType.STRING, description="the document itself", examples=[SOURCE])
        self.request_body = RequestBody(
            required=True,
            description="the text or the document in JSON, or YAML as it is",
            content={
                "application/json": OpenAPIMediaType(schema=model_schema(WorkflowIn)),
                YAML: OpenAPIMediaType(schema=text),
            },
        )


async def read_sent(request: Request[Any, Any, Any]) -> SentDocument:
    """The document of a request.

    Raises MalformedRequestError (400), PayloadTooLargeError (413), UnsupportedMediaTypeError (415),
    ValidationFailedError (422).
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if len(body) > MAXIMUM_BODY_BYTES:
        raise PayloadTooLargeError(f"A document is at most {MAXIMUM_BYTES // 1024} KiB")
    if media_type in YAML_TYPES:
        try:
            return SentDocument(Draft(body.decode("utf-8-sig"), "yaml"))
        except UnicodeDecodeError as error:
            raise MalformedRequestError("The body is not text in UTF-8") from error
    if media_type not in JSON_TYPES and not media_type.endswith("+json"):
        raise UnsupportedMediaTypeError(f"A document is sent as application/json or {YAML}")
    try:
        read = WorkflowIn.model_validate(json.loads(body))
    except ValidationError as error:
        wrong = [
            FieldError(pointer_of(found["loc"]), found["msg"].removeprefix("Value error, "))
            for found in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise ValidationFailedError("The request failed validation", wrong) from error
    except (ValueError, RecursionError) as error:
        raise MalformedRequestError("The body is not valid JSON") from error
    if read.definition is None:
        return SentDocument(Draft(read.source or "", read.format), read.name)
    return SentDocument(Draft(json.dumps(read.definition, indent=2, ensure_ascii=False), "json"), read.name)

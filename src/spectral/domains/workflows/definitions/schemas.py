"""The wire shapes of workflows."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, model_validator

from spectral.domains.agents.json_values import STORABLE, StorableJson
from spectral.platform.shared.pagination import Collection
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

Text = Annotated[str, Field(max_length=1024 * 1024), STORABLE]

SOURCE = """name: greet
inputs:
  who: string
steps:
  - id: hello
    kind: map
    mapping: {text: "Hello ${inputs.who}"}
"""


class WorkflowIn(WireIn):
    """A workflow's document: its text in `source`, or the document itself in `definition`."""

    name: Text | None = Field(default=None, max_length=128, description="Must be the document's, where both are given.")
    source: Text | None = Field(default=None, description="YAML or JSON.", examples=[SOURCE])
    format: Literal["yaml", "json"] | None = Field(default=None, description="Of `source`; found out unless given.")
    definition: dict[str, StorableJson] | None = None

    @model_validator(mode="after")
    def _one_document(self) -> Self:
        if (self.source is None) == (self.definition is None):
            message = "give one of source and definition"
            raise ValueError(message)
        return self


class FindingOut(WireOut):
    """Something about a document. Lines and columns count from 1; `pointer` leads into the document."""

    pointer: str
    detail: str
    line: int
    column: int
    code: str


class DagNode(WireOut):
    """A step. `id` is its path; steps of a body name their container in `parent` and the body in `body`."""

    id: str
    name: str
    label: str
    type: str
    agent: str | None
    parent: str | None
    body: str | None
    join: str


class DagEdge(WireOut):
    """What leads from one step to another. A loopback sets its target back for another iteration."""

    source: str
    target: str
    condition: str | None
    is_loopback: bool


class GraphOut(WireOut):
    """The steps of a document and what leads from one to the next."""

    nodes: list[DagNode]
    edges: list[DagEdge]


class ValidationOut(WireOut):
    """What is wrong with a document, in the order of its text."""

    is_valid: bool
    name: str | None
    format: str
    errors: list[FindingOut]
    warnings: list[FindingOut]
    graph: GraphOut | None = Field(description="Null for a document with mistakes.")


class WorkflowSummary(WireOut):
    """A workflow. `origin` is `api`, or `folder` for one that the server reads from its disk and nobody can change."""

    id: UUID
    name: str
    description: str
    version: int
    origin: str
    created_at: Timestamp
    updated_at: Timestamp


class WorkflowOut(WorkflowSummary):
    """A workflow in its latest version."""

    digest: str
    format: str
    step_count: int
    inputs: dict[str, JsonValue] = Field(description="JSON Schema.")
    outputs: dict[str, JsonValue] | None = Field(description="JSON Schema, where the document has one.")


class StoredWorkflow(WorkflowOut):
    """What was stored. `changed` is false for a document that was the latest version already."""

    changed: bool
    warnings: list[FindingOut]


class BrokenFile(WireOut):
    """A file of the server's folder that is no workflow as it is."""

    file: str
    errors: list[FindingOut]


class WorkflowCollection(Collection[WorkflowSummary]):
    """Workflows by name."""

    broken_files: list[BrokenFile]


class WorkflowVersionSummary(WireOut):
    """One document of a workflow; it never changes."""

    id: UUID
    version: int
    digest: str
    format: str
    created_by: str
    created_at: Timestamp


class WorkflowVersionOut(WorkflowVersionSummary):
    """One document of a workflow: its text, and what it compiles to."""

    name: str
    source: str
    definition: dict[str, JsonValue]


class DagOut(GraphOut):
    """The graph of a version."""

    workflow: str
    version: int


class Capabilities(WireOut):
    """Types of what goes in and comes out, by name."""

    inputs: dict[str, str]
    outputs: dict[str, str]


class CapabilitiesOut(WireOut):
    """What a version takes, gives and uses."""

    workflow: str
    version: int
    capabilities: Capabilities
    kinds: list[str]
    agents: list[str]
    workflows: list[str]
    tasks: list[str]
    events: list[str]
    queues: list[str]
    secrets: list[str]
    asks_people: bool


class StepSchema(WireOut):
    """The schema of what a step is answered, sent or given."""

    step: str
    kind: str
    json_schema: dict[str, Any]


class WorkflowSchemaOut(WireOut):
    """The JSON Schemas of a version (draft 2020-12)."""

    workflow: str
    version: int
    inputs: dict[str, JsonValue]
    outputs: dict[str, JsonValue] | None
    steps: list[StepSchema]


class ExampleOut(WireOut):
    """A document to start from."""

    name: str
    description: str
    format: str
    source: str

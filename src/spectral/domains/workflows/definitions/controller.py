"""HTTP of workflows: `/api/v1/workspaces/{workspace_id}/workflows`."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post, put
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.definitions.bodies import DocumentOperation, read_sent
from spectral.domains.workflows.definitions.built_in import examples
from spectral.domains.workflows.definitions.documents import Finding
from spectral.domains.workflows.definitions.folders import DefinitionFolder, broken_files
from spectral.domains.workflows.definitions.model import Definition
from spectral.domains.workflows.definitions.publishing import Published, Publisher, finding_document
from spectral.domains.workflows.definitions.repository import MAXIMUM_VERSION
from spectral.domains.workflows.definitions.schemas import (
    BrokenFile,
    Capabilities,
    CapabilitiesOut,
    DagEdge,
    DagNode,
    DagOut,
    ExampleOut,
    FindingOut,
    GraphOut,
    StepSchema,
    StoredWorkflow,
    ValidationOut,
    WorkflowCollection,
    WorkflowOut,
    WorkflowSchemaOut,
    WorkflowSummary,
    WorkflowVersionOut,
    WorkflowVersionSummary,
)
from spectral.domains.workflows.definitions.service import VersionedWorkflow, WorkflowService
from spectral.domains.workflows.definitions.views import (
    asked_schemas,
    input_types,
    needs_of,
    output_types,
    placed_edges,
    placed_nodes,
)
from spectral.domains.workflows.models import Workflow, WorkflowVersion
from spectral.domains.workflows.nodes.tasks import TaskRegistry
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.pagination import Collection, Page, Pagination

READ = requires(Scope.READ_WORKSPACE)
WRITE = requires(Scope.WRITE_WORKSPACE)
MEDIA_TYPES = {"yaml": "application/yaml", "json": "application/json"}

VersionQuery = Annotated[
    int | None, QueryParameter(ge=1, le=MAXIMUM_VERSION, description="a version; the latest unless given")
]
SentRequest = Request[Principal, None, State]


def provide_workflow_service(session: AsyncSession, access: WorkspaceAccess) -> WorkflowService:
    return WorkflowService(session, access)


def provide_publisher(database: Database, access: WorkspaceAccess, task_registry: TaskRegistry) -> Publisher:
    return Publisher(database, access, frozenset(task_registry.public()))


def finding_out(finding: Finding) -> FindingOut:
    return FindingOut.model_validate(finding_document(finding))


def workflow_out(workflow: Workflow, version: WorkflowVersion, definition: Definition) -> WorkflowOut:
    return WorkflowOut(**_members(workflow, version, definition))


def _members(workflow: Workflow, version: WorkflowVersion, definition: Definition) -> dict[str, Any]:
    return WorkflowSummary.model_validate(workflow).model_dump() | {
        "digest": version.digest,
        "format": version.source_format,
        "step_count": sum(1 for _ in definition.graph.walk()),
        "inputs": definition.inputs,
        "outputs": definition.outputs_schema,
    }


def stored_out(published: Published) -> StoredWorkflow:
    definition = Definition.from_document(published.version.document)
    return StoredWorkflow(
        **_members(published.workflow, published.version, definition),
        changed=published.is_changed,
        warnings=[finding_out(finding) for finding in published.warnings],
    )


def version_summary(version: WorkflowVersion) -> WorkflowVersionSummary:
    return WorkflowVersionSummary(**_version(version))


def _version(version: WorkflowVersion) -> dict[str, Any]:
    names = ("id", "version", "digest", "created_by", "created_at")
    return {name: getattr(version, name) for name in names} | {"format": version.source_format}


def graph_out(definition: Definition) -> GraphOut:
    graph = definition.graph
    nodes = [
        DagNode(
            id=placed.id,
            name=placed.node.id,
            label=placed.node.label or placed.node.id,
            type=placed.node.kind.value,
            agent=_text(placed.node.params.get("agent")),
            parent=placed.parent,
            body=placed.body,
            join=placed.node.join.value,
        )
        for placed in placed_nodes(graph)
    ]
    return GraphOut(nodes=nodes, edges=[DagEdge.model_validate(edge) for edge in placed_edges(graph)])


def dag_out(found: VersionedWorkflow) -> DagOut:
    graph = graph_out(found.definition)
    version = found.version.version or 0
    return DagOut(workflow=found.workflow.name, version=version, nodes=graph.nodes, edges=graph.edges)


def capabilities_out(found: VersionedWorkflow) -> CapabilitiesOut:
    definition = found.definition
    needs = needs_of(definition)
    names = ("kinds", "agents", "workflows", "tasks", "events", "queues", "secrets", "asks_people")
    return CapabilitiesOut(
        workflow=found.workflow.name,
        version=found.version.version or 0,
        capabilities=Capabilities(inputs=input_types(definition), outputs=output_types(definition)),
        **{name: getattr(needs, name) for name in names},
    )


def schema_out(found: VersionedWorkflow) -> WorkflowSchemaOut:
    definition = found.definition
    return WorkflowSchemaOut(
        workflow=found.workflow.name,
        version=found.version.version or 0,
        inputs=dict(definition.inputs),
        outputs=None if definition.outputs_schema is None else dict(definition.outputs_schema),
        steps=[
            StepSchema(step=path, kind=node.kind.value, json_schema=dict(schema))
            for path, node, schema in asked_schemas(definition)
        ],
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


class WorkflowController(Controller):
    """Workflows and their versions."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/workflows"
    tags = ("Workflows",)
    dependencies = {  # noqa: RUF012
        "service": Provide(provide_workflow_service, sync_to_thread=False),
        "publisher": Provide(provide_publisher, sync_to_thread=False),
    }

    @get(
        operation_id="listWorkflows",
        summary="List the workflows by name",
        description="`broken_files` names the files of the server's folder of workflows that do not compile.",
        guards=[READ],
    )
    async def list_workflows(
        self,
        service: WorkflowService,
        publisher: Publisher,
        access: WorkspaceAccess,
        database: Database,
        workflow_folder: DefinitionFolder | None,
        page: Page,
        search: Annotated[str | None, QueryParameter(max_length=128, description="part of the name")] = None,
        origin: Annotated[str | None, QueryParameter(pattern="^(api|folder)$", description="api or folder")] = None,
    ) -> WorkflowCollection:
        found, total = await service.list_workflows(page, search=search, origin=origin)
        broken = []
        if workflow_folder is not None and workflow_folder.workspace_id == access.workspace_id:
            broken = await broken_files(workflow_folder, database, publisher)
        return WorkflowCollection(
            results=[WorkflowSummary.model_validate(workflow) for workflow in found],
            pagination=Pagination(total=total, limit=page.limit, offset=page.offset),
            broken_files=[
                BrokenFile(file=one.file, errors=[finding_out(finding) for finding in one.errors]) for one in broken
            ],
        )

    @post(
        operation_id="createWorkflow",
        summary="Create a workflow",
        description=(
            "A document with mistakes is a 422 and stores nothing; `errors` are all of its mistakes, each of them "
            "`{pointer, detail, line, column, code}`."
        ),
        guards=[WRITE],
        opt={"idempotent": True},
        operation_class=DocumentOperation,
    )
    async def create_workflow(
        self, request: SentRequest, publisher: Publisher, workspace_id: UUID
    ) -> Response[StoredWorkflow]:
        sent = await read_sent(request)
        stored = stored_out(await publisher.create(sent.draft, sent.name))
        return Response(stored, status_code=201, headers={"Location": _location(workspace_id, stored.name)})

    @post(
        "/validate",
        operation_id="validateWorkflow",
        summary="See everything that is wrong with a document",
        description="Nothing is stored. The answer is 200 for documents with mistakes too.",
        guards=[READ],
        status_code=200,
        operation_class=DocumentOperation,
    )
    async def validate_workflow(self, request: SentRequest, publisher: Publisher) -> ValidationOut:
        sent = await read_sent(request)
        compiled = await publisher.check(sent.draft, sent.name)
        return ValidationOut(
            is_valid=compiled.definition is not None,
            name=None if compiled.definition is None else compiled.definition.name,
            format=compiled.source_format,
            errors=[finding_out(finding) for finding in compiled.errors],
            warnings=[finding_out(finding) for finding in compiled.warnings],
            graph=None if compiled.definition is None else graph_out(compiled.definition),
        )

    @get("/examples", operation_id="listWorkflowExamples", summary="List documents to start from", guards=[READ])
    async def list_examples(self, page: Page) -> Collection[ExampleOut]:
        found = examples()
        shown = [
            ExampleOut(name=one.name, description=one.description, format="yaml", source=one.source)
            for one in found[page.offset : page.offset + page.limit]
        ]
        return Collection.of(shown, len(found), page)

    @get("/{name:str}", operation_id="readWorkflow", summary="Read a workflow", guards=[READ])
    async def read_workflow(self, service: WorkflowService, name: str) -> WorkflowOut:
        found = await service.read_workflow(name)
        return workflow_out(found.workflow, found.version, found.definition)

    @put(
        "/{name:str}",
        operation_id="replaceWorkflow",
        summary="Store a document as the workflow's latest version",
        description=(
            "Makes the workflow where there is none (201). The document that is the latest already changes nothing. "
            "Running runs keep their version. Mistakes are answered as by `POST workflows`."
        ),
        guards=[WRITE],
        operation_class=DocumentOperation,
        responses={201: ResponseSpec(StoredWorkflow, description="The workflow is new", generate_examples=False)},
    )
    async def replace_workflow(
        self, request: SentRequest, publisher: Publisher, name: str, workspace_id: UUID
    ) -> Response[StoredWorkflow]:
        sent = await read_sent(request)
        if sent.name is not None and sent.name != name:
            raise ValidationFailedError("The name differs from the path's", [FieldError("/name", f"is not {name}")])
        published = await publisher.replace(name, sent.draft)
        stored = stored_out(published)
        if not published.is_new:
            return Response(stored)
        return Response(stored, status_code=201, headers={"Location": _location(workspace_id, stored.name)})

    @delete(
        "/{name:str}",
        operation_id="deleteWorkflow",
        summary="Delete a workflow",
        description="Its versions stay for the runs that are of them. One that the server reads from a folder stays.",
        guards=[WRITE],
    )
    async def delete_workflow(self, service: WorkflowService, name: str) -> None:
        await service.delete_workflow(name)

    @get(
        "/{name:str}/versions",
        operation_id="listWorkflowVersions",
        summary="List a workflow's versions, newest first",
        guards=[READ],
    )
    async def list_versions(
        self, service: WorkflowService, name: str, page: Page
    ) -> Collection[WorkflowVersionSummary]:
        found, total = await service.list_versions(name, page)
        return Collection.of([version_summary(version) for version in found], total, page)

    @get(
        "/{name:str}/versions/{version:int}",
        operation_id="readWorkflowVersion",
        summary="Read a version: its text and what it compiles to",
        guards=[READ],
    )
    async def read_version(self, service: WorkflowService, name: str, version: int) -> WorkflowVersionOut:
        found = await service.read_workflow(name, version)
        return WorkflowVersionOut(
            **_version(found.version),
            name=found.workflow.name,
            source=found.version.source,
            definition=found.version.document,
        )

    @get("/{name:str}/dag", operation_id="readWorkflowDag", summary="Read a workflow's graph", guards=[READ])
    async def read_dag(self, service: WorkflowService, name: str, version: VersionQuery = None) -> DagOut:
        return dag_out(await service.read_workflow(name, version))

    @get(
        "/{name:str}/capabilities",
        operation_id="readWorkflowCapabilities",
        summary="Read what a workflow takes, gives and uses",
        guards=[READ],
    )
    async def read_capabilities(
        self, service: WorkflowService, name: str, version: VersionQuery = None
    ) -> CapabilitiesOut:
        return capabilities_out(await service.read_workflow(name, version))

    @get(
        "/{name:str}/schema", operation_id="readWorkflowSchema", summary="Read a workflow's JSON Schemas", guards=[READ]
    )
    async def read_schema(self, service: WorkflowService, name: str, version: VersionQuery = None) -> WorkflowSchemaOut:
        return schema_out(await service.read_workflow(name, version))

    @get(
        "/{name:str}/source",
        operation_id="readWorkflowSource",
        summary="Read a workflow's text as it was sent",
        guards=[READ],
        media_type="application/yaml",
    )
    async def read_source(self, service: WorkflowService, name: str, version: VersionQuery = None) -> Response[bytes]:
        found = await service.read_workflow(name, version)
        return Response(
            found.version.source.encode(),
            media_type=MEDIA_TYPES[found.version.source_format],
            headers={"X-Workflow-Version": str(found.version.version)},
        )


def _location(workspace_id: UUID, name: str) -> str:
    return f"/api/v1/workspaces/{workspace_id}/workflows/{name}"

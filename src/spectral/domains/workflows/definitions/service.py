"""Reading workflows, and deleting them. Documents come in through `publishing`."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.definitions.model import Definition
from spectral.domains.workflows.definitions.publishing import FOLDER
from spectral.domains.workflows.definitions.repository import DocumentRepository, WorkflowRepository
from spectral.domains.workflows.errors import ReadOnlyWorkflowError
from spectral.domains.workflows.models import Workflow, WorkflowVersion
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page


@dataclass(frozen=True, slots=True)
class VersionedWorkflow:
    """A workflow in one of its versions."""

    workflow: Workflow
    version: WorkflowVersion

    @property
    def definition(self) -> Definition:
        return Definition.from_document(self.version.document)


class WorkflowService:
    """The workflows of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._workflows = WorkflowRepository(session, access)
        self._documents = DocumentRepository(session, access)

    async def list_workflows(
        self, page: Page, *, search: str | None = None, origin: str | None = None
    ) -> tuple[list[Workflow], int]:
        """One page of them by name. search: part of the name."""
        return await self._workflows.page_of(page, search=search, origin=origin)

    async def read_workflow(self, name: str, version: int | None = None) -> VersionedWorkflow:
        """The workflow in this version, None for its latest. Raises NotFoundError."""
        workflow = await self._workflows.of_name(name)
        return VersionedWorkflow(workflow, await self._documents.of(workflow, version))

    async def resolve(self, name: str, version: int | None = None) -> WorkflowVersion:
        """What a run of the workflow runs. Raises NotFoundError."""
        return (await self.read_workflow(name, version)).version

    async def list_versions(self, name: str, page: Page) -> tuple[list[WorkflowVersion], int]:
        """One page of a workflow's versions, newest first, without their documents. Raises NotFoundError."""
        return await self._documents.page_of(await self._workflows.of_name(name), page)

    async def delete_workflow(self, name: str) -> None:
        """The name is free again; the versions stay for the runs that are of them.

        Raises NotFoundError, ReadOnlyWorkflowError (400).
        """
        workflow = await self._workflows.lock(name)
        if workflow is None:
            raise NotFoundError("Workflow", name)
        if workflow.origin == FOLDER:
            raise ReadOnlyWorkflowError(name)
        workflow.deleted_at = utc_now()
        await self._workflows.flush()
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action="workflow.deleted",
            subject=f"workflow:{workflow.id}",
            detail={"name": name},
        )

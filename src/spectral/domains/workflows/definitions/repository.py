"""Rows of workflows and of their versions."""

from collections.abc import Collection
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import defer

from spectral.domains.workflows.errors import DuplicateWorkflowError
from spectral.domains.workflows.models import Workflow, WorkflowVersion
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page

MAXIMUM_VERSION = 2**31 - 1
NAME_IS_UNIQUE = "uq_workflow_name_live"
INLINE_IS_UNIQUE = "uq_workflow_version_inline"


class WorkflowRepository(WorkspaceRepository[Workflow]):
    """The workflows of one workspace that are not deleted."""

    model: ClassVar[type[Workflow]] = Workflow
    kind = "Workflow"

    async def of_name(self, name: str) -> Workflow:
        """Raises NotFoundError."""
        workflow = await self.find(Workflow.name == name, Workflow.deleted_at.is_(None))
        if workflow is None:
            raise NotFoundError(self.kind, name)
        return workflow

    async def lock(self, name: str) -> Workflow | None:
        """The workflow, held until the transaction ends: its versions queue here. None where there is none."""
        statement = self.select(Workflow.name == name, Workflow.deleted_at.is_(None)).with_for_update()
        found = await self.session.scalars(statement.execution_options(populate_existing=True))
        return found.one_or_none()

    async def page_of(self, page: Page, *, search: str | None, origin: str | None) -> tuple[list[Workflow], int]:
        """By name. search: part of the name."""
        statement = self.select(Workflow.deleted_at.is_(None))
        if search:
            statement = statement.where(Workflow.name.icontains(search, autoescape=True))
        if origin:
            statement = statement.where(Workflow.origin == origin)
        return await self.page(statement, page, order_by=(Workflow.name, Workflow.id))

    async def latest_of(self, names: Collection[str]) -> dict[str, WorkflowVersion]:
        """The latest versions of these workflows, by name."""
        same = sa.and_(
            WorkflowVersion.workspace_id == Workflow.workspace_id,
            WorkflowVersion.workflow_id == Workflow.id,
            WorkflowVersion.version == Workflow.version,
        )
        statement = (
            sa.select(Workflow.name, WorkflowVersion)
            .join(WorkflowVersion, same)
            .where(self._mine, Workflow.deleted_at.is_(None), Workflow.name.in_(names))
            .options(defer(WorkflowVersion.source, raiseload=True))
        )
        return {row[0]: row[1] for row in await self.session.execute(statement)}

    async def some_names(self, limit: int) -> list[str]:
        """Names, for suggestions."""
        names = sa.select(Workflow.name).where(self._mine, Workflow.deleted_at.is_(None)).order_by(Workflow.name)
        return list(await self.session.scalars(names.limit(limit)))

    async def add_named(self, workflow: Workflow) -> Workflow:
        """Raises DuplicateWorkflowError (409)."""
        self.add(workflow)
        await self.flush({NAME_IS_UNIQUE: DuplicateWorkflowError(workflow.name)})
        return workflow


class DocumentRepository(WorkspaceRepository[WorkflowVersion]):
    """The documents of one workspace."""

    model: ClassVar[type[WorkflowVersion]] = WorkflowVersion
    kind = "Workflow version"

    async def of(self, workflow: Workflow, version: int | None = None) -> WorkflowVersion:
        """This version, None for the latest. Raises NotFoundError."""
        wanted = workflow.version if version is None else version
        found = None
        if 1 <= wanted <= MAXIMUM_VERSION:
            found = await self.find(WorkflowVersion.workflow_id == workflow.id, WorkflowVersion.version == wanted)
        if found is None:
            raise NotFoundError("Workflow", f"{workflow.name} version {wanted}")
        return found

    async def page_of(self, workflow: Workflow, page: Page) -> tuple[list[WorkflowVersion], int]:
        """Newest first, without their texts."""
        statement = self.select(WorkflowVersion.workflow_id == workflow.id).options(
            defer(WorkflowVersion.document, raiseload=True), defer(WorkflowVersion.source, raiseload=True)
        )
        return await self.page(statement, page, order_by=(WorkflowVersion.version.desc(),))

    async def inline(self, digest: str) -> WorkflowVersion | None:
        """The document without a workflow that compiles to this."""
        return await self.find(WorkflowVersion.workflow_id.is_(None), WorkflowVersion.digest == digest)

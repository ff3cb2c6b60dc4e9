"""Runs that runs start: of the workspace's own workflows, in the version that is asked for or the latest."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.definitions.inputs import check_inputs
from spectral.domains.workflows.execution.launching import Launcher, NewRun
from spectral.domains.workflows.models import Workflow, WorkflowVersion
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.errors import NotFoundError


class Subflows:
    """Starts child runs."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    async def prepare(
        self, session: AsyncSession, access: WorkspaceAccess, workflow: str, version: int | None, inputs: Any
    ) -> NewRun:
        """The child as it would be. Raises NotFoundError, and InvalidInputsError for inputs that it does not take."""
        wanted = Workflow.version if version is None else sa.literal(version)
        read = (
            sa.select(WorkflowVersion)
            .join(
                Workflow,
                sa.and_(
                    Workflow.workspace_id == WorkflowVersion.workspace_id, Workflow.id == WorkflowVersion.workflow_id
                ),
            )
            .where(
                Workflow.workspace_id == access.workspace_id,
                Workflow.name == workflow,
                Workflow.deleted_at.is_(None),
                WorkflowVersion.version == wanted,
            )
        )
        found = (await session.scalars(read)).one_or_none()
        if found is None:
            raise NotFoundError("Workflow", workflow if version is None else f"{workflow} version {version}")
        definition = await self._launcher.read_definition(session, access, found.id)
        return NewRun(version=found, workflow_name=workflow, inputs=check_inputs(definition, inputs))

    async def launch(self, session: AsyncSession, access: WorkspaceAccess, child: NewRun) -> None:
        """The child begins if the transaction commits."""
        await self._launcher.launch(session, access, child, access.actor)

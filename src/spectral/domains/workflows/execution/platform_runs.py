"""Runs that are the platform's own work: a definition in code, kept once in each workspace that uses it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.definitions.model import Definition
from spectral.domains.workflows.execution.launching import Launcher, NewRun
from spectral.domains.workflows.models import WorkflowRun, WorkflowVersion
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id


async def launch_platform_run(
    launcher: Launcher,
    session: AsyncSession,
    access: WorkspaceAccess,
    definition: Definition,
    run_id: UUID,
    inputs: Mapping[str, Any],
    *,
    adapter: str,
) -> WorkflowRun:
    """The run begins if the transaction commits. Its id is that of what it does, its name that id as text.

    adapter: one of `PLATFORM_ADAPTERS`, which names the listener and the engine's kind. Raises DuplicateRunError (409).
    """
    version = await _keep(session, access, definition)
    new = NewRun(version, definition.name, inputs, adapter=adapter, id=run_id)
    return await launcher.launch(session, access, new, access.actor)


async def _keep(session: AsyncSession, access: WorkspaceAccess, definition: Definition) -> WorkflowVersion:
    """The definition as an inline document of the workspace, found again by its digest."""
    document = definition.to_document()
    source = json.dumps(document, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(source.encode()).hexdigest()
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    await session.execute(
        insert(WorkflowVersion)
        .values(
            workspace_id=access.workspace_id,
            id=new_id(),
            created_at=utc_now(),
            digest=digest,
            source=source,
            source_format="json",
            document=document,
            created_by="platform",
        )
        .on_conflict_do_nothing()
    )
    kept = await session.scalars(
        sa.select(WorkflowVersion).where(
            WorkflowVersion.workspace_id == access.workspace_id,
            WorkflowVersion.workflow_id.is_(None),
            WorkflowVersion.digest == digest,
        )
    )
    return kept.one()

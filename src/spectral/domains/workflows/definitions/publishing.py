"""Documents come in here: they are compiled outside of any transaction, and stored in a short one of their own."""

import asyncio
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.definitions.compiling import Compiled, compile_document
from spectral.domains.workflows.definitions.documents import Finding
from spectral.domains.workflows.definitions.knowledge import asked_by, read_known
from spectral.domains.workflows.definitions.model import Definition
from spectral.domains.workflows.definitions.repository import (
    INLINE_IS_UNIQUE,
    DocumentRepository,
    WorkflowRepository,
)
from spectral.domains.workflows.errors import (
    DuplicateWorkflowError,
    InvalidDefinitionError,
    ReadOnlyWorkflowError,
)
from spectral.domains.workflows.models import Workflow, WorkflowVersion
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import ConflictError, NotFoundError

API = "api"
FOLDER = "folder"
INLINE = "inline"


@dataclass(frozen=True, slots=True)
class Draft:
    """A document as it was sent. source_format: None to find out."""

    source: str
    source_format: str | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A workflow as it is now. is_new: it was made just now.  is_changed: this document is a new version."""

    workflow: Workflow
    version: WorkflowVersion
    warnings: list[Finding]
    is_new: bool
    is_changed: bool


class Publisher:
    """Compiles and stores documents of one workspace.

    tasks: names of the functions that its documents may call.
    """

    def __init__(self, database: Database, access: WorkspaceAccess, tasks: Collection[str]) -> None:
        self._database = database
        self._access = access
        self._tasks = tasks

    @property
    def access(self) -> WorkspaceAccess:
        return self._access

    async def check(self, draft: Draft, name: str | None = None) -> Compiled:
        """What the document means, or everything that is wrong with it. Stores nothing."""
        asked = await asyncio.to_thread(asked_by, draft.source, draft.source_format)
        async with self._database.transaction(self._access, read_only=True) as session:
            known = await read_known(session, self._access, asked, self._tasks)
        return await asyncio.to_thread(compile_document, draft.source, draft.source_format, known, name=name)

    async def create(self, draft: Draft, name: str | None = None) -> Published:
        """A new workflow. Raises InvalidDefinitionError (422), DuplicateWorkflowError (409)."""
        definition, compiled = await self._compile(draft, name)
        async with self._database.transaction(self._access) as session:
            if await WorkflowRepository(session, self._access).lock(definition.name) is not None:
                raise DuplicateWorkflowError(definition.name)
            return await self._add(session, definition, compiled, draft, API)

    async def replace(self, name: str, draft: Draft, *, origin: str = API) -> Published:
        """The document is the latest version of the workflow, which is made where there is none.

        The same text again changes nothing. Raises InvalidDefinitionError (422), ReadOnlyWorkflowError (400).
        """
        definition, compiled = await self._compile(draft, name)
        async with self._database.transaction(self._access) as session:
            workflow = await WorkflowRepository(session, self._access).lock(name)
            if workflow is None:
                return await self._add(session, definition, compiled, draft, origin)
            if workflow.origin != origin:
                raise ReadOnlyWorkflowError(name) if workflow.origin == FOLDER else DuplicateWorkflowError(name)
            documents = DocumentRepository(session, self._access)
            latest = await documents.of(workflow)
            if latest.source == draft.source and latest.digest == digest_of(definition):
                return Published(workflow, latest, compiled.warnings, is_new=False, is_changed=False)
            workflow.version += 1
            workflow.description = definition.description
            workflow.updated_at = utc_now()
            version = documents.add(self._version(definition, compiled, draft, workflow))
            await documents.flush()
            await self._audit(session, workflow, "workflow.changed", version)
            return Published(workflow, version, compiled.warnings, is_new=False, is_changed=True)

    async def inline(self, draft: Draft) -> WorkflowVersion:
        """The document without a workflow around it; one that compiles to the same is the same.

        Raises InvalidDefinitionError (422).
        """
        compiled = await self.check(draft)
        if any(finding.code == "missing" and finding.pointer in {"", "/name"} for finding in compiled.errors):
            compiled = await self.check(draft, INLINE)
        definition = _required(compiled)
        try:
            return await self._keep(definition, compiled, draft)
        except ConflictError:
            # Somebody else kept the same at the same moment.
            return await self._keep(definition, compiled, draft)

    async def _keep(self, definition: Definition, compiled: Compiled, draft: Draft) -> WorkflowVersion:
        async with self._database.transaction(self._access) as session:
            documents = DocumentRepository(session, self._access)
            found = await documents.inline(digest_of(definition))
            if found is None:
                found = documents.add(self._version(definition, compiled, draft, None))
                await documents.flush({INLINE_IS_UNIQUE: ConflictError("The document is being kept")})
            return found

    async def withdraw(self, name: str) -> None:
        """The folder's workflow is gone; its versions stay for their runs. Raises NotFoundError."""
        async with self._database.transaction(self._access) as session:
            workflow = await WorkflowRepository(session, self._access).lock(name)
            if workflow is None or workflow.origin != FOLDER:
                raise NotFoundError("Workflow", name)
            workflow.deleted_at = utc_now()
            await session.flush()
            await self._audit(session, workflow, "workflow.deleted", None)

    async def _compile(self, draft: Draft, name: str | None) -> tuple[Definition, Compiled]:
        compiled = await self.check(draft, name)
        return _required(compiled), compiled

    async def _add(
        self, session: AsyncSession, definition: Definition, compiled: Compiled, draft: Draft, origin: str
    ) -> Published:
        workflow = Workflow(
            name=definition.name,
            description=definition.description,
            version=1,
            origin=origin,
            updated_at=utc_now(),
        )
        await WorkflowRepository(session, self._access).add_named(workflow)
        documents = DocumentRepository(session, self._access)
        version = documents.add(self._version(definition, compiled, draft, workflow))
        await documents.flush()
        await self._audit(session, workflow, "workflow.created", version)
        return Published(workflow, version, compiled.warnings, is_new=True, is_changed=True)

    def _version(
        self, definition: Definition, compiled: Compiled, draft: Draft, workflow: Workflow | None
    ) -> WorkflowVersion:
        return WorkflowVersion(
            workflow_id=None if workflow is None else workflow.id,
            version=None if workflow is None else workflow.version,
            digest=digest_of(definition),
            source=draft.source,
            source_format=compiled.source_format,
            document=definition.to_document(),
            created_by=self._access.actor,
        )

    async def _audit(
        self, session: AsyncSession, workflow: Workflow, action: str, version: WorkflowVersion | None
    ) -> None:
        detail: dict[str, Any] = {"name": workflow.name}
        if version is not None:
            detail |= {"version": version.version, "digest": version.digest}
        await audit.record(
            session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"workflow:{workflow.id}",
            detail=detail,
        )


def digest_of(definition: Definition) -> str:
    """SHA-256 of the compiled form: the same for documents that mean the same."""
    text = json.dumps(definition.to_document(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def finding_document(finding: Finding) -> dict[str, Any]:
    """A finding as answers show it."""
    return {
        "pointer": finding.pointer,
        "detail": finding.message,
        "line": finding.line,
        "column": finding.column,
        "code": finding.code,
    }


def _required(compiled: Compiled) -> Definition:
    if compiled.definition is not None:
        return compiled.definition
    first, more = compiled.errors[0], len(compiled.errors) - 1
    raise InvalidDefinitionError(
        f"Line {first.line}, column {first.column}: {first.message}" + (f", and {more} more" if more else ""),
        [finding_document(finding) for finding in compiled.errors],
        [finding_document(finding) for finding in compiled.warnings],
    )

"""Workflows that the server reads from a folder of its own disk, for one workspace."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
import structlog

from spectral.domains.workflows.definitions.documents import MAXIMUM_BYTES, Finding
from spectral.domains.workflows.definitions.language import NAME, RESERVED_NAMES
from spectral.domains.workflows.definitions.publishing import FOLDER, Draft, Publisher
from spectral.domains.workflows.definitions.repository import WorkflowRepository
from spectral.domains.workflows.models import Workflow
from spectral.domains.workspaces.models import Workspace
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import SpectralError
from spectral.settings import Settings

SCHEDULE = "workflow-folder"
INTERVAL_S = 2.0
FORMATS = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}
MAXIMUM_FILES = 500

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file as it was read. name: of the workflow, the file's without its ending.  problem: why it was not read."""

    file: str
    name: str
    draft: Draft
    problem: str | None = None


@dataclass(slots=True)
class Broken:
    """A file that is no workflow as it is."""

    file: str
    errors: list[Finding] = field(default_factory=list)


class DefinitionFolder:
    """The folder, and the workspace that its workflows are in. Remembers what it has read until a file changes."""

    def __init__(self, path: Path, workspace_id: UUID) -> None:
        self.path = path
        self.workspace_id = workspace_id
        self._read: dict[Path, tuple[tuple[int, int], FolderFile]] = {}
        self.good: dict[str, Draft] = {}
        """Documents that compiled, so that they are not compiled again until they change."""

    def read(self) -> list[FolderFile]:
        """The files that may be workflows, by name. Not for the event loop. Raises OSError."""
        found: dict[Path, tuple[tuple[int, int], FolderFile]] = {}
        paths = sorted(path for path in self.path.iterdir() if path.suffix in FORMATS and path.is_file())
        for path in paths[:MAXIMUM_FILES]:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._read.get(path)
            found[path] = (
                known if known is not None and known[0] == stamp else (stamp, _read_file(path, status.st_size))
            )
        self._read = found
        return [file for _, file in found.values()]


def folder_of(settings: Settings) -> DefinitionFolder | None:
    """The folder that the installation names, if it names one."""
    if settings.workflows_dir is None or settings.workflows_workspace_id is None:
        return None
    return DefinitionFolder(settings.workflows_dir, settings.workflows_workspace_id)


class FolderSync:
    """Brings a workspace's workflows in line with the folder. A broken file changes nothing, and no other file."""

    def __init__(self, folder: DefinitionFolder, database: Database, identity: Database, tasks: frozenset[str]) -> None:
        self._folder = folder
        self._database = database
        self._identity = identity
        self._tasks = tasks
        self._done: dict[str, Draft] = {}

    async def run(self) -> None:
        """New and changed files are new versions, workflows without a file are withdrawn."""
        access = await self._access()
        try:
            files = await asyncio.to_thread(self._folder.read)
        except OSError as error:
            log.warning("workflow_folder_unreadable", path=str(self._folder.path), error=str(error))
            return
        if access is None:
            return
        publisher = Publisher(self._database, access, self._tasks)
        stored = await self._stored(access)
        for name in stored - {file.name for file in files}:
            await publisher.withdraw(name)
            self._done.pop(name, None)
        for file in files:
            if file.problem is not None or (self._done.get(file.name) == file.draft and file.name in stored):
                continue
            try:
                await publisher.replace(file.name, file.draft, origin=FOLDER)
            except SpectralError as error:
                log.warning("workflow_file_broken", file=file.file, error=error.detail)
            else:
                self._done[file.name] = file.draft

    async def _stored(self, access: WorkspaceAccess) -> set[str]:
        async with self._database.transaction(access, read_only=True) as session:
            repository = WorkflowRepository(session, access)
            found = await repository.find_all(Workflow.origin == FOLDER, Workflow.deleted_at.is_(None))
            return {workflow.name for workflow in found}

    async def _access(self) -> WorkspaceAccess | None:
        wanted = sa.select(Workspace.id, Workspace.account_id).where(
            Workspace.id == self._folder.workspace_id, Workspace.deleting_at.is_(None)
        )
        found = await self._identity.look_up(wanted)
        if not found:
            return None
        return WorkspaceAccess.for_system(found[0].id, found[0].account_id, "workflow folder")


async def broken_files(folder: DefinitionFolder, database: Database, publisher: Publisher) -> list[Broken]:
    """The files of the folder that are no workflows as they are, and why."""
    try:
        files = await asyncio.to_thread(folder.read)
    except OSError as error:
        return [Broken(folder.path.name, [_finding(f"the folder cannot be read: {error.strerror}")])]
    async with database.transaction(publisher.access, read_only=True) as session:
        repository = WorkflowRepository(session, publisher.access)
        taken = await repository.find_all(
            Workflow.origin != FOLDER, Workflow.deleted_at.is_(None), Workflow.name.in_([file.name for file in files])
        )
    names = {workflow.name for workflow in taken}
    broken = []
    for file in files:
        if file.problem is not None:
            broken.append(Broken(file.file, [_finding(file.problem)]))
        elif file.name in names:
            broken.append(Broken(file.file, [_finding(f"there is a workflow {file.name} that is not of the folder")]))
        elif folder.good.get(file.name) != file.draft:
            compiled = await publisher.check(file.draft, file.name)
            if compiled.errors:
                broken.append(Broken(file.file, compiled.errors))
            else:
                folder.good[file.name] = file.draft
    return broken


def _read_file(path: Path, size: int) -> FolderFile:
    name = path.stem
    problem, source = None, ""
    if not NAME.fullmatch(name) or name in RESERVED_NAMES:
        problem = "the name of the file is no name of a workflow"
    elif size > MAXIMUM_BYTES:
        problem = f"the file is larger than {MAXIMUM_BYTES // 1024} KiB"
    else:
        try:
            source = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            problem = "the file cannot be read as text in UTF-8"
    return FolderFile(path.name, name, Draft(source, FORMATS[path.suffix]), problem)


def _finding(message: str) -> Finding:
    return Finding(message, 1, 1, "", "unreadable")

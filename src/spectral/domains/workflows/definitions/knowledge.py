"""What documents may name, read from the workspace: only what they do name, and some more for suggestions."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.service import AgentService
from spectral.domains.evaluations.service import RubricService
from spectral.domains.workflows.definitions.documents import DocumentError, read_document
from spectral.domains.workflows.definitions.model import Definition
from spectral.domains.workflows.definitions.repository import WorkflowRepository
from spectral.domains.workflows.definitions.validation import Known, subflows_of
from spectral.domains.workflows.settings.repository import SecretRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import MAXIMUM_LIMIT, Page

SUGGESTED = Page(limit=MAXIMUM_LIMIT)
MAXIMUM_ASKED = 500
MAXIMUM_WORKFLOWS = 200
RUBRIC_PAGES = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """Names that stand in a document where agents, workflows and rubrics are named."""

    agents: frozenset[str]
    workflows: frozenset[str]
    rubrics: frozenset[str]


def asked_by(source: str, source_format: str | None) -> Asked:
    """What the document names; nothing where it cannot be read. Not for the event loop."""
    found: dict[str, set[str]] = {"agent": set(), "workflow": set(), "rubric": set(), "evaluation": set()}
    with suppress(DocumentError):
        pending: list[Any] = [read_document(source, source_format).value]
        while pending:
            value = pending.pop()
            if isinstance(value, dict):
                for name, one in value.items():
                    if name in found and isinstance(one, str) and len(found[name]) < MAXIMUM_ASKED:
                        found[name].add(one)
                pending.extend(value.values())
            elif isinstance(value, list):
                pending.extend(value)
    rubrics = found["rubric"] | found["evaluation"]
    return Asked(frozenset(found["agent"]), frozenset(found["workflow"]), frozenset(rubrics))


async def read_known(session: AsyncSession, access: WorkspaceAccess, asked: Asked, tasks: Collection[str]) -> Known:
    """What the document's names mean in this workspace."""
    repository = WorkflowRepository(session, access)
    workflows, versions = await _workflows(repository, asked.workflows)
    return Known(
        agents=await _agents(AgentService(session, access), asked.agents),
        tasks=tasks,
        secrets=await SecretRepository(session, access).names(),
        rubrics=await _rubrics(RubricService(session, access), asked.rubrics),
        workflows=workflows,
        versions=versions,
        other_workflows=() if asked.workflows <= workflows.keys() else await repository.some_names(MAXIMUM_ASKED),
    )


async def _agents(service: AgentService, asked: Iterable[str]) -> set[str]:
    known: set[str] = set()
    missing = False
    for name in sorted(asked):
        with suppress(ValueError, NotFoundError):
            await service.read_agent(UUID(name))
            known.add(name)
            continue
        found, _ = await service.list_agents(Page(limit=1), name=name)
        known.update(agent.name for agent in found)
        missing = missing or not found
    if missing:
        some, _ = await service.list_agents(SUGGESTED)
        known.update(agent.name for agent in some)
    return known


async def _rubrics(service: RubricService, asked: frozenset[str]) -> dict[str, str]:
    known: dict[str, str] = {}
    named = set(asked)
    for name in asked:
        with suppress(ValueError, NotFoundError):
            known[name] = str((await service.read_rubric(UUID(name))).rubric.id)
            named.discard(name)
    for page in range(RUBRIC_PAGES if named else 0):
        found, total = await service.list_rubrics(Page(limit=MAXIMUM_LIMIT, offset=page * MAXIMUM_LIMIT))
        known.update({one.rubric.name: str(one.rubric.id) for one in found})
        if named <= known.keys() or (page + 1) * MAXIMUM_LIMIT >= total:
            break
    return known


async def _workflows(
    repository: WorkflowRepository, asked: frozenset[str]
) -> tuple[dict[str, Definition], dict[str, int]]:
    """The workflows that are named, those that these start, and so on."""
    known: dict[str, Definition] = {}
    versions: dict[str, int] = {}
    wanted = set(asked)
    while wanted and len(known) < MAXIMUM_WORKFLOWS:
        found = await repository.latest_of(wanted)
        following: set[str] = set()
        for name, version in found.items():
            known[name] = Definition.from_document(version.document)
            versions[name] = version.version or 0
            following |= subflows_of(known[name])
        wanted = following - known.keys()
        if not found:
            break
    return known, versions

"""A prompt template out of an agent's traces."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument, PromptTemplate
from spectral.domains.agents.lifecycle import refuse_archived
from spectral.domains.agents.models import OBSERVED
from spectral.domains.agents.runtime import PROMPT
from spectral.domains.agents.service import AgentService
from spectral.domains.samples.origins import SampleOrigins
from spectral.domains.samples.service import SampleService
from spectral.domains.scans.errors import TemplateNotFoundError, TooFewPromptsError
from spectral.domains.scans.inference.prompts import ROLES, InferredTemplate, infer_template
from spectral.domains.scans.inference.schemas import LEAST_PROMPTS, MOST_PROMPTS, InferTemplateIn
from spectral.domains.scans.repository import ScanRepository
from spectral.domains.scans.work import SPLITS
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.prompts import ObservedPrompt, ObservedPrompts
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import NotFoundError

NEWEST = 200
"""How many of an agent's traces are looked at where nobody says which."""

READ_TOGETHER = 25
MAXIMUM_CHARACTERS = 20_000
"""Longer prompts are left out: putting many texts side by side has its price."""

MAXIMUM_MESSAGES = 20
STORED_FROM = 0.5
ORIGIN = "inferred"


@dataclass(frozen=True, slots=True)
class Inference:
    """A template, what of the traces could not be read, and where it was stored."""

    template: InferredTemplate
    unreadable: int
    model: str | None
    stored_version: int | None


class InferenceService:
    """Recovers templates. Has no transaction open while it computes."""

    def __init__(self, database: Database, access: WorkspaceAccess, mapper: SpanMapper) -> None:
        self._database = database
        self._access = access
        self._mapper = mapper

    async def infer(self, agent_id: UUID, request: InferTemplateIn) -> Inference:
        """The template of the agent's prompts, stored as a config version where that is asked for.

        Raises NotFoundError for an agent, scan or trace that the workspace does not have, TooFewPromptsError (400), and
        when it is to be stored AgentArchivedError and TemplateNotFoundError (400).
        """
        async with self._database.transaction(self._access, read_only=True) as session:
            trace_ids = await self._traces_of(session, agent_id, request)
        observed: list[ObservedPrompt] = []
        for start in range(0, len(trace_ids), READ_TOGETHER):
            async with self._database.transaction(self._access, read_only=True) as session:
                reading = ObservedPrompts(session, self._access, self._mapper)
                observed += await reading.read(trace_ids[start : start + READ_TOGETHER])
        usable = [each for each in observed if _is_usable(each)]
        if len(usable) < LEAST_PROMPTS:
            raise TooFewPromptsError(len(usable), LEAST_PROMPTS)
        prompts = [each.messages for each in usable if each.messages is not None]
        template = await asyncio.to_thread(infer_template, prompts, [each.variables for each in usable])
        models = Counter(each.model for each in usable if each.model)
        model = request.model or next((name for name, _ in models.most_common(1)), None)
        version = await self._store(agent_id, template, model) if request.store else None
        return Inference(template, len(trace_ids) - len(usable), model, version)

    async def _traces_of(self, session: AsyncSession, agent_id: UUID, request: InferTemplateIn) -> list[bytes]:
        agent = await AgentService(session, self._access).read_agent(agent_id)
        prompts = ObservedPrompts(session, self._access, self._mapper)
        if request.trace_ids is not None:
            wanted = [bytes.fromhex(trace_id) for trace_id in dict.fromkeys(request.trace_ids)]
            existing = await prompts.existing(wanted)
            missing = next((each for each in wanted if each not in existing), None)
            if missing is not None:
                raise NotFoundError("Trace", missing.hex())
            return wanted
        if request.scan_id is not None:
            return await self._behind_scan(session, agent_id, request.scan_id)
        names = {str(agent.id), agent.name, *([agent.external_key] if agent.external_key else [])}
        return await prompts.latest(sorted(names), NEWEST)

    async def _behind_scan(self, session: AsyncSession, agent_id: UUID, scan_id: UUID) -> list[bytes]:
        """The traces that the scan's samples were made from; the holdout's are not touched."""
        scan = await ScanRepository(session, self._access).get(scan_id)
        if scan.agent_id != agent_id:
            raise NotFoundError("Scan", scan_id)
        items = [
            item.id
            for split in SPLITS
            for item in await SampleService(session, self._access).split_items(scan.sample_set_id, split)
        ]
        origins = await SampleOrigins(session, self._access).trace_ids(items[: 4 * MOST_PROMPTS])
        found = [bytes.fromhex(each) for each in dict.fromkeys(origins[item] for item in items if item in origins)]
        existing = await ObservedPrompts(session, self._access, self._mapper).existing(found)
        return [each for each in found if each in existing][:MOST_PROMPTS]

    async def _store(self, agent_id: UUID, template: InferredTemplate, model: str | None) -> int:
        """The template is a version of the agent; one that was only observed is executed as a replica from now on."""
        if model is None or template.coverage < STORED_FROM:
            raise TemplateNotFoundError(template.reproduced, template.prompts, model)
        messages = [{"role": role, "content": content} for role, content in template.messages]
        document = ConfigDocument.model_validate(
            {
                "model": model,
                "prompts": {"main": PromptTemplate.model_validate({"messages": messages}).model_dump()},
                "search_space": [
                    {"pointer": f"/prompts/main/messages/{place}/content", "kind": "text"}
                    for place, (role, content) in enumerate(template.messages)
                    if role == "system" or not content.startswith("{{")
                ],
            }
        )
        async with self._database.transaction(self._access) as session:
            agents = AgentService(session, self._access)
            agent = await agents.read_agent(agent_id)
            refuse_archived(agent)
            if agent.runtime == OBSERVED:
                await agents.update_agent(agent_id, {"runtime": PROMPT, "runtime_settings": {"replica": True}})
            note = f"recovered from {template.prompts} prompts, {template.reproduced} of them to the letter"
            config = await agents.add_config(agent_id, document, origin=ORIGIN, note=note)
            return config.version


def _is_usable(prompt: ObservedPrompt) -> bool:
    """Text only, in roles that a prompt has, and of a length that can be put side by side."""
    messages: Sequence[tuple[str, str]] = prompt.messages or ()
    return (
        0 < len(messages) <= MAXIMUM_MESSAGES
        and all(role in ROLES for role, _ in messages)
        and sum(len(content) for _, content in messages) <= MAXIMUM_CHARACTERS
    )

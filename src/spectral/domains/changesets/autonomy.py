"""What a workspace in `bounded_auto` accepts by itself: a validated change set that is inside all of its bounds.

Bounds are read and judged here, in the transaction that records the verdict, whatever asked for the validation. What is
outside stays where it is, for a person, and the audit log says why.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.service import PRODUCTION, AgentService
from spectral.domains.changesets.models import Changeset, Validation
from spectral.domains.changesets.repository import ChangesetRepository, ValidationRepository
from spectral.domains.changesets.service import ChangesetService
from spectral.domains.changesets.states import ChangesetState
from spectral.domains.workspaces.autonomy import (
    PERMITTED,
    Act,
    AutonomyService,
    Bounds,
    ChangeKind,
    bounds_document,
)
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import SpectralError
from spectral.platform.shared.money import nano_to_usd

NIGHT = timedelta(hours=24)
ACTOR = "autonomy"

_PARTS = {
    "few_shot": ChangeKind.FEW_SHOT,
    "parameters": ChangeKind.PARAMETERS,
    "model": ChangeKind.MODEL,
    "custom": ChangeKind.CUSTOM,
}
_PLACE = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,20}:/{1,2}|www\.|mailto:|javascript:|data:[a-z]+/)\S+"
    r"|(?<![\w@-])(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|app|ai|co|info|biz|me|ru|cn|de|eu|uk|us|xyz|link|site|top)\b"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b|[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged. cost_nano_usd: of searching and validating, None where a price is unknown.

    spent_nano_usd: what was accepted by itself in the last 24 hours cost, None where one is unknown.
    cost_before, cost_after: nano-USD that an execution costs on average, None where it is unknown.
    """

    environment: str
    diff: Sequence[Mapping[str, Any]]
    before: ConfigDocument
    after: ConfigDocument
    cost_before: float | None
    cost_after: float | None
    cost_nano_usd: int | None
    spent_nano_usd: int | None


def breaches(bounds: Bounds, facts: Facts) -> list[str]:
    """Why the change is outside the bounds, in words; empty where it is inside all of them."""
    found = []
    if facts.environment == PRODUCTION and not bounds.allow_production:
        found.append("it is for production, which the bounds leave to people")
    kinds = {_kind(change, facts) for change in facts.diff}
    outside = sorted(
        "tools or the search space" if kind is None else kind.value
        for kind in kinds
        if kind not in bounds.allowed_change_kinds
    )
    if outside:
        found.append(f"it changes {', '.join(outside)}, which the bounds do not list")
    found += [*_of_cost(bounds, facts), *_of_text(facts)]
    return found


def _kind(change: Mapping[str, Any], facts: Facts) -> ChangeKind | None:
    """The part of the document that a change touches; None for what no bounds can list."""
    part, *rest = str(change["pointer"]).removeprefix("/").split("/")
    if part != "prompts":
        return _PARTS.get(part)
    # /prompts/{name}/messages/{place}/content: what a system message says are instructions, all else is template.
    if len(rest) == 4 and rest[1] == "messages" and rest[3] == "content":
        name = rest[0].replace("~1", "/").replace("~0", "~")
        roles = {document.prompts[name].messages[int(rest[2])].role for document in (facts.before, facts.after)}
        if roles == {"system"}:
            return ChangeKind.INSTRUCTIONS
    return ChangeKind.TEMPLATE


def _of_cost(bounds: Bounds, facts: Facts) -> list[str]:
    found = []
    before, after = facts.cost_before, facts.cost_after
    if before is None or after is None:
        found.append("what an execution costs is not known")
    elif after > before * (1 + bounds.max_cost_increase_percent / 100):
        dearer = "from nothing" if before == 0 else f"by {100 * (after / before - 1):.1f} %"
        found.append(f"an execution becomes dearer {dearer}; the bounds allow {bounds.max_cost_increase_percent:g} %")
    if facts.cost_nano_usd is None or facts.spent_nano_usd is None:
        found.append("what finding and validating it cost is not known")
    elif facts.cost_nano_usd + facts.spent_nano_usd > bounds.budget_per_night_usd:
        found.append(
            f"with it {nano_to_usd(facts.cost_nano_usd + facts.spent_nano_usd)} USD would have been spent in 24 hours; "
            f"the bounds allow {nano_to_usd(bounds.budget_per_night_usd)}"
        )
    return found


def _of_text(facts: Facts) -> list[str]:
    """Flags of the search, and what is seen in the new text itself: neither is trusted to have seen everything."""
    found = []
    flags = sorted({str(flag) for change in facts.diff for flag in change.get("flags") or ()})
    if flags:
        found.append(f"its text is flagged: {'; '.join(flags[:5])}")
    old = "\n".join(_strings(facts.before.as_json()))
    new = "\n".join(text for change in facts.diff for text in _strings(change.get("after")))
    places = sorted({match[0] for match in _PLACE.finditer(new)} - {match[0] for match in _PLACE.finditer(old)})
    if places:
        found.append(f"it brings in an address: {places[0][:100]}")
    tools = {name for document in (facts.before, facts.after) for name in _tool_names(document)}
    mentioned = set(_WORD.findall("\n".join(_strings(facts.before.as_json() | {"tools": None}))))
    named = sorted(tools & set(_WORD.findall(new)) - mentioned)
    if named:
        found.append(f"it brings in a tool: {named[0][:100]}")
    return found


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield str(name)
            yield from _strings(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _strings(member)


def _tool_names(document: ConfigDocument) -> Iterable[str]:
    for tool in document.as_json().get("tools") or []:
        named = tool.get("function", tool) if isinstance(tool, Mapping) else tool
        name = named.get("name") if isinstance(named, Mapping) else named
        if isinstance(name, str):
            yield name


class AutomaticAcceptance:
    """Accepts inside bounds, as the platform itself, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = WorkspaceAccess.for_system(access.workspace_id, access.account_id, ACTOR)
        self._changesets = ChangesetRepository(session, self._access)
        self._validations = ValidationRepository(session, self._access)

    async def consider(self, changeset_id: UUID) -> bool:
        """Whether the change set was accepted: the mode is bounded_auto, it is validated, and inside the bounds."""
        autonomy = await AutonomyService(self._session, self._access).read_autonomy()
        if autonomy.bounds is None or Act.ACCEPT_BY_ITSELF not in PERMITTED[autonomy.mode]:
            return False
        changeset = await self._changesets.lock(changeset_id)
        if changeset.state != ChangesetState.VALIDATED:
            return False
        why = breaches(autonomy.bounds, await self._facts(changeset))
        if not why:
            try:
                await ChangesetService(self._session, self._access).accept_changeset(changeset_id)
            except SpectralError as error:
                # It is checked before anything is written: the verdict stands.
                why = [error.detail]
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action="autonomy.left_to_people" if why else "autonomy.accepted",
            subject=f"changeset:{changeset_id}",
            detail={"bounds": bounds_document(autonomy.bounds), "outside": why},
        )
        return not why

    async def _facts(self, changeset: Changeset) -> Facts:
        agents = AgentService(self._session, self._access)
        looks = await self._validations.of_changeset(changeset.id)
        evidence = (looks[0].evidence or {}) if looks else {}
        return Facts(
            environment=changeset.target_environment,
            diff=changeset.diff,
            before=(await agents.read_config(changeset.agent_id, changeset.base_version)).read_document(),
            after=(await agents.read_config(changeset.agent_id, changeset.candidate_version)).read_document(),
            cost_before=(evidence.get("champion") or {}).get("mean_cost_nano_usd"),
            cost_after=(evidence.get("challenger") or {}).get("mean_cost_nano_usd"),
            cost_nano_usd=_cost(changeset, looks),
            spent_nano_usd=await self._spent(),
        )

    async def _spent(self) -> int | None:
        """What the change sets cost that were accepted by themselves in the last 24 hours."""
        accepted = await self._changesets.find_all(
            Changeset.accepted_by == self._access.actor, Changeset.accepted_at > utc_now() - NIGHT
        )
        costs = [_cost(one, await self._validations.of_changeset(one.id)) for one in accepted]
        return None if None in costs else sum(cost for cost in costs if cost is not None)


def _cost(changeset: Changeset, looks: Sequence[Validation]) -> int | None:
    """What finding and validating a change set cost; one that no search found cost nothing to find."""
    searched = changeset.search_cost_nano_usd if changeset.scan_id is not None else 0
    costs = [searched, *(look.cost_nano_usd for look in looks if look.finished_at is not None)]
    return None if None in costs else sum(cost for cost in costs if cost is not None)

"""Rubrics and objectives: their life and their versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.errors import (
    ObjectiveInUseError,
    ObjectiveNameTakenError,
    RubricInUseError,
    RubricNameTakenError,
    ScorerNotInstalledError,
    UnknownDimensionError,
)
from spectral.domains.evaluations.models import Objective, Rubric, RubricVersion
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.repository import ObjectiveRepository, RubricRepository, RubricVersionRepository
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.constraints import FOREIGN_KEY
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page

SHOWN_NAMES = 3


@dataclass(frozen=True, slots=True)
class VersionedRubric:
    """A rubric together with one of its versions."""

    rubric: Rubric
    version: RubricVersion


class RubricService:
    """The rubrics of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._rubrics = RubricRepository(session, access)
        self._versions = RubricVersionRepository(session, access)

    async def create_rubric(self, name: str, description: str | None, spec: RubricSpec) -> VersionedRubric:
        """A rubric with its version 1. Raises RubricNameTakenError (409)."""
        rubric = self._rubrics.add(Rubric(name=name, description=description, latest_version=1))
        await self._flush(name)
        version = await self._add_version(rubric, spec)
        await self._audit(rubric, "rubric.created", {"name": name, "digest": version.digest})
        return VersionedRubric(rubric, version)

    async def list_rubrics(self, page: Page) -> tuple[Sequence[VersionedRubric], int]:
        """One page of the rubrics in their latest versions, newest first."""
        rubrics, total = await self._rubrics.page(self._rubrics.select(), page)
        latest = await self._versions.latest_of(rubrics)
        return [VersionedRubric(rubric, latest[rubric.id]) for rubric in rubrics], total

    async def read_rubric(self, rubric_id: UUID, version: int | None = None) -> VersionedRubric:
        """The rubric in this version, else in its latest. Raises NotFoundError."""
        rubric = await self._rubrics.get(rubric_id)
        return VersionedRubric(rubric, await self._version_of(rubric, version))

    async def list_versions(self, rubric_id: UUID, page: Page) -> tuple[Sequence[RubricVersion], int]:
        """One page of a rubric's versions, newest first. Raises NotFoundError."""
        rubric = await self._rubrics.get(rubric_id)
        statement = self._versions.select(RubricVersion.rubric_id == rubric.id)
        return await self._versions.page(statement, page, order_by=(RubricVersion.version.desc(),))

    async def read_rubric_spec(self, rubric_id: UUID, version: int | None = None) -> RubricSpec:
        """What the rubric says in this version, ready to score.

        Raises NotFoundError, and ScorerNotInstalledError (400) when this installation cannot run it any more.
        """
        return spec_of(await self.read_rubric(rubric_id, version))

    async def replace_rubric(
        self, rubric_id: UUID, name: str, description: str | None, spec: RubricSpec
    ) -> VersionedRubric:
        """The rubric with this name, description and content; other content than now is stored as a new version.

        Earlier versions stay as they are. Raises NotFoundError, RubricNameTakenError (409).
        """
        rubric = await self._rubrics.lock(rubric_id)
        latest = await self._version_of(rubric, None)
        return await self._store(rubric, latest, {"name": name, "description": description}, spec)

    async def update_rubric(self, rubric_id: UUID, changes: Mapping[str, Any]) -> VersionedRubric:
        """As `replace_rubric`, with what `changes` (members of `RubricPatch`, as JSON) leaves out kept as it is.

        Raises ScorerNotInstalledError (400) as well: when kept dimensions can no longer be run.
        """
        rubric = await self._rubrics.lock(rubric_id)
        latest = await self._version_of(rubric, None)
        content = {member: value for member, value in changes.items() if member in RubricSpec.model_fields}
        spec = _read_spec({**latest.document, **content}, rubric.name) if content else None
        return await self._store(rubric, latest, {k: v for k, v in changes.items() if k not in content}, spec)

    async def delete_rubric(self, rubric_id: UUID) -> None:
        """The rubric and its versions are gone. Raises NotFoundError, RubricInUseError (400)."""
        rubric = await self._rubrics.lock(rubric_id)
        objectives = await ObjectiveRepository(self._session, self._access).find_all(Objective.rubric_id == rubric_id)
        if objectives:
            names = ", ".join(repr(objective.name) for objective in objectives[:SHOWN_NAMES])
            more = f" and {len(objectives) - SHOWN_NAMES} more" if len(objectives) > SHOWN_NAMES else ""
            raise RubricInUseError(f"The rubric is used by the objectives {names}{more}")
        await self._audit(rubric, "rubric.deleted", {"name": rubric.name})
        in_use = RubricInUseError("The rubric is used by scans or change sets; their evidence would lose its measure")
        await self._rubrics.remove(rubric, {FOREIGN_KEY: in_use})

    async def _store(
        self, rubric: Rubric, latest: RubricVersion, columns: Mapping[str, Any], spec: RubricSpec | None
    ) -> VersionedRubric:
        before = {"name": rubric.name, "version": latest.version}
        for column, value in columns.items():
            setattr(rubric, column, value)
        rubric.updated_at = utc_now()
        version = latest
        if spec is not None and spec.digest != latest.digest:
            rubric.latest_version = latest.version + 1
            version = await self._add_version(rubric, spec)
        await self._flush(rubric.name)
        after = {"name": rubric.name, "version": version.version}
        await self._audit(rubric, "rubric.updated", {"before": before, "after": after})
        return VersionedRubric(rubric, version)

    async def _add_version(self, rubric: Rubric, spec: RubricSpec) -> RubricVersion:
        version = self._versions.add(
            RubricVersion(
                rubric_id=rubric.id,
                version=rubric.latest_version,
                document=spec.canonical(),
                digest=spec.digest,
                created_by=self._access.actor,
            )
        )
        await self._flush(rubric.name)
        return version

    async def _version_of(self, rubric: Rubric, version: int | None) -> RubricVersion:
        wanted = rubric.latest_version if version is None else version
        found = await self._versions.find(RubricVersion.rubric_id == rubric.id, RubricVersion.version == wanted)
        if found is None:
            raise NotFoundError("Rubric version", wanted)
        return found

    async def _flush(self, name: str) -> None:
        taken = RubricNameTakenError(f"The workspace has a rubric called {name}")
        await self._rubrics.flush({"uq_rubric_workspace_id_name": taken})

    async def _audit(self, rubric: Rubric, action: str, detail: dict[str, Any]) -> None:
        await _record(self._session, self._access, action, f"rubric:{rubric.id}", detail)


class ObjectiveService:
    """The objectives of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._objectives = ObjectiveRepository(session, access)

    async def create_objective(
        self, name: str, description: str | None, rubric_id: UUID | None, spec: ObjectiveSpec
    ) -> Objective:
        """A new objective.

        Raises ObjectiveNameTakenError (409), NotFoundError for the rubric, UnknownDimensionError (400).
        """
        await self._check_rubric(rubric_id, spec)
        document = spec.model_dump(mode="json")
        objective = self._objectives.add(
            Objective(name=name, description=description, rubric_id=rubric_id, document=document)
        )
        await self._flush(name)
        await self._audit(objective, "objective.created", {"name": name, **document})
        return objective

    async def list_objectives(self, page: Page) -> tuple[Sequence[Objective], int]:
        """One page of the objectives, newest first."""
        return await self._objectives.page(self._objectives.select(), page)

    async def read_objective(self, objective_id: UUID) -> Objective:
        """Raises NotFoundError."""
        return await self._objectives.get(objective_id)

    async def read_objective_spec(self, objective_id: UUID) -> ObjectiveSpec:
        """What the objective says now; whoever decides by it keeps this. Raises NotFoundError."""
        return objective_spec_of(await self._objectives.get(objective_id))

    async def update_objective(self, objective_id: UUID, changes: Mapping[str, Any]) -> Objective:
        """The objective with these members (of `ObjectivePatch` or `ObjectiveIn`, ids and money as in JSON) changed.

        Raises as `create_objective`, and NotFoundError for the objective.
        """
        objective = await self._objectives.get(objective_id)
        before = {"name": objective.name, "rubric_id": _text(objective.rubric_id), **objective.document}
        content = {member: value for member, value in changes.items() if member in ObjectiveSpec.model_fields}
        spec = ObjectiveSpec.model_validate({**objective.document, **content})
        if "rubric_id" in changes:
            objective.rubric_id = None if changes["rubric_id"] is None else UUID(changes["rubric_id"])
        await self._check_rubric(objective.rubric_id, spec)
        for column in ("name", "description"):
            if column in changes:
                setattr(objective, column, changes[column])
        objective.document, objective.updated_at = spec.model_dump(mode="json"), utc_now()
        await self._flush(objective.name)
        after = {"name": objective.name, "rubric_id": _text(objective.rubric_id), **objective.document}
        await self._audit(objective, "objective.updated", {"before": before, "after": after})
        return objective

    async def delete_objective(self, objective_id: UUID) -> None:
        """The objective is gone. Raises NotFoundError, ObjectiveInUseError (400)."""
        objective = await self._objectives.get(objective_id)
        await self._audit(objective, "objective.deleted", {"name": objective.name})
        in_use = ObjectiveInUseError("The objective is used by scans or change sets; their evidence refers to it")
        await self._objectives.remove(objective, {FOREIGN_KEY: in_use})

    async def _check_rubric(self, rubric_id: UUID | None, spec: ObjectiveSpec) -> None:
        if rubric_id is None:
            return
        found = await RubricService(self._session, self._access).read_rubric(rubric_id)
        known = {dimension["name"] for dimension in found.version.document["dimensions"]}
        unknown = sorted(spec.dimensions - known)
        if unknown:
            raise UnknownDimensionError(
                f"A guard names the dimension {unknown[0]!r}; "
                f"the rubric {found.rubric.name!r} has {', '.join(sorted(known))}",
                dimension=unknown[0],
            )

    async def _flush(self, name: str) -> None:
        taken = ObjectiveNameTakenError(f"The workspace has an objective called {name}")
        await self._objectives.flush({"uq_objective_workspace_id_name": taken})

    async def _audit(self, objective: Objective, action: str, detail: dict[str, Any]) -> None:
        await _record(self._session, self._access, action, f"objective:{objective.id}", detail)


def spec_of(found: VersionedRubric) -> RubricSpec:
    """The rubric of a version, ready to score. Raises ScorerNotInstalledError (400)."""
    return _read_spec(found.version.document, found.rubric.name)


def objective_spec_of(objective: Objective) -> ObjectiveSpec:
    """What an objective's row says."""
    return ObjectiveSpec.model_validate(objective.document)


def _read_spec(document: Mapping[str, Any], name: str) -> RubricSpec:
    try:
        return RubricSpec.model_validate(document)
    except ValidationError as error:
        # What was stored was valid once: a scorer's package has gone, or takes other options now.
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        raise ScorerNotInstalledError(f"The rubric {name!r} cannot be run here: {reason}") from error


def _text(identifier: UUID | None) -> str | None:
    return None if identifier is None else str(identifier)


async def _record(
    session: AsyncSession, access: WorkspaceAccess, action: str, subject: str, detail: dict[str, Any]
) -> None:
    await audit.record(
        session,
        account_id=access.account_id,
        workspace_id=access.workspace_id,
        actor=access.actor,
        action=action,
        subject=subject,
        detail=detail,
    )

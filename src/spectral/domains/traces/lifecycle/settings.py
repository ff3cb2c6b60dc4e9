"""What a workspace decides about its traces, and who is told."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.ingestion.policy import PolicyBook, shorter
from spectral.domains.traces.lifecycle.models import TraceSettings
from spectral.domains.traces.lifecycle.repository import TraceSettingsRepository
from spectral.domains.traces.masking.masker import Masker
from spectral.domains.traces.masking.rules import MaskingRules
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import after_commit
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import ConflictError


@dataclass(frozen=True, slots=True)
class SettingsView:
    """The settings of a workspace; version 0 before anybody has decided."""

    retention_days: int | None
    effective_retention_days: int | None
    masking: MaskingRules
    version: int
    updated_at: datetime | None
    updated_by: str | None


class TraceSettingsService:
    """The settings of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, policies: PolicyBook) -> None:
        self._session = session
        self._access = access
        self._policies = policies
        self._repository = TraceSettingsRepository(session, access)

    async def read_settings(self) -> SettingsView:
        """Nothing is masked and everything kept while nobody has decided."""
        return self._view(await self._repository.find())

    async def choose_settings(
        self, retention_days: int | None, masking: MaskingRules, version: int | None
    ) -> SettingsView:
        """In effect in this process from the commit on, in every other within a second; for spans that come then.

        version: of the settings that are replaced, or None to replace any.  Raises ConflictError.
        """
        row = await self._repository.lock()
        before = self._view(row)
        if version is not None and version != before.version:
            raise ConflictError(f"The settings are at version {before.version} by now; read them and choose again")
        row = await self._write(row)
        row.retention_days = retention_days
        row.masking = masking.model_dump(mode="json")
        row.version = before.version + 1
        row.updated_at = utc_now()
        row.updated_by = self._access.actor
        await self._flush()
        after = self._view(row)
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action="trace_settings.chosen",
            subject=f"workspace:{self._access.workspace_id}",
            detail={"before": _said(before), "after": _said(after)},
        )
        return after

    async def set_watching(self, *, watches: bool) -> None:
        """Whether new traces are noted for evaluation on arrival; what people decided stays."""
        row = await self._repository.lock()
        if row is None and not watches:
            return
        row = await self._write(row)
        row.watches = watches
        await self._flush()

    async def mask(
        self, text: str | None, attributes: dict[str, Any] | None, rules: MaskingRules | None
    ) -> tuple[str | None, dict[str, Any] | None]:
        """What would be stored of a text and of attributes, under these rules or else those that hold."""
        # Not from the session: no transaction is open while the text is looked through.
        masker = Masker(rules) if rules is not None else (await self._policies.policy(self._access)).masker
        if masker is None:
            return text, attributes
        masked = await asyncio.to_thread(masker.mask, text) if text is not None else None
        kept = await asyncio.to_thread(masker.mask_attributes, attributes) if attributes is not None else None
        return masked, kept

    async def _write(self, row: TraceSettings | None) -> TraceSettings:
        """The row, made where there is none."""
        if row is not None:
            return row
        return self._repository.add(
            TraceSettings(
                id=self._access.workspace_id,
                retention_days=None,
                masking=MaskingRules().model_dump(mode="json"),
                watches=False,
                version=0,
                updated_at=utc_now(),
                updated_by=self._access.actor,
            )
        )

    async def _flush(self) -> None:
        # One row a workspace: of two first choices at once the later one is refused.
        taken = ConflictError("Somebody else has chosen at the same moment; read the settings and choose again")
        await self._repository.flush({"pk_trace_settings": taken, "uq_trace_settings_workspace_id": taken})

        async def forget() -> None:
            self._policies.forget(self._access.workspace_id)

        after_commit(self._session, forget)

    def _view(self, row: TraceSettings | None) -> SettingsView:
        limit = self._policies.retention_days
        if row is None:
            return SettingsView(None, limit, MaskingRules(), 0, None, None)
        chosen = row.version > 0
        return SettingsView(
            retention_days=row.retention_days,
            effective_retention_days=shorter(row.retention_days, limit),
            masking=MaskingRules.model_validate(row.masking),
            version=row.version,
            updated_at=row.updated_at if chosen else None,
            updated_by=row.updated_by if chosen else None,
        )


def _said(view: SettingsView) -> dict[str, Any]:
    return {"retention_days": view.retention_days, "masking": view.masking.model_dump(mode="json")}

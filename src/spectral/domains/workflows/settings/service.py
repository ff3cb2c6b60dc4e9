"""What a workspace decides for its workflows: the networks they may call, how long their runs are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.models import WorkflowSettings
from spectral.domains.workflows.settings.networks import parse_networks
from spectral.domains.workflows.settings.repository import SettingsRepository
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.outbound import Network
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import ConflictError


@dataclass(frozen=True, slots=True)
class WorkflowSettingsView:
    """The settings of a workspace; updated_at None before anybody has decided."""

    allowed_networks: Sequence[str] = ()
    retention_days: int | None = None
    updated_at: datetime | None = None


class WorkflowSettingsService:
    """The settings of one workspace, in the caller's transaction.

    permitted: the networks that the installation lets workspaces open.
    """

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, permitted: Sequence[Network]) -> None:
        self._session = session
        self._access = access
        self._permitted = permitted
        self._settings = SettingsRepository(session, access)

    async def read_settings(self) -> WorkflowSettingsView:
        """No network is open and the installation's retention holds while nobody has decided."""
        return _view(await self._settings.find())

    async def choose_settings(
        self, allowed_networks: Sequence[str], retention_days: int | None
    ) -> WorkflowSettingsView:
        """In effect for steps that begin from the commit on.

        Raises ValidationFailedError for networks that cannot be opened, ConflictError when somebody else chooses for
        the first time at the same moment.
        """
        networks = [str(network) for network in parse_networks(allowed_networks, self._permitted)]
        row = await self._settings.lock()
        before = _view(row)
        if row is None:
            row = self._settings.add(WorkflowSettings(id=self._access.workspace_id))
        row.allowed_networks = networks
        row.retention_days = retention_days
        row.updated_at = utc_now()
        taken = ConflictError("Somebody else has chosen at the same moment; read the settings and choose again")
        await self._settings.flush({"pk_workflow_settings": taken})
        after = _view(row)
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action="workflow_settings.chosen",
            subject=f"workspace:{self._access.workspace_id}",
            detail={"before": _said(before), "after": _said(after)},
        )
        return after


def _view(row: WorkflowSettings | None) -> WorkflowSettingsView:
    if row is None:
        return WorkflowSettingsView()
    return WorkflowSettingsView(row.allowed_networks, row.retention_days, row.updated_at)


def _said(view: WorkflowSettingsView) -> dict[str, Any]:
    return {"allowed_networks": list(view.allowed_networks), "retention_days": view.retention_days}

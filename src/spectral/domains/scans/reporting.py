"""What a scan's report is made of, read in one place."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.service import AgentService
from spectral.domains.changesets.answers import changeset_detail_out
from spectral.domains.changesets.evidence import EvidenceService
from spectral.domains.evaluations.progress import tried_configs
from spectral.domains.samples.origins import SampleOrigins
from spectral.domains.scans.report import TRACES_SHOWN, ReportSource, build_report
from spectral.domains.scans.service import ScanService, ScanView
from spectral.domains.scans.states import Phase
from spectral.platform.access.principal import WorkspaceAccess

MEMBERS_LOOKED_AT = 4 * TRACES_SHOWN
"""Of each cluster, for the traces that they were made of."""


class ReportService:
    """Reads the reports of one workspace's scans, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access

    async def read_report(self, scan_id: UUID) -> dict[str, Any]:
        """The report as far as the scan has come. Raises NotFoundError."""
        view = await ScanService(self._session, self._access).view_scan(scan_id)
        scan = view.scan
        agents = AgentService(self._session, self._access)
        agent = await agents.read_agent(scan.agent_id)
        config = await agents.read_config(scan.agent_id, scan.base_version)
        observed = view.result_of(Phase.OBSERVE) or {}
        items = [UUID(one) for one in observed.get("items", {}).get("reflect", {}).get("ids", [])]
        return build_report(
            ReportSource(
                view=view,
                agent_name=agent.name,
                runtime=agent.runtime,
                champion=config.read_document(),
                tried=await tried_configs(self._session, self._access, scan_id, items) if items else (),
                reflect_items=len(items),
                traces=await self._traces(view),
                evidence=await self._evidence(scan.changeset_id),
            )
        )

    async def _traces(self, view: ScanView) -> dict[str, str]:
        clusters = (view.result_of(Phase.CLUSTER) or {}).get("clusters") or []
        members = [UUID(member) for one in clusters for member in one["members"][:MEMBERS_LOOKED_AT]]
        if not members:
            return {}
        found = await SampleOrigins(self._session, self._access).trace_ids(members)
        return {str(item_id): trace_id for item_id, trace_id in found.items()}

    async def _evidence(self, changeset_id: UUID | None) -> dict[str, Any] | None:
        if changeset_id is None:
            return None
        explained = await EvidenceService(self._session, self._access).explain(changeset_id)
        return changeset_detail_out(explained).evidence.model_dump(mode="json")

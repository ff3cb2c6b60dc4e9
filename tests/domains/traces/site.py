"""A real server under load: its processes, a tenant, exporters that obey, and what looks at the store afterwards."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.domains.traces.traffic import Inspection, Traffic
from tests.fixtures.exporters import Exporters, Receipts
from tests.fixtures.forked_servers import ForkedServer
from tests.fixtures.tenants import Tenant, register_tenant


@dataclass
class Site:
    """One installation. `servers` serve the same database; the first one answers whoever looks at it."""

    servers: Sequence[ForkedServer]
    tenant: Tenant
    exporters: Exporters
    traffic: Traffic
    inspection: Inspection

    @property
    def server(self) -> ForkedServer:
        return self.servers[0]

    @property
    def report(self) -> str:
        """The numbers of a run."""
        exporters = self.exporters
        return (
            f"{len(exporters.receipts.read())} acknowledged spans in {exporters.answers[200]} requests; "
            f"{exporters.answers[503]} answers 503, {exporters.broken.total()} broken off, {exporters.refused} refused"
        )

    async def require_all(self) -> None:
        """What was begun gets delivered, and everything is there once."""
        await self.exporters.finish()
        await self.inspection.require_all(self.traffic, self.exporters.receipts)
        print(self.report)


@asynccontextmanager
async def running_site(
    settings: Settings,
    *,
    name: str = "ours",
    seed: int = 1,
    connections: int = 6,
    processes: int = 1,
    full_disk: Path | None = None,
) -> AsyncIterator[Site]:
    """Server processes on a migrated database; ended with everything they were doing."""
    servers = [ForkedServer(settings, executes=False, full_disk=full_disk) for _ in range(processes)]
    database = Database(settings.url, pool_size=2)
    exporters: Exporters | None = None
    try:
        for server in servers:
            server.start()
        async with httpx.AsyncClient(base_url=servers[0].url, timeout=30) as client:
            tenant = await register_tenant(client, name)
        exporters = Exporters(
            ports=[server.port for server in servers],
            api_key=tenant.api_key,
            receipts=Receipts(Path(settings.data_dir) / "receipts.log"),
            connections=connections,
            seed=seed,
        )
        yield Site(servers, tenant, exporters, Traffic(seed), Inspection(servers[0].url, tenant, database))
    except BaseException:
        for server in servers:
            print(server.log)
        raise
    finally:
        if exporters is not None:
            await exporters.abandon()
        for server in servers:
            server.kill()
        await database.close()

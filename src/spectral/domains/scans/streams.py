"""A scan's events as server-sent events: replayed from the table, then followed until the scan has ended.

Reads in short transactions of its own and holds none while it waits, so a thousand open streams hold no connection.
Source: WHATWG HTML, "Server-sent events".
"""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

from spectral.domains.scans.schemas import EventOut
from spectral.domains.scans.service import ScanService, has_ended
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.streams import StreamRights
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import NotFoundError

POLL_S = 0.25
KEEPALIVE_S = 15.0
BATCH = 200


async def stream_events(
    database: Database, access: WorkspaceAccess, scan_id: UUID, *, after: int, rights: StreamRights
) -> AsyncIterator[bytes]:
    """Every event with a higher number than `after`, in order, once each; ends after the scan's last one.

    Ends early when the caller may no longer read, or when the scan is gone.
    """
    yield b"retry: 1000\n\n"
    said_at = time.monotonic()
    while await rights.hold():
        try:
            async with database.transaction(access, read_only=True) as session:
                service = ScanService(session, access)
                # Read before the events: what has ended by then has written its last one.
                ended = has_ended(await service.read_scan(scan_id))
                events, _ = await service.list_events(scan_id, after=after, offset=0, limit=BATCH)
        except NotFoundError:
            return
        for event in events:
            # A slow reader may take long for the one before.
            if not await rights.hold():
                return
            after = event.seq
            yield frame(EventOut.model_validate(event))
        now = time.monotonic()
        if events:
            said_at = now
        elif ended:
            return
        elif now - said_at >= KEEPALIVE_S:
            said_at = now
            yield b": keepalive\n\n"
        if len(events) < BATCH:
            await asyncio.sleep(POLL_S)


def frame(event: EventOut) -> bytes:
    """One event: its number is the id that a client sends back as `Last-Event-ID`."""
    # JSON holds no line break, so one `data` line is enough.
    return f"id: {event.seq}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n".encode()

"""A run's events as they happen: as server-sent events, or as whoever else follows them.

Replayed from the table, then followed over every suspension until the run has ended. A restart later is seen by
whoever comes again. Nothing is held while nothing happens: no connection, no transaction.
"""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing

from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.runs.fanout import RunFanout, SeenEvent
from spectral.domains.workflows.runs.reading_repository import EventFilter
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.streams import ReviewedRights

KEEPALIVE_S = 15.0
TICK_S = 0.4
"""How long a stream waits for events before it looks whether its caller may still read."""
RETRY = b"retry: 1000\n\n"


async def follow(
    fanout: RunFanout, access: WorkspaceAccess, run: WorkflowRun, wanted: EventFilter, rights: ReviewedRights
) -> AsyncIterator[SeenEvent | None]:
    """Every wanted event, in order, once each; None now and then while nothing comes.

    run: as just read.  Ends after the last event of a run that has ended (or of the wanted generation), when the run is
    gone, and as soon as the caller may no longer read: `rights.refusal` then says why.
    """
    async with fanout.watch(access, run, after=wanted.after) as watch:
        while await rights.hold():
            events = await watch.next(TICK_S, wanted.generation)
            if events is None:
                return
            for event in events:
                # A slow reader may take long for the one before.
                if not await rights.hold():
                    return
                if wanted.takes(event.type, event.generation):
                    yield event
            yield None


async def stream_events(
    fanout: RunFanout, access: WorkspaceAccess, run: WorkflowRun, wanted: EventFilter, rights: ReviewedRights
) -> AsyncIterator[bytes]:
    """The same as server-sent events; a comment every 15 s keeps a quiet connection open."""
    yield RETRY
    said_at = time.monotonic()
    async with aclosing(follow(fanout, access, run, wanted, rights)) as events:  # type: ignore[type-var]
        async for event in events:
            now = time.monotonic()
            if event is not None:
                said_at = now
                yield frame(event)
            elif now - said_at >= KEEPALIVE_S:
                said_at = now
                yield b": keepalive\n\n"


def frame(event: SeenEvent) -> bytes:
    """One event: its number is the id that a client sends back as `Last-Event-ID`."""
    # JSON holds no line break, so one `data` line is enough.
    return f"id: {event.seq}\nevent: {event.type}\ndata: ".encode() + event.document + b"\n\n"

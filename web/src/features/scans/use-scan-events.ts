import { useCallback, useEffect, useRef, useState } from "react";
import { http } from "@/api/client";
import { type ServerEvent, type StreamState, useEvents } from "@/api/sse";
import { NOTHING_YET, type ScanEvent, type ScanState, gapOf, withEvents } from "./scan-events";
import { type ScanStatus, hasEnded } from "./scan-words";

const PAGE = 100;

export type ScanStream = {
  state: ScanState;
  /** `null` where nothing is followed, because the scan has ended and everything was read. */
  stream: StreamState | null;
  error: unknown;
};

/** The scan's events, replayed and then followed; the page changes at most once for each frame that is drawn. */
export function useScanEvents(workspaceId: string, scanId: string, status: ScanStatus | undefined): ScanStream {
  const [state, setState] = useState<ScanState>(NOTHING_YET);
  const queue = useRef<ScanEvent[]>([]);
  const frame = useRef<number | null>(null);

  const take = useCallback((events: readonly ScanEvent[]) => {
    queue.current.push(...events);
    frame.current ??= requestAnimationFrame(() => {
      frame.current = null;
      const batch = queue.current;
      queue.current = [];
      setState((before) => withEvents(before, batch));
    });
  }, []);
  useEffect(
    () => () => {
      if (frame.current !== null) cancelAnimationFrame(frame.current);
      frame.current = null;
    },
    [],
  );

  // A failed scan may be resumed, so its last event is not the stream's; the server's closing is.
  const [readToEnd, setReadToEnd] = useState(false);
  const follow = !readToEnd || (status !== undefined && !hasEnded(status));
  const path = `/api/v1/workspaces/${workspaceId}/scans/${scanId}/events`;
  const { state: stream, error } = useEvents(follow ? path : null, (events) => take(events.flatMap(parsed)), isLast);
  const ended = status !== undefined && hasEnded(status) && state.status === status;
  useEffect(() => {
    if (status !== undefined && !hasEnded(status)) setReadToEnd(false);
    else if (ended && stream !== "open") setReadToEnd(true);
  }, [status, ended, stream]);

  const gap = gapOf(state);
  const missingAfter = gap?.after;
  useEffect(() => {
    if (missingAfter === undefined) return;
    const controller = new AbortController();
    http
      .GET("/api/v1/workspaces/{workspace_id}/scans/{scan_id}/events", {
        params: { path: { workspace_id: workspaceId, scan_id: scanId }, query: { after: missingAfter, limit: PAGE } },
        headers: { Accept: "application/json" },
        signal: controller.signal,
      })
      .then(({ data }) => take(data?.results ?? []))
      // The next event asks again.
      .catch(() => undefined);
    return () => controller.abort();
  }, [missingAfter, workspaceId, scanId, take]);

  return { state, stream: follow ? stream : null, error };
}

function parsed({ data }: ServerEvent): ScanEvent[] {
  try {
    return [JSON.parse(data) as ScanEvent];
  } catch {
    return [];
  }
}

function isLast({ type }: ServerEvent): boolean {
  return type === "scan.completed" || type === "scan.cancelled";
}

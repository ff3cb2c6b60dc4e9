import { useCallback, useEffect, useRef, useState } from "react";
import { type ServerEvent, type StreamState, useEvents } from "@/api/sse";
import { type RunEvent, type RunLife, UNBORN, withEvents } from "./run-events";

export type RunStream = { life: RunLife; stream: StreamState; error: unknown };

/** Often enough to look live; thousands of events are replayed in a few steps. */
const DRAW_EVERY_MS = 100;

/** A run's events, replayed and then followed; the page changes at most ten times a second. */
export function useRunEvents(workspaceId: string, runId: string, generation: number | undefined): RunStream {
  const [life, setLife] = useState<RunLife>(UNBORN);
  const queue = useRef<RunEvent[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const drawnAt = useRef(Number.NEGATIVE_INFINITY);
  const take = useCallback((events: readonly RunEvent[]) => {
    queue.current.push(...events);
    timer.current ??= setTimeout(
      () => {
        timer.current = null;
        drawnAt.current = performance.now();
        const batch = queue.current;
        queue.current = [];
        setLife((before) => withEvents(before, batch));
      },
      Math.max(0, drawnAt.current + DRAW_EVERY_MS - performance.now()),
    );
  }, []);
  useEffect(
    () => () => {
      if (timer.current !== null) clearTimeout(timer.current);
      timer.current = null;
    },
    [],
  );

  // No event is the last for good: a restart goes on after it. The server says when there is no more to come.
  const [from, setFrom] = useState(0);
  const path = `/api/v1/workspaces/${workspaceId}/runs/${runId}/events?after=${from}`;
  const { state: stream, error } = useEvents(path, (events) => take(events.flatMap(parsed)));
  const known = Math.max(0, ...life.generations.keys());
  useEffect(() => {
    if (stream === "ended" && generation !== undefined && generation > known) setFrom(life.lastSeq);
  }, [stream, generation, known, life.lastSeq]);

  return { life, stream, error };
}

function parsed({ data }: ServerEvent): RunEvent[] {
  try {
    return [JSON.parse(data) as RunEvent];
  } catch {
    return [];
  }
}

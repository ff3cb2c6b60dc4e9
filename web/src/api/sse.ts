import { useEffect, useRef, useState } from "react";
import { authorisedFetch } from "@/api/client";
import { ApiProblem, isPassing } from "@/api/problems";

export type ServerEvent = { id: string; type: string; data: string };

/** `waiting` is between two attempts; `ended` is told by the server, `refused` too and finally. */
export type StreamState = "connecting" | "open" | "waiting" | "ended" | "refused";

/** Collects the lines of a stream into events.  Source: WHATWG HTML, "Interpreting an event stream". */
export class EventParser {
  #rest = "";
  #id = "";
  #type = "message";
  #data: string[] = [];
  /** What the server asks for between two attempts. */
  retryMs: number | null = null;

  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    // A carriage return at the end may be half of a line break.
    const whole = this.#rest + text;
    const ending = whole.endsWith("\r") ? whole.length - 1 : whole.length;
    const lines = whole.slice(0, ending).split(/\r\n|\r|\n/);
    this.#rest = (lines.pop() ?? "") + whole.slice(ending);
    for (const line of lines) {
      const event = this.#take(line);
      if (event !== null) events.push(event);
    }
    return events;
  }

  #take(line: string): ServerEvent | null {
    if (line === "") {
      const event = this.#data.length > 0 ? { id: this.#id, type: this.#type, data: this.#data.join("\n") } : null;
      this.#type = "message";
      this.#data = [];
      return event;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#type = value;
    else if (name === "id") this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
    return null;
  }
}

export type StreamOptions = {
  path: string;
  /** Events after this one only. */
  after?: string;
  onEvents: (events: ServerEvent[]) => void;
  onState?: (state: StreamState, error?: unknown) => void;
  /** Whether nothing can come after this event, so that the end of the answer is the end of the stream. */
  isLast?: (event: ServerEvent) => boolean;
  signal: AbortSignal;
};

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

/** Follow server-sent events over disconnects and restarts of the server, from where they broke off. */
export async function followEvents(options: StreamOptions): Promise<void> {
  const { path, onEvents, onState, isLast, signal } = options;
  let last = options.after ?? "";
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    onState?.("connecting");
    try {
      const headers = new Headers({ Accept: "text/event-stream" });
      if (last !== "") headers.set("Last-Event-ID", last);
      const response = await authorisedFetch(new Request(new URL(path, location.origin), { headers, signal }));
      if (response.status === 204 || response.body === null) return onState?.("ended");
      onState?.("open");
      const parser = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const events = parser.push(value);
        if (events.length === 0) continue;
        wait = FIRST_WAIT_MS;
        last = events.at(-1)?.id || last;
        onEvents(events);
        if (events.some((event) => isLast?.(event))) return onState?.("ended");
      }
      wait = Math.max(wait, parser.retryMs ?? 0);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiProblem && !isPassing(error)) return onState?.("refused", error);
      if (error instanceof ApiProblem && error.retryAfterS !== null) wait = error.retryAfterS * 1000;
    }
    if (signal.aborted) return;
    onState?.("waiting");
    await sleep(wait, signal);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    // Who comes back online need not wait.
    addEventListener("online", done, { once: true });
  });
}

/** Follow while the component is there and `path` is not null. `onEvents` gets them in order, in batches. */
export function useEvents(
  path: string | null,
  onEvents: (events: ServerEvent[]) => void,
  isLast?: (event: ServerEvent) => boolean,
): { state: StreamState; error: unknown } {
  const [state, setState] = useState<{ state: StreamState; error: unknown }>({ state: "connecting", error: null });
  const latest = useRef({ onEvents, isLast });
  useEffect(() => {
    latest.current = { onEvents, isLast };
  });
  useEffect(() => {
    if (path === null) return;
    const controller = new AbortController();
    void followEvents({
      path,
      signal: controller.signal,
      onEvents: (events) => latest.current.onEvents(events),
      isLast: (event) => latest.current.isLast?.(event) ?? false,
      onState: (next, error) => {
        if (!controller.signal.aborted) setState({ state: next, error: error ?? null });
      },
    });
    return () => controller.abort();
  }, [path]);
  return state;
}

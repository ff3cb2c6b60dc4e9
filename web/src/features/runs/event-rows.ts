import { eventDetail, kindOf } from "./event-words";
import type { RunEvent } from "./run-events";
import type { EventKind, LogLevel } from "./search";

/** One line of the log: an event, or the text that a step has streamed between two other events of it. */
export type EventRow = { event: RunEvent; text: string | null; count: number };

export type EventFilter = { kinds: readonly EventKind[]; levels: readonly LogLevel[]; find: string };

/** The lines of one generation. Pieces of a streamed text of one step are one line, where the first piece came. */
export function eventRows(events: readonly RunEvent[], generation: number): EventRow[] {
  const rows: EventRow[] = [];
  const streaming = new Map<string, EventRow>();
  for (const event of events) {
    if (event.generation !== generation) continue;
    const node = event.node ?? "";
    if (event.type !== "token") {
      // Another attempt streams from the beginning.
      if (event.type.startsWith("step.")) streaming.delete(node);
      rows.push({ event, text: null, count: 1 });
      continue;
    }
    const piece = typeof event.data.text === "string" ? event.data.text : "";
    const row = streaming.get(node);
    if (row !== undefined) {
      row.text = (row.text ?? "") + piece;
      row.count += 1;
      continue;
    }
    const first: EventRow = { event, text: piece, count: 1 };
    streaming.set(node, first);
    rows.push(first);
  }
  return rows;
}

export function filteredRows(rows: readonly EventRow[], { kinds, levels, find }: EventFilter): readonly EventRow[] {
  if (kinds.length === 0 && levels.length === 0 && find === "") return rows;
  const wanted = find.toLowerCase();
  return rows.filter(
    ({ event, text }) =>
      (kinds.length === 0 || kinds.includes(kindOf(event.type))) &&
      (levels.length === 0 || levels.some((level) => level === event.level)) &&
      (wanted === "" || `${event.type} ${event.node ?? ""} ${text ?? eventDetail(event)}`.toLowerCase().includes(wanted)),
  );
}

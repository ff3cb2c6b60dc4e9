import { describe, expect, it } from "vitest";
import { eventRows, filteredRows } from "./event-rows";
import type { RunEvent } from "./run-events";

function event(seq: number, type: string, node: string | null, data: RunEvent["data"] = {}, told: Partial<RunEvent> = {}): RunEvent {
  return { id: `e${seq}`, seq, generation: 1, type, node, level: null, category: null, started_at: "2026-01-01T00:00:00Z", ended_at: null, status: null, input: null, output: null, error: null, data, ...told };
}

const EVENTS = [
  event(1, "step.started", "a"),
  event(2, "token", "a", { text: "one " }),
  event(3, "token", "b", { text: "other" }),
  event(4, "token", "a", { text: "two" }),
  event(5, "log", "a", { message: "Careful" }, { level: "warn" }),
  event(6, "step.started", "a", { attempt: 2 }),
  event(7, "token", "a", { text: "again" }),
  event(8, "run.restarted", null, {}, { generation: 2 }),
];

describe("the lines of a run's log", () => {
  it("joins what each step streams, anew with each attempt, of one generation", () => {
    const rows = eventRows(EVENTS, 1);
    expect(rows.map((row) => [row.event.seq, row.text, row.count])).toEqual([
      [1, null, 1],
      [2, "one two", 2],
      [3, "other", 1],
      [5, null, 1],
      [6, null, 1],
      [7, "again", 1],
    ]);
    expect(eventRows(EVENTS, 2)).toHaveLength(1);
  });

  it("is narrowed by kind, by level and by what it says", () => {
    const rows = eventRows(EVENTS, 1);
    const seqs = (filter: Parameters<typeof filteredRows>[1]) => filteredRows(rows, filter).map((row) => row.event.seq);
    expect(seqs({ kinds: ["token"], levels: [], find: "TWO" })).toEqual([2]);
    expect(seqs({ kinds: [], levels: ["warn"], find: "careful" })).toEqual([5]);
    expect(filteredRows(rows, { kinds: [], levels: [], find: "" })).toBe(rows);
  });
});

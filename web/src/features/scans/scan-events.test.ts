import { describe, expect, it } from "vitest";
import { NOTHING_YET, type ScanEvent, gapOf, withEvents } from "./scan-events";
import type { ScanPhase } from "./scan-words";

function event(seq: number, type: string, data: ScanEvent["data"] = {}, phase: ScanPhase | null = null): ScanEvent {
  return { seq, type: `scan.${type}`, phase, data, created_at: new Date(Date.UTC(2026, 0, 1, 0, 0, seq)).toISOString() };
}

const SEARCHED = [
  event(1, "created", { strategies: ["reflective"], base_version: 1, seed: 0 }),
  event(2, "started"),
  event(3, "phase_started", {}, "generate"),
  event(4, "candidate_proposed", { ordinal: 1, strategy: "reflective", rationale: "shorter", changes: ["/a"], flags: ["url: x"] }, "generate"),
  event(5, "candidate_proposed", { ordinal: 2, strategy: "few_shot", rationale: "eight", changes: ["/few_shot"], flags: [] }, "generate"),
  event(6, "phase_finished", { candidates: 2 }, "generate"),
  event(7, "phase_started", {}, "evaluate"),
  event(8, "candidate_evaluated", { ordinal: 2, n: 300, effect: 0.1, low: 0.05, high: 0.15, p_adjusted: 0.01, wins: 40, losses: 10, beats: true, accuracy: 0.7 }, "evaluate"),
  event(9, "candidate_selected", { ordinal: 2 }, "evaluate"),
  event(10, "phase_finished", { winner: 2 }, "evaluate"),
  event(11, "completed", { outcome: "validated" }),
];

describe("withEvents", () => {
  it("tells phases, candidates, comparisons and the end", () => {
    const state = withEvents(NOTHING_YET, SEARCHED);
    expect(state).toMatchObject({ lastSeq: 11, status: "completed", outcome: "validated" });
    expect(state.phases.get("generate")).toEqual({ startedAt: SEARCHED[2]?.created_at, finishedAt: SEARCHED[5]?.created_at });
    expect(state.candidates.get(1)).toMatchObject({ strategy: "reflective", comparison: null, selected: false, flags: ["url: x"] });
    expect(state.candidates.get(2)).toMatchObject({ selected: true, comparison: { n: 300, effect: 0.1, low: 0.05, high: 0.15, beats: true, pAdjusted: 0.01 } });
  });

  it("comes to the same state in any order, split anyhow and repeated", () => {
    const whole = withEvents(NOTHING_YET, SEARCHED);
    const backwards = withEvents(NOTHING_YET, SEARCHED.toReversed());
    const shuffled = [8, 2, 0, 5, 10, 1, 9, 3, 7, 4, 6].reduce((state, at) => withEvents(state, SEARCHED.slice(at, at + 2)), NOTHING_YET);
    expect(backwards).toEqual(whole);
    expect(shuffled).toEqual(whole);
    expect(withEvents(whole, SEARCHED)).toBe(whole);
  });

  it("holds back what comes after a gap until the gap is filled", () => {
    const state = withEvents(NOTHING_YET, [...SEARCHED.slice(0, 3), ...SEARCHED.slice(5)]);
    expect(state).toMatchObject({ lastSeq: 3, status: "running", outcome: null });
    expect(gapOf(state)).toEqual({ after: 3, before: 6 });
    const filled = withEvents(state, SEARCHED.slice(3, 5));
    expect(filled).toEqual(withEvents(NOTHING_YET, SEARCHED));
    expect(gapOf(filled)).toBeNull();
  });

  it("never changes a state that somebody holds", () => {
    const before = withEvents(NOTHING_YET, SEARCHED.slice(0, 5));
    const copy = structuredClone({ ...before, phases: [...before.phases], candidates: [...before.candidates] });
    withEvents(before, SEARCHED.slice(5));
    expect({ ...before, phases: [...before.phases], candidates: [...before.candidates] }).toEqual(copy);
    expect(NOTHING_YET.events).toHaveLength(0);
  });

  it("follows a scan over a pause, a failure and what was taken up again", () => {
    const begun = SEARCHED.slice(0, 5);
    const paused = withEvents(NOTHING_YET, [...begun, event(6, "paused", { by: "user:1" }, "generate")]);
    expect(paused.status).toBe("paused");
    const on = withEvents(paused, [event(7, "resumed", { from: "paused" }, "generate")]);
    expect(on.status).toBe("running");
    const failed = withEvents(on, [event(8, "failed", { type: "provider-down", detail: "no answer" })]);
    expect(failed.status).toBe("failed");
    const again = withEvents(failed, [event(9, "resumed", { from: "failed" }, "generate")]);
    expect(again.status).toBe("queued");
    expect(withEvents(again, [event(10, "phase_finished", {}, "generate")]).status).toBe("running");
  });

  it("leaves numbers unknown that an event does not carry", () => {
    const state = withEvents(NOTHING_YET, [...SEARCHED.slice(0, 4), event(5, "candidate_evaluated", { ordinal: 1, n: 300, effect: 0.1 }, "evaluate"), event(6, "candidate_evaluated", { ordinal: 9 }, "evaluate")]);
    expect(state.candidates.get(1)?.comparison).toBeNull();
    expect(state.candidates.has(9)).toBe(false);
  });
});

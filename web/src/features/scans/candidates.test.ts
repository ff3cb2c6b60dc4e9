import { describe, expect, it } from "vitest";
import { type RecordedCandidate, bestSoFar, mergeCandidates, standingOf } from "./candidates";
import type { Comparison } from "./scan-events";

function compared(effect: number, beats = true): Comparison {
  return { n: 300, effect, low: effect - 0.05, high: effect + 0.05, pAdjusted: 0.01, wins: 1, losses: 0, accuracy: null, beats };
}

function recorded(ordinal: number, strategy: string, changes: RecordedCandidate["changes"], rationale = ""): RecordedCandidate {
  return { ordinal, strategy, rationale, config_hash: `hash ${ordinal}`, changes, select: null };
}

describe("bestSoFar", () => {
  it("rises with what beats the champion and never falls", () => {
    const points = bestSoFar([
      { ordinal: 3, comparison: compared(0.02) },
      { ordinal: 1, comparison: compared(0.1) },
      { ordinal: 2, comparison: null },
      { ordinal: 4, comparison: compared(0.3) },
    ]);
    expect(points.map(({ ordinal, best, improves }) => [ordinal, best, improves])).toEqual([
      [1, 0.1, true],
      [2, 0.1, false],
      [3, 0.1, false],
      [4, 0.3, true],
    ]);
  });

  it("stays at the champion while nothing beats it, however large a gain looks", () => {
    const points = bestSoFar([
      { ordinal: 1, comparison: compared(0.4, false) },
      { ordinal: 2, comparison: compared(-0.1, false) },
    ]);
    expect(points.map((point) => point.best)).toEqual([0, 0]);
  });
});

describe("mergeCandidates", () => {
  const all = [
    recorded(1, "reflective", { "/text": "better" }),
    recorded(2, "reflective", { "/text": "other" }),
    recorded(3, "few_shot", { "/few_shot": [{ input: 1 }] }),
    recorded(4, "combined", { "/few_shot": [{ input: 1 }], "/text": "better" }),
    recorded(5, "prune", { "/text": "bett" }, "combined without 2 of 6 added lines"),
  ];

  it("finds what a combined and a pruned candidate were made from", () => {
    const parents = mergeCandidates(new Map(), all, 4).map((one) => one.parents);
    expect(parents).toEqual([[], [], [], [1, 3], [4]]);
  });

  it("shows what the events say before the scan's document has it", () => {
    const live = { ordinal: 6, strategy: "knobs", rationale: "colder", pointers: ["/parameters/temperature"], flags: [], proposedAt: "", comparison: compared(0.1), selected: false };
    const merged = mergeCandidates(new Map([[6, live]]), all, null);
    expect(merged.at(-1)).toMatchObject({ ordinal: 6, changes: null, parents: [], pointers: ["/parameters/temperature"] });
    expect(merged).toHaveLength(6);
  });
});

describe("standingOf", () => {
  it("tells what was not compared from what waits", () => {
    expect(standingOf({ selected: false, comparison: null }, false)).toBe("waiting");
    expect(standingOf({ selected: false, comparison: null }, true)).toBe("not compared");
    expect(standingOf({ selected: false, comparison: compared(0.1, false) }, true)).toBe("behind");
    expect(standingOf({ selected: true, comparison: compared(0.1) }, true)).toBe("chosen");
  });
});

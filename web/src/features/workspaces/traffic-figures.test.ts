import { describe, expect, it } from "vitest";
import type { Schemas } from "@/api/client";
import { filled, successRate } from "@/features/workspaces/traffic-figures";

const counts = { traces: 4, failed_traces: 1 } as Schemas["UsageCountsOut"];

describe("traffic", () => {
  it("has a place for every hour, also for those without traces", () => {
    const from = Date.parse("2026-05-01T10:20:00Z");
    const hours = filled([{ start: "2026-05-01T11:00:00Z", counts }], from, from + 2 * 3_600_000, "hour");
    expect(hours.map(({ at }) => new Date(at).getUTCHours())).toEqual([10, 11, 12]);
    expect(hours.map(({ bucket }) => bucket?.counts.traces ?? null)).toEqual([null, 4, null]);
  });

  it("knows no success where nothing came", () => {
    expect(successRate(counts)).toBe(0.75);
    expect(successRate({ traces: 0, failed_traces: 0 })).toBeNull();
  });
});

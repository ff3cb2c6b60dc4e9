import { describe, expect, it } from "vitest";
import type { GuardOutcome } from "./evidence-types";
import { guardLimit, guardName, guardSlack, guardValue, summariseGuards } from "./guard-wording";

const guard = (change: Partial<GuardOutcome>): GuardOutcome => ({
  name: "p95_latency",
  unit: "ms",
  statistic: "p95",
  champion: 1000,
  challenger: 1050,
  limit: 1100,
  slack: 50,
  low: 10,
  high: 90,
  n: 400,
  status: "held",
  ...change,
});

describe("guards in words", () => {
  it("writes each unit as people read it", () => {
    const latency = guard({});
    expect(guardLimit(latency)).toBe("at most 1.10 s");
    expect(guardSlack(latency, 50)).toBe("+50 ms");
    const cost = guard({ name: "mean_cost", unit: "nano_usd", limit: 2_400_000 });
    expect(guardLimit(cost)).toBe("at most $0.0024");
    const errors = guard({ name: "error_rate", unit: "error" });
    expect(guardValue(errors, 0.02).replace("\u202f", " ")).toBe("2.0 %");
    expect(guardSlack(errors, -0.01)).toBe("−1 point");
  });

  it("turns scores back, which are larger when they are better", () => {
    const score = guard({ name: "tone_max_drop", unit: "score", champion: -0.8, challenger: -0.7, limit: -0.78 });
    expect(guardName(score.name)).toBe("drop of tone");
    expect(guardValue(score, score.champion)).toBe("0.8");
    expect(guardLimit(score)).toBe("at least 0.78");
  });

  it("says unknown where too few values are known", () => {
    const unclear = guard({ champion: null, limit: null, slack: null, status: "unclear" });
    expect([guardValue(unclear, null), guardLimit(unclear), guardSlack(unclear, null)]).toEqual(["unknown", "unknown", "unknown"]);
  });

  it("sums up by the worst", () => {
    const held = guard({});
    const unclear = guard({ name: "mean_cost", status: "unclear" });
    const harmed = guard({ name: "error_rate", status: "harmed" });
    expect(summariseGuards([])).toBe("no guard is set");
    expect(summariseGuards([held])).toBe("the guard on p95 latency holds");
    expect(summariseGuards([held, held])).toBe("both guards hold");
    expect(summariseGuards([held, held, held])).toBe("all 3 guards hold");
    expect(summariseGuards([held, unclear])).toBe("mean cost is not shown to hold");
    expect(summariseGuards([held, unclear, harmed])).toBe("harm is confirmed by the guard on error rate");
  });
});

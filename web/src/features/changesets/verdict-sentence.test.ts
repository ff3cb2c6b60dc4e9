import { describe, expect, it } from "vitest";
import type { GuardOutcome, Look } from "./evidence-types";
import { findingOf } from "./verdict-sentence";

const guard: GuardOutcome = {
  name: "p95_latency",
  unit: "ms",
  statistic: "p95",
  champion: 100,
  challenger: 105,
  limit: 110,
  slack: 5,
  low: 1,
  high: 9,
  n: 400,
  status: "held",
};

const look: Look = {
  id: "1",
  changeset_id: "2",
  status: "completed",
  verdict: "validated",
  reasons: ["lower_bound_above_minimum_effect"],
  n_more: null,
  holdout_id: "3",
  holdout_digest: "abc",
  look: 1,
  looks_planned: 3,
  stage: 1,
  alpha: 0.025,
  minimum_effect: 0.01,
  repeats: 1,
  items: 400,
  n: 400,
  groups: 256,
  missing: { champion: 0, challenger: 0 },
  effect: { mean: 0.1825, low: 0.1285, high: 0.2364, confidence: 0.975, method: "bca" },
  effect_95: { mean: 0.1825, low: 0.1369, high: 0.2304, confidence: 0.95, method: "bca" },
  p_value: 0.00009,
  guards: [guard],
  judges: [],
  champion: null,
  challenger: null,
  execution: "native",
  max_cost_usd: null,
  cost_usd: "0",
  failure: null,
  requested_by: "system:scan",
  created_at: "2026-01-01T00:00:00Z",
  started_at: null,
  finished_at: null,
};

const said = (change: Partial<Look>, holdoutSize: number | null = 400) =>
  findingOf({ ...look, ...change }, holdoutSize).sentence.replaceAll(/[\u00a0\u202f]/g, " ");

const wide: Partial<Look> = {
  verdict: "inconclusive",
  reasons: ["interval_contains_minimum_effect"],
  effect: { mean: 0.074, low: -0.027, high: 0.174, confidence: 0.9875, method: "paired-t" },
  n: 68,
  items: 68,
  n_more: 301,
  p_value: 0.18,
};

describe("findingOf", () => {
  it("promises nothing before the holdout was asked", () => {
    expect(findingOf(null, null).lead).toBe("Not tested");
    expect(findingOf(null, null).sentence).toContain("is no proof");
  });

  it("says of a look under way which it is, and no numbers", () => {
    expect(said({ status: "running", verdict: null, effect: null, repeats: 3 })).toBe(
      "Look 1 of 3 measures both configurations on 400 held-out samples, 3 times each. There is no verdict until it ends.",
    );
  });

  it("tells a validated gain by the interval that decided, not by the 95 % one", () => {
    expect(said({})).toBe(
      "The candidate gains +18.2 points on 400 held-out samples. The whole 97.5 % interval [+12.8, +23.6] lies above the minimum effect of 1 point, the exact test excludes chance (p < 0.0001), and the guard on p95 latency holds.",
    );
  });

  it("tells a refutation by its upper bound, by harm, and by identity", () => {
    const low = { mean: -0.01, low: -0.03, high: 0.005, confidence: 0.975, method: "bca" };
    expect(said({ verdict: "refuted", reasons: ["upper_bound_below_minimum_effect"], effect: low })).toBe(
      "The effect is −1.0 point: the whole 97.5 % interval [−3.0, +0.5] lies below the minimum effect of 1 point.",
    );
    expect(
      said({ verdict: "refuted", reasons: ["guard_harm_confirmed"], guards: [{ ...guard, status: "harmed" }] }),
    ).toBe("Harm is confirmed by the guard on p95 latency.");
    expect(said({ verdict: "refuted", reasons: ["identical_configurations"] })).toBe(
      "Champion and candidate are the same configuration.",
    );
  });

  it("says what a next look needs, which depends on what of the holdout is left", () => {
    expect(said(wide, 68)).toBe(
      "The 98.75 % interval [−2.7, +17.4] of the effect (+7.4 points, n = 68) contains the minimum effect of 1 point. All 68 samples of the holdout are measured, so the same data cannot say more: a fresh holdout of about 301 samples would decide it with 80 % probability if the estimate were the truth.",
    );
    expect(said(wide, 600)).toContain("The next look measures 301 more of the holdout's samples.");
    expect(said(wide, null)).toContain("A next look needs 301 further samples.");
    expect(said({ ...wide, n_more: null })).toContain("No number of further samples would help.");
  });

  it("names every doubt", () => {
    expect(
      said({
        ...wide,
        reasons: ["interval_contains_minimum_effect", "chance_not_excluded_by_exact_test", "guard_not_shown_to_hold"],
        guards: [{ ...guard, status: "unclear" }],
      }),
    ).toMatch(/minimum effect of 1 point, the exact test does not exclude chance \(p = 0\.18\) and the guard on p95 latency is not shown to hold\./);
  });

  it("asks for no samples where an arm was broken, or a replica was measured", () => {
    const broken = { verdict: "inconclusive", n_more: null, missing: { champion: 2, challenger: 60 } } as const;
    expect(said({ ...broken, reasons: ["too_many_missing"] })).toBe(
      "Too many results are missing (champion 2, candidate 60 of 400; 5 % is the most).",
    );
    expect(said({ ...broken, reasons: ["replica"] })).toBe(
      "A replica was measured, which says nothing certain about the agent itself.",
    );
    expect(said({ verdict: "inconclusive", reasons: ["too_few_pairs"], n: 22, items: 400, n_more: 8 })).toBe(
      "Only 22 complete pairs are left, and 30 are the least. At least 8 more are needed.",
    );
  });

  it("says of a look that failed that it told nobody anything", () => {
    expect(said({ status: "failed", verdict: null, failure: { type: "provider-down", detail: "The provider is away." } })).toBe(
      "Look 1 of 3 ended without a result: The provider is away. It told nobody anything, and is taken up again under its own number.",
    );
  });
});

import { describe, expect, it } from "vitest";
import type { LiveGuard } from "./evidence-types";
import { liveGuardSentence } from "./live-guard-sentence";
import { standingOf } from "./standing";

const guard: LiveGuard = {
  id: "1",
  changeset_id: "2",
  agent_id: "3",
  environment: "production",
  state: "running",
  finding: "open",
  reason: null,
  holdback: 0.1,
  source: "evaluation",
  online_evaluation_id: null,
  sessions: 133,
  crossovers: 0,
  arms: [],
  effect: { estimate: -0.72, low: -1, high: -0.15, confidence: 0.95 },
  margin: 0.05,
  horizon: 20_000,
  history: [],
  started_at: "2026-01-01T00:00:00Z",
  alerted_at: null,
  finished_at: null,
  finished_by: null,
};

const changeset = {
  state: "accepted",
  base_version: 1,
  candidate_version: 2,
  previous_version: 1,
  target_environment: "production",
  accepted_at: null,
  accepted_by: "user:1",
  closed_at: null,
  closed_by: null,
  closed_reason: null,
  override_reason: null,
  guard,
} as const;

const nameOf = (actor: string) => (actor === "user:1" ? "Ann" : "the guard");
const said = (change: Partial<Parameters<typeof standingOf>[0]>, liveVersion = 2) =>
  standingOf({ ...changeset, ...change }, { liveVersion, nameOf })?.sentence.replaceAll("\u202f", " ");

describe("standingOf", () => {
  it("says nothing while nobody has decided", () => {
    for (const state of ["proposed", "validating", "validated", "refuted", "inconclusive"] as const) {
      expect(said({ state })).toBeUndefined();
    }
  });

  it("tells who got the new version, and when it is not what is live any more", () => {
    expect(said({})).toBe(
      "Accepted by Ann. Version 2 is live in production for 90 % of the sessions; the others stay with version 1 until the guard has decided.",
    );
    expect(said({ guard: null })).toContain("live in production for everybody");
    expect(said({}, 3)).toContain("Version 3 is live in production by now, not version 2.");
    expect(standingOf(changeset, { liveVersion: undefined, nameOf })?.sentence).toContain("Version 2 was promoted to production.");
  });

  it("does not hide that there was no proof", () => {
    expect(said({ override_reason: "The shop opens today" })).toContain("Accepted by Ann without proof (“The shop opens today”).");
  });

  it("names the version that came back", () => {
    expect(said({ state: "rolled_back", closed_by: "system:guard", closed_reason: "A regression is confirmed." })).toBe(
      "Rolled back by the guard; version 1 went live in production again: A regression is confirmed.",
    );
    expect(said({ state: "rejected", closed_by: "user:1" })).toBe("Rejected by Ann. Version 2 was not promoted.");
  });
});

describe("liveGuardSentence", () => {
  const told = (change: Partial<LiveGuard>) => liveGuardSentence({ ...guard, ...change }).replaceAll("\u202f", " ");

  it("tells a guard that waits from one that counts", () => {
    expect(told({ source: null, sessions: 0 })).toMatch(/^It waits for scores/);
    expect(told({})).toContain("the effect is −72.0 points, its 95 % interval for all looks together [−100.0, −15.0]");
  });

  it("does not call a release by hand a finding", () => {
    expect(told({ state: "released" })).toMatch(/^Released by hand before the guard had decided/);
    expect(told({ state: "released", finding: "no_regression" })).toContain("a loss of more than 5 points is excluded");
    expect(told({ state: "rolled_back", finding: "regression" })).toContain("a regression is confirmed");
    expect(told({ state: "alerting", finding: "uneven" })).toContain("nothing can be concluded");
  });
});

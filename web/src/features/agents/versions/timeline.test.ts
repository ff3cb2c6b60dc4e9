import { describe, expect, it } from "vitest";
import { environmentChoices, liveOf, planPromotion } from "./environments";
import { changesetOf, mergeTimeline, type Promotion, type TimelineEntry, type Version } from "./timeline";

const version = (number: number, minute: number): Version => ({
  version: number,
  created_at: `2026-03-01T10:${String(minute).padStart(2, "0")}:00Z`,
  created_by: "user:x",
  config_hash: "0",
  origin: "user",
  note: null,
  live_in: [],
});

const promotion = (to: number, from: number | null, minute: number, environment = "production"): Promotion => ({
  id: `${environment}-${minute}`,
  agent_id: "a",
  environment,
  version: to,
  previous_version: from,
  reason: null,
  holdback: null,
  actor: "user:x",
  created_at: `2026-03-01T10:${String(minute).padStart(2, "0")}:00Z`,
});

const told = (entries: TimelineEntry[]) =>
  entries.map((entry) => (entry.kind === "version" ? `v${entry.version.version}` : `${entry.effect} ${entry.promotion.version}`));

describe("mergeTimeline", () => {
  it("makes one story of both, a promotion above the version that was made in the same instant", () => {
    const versions = { items: [version(3, 30), version(2, 10), version(1, 0)], more: false };
    const promotions = { items: [promotion(1, 3, 40), promotion(3, 1, 31), promotion(1, null, 0)], more: false };
    expect(told(mergeTimeline(versions, promotions))).toEqual(["back 1", "forward 3", "v3", "v2", "first 1", "v1"]);
  });

  it("ends where a list that goes on ends, so that no gap looks like nothing", () => {
    const versions = { items: [version(3, 30), version(2, 10), version(1, 0)], more: false };
    const promotions = { items: [promotion(3, 2, 31), promotion(2, 1, 20)], more: true };
    expect(told(mergeTimeline(versions, promotions))).toEqual(["forward 3", "v3", "forward 2"]);
    expect(told(mergeTimeline({ items: [], more: false }, { ...promotions, more: false }))).toEqual(["forward 3", "forward 2"]);
  });

  it("finds the change set in a reason", () => {
    expect(changesetOf("change set 01a203f7-4af0-75c6-a9a8-4f0382de577f accepted")).toBe("01a203f7-4af0-75c6-a9a8-4f0382de577f");
    expect(changesetOf("because of change set 12")).toBeNull();
    expect(changesetOf(null)).toBeNull();
  });
});

describe("what is live", () => {
  it("is told for each environment, production first, with what a rollback leads to", () => {
    const promotions = [promotion(4, 2, 50, "staging"), promotion(3, 1, 40), promotion(1, null, 0)];
    expect(liveOf({ staging: 4, canary: 2, production: 3 }, promotions).map(({ environment, version, before }) => [environment, version, before])).toEqual([
      ["production", 3, 1],
      ["canary", 2, null],
      ["staging", 4, 2],
    ]);
  });

  it("does not explain a live version by a promotion of another one", () => {
    expect(liveOf({ production: 5 }, [promotion(3, 1, 40)])).toMatchObject([{ version: 5, promotion: null, before: null }]);
  });

  it("plans what a promotion does", () => {
    expect(planPromotion(2, undefined, false)).toEqual({ kind: "first" });
    expect(planPromotion(2, 1, false)).toEqual({ kind: "forward", live: 1 });
    expect(planPromotion(1, 2, true)).toEqual({ kind: "back", live: 2 });
    expect(planPromotion(2, 2, false)).toEqual({ kind: "nothing", live: 2 });
    expect(planPromotion(2, 2, true)).toEqual({ kind: "release", live: 2 });
  });

  it("offers the usual environments and those that exist", () => {
    expect(environmentChoices({ eu: 1, staging: 2 })).toEqual(["production", "staging", "eu"]);
  });
});

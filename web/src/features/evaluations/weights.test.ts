import { describe, expect, it } from "vitest";
import { normalised, sharesOf, sumOf, sumToOne, weightOf } from "./weights";

const total = (weights: readonly string[]) => Math.round(weights.reduce((sum, one) => sum + Number(one), 0) * 1e9) / 1e9;

describe("weights", () => {
  it("takes what is above 0 and nothing else", () => {
    expect(["2", "0.5", "0", "-1", "", " ", "x", "2000000"].map(weightOf)).toEqual([2, 0.5, null, null, null, null, null, null]);
    expect(sumOf(["2", "x", "1"])).toBe(3);
    expect(sharesOf(["3", "1", ""])).toEqual([0.75, 0.25, null]);
  });

  it("normalises to exactly 1 and keeps the shares", () => {
    expect(normalised(["3", "1"])).toEqual(["0.75", "0.25"]);
    expect(normalised(["1", "1", "1"])).toEqual(["0.334", "0.333", "0.333"]);
    for (const weights of [["1", "1", "1", "1", "1", "1", "1"], ["0.1", "0.2", "0.7"], ["17", "4", "0.3"]]) {
      expect(total(normalised(weights))).toBe(1);
      expect(sumToOne(normalised(weights))).toBe(true);
    }
  });

  it("changes nothing the second time", () => {
    const once = normalised(["2", "3", "7"]);
    expect(normalised(once)).toEqual(once);
  });

  it("leaves no weight at 0 and touches nothing while one is wrong", () => {
    const tiny = normalised(["100000", "1", "1"]);
    expect(tiny).toEqual(["0.998", "0.001", "0.001"]);
    expect(normalised(["1", ""])).toEqual(["1", ""]);
  });
});

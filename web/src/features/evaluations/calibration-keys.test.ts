import { expect, it } from "vitest";
import { kappaReading, pointsOf } from "./calibration-keys";

const keys = (scale: Parameters<typeof pointsOf>[0]) => pointsOf(scale)?.map(({ key, label }) => `${key}:${label}`);

it("gives every point of a scale a key, worst first", () => {
  expect(keys({ kind: "numeric", minimum: 1, maximum: 5, whole: true })).toEqual(["1:1", "2:2", "3:3", "4:4", "5:5"]);
  expect(keys({ kind: "numeric", minimum: 0, maximum: 2, whole: true })).toEqual(["0:0", "1:1", "2:2"]);
  expect(keys({ kind: "numeric", minimum: -1, maximum: 1, whole: true })).toEqual(["1:-1", "2:0", "3:1"]);
  expect(keys({ kind: "labels", labels: { kind: 1, rude: 0, flat: 0.5 } })).toEqual(["1:rude", "2:flat", "3:kind"]);
});

it("has no points where any number counts, and no keys beyond the digits", () => {
  expect(pointsOf({ kind: "numeric", minimum: 0, maximum: 1, whole: false })).toBeNull();
  expect(keys({ kind: "numeric", minimum: 1, maximum: 11, whole: true })?.slice(8)).toEqual(["9:9", "null:10", "null:11"]);
});

it("reads κ by its lower bound", () => {
  expect([0.85, 0.65, 0.45, 0.25, 0.1].map((low) => kappaReading(low)?.tone)).toEqual(["good", "good", "warn", "warn", "bad"]);
  expect(kappaReading(null)).toBeNull();
});

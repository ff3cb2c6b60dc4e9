import { expect, it } from "vitest";
import { wordDiff } from "./word-diff";

const whole = (kinds: string[], before: string, after: string) =>
  wordDiff(before, after)
    ?.filter(({ kind }) => kinds.includes(kind))
    .map(({ text }) => text)
    .join("");

it("gives back both texts", () => {
  const before = "The parcel comes on Monday, we think.";
  const after = "Your parcel came on Monday.\nSorry!";
  expect(whole(["same", "removed"], before, after)).toBe(before);
  expect(whole(["same", "added"], before, after)).toBe(after);
});

it("marks the word that changed and nothing else", () => {
  expect(wordDiff("label: billing_error.", "label: refund_pending.")).toEqual([
    { kind: "same", text: "label: " },
    { kind: "removed", text: "billing_error" },
    { kind: "added", text: "refund_pending" },
    { kind: "same", text: "." },
  ]);
});

it("leaves long texts alone", () => {
  expect(wordDiff("a ".repeat(3000), "b")).toBeNull();
});

import { describe, expect, it } from "vitest";
import { lineDiff } from "./line-diff";

function applied(a: string, b: string): string {
  let text = "";
  let at = 0;
  for (const change of lineDiff(a, b)) {
    text += a.slice(at, change.fromA) + b.slice(change.fromB, change.toB);
    at = change.toA;
  }
  return text + a.slice(at);
}

describe("lineDiff", () => {
  it("leads from one text to the other", () => {
    const texts = ["", "a", "a\n", "a\nb\nc\n", "b\nc", "x\na\nb\n\nd\n", "\n\n", "a\nB\nc\nd"];
    for (const a of texts) for (const b of texts) expect(applied(a, b)).toBe(b);
  });

  it("marks the words that changed and nothing between two far changes", () => {
    const lines = Array.from({ length: 2000 }, (_, index) => `line ${index}: value ${index * 7}`);
    const after = lines.map((line, index) => (index === 3 || index === 1990 ? line.replace("value", "amount") : line));
    const changes = lineDiff(lines.join("\n"), after.join("\n"));
    expect(changes).toHaveLength(2);
    for (const change of changes) expect(change.toA - change.fromA).toBe("value".length);
  });
});

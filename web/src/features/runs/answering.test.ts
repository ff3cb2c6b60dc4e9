import { describe, expect, it } from "vitest";
import { startingAnswer } from "@/features/runs/answering";

describe("an answer to begin with", () => {
  it("has what the schema requires, with its defaults", () => {
    const schema = {
      type: "object",
      required: ["amount", "reason", "kind", "lines"],
      properties: {
        amount: { type: "number" },
        reason: { type: "string", default: "none" },
        kind: { enum: ["full", "part"] },
        lines: { type: "array" },
        note: { type: "string" },
      },
    };
    expect(JSON.parse(startingAnswer(schema))).toEqual({ amount: 0, reason: "none", kind: "full", lines: [] });
  });

  it("is nothing where the schema says nothing", () => {
    expect(startingAnswer(null)).toBe("null");
    expect(startingAnswer({})).toBe("null");
  });
});

import { describe, expect, it } from "vitest";
import { exampleOf, parsedInputs } from "@/features/workflows/inputs";

describe("inputs of a run", () => {
  it("begin with what is required and what has a default", () => {
    const schema = {
      type: "object",
      required: ["order"],
      properties: { order: { type: "object" }, retries: { type: "integer", default: 3 }, note: { type: "string" } },
    };
    expect(JSON.parse(exampleOf(schema))).toEqual({ order: {}, retries: 3 });
    expect(exampleOf({})).toBe("{}");
  });

  it("are an object or a problem that says why", () => {
    expect(parsedInputs(' {"a": 1} ')).toEqual({ inputs: { a: 1 }, problem: null });
    expect(parsedInputs("")).toEqual({ inputs: {}, problem: null });
    expect(parsedInputs("[1]").problem).toMatch(/object/);
    expect(parsedInputs("{a").problem).toMatch(/not JSON/);
  });
});

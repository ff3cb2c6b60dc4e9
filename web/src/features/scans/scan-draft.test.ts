import { describe, expect, it } from "vitest";
import { ApiProblem } from "@/api/problems";
import { type ScanDraft, draftErrors, refusedFields, requestOf } from "./scan-draft";

const DRAFT: ScanDraft = {
  agentId: "a",
  environment: "production",
  sampleSetId: "s",
  objectiveId: "o",
  rubricId: "",
  mode: "full",
  strategies: ["reflective"],
  versions: [],
  maxEvaluations: "",
  maxCostUsd: "",
  repeats: "1",
  reflectionModel: "",
  seed: "",
};

describe("draftErrors", () => {
  it("finds nothing wrong with a draft that leaves open what may be left open", () => {
    expect(draftErrors(DRAFT)).toEqual({});
  });

  it.each([
    ["maxEvaluations", "0"],
    ["maxEvaluations", "1.5"],
    ["maxCostUsd", "-1"],
    ["maxCostUsd", "5 €"],
    ["repeats", ""],
    ["repeats", "11"],
    ["seed", "9007199254740993"],
  ])("%s may not be %j", (field, value) => {
    expect(Object.keys(draftErrors({ ...DRAFT, [field]: value }))).toEqual([field]);
  });

  it("asks for versions where versions are tried", () => {
    expect(draftErrors({ ...DRAFT, strategies: ["template"] })).toHaveProperty("versions");
  });
});

describe("requestOf", () => {
  it("leaves out what was left open, so that a schedule draws its own seeds", () => {
    const request = requestOf(DRAFT, []);
    expect(request).not.toHaveProperty("seed");
    expect(request).not.toHaveProperty("candidates");
    expect(request).toMatchObject({ budget: { max_evaluations: null, max_cost_usd: null }, reflection_model: null, repeats: 1 });
  });

  it("keeps money as it was typed", () => {
    expect(requestOf({ ...DRAFT, maxCostUsd: " 0.10 ", maxEvaluations: "5000", seed: "0" }, [])).toMatchObject({ budget: { max_evaluations: 5000, max_cost_usd: "0.10" }, seed: 0 });
  });
});

describe("refusedFields", () => {
  const refusal = (errors: { pointer: string; detail: string }[], type = "validation-error", status = 422) => new ApiProblem(status, { type: `https://example.com/${type}`, detail: "why", errors }, null);

  it("puts each error at its field, also below a schedule's request and within a list", () => {
    const { fields, complete } = refusedFields(
      refusal([
        { pointer: "/strategies/1", detail: "unknown" },
        { pointer: "/request/budget/max_cost_usd", detail: "too small" },
      ]),
    );
    expect(fields).toEqual({ strategies: "unknown", maxCostUsd: "too small" });
    expect(complete).toBe(true);
  });

  it("says where something is left that no field shows", () => {
    expect(refusedFields(refusal([{ pointer: "/cron", detail: "wrong" }])).complete).toBe(false);
    expect(refusedFields(refusal([], "scan-not-ready", 400))).toEqual({ fields: {}, complete: false });
    expect(refusedFields(refusal([], "budget-too-small", 400)).fields).toEqual({ maxEvaluations: "why" });
  });
});

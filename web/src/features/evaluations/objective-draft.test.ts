import { expect, it } from "vitest";
import { type Objective, draftOfObjective, EMPTY_OBJECTIVE, guardText, objectiveBody, objectiveProblems } from "./objective-draft";

const objective: Objective = {
  id: "o",
  name: "Quality, within limits",
  description: null,
  rubric_id: "r",
  terms: [
    { source: "rubric", weight: 3 },
    { source: "cost", weight: 1, scale_usd: "0.002" },
    { source: "latency", weight: 0.5, scale_ms: 800 },
  ],
  guards: [
    { kind: "latency", statistic: "p95", max_ratio: 1.1 },
    { kind: "cost", max_ratio: 1.2 },
    { kind: "error_rate", max_increase: 0.01 },
    { kind: "dimension", dimension: "polite", minimum: null, max_drop: 0.02 },
  ],
  minimum_effect: 0.01,
  created_at: "",
  updated_at: "",
};

it("says in percents and sends back what was stored, to the last digit", () => {
  const draft = draftOfObjective(objective);
  expect(draft.guards.map(({ bound }) => bound)).toEqual(["10", "20", "1", "2"]);
  expect(draft.minimumEffect).toBe("1");
  const { name, description, rubric_id, terms, guards, minimum_effect } = objective;
  expect(objectiveBody(draft)).toEqual({ name, description, rubric_id, terms, guards, minimum_effect });
});

it("names what is wrong before it is sent", () => {
  expect(objectiveProblems({ ...EMPTY_OBJECTIVE, name: "x" })).toEqual([]);
  const wrong = { ...EMPTY_OBJECTIVE, name: "x", minimumEffect: "", terms: [{ source: "cost" as const, weight: "0", scale: "" }] };
  expect(objectiveProblems(wrong)).toEqual(["The weight of cost must be above 0", "Say what cost is worth one half", "The minimum effect is 0 or more"]);
});

it("reads guards aloud", () => {
  expect(objective.guards.map(guardText)).toEqual([
    "p95 latency at most 10 % above",
    "mean cost at most 20 % above",
    "errors at most 1 points more",
    "polite at most 2 points lower",
  ]);
});

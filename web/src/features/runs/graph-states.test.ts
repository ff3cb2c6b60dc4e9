import { describe, expect, it } from "vitest";
import type { GraphNode } from "@/components/graph/graph-layout";
import { graphStates, nodeFinder } from "./graph-states";
import { type LiveStep, NO_GENERATION, type RunGeneration, stepId } from "./run-events";

function node(id: string, parent: string | null = null): GraphNode {
  return { id, name: id, label: id, type: "task", agent: null, parent, body: null, join: "all" };
}

function generation(...steps: [key: string, iteration: number, status: string][]): RunGeneration {
  const all = steps.map(([key, iteration, status], position): LiveStep => ({ id: stepId(key, iteration), key, iteration, position, status, attempts: 1, startedAt: null, endedAt: null, wait: null, error: null, text: "" }));
  return { ...NO_GENERATION, steps: new Map(all.map((step) => [step.id, step])), iterations: new Map(steps.map(([key, iteration]) => [key, iteration])) };
}

describe("the states of a graph's nodes", () => {
  const nodeOf = nodeFinder([node("each"), node("each[body]/fetch", "each"), node("add")]);

  it("count the steps of a body and show what needs somebody first", () => {
    const states = graphStates(generation(["each", 1, "running"], ["each[0]/fetch", 1, "succeeded"], ["each[1]/fetch", 1, "failed"], ["each[12]/fetch", 1, "running"]), nodeOf);
    expect([...states]).toEqual([
      ["each", { status: "running", count: 1 }],
      ["each[body]/fetch", { status: "failed", count: 3 }],
    ]);
  });

  it("say of a fork what had ended before it began", () => {
    const before = new Map([["each", "succeeded"], ["add", "succeeded"]]);
    expect(Object.fromEntries(graphStates(generation(["add", 1, "running"]), nodeOf, before))).toEqual({
      each: { status: "succeeded", count: 1 },
      add: { status: "running", count: 1 },
    });
  });

  it("are those of the last iteration", () => {
    expect(graphStates(generation(["add", 1, "failed"], ["add", 2, "succeeded"]), nodeOf).get("add")).toEqual({ status: "succeeded", count: 2 });
    expect(graphStates(generation(["gone", 1, "failed"]), nodeOf).size).toBe(0);
  });
});

import { describe, expect, it } from "vitest";
import { type GraphEdge, type GraphNode, layoutGraph, nodeOfStep } from "@/components/graph/graph-layout";

const node = (id: string, parent: string | null = null): GraphNode => ({
  id,
  parent,
  name: id,
  label: id,
  type: "task",
  agent: null,
  body: parent === null ? null : "body",
  join: "all",
});
const edge = (source: string, target: string, is_loopback = false): GraphEdge => ({ source, target, condition: null, is_loopback });

describe("the graph of a workflow", () => {
  it("goes down, side by side where steps are, and holds bodies in their container", () => {
    const nodes = [node("a"), node("b"), node("each"), node("each[body]/x", "each"), node("each[body]/y", "each"), node("z")];
    const edges = [edge("a", "each"), edge("b", "each"), edge("each", "z"), edge("each[body]/x", "each[body]/y"), edge("z", "a", true)];
    const boxes = layoutGraph(nodes, edges);
    const of = (id: string) => boxes.get(id)!;
    expect(of("a").y).toBe(of("b").y);
    expect(Math.abs(of("a").x - of("b").x)).toBeGreaterThanOrEqual(of("a").width);
    expect(of("each").y).toBeGreaterThan(of("a").y + of("a").height);
    expect(of("z").y).toBeGreaterThan(of("each").y + of("each").height);
    for (const inner of ["each[body]/x", "each[body]/y"]) {
      expect(of(inner).x).toBeGreaterThan(0);
      expect(of(inner).x + of(inner).width).toBeLessThan(of("each").width);
      expect(of(inner).y + of(inner).height).toBeLessThan(of("each").height);
    }
  });

  it("has nothing to place in an empty one", () => {
    expect(layoutGraph([], []).size).toBe(0);
  });
});

describe("the node of a step", () => {
  const ids = new Set(["a", "each", "each[body]/fetch", "if[then]/b", "if[else]/b", "each[body]/in[body]/x"]);

  it.each([
    ["a", "a"],
    ["each[3]/fetch", "each[body]/fetch"],
    ["each[3]/in[12]/x", "each[body]/in[body]/x"],
    ["if[else]/b", "if[else]/b"],
    ["gone", null],
    ["each[3]/fetch.x", null],
  ])("%s is %s", (key, id) => {
    expect(nodeOfStep(key, ids)).toBe(id);
  });
});

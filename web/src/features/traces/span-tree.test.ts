import { describe, expect, it } from "vitest";
import { type TreeSpan, ancestorsOf, buildTree, findSpans, kindsOf, visibleRows } from "@/features/traces/span-tree";
import { barOf, ticksOf, wholeWindow } from "@/features/traces/waterfall";

function span(id: string, depth: number, more: Partial<TreeSpan> = {}): TreeSpan {
  return { span_id: id, depth, name: `span ${id}`, kind: "chain", operation: "", status: "ok", offset_ms: 0, duration_ms: 1, ...more };
}

const NODES = buildTree([
  span("root", 0, { kind: "agent" }),
  span("plan", 1),
  span("model", 2, { kind: "llm", model: "gpt-4o" }),
  span("search", 2, { kind: "tool", status: "error", error_type: "TimeoutError" }),
  span("answer", 1, { kind: "llm" }),
  span("stray", 0, { is_orphan: true }),
]);
const ALL = { kinds: new Set<string>(), errorsOnly: false };

function shown(collapsed: string[], narrowing: Partial<typeof ALL> = {}): string[] {
  return visibleRows(NODES, new Set(collapsed), { ...ALL, ...narrowing }).map(({ node, isContext }) => node.span.span_id + (isContext ? "*" : ""));
}

describe("the rows of a trace", () => {
  it("come from the order and the depth of the spans", () => {
    expect(NODES.map((node) => [node.parent, node.end, node.children, node.errorsBelow])).toEqual([
      [-1, 5, 2, 1],
      [0, 4, 2, 1],
      [1, 3, 0, 0],
      [1, 4, 0, 0],
      [0, 5, 0, 0],
      [-1, 6, 0, 0],
    ]);
  });

  it("leave out what is folded", () => {
    expect(shown(["plan"])).toEqual(["root", "plan", "answer", "stray"]);
    expect(shown(["root", "plan"])).toEqual(["root", "stray"]);
  });

  it("keep what lies above what the filters leave", () => {
    expect(shown([], { errorsOnly: true })).toEqual(["root*", "plan*", "search"]);
    expect(shown(["plan"], { kinds: new Set(["llm"]) })).toEqual(["root*", "plan*", "answer"]);
    expect(shown([], { kinds: new Set(["llm"]), errorsOnly: true })).toEqual([]);
  });

  it("are found by all words, folded or not", () => {
    expect(findSpans(NODES, "SPAN timeout")).toEqual([3]);
    expect(findSpans(NODES, "gpt-4o")).toEqual([2]);
    expect(findSpans(NODES, "  ")).toEqual([]);
    expect(ancestorsOf(NODES, 3)).toEqual(["plan", "root"]);
  });

  it("count their kinds", () => {
    expect(kindsOf(NODES)[0]).toEqual({ kind: "chain", count: 2 });
  });

  it("survive depths that jump, and 10,000 levels", () => {
    expect(buildTree([span("a", 0), span("b", 7)])[1]?.parent).toBe(0);
    const deep = buildTree(Array.from({ length: 10_000 }, (_, depth) => span(`${depth}`, depth)));
    expect(deep[0]?.end).toBe(10_000);
    expect(visibleRows(deep, new Set(["0"]), ALL)).toHaveLength(1);
  });
});

describe("the waterfall", () => {
  it("places bars in the window and says where they are cut", () => {
    expect(barOf(25, 50, { start: 0, end: 100 })).toEqual({ left: 0.25, width: 0.5, cutLeft: false, cutRight: false });
    expect(barOf(0, 100, { start: 50, end: 60 })).toEqual({ left: 0, width: 1, cutLeft: true, cutRight: true });
    expect(barOf(0, 10, { start: 50, end: 60 })).toBeNull();
    expect(barOf(5, 0, { start: 0, end: 10 })).toEqual({ left: 0.5, width: 0, cutLeft: false, cutRight: false });
    expect(barOf(0, 0, { start: 0, end: 0 })?.width).toBe(1);
  });

  it("has round ticks", () => {
    expect(ticksOf({ start: 0, end: 1000 }, 4).map((tick) => tick.ms)).toEqual([0, 500, 1000]);
    expect(ticksOf({ start: 0.2, end: 0.9 }, 5).map((tick) => Number(tick.ms.toFixed(3)))).toEqual([0.2, 0.4, 0.6, 0.8]);
    expect(ticksOf({ start: 0, end: 0 }, 5)).toEqual([{ at: 0, ms: 0 }]);
  });

  it("shows spans that begin before the root or end after it", () => {
    expect(wholeWindow([{ offset_ms: -5, duration_ms: 3 }, { offset_ms: 90, duration_ms: 30 }], 100)).toEqual({ start: -5, end: 120 });
  });
});

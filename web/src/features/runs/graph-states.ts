import { type GraphNode, nodeOfStep } from "@/components/graph/graph-layout";
import type { StepState } from "@/components/graph/workflow-graph";
import { type LiveStep, type RunGeneration, shownStatus, stepId } from "./run-events";

/** What a node shows of many steps: what needs somebody, then what goes on, then how it ended. */
const FIRST = ["failed", "interrupted", "awaiting_input", "running", "paused", "waiting", "queued", "cancelled", "succeeded", "skipped"];

/** Finds the node of a step, and remembers it for the many steps of one body. */
export function nodeFinder(nodes: readonly GraphNode[]): (key: string) => string | null {
  const ids = new Set(nodes.map((node) => node.id));
  const known = new Map<string, string | null>();
  return (key) => {
    const kind = key.replace(/\[\d+\]/g, "[0]");
    const found = known.get(kind);
    if (found !== undefined) return found;
    const node = nodeOfStep(key, ids);
    known.set(kind, node);
    return node;
  };
}

/** The state of each node of the graph: of each key only its last iteration, counting all of them. `before` is how steps ended in the run that this one was forked from. */
export function graphStates({ steps, iterations }: RunGeneration, nodeOf: (key: string) => string | null, before?: ReadonlyMap<string, string>): Map<string, StepState> {
  const states = new Map<string, StepState>();
  for (const [key, status] of before ?? []) {
    const node = nodeOf(key);
    if (node !== null && !iterations.has(key)) states.set(node, { status, count: 1 });
  }
  for (const step of steps.values()) {
    const node = nodeOf(step.key);
    if (node === null) continue;
    const state = states.get(node) ?? { status: "", count: 0 };
    state.count += 1;
    if (step.id === stepId(step.key, iterations.get(step.key) ?? 1) && comesBefore(shownStatus(step), state.status)) state.status = shownStatus(step);
    states.set(node, state);
  }
  return states;
}

function comesBefore(one: string, other: string): boolean {
  return other === "" || rank(one) < rank(other);
}

function rank(status: string): number {
  const at = FIRST.indexOf(status);
  return at < 0 ? FIRST.length : at;
}

export function stepsOf(steps: Iterable<LiveStep>, node: string | undefined, nodeOf: (key: string) => string | null): LiveStep[] {
  return node === undefined ? [...steps] : [...steps].filter((step) => nodeOf(step.key) === node);
}

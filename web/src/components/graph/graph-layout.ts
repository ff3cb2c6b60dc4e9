import { Graph, layout as layOut } from "@dagrejs/dagre";
import type { Schemas } from "@/api/client";

export type GraphNode = Schemas["DagNode"];
export type GraphEdge = Schemas["DagEdge"];

/** A node's place: the upper left corner, within its container if it has one, in pixels. */
export type Box = { x: number; y: number; width: number; height: number };

export const NODE_WIDTH = 190;
export const NODE_HEIGHT = 48;
const CONTAINER_HEAD = 44;
const PADDING = 14;

type Size = Pick<Box, "width" | "height">;

/**
 * Where the steps of a workflow stand: from top to bottom, the steps of a body inside of their container, whose size is
 * that of what it holds. Loopbacks do not move anything: they lead back up.
 */
export function layoutGraph(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): Map<string, Box> {
  const inside = new Map<string | null, GraphNode[]>();
  for (const node of nodes) inside.set(node.parent, [...(inside.get(node.parent) ?? []), node]);
  const boxes = new Map<string, Box>();

  function place(parent: string | null): Size {
    const children = inside.get(parent) ?? [];
    const graph = new Graph({ multigraph: true });
    graph.setGraph({ rankdir: "TB", nodesep: 28, ranksep: 36, marginx: 0, marginy: 0 });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const child of children) {
      const holds = inside.has(child.id);
      const content = holds ? place(child.id) : null;
      graph.setNode(child.id, {
        width: content === null ? NODE_WIDTH : Math.max(NODE_WIDTH, content.width + 2 * PADDING),
        height: content === null ? NODE_HEIGHT : content.height + CONTAINER_HEAD + PADDING,
      });
    }
    for (const { source, target, is_loopback } of edges) {
      if (!is_loopback && graph.hasNode(source) && graph.hasNode(target)) graph.setEdge(source, target);
    }
    layOut(graph);
    const left = parent === null ? 0 : PADDING;
    const top = parent === null ? 0 : CONTAINER_HEAD;
    let width = 0;
    let height = 0;
    for (const child of children) {
      // dagre gives centres; the page wants corners.
      const { x = 0, y = 0, width: wide = 0, height: high = 0 } = graph.node(child.id) as Partial<Box>;
      boxes.set(child.id, { x: left + x - wide / 2, y: top + y - high / 2, width: wide, height: high });
      width = Math.max(width, x + wide / 2);
      height = Math.max(height, y + high / 2);
    }
    return { width, height };
  }

  place(null);
  return boxes;
}

/**
 * The node of the graph that a step of a run belongs to. A step's key says the iteration where the graph says the body:
 * `each[3]/fetch` is the third time of `each[body]/fetch`.
 */
export function nodeOfStep(key: string, ids: ReadonlySet<string>): string | null {
  if (ids.has(key)) return key;
  const pattern = key
    .split("/")
    .map((part) => escaped(part).replace(/\\\[(\d+)\\\]$/, "\\[[^\\]/]+\\]"))
    .join("/");
  const fits = new RegExp(`^${pattern}$`);
  return [...ids].find((id) => fits.test(id)) ?? null;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

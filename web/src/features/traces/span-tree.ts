/** The spans of a trace as rows: what is folded, what is found, what the filters leave. Pure, for 10,000 spans. */

import type { Schemas } from "@/api/client";

export type TreeSpan = Schemas["TreeSpan"];

export interface SpanNode {
  span: TreeSpan;
  index: number;
  parent: number;
  /** Where the spans below it end: those of the indexes from its own + 1 on, up to this one. */
  end: number;
  children: number;
  /** Spans below it that failed. */
  errorsBelow: number;
}

/** The API gives every span followed by the spans below it, with its depth. */
export function buildTree(spans: readonly TreeSpan[]): SpanNode[] {
  const nodes: SpanNode[] = [];
  const open: number[] = [];
  spans.forEach((span, index) => {
    const depth = Math.max(0, Math.min(span.depth, open.length));
    while (open.length > depth) close(nodes, open, index);
    const parent = open.at(-1) ?? -1;
    const above = nodes[parent];
    if (above) above.children += 1;
    nodes.push({ span, index, parent, end: index + 1, children: 0, errorsBelow: 0 });
    open.push(index);
  });
  while (open.length > 0) close(nodes, open, spans.length);
  return nodes;
}

function close(nodes: SpanNode[], open: number[], end: number): void {
  const node = nodes[open.pop() ?? -1];
  if (!node) return;
  node.end = end;
  const above = nodes[node.parent];
  if (above) above.errorsBelow += node.errorsBelow + (node.span.status === "error" ? 1 : 0);
}

/** All words, in any case, in what a row shows of the span. */
export function findSpans(nodes: readonly SpanNode[], query: string): number[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  return nodes.filter((node) => words.every((word) => textOf(node.span).includes(word))).map((node) => node.index);
}

const texts = new WeakMap<TreeSpan, string>();

function textOf(span: TreeSpan): string {
  let text = texts.get(span);
  if (text === undefined) {
    const parts = [span.name, span.kind, span.operation, span.model, span.tool_name, span.provider, span.service, span.error_type, span.span_id];
    text = parts.filter(Boolean).join("\n").toLowerCase();
    texts.set(span, text);
  }
  return text;
}

export interface Narrowing {
  kinds: ReadonlySet<string>;
  errorsOnly: boolean;
}

export interface Row {
  node: SpanNode;
  /** Only there because something below it is. */
  isContext: boolean;
}

/** The rows in view: what is narrowed away and what is folded leaves, with all that lies above what stays. */
export function visibleRows(nodes: readonly SpanNode[], collapsed: ReadonlySet<string>, narrowing: Narrowing): Row[] {
  const narrowed = narrowing.errorsOnly || narrowing.kinds.size > 0;
  const kept = narrowed ? keptBy(nodes, narrowing) : null;
  const rows: Row[] = [];
  let index = 0;
  while (index < nodes.length) {
    const node = nodes[index];
    if (!node) break;
    const mark = kept ? kept[index] : 2;
    if (mark !== 0) rows.push({ node, isContext: mark === 1 });
    index = collapsed.has(node.span.span_id) || mark === 0 ? node.end : index + 1;
  }
  return rows;
}

/** For each span: 2 it fits, 1 something below it does, 0 neither. */
function keptBy(nodes: readonly SpanNode[], { kinds, errorsOnly }: Narrowing): Uint8Array {
  const marks = new Uint8Array(nodes.length);
  for (let index = nodes.length - 1; index >= 0; index -= 1) {
    const node = nodes[index];
    if (!node) continue;
    const fits = (!errorsOnly || node.span.status === "error") && (kinds.size === 0 || kinds.has(node.span.kind));
    if (fits) marks[index] = 2;
    if (marks[index] !== 0 && node.parent >= 0 && marks[node.parent] === 0) marks[node.parent] = 1;
  }
  return marks;
}

/** Everything above a span, so that it can be unfolded into view. */
export function ancestorsOf(nodes: readonly SpanNode[], index: number): string[] {
  const ids: string[] = [];
  for (let at = nodes[index]?.parent ?? -1; at >= 0; at = nodes[at]?.parent ?? -1) {
    const node = nodes[at];
    if (node) ids.push(node.span.span_id);
  }
  return ids;
}

/** How many spans of each kind, the most frequent first. */
export function kindsOf(nodes: readonly SpanNode[]): { kind: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { span } of nodes) counts.set(span.kind, (counts.get(span.kind) ?? 0) + 1);
  return [...counts].map(([kind, count]) => ({ kind, count })).sort((a, b) => b.count - a.count);
}

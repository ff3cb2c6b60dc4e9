import type { Change } from "./evidence-types";
import { formatCount } from "@/components/format";

export interface Operation {
  id: string;
  /** "replaces", "adds 48 few-shot examples": everything but the place. */
  words: string;
  /** The place, or the first and the last of several. */
  pointer: string;
  kind: Change["operation"];
  /** What the words stand for, in the document's order. */
  changes: readonly Change[];
  /** What in the new text may have been copied out of a trace. */
  flags: readonly string[];
}

const NOUNS: Record<string, readonly [string, string]> = {
  few_shot: ["few-shot example", "few-shot examples"],
  messages: ["message", "messages"],
  tools: ["tool", "tools"],
  variables: ["variable", "variables"],
  search_space: ["search-space entry", "search-space entries"],
};

const VERBS = { add: "adds", remove: "removes", replace: "replaces" };

/** Changes in words; neighbours in the same list that are all added or all removed are told as one. */
export function operationsInWords(changes: readonly Change[]): Operation[] {
  const groups: Change[][] = [];
  for (const change of changes) {
    const last = groups.at(-1);
    if (last && isNeighbour(last[0], change)) last.push(change);
    else groups.push([change]);
  }
  return groups.map(operationOf);
}

function isNeighbour(first: Change | undefined, next: Change): boolean {
  if (!first || first.operation !== next.operation || next.operation === "replace") return false;
  const list = listOf(next.pointer);
  return list !== null && list === listOf(first.pointer);
}

/** "/few_shot" for "/few_shot/3"; null where the place is no item of a list. */
function listOf(pointer: string): string | null {
  return /^(.*)\/\d+$/.exec(pointer)?.[1] ?? null;
}

function operationOf(changes: readonly Change[]): Operation {
  const [first] = changes;
  if (!first) throw new Error("an operation has at least one change");
  const list = listOf(first.pointer);
  const flags = [...new Set(changes.flatMap((change) => change.flags ?? []))];
  const common = { id: `${first.operation} ${first.pointer}`, kind: first.operation, changes, flags };
  if (list !== null && first.operation !== "replace") {
    const name = list.split("/").at(-1) ?? "";
    const [one, many] = NOUNS[name] ?? ["item", "items"];
    const noun = changes.length === 1 ? `1 ${one}` : `${formatCount(changes.length)} ${many}`;
    const last = changes.at(-1)?.pointer ?? first.pointer;
    const range = changes.length === 1 ? first.pointer : `${first.pointer} … ${last.slice(list.length)}`;
    return { ...common, words: `${VERBS[first.operation]} ${noun}`, pointer: range };
  }
  return { ...common, words: VERBS[first.operation] + sizes(first), pointer: first.pointer };
}

/** Short values say themselves; of long texts the lengths are said. */
function sizes({ operation, before, after }: Change): string {
  if (operation === "replace" && isShort(before) && isShort(after)) return ` ${JSON.stringify(before)} by ${JSON.stringify(after)}`;
  if (operation === "replace" && typeof before === "string" && typeof after === "string") {
    return ` a text of ${formatCount(before.length)} characters by one of ${formatCount(after.length)}`;
  }
  const value = operation === "remove" ? before : after;
  return isShort(value) && operation !== "replace" ? ` ${JSON.stringify(value)}` : "";
}

function isShort(value: unknown): boolean {
  return value === null || typeof value === "number" || typeof value === "boolean" || (typeof value === "string" && value.length <= 60);
}

/** How many lines a text change adds and removes, from its unified diff. */
export function lineCounts(textDiff: string | null): { added: number; removed: number } | null {
  if (textDiff === null) return null;
  let added = 0;
  let removed = 0;
  for (const line of textDiff.split("\n")) {
    if (line.startsWith("+") && !line.startsWith("+++")) added += 1;
    if (line.startsWith("-") && !line.startsWith("---")) removed += 1;
  }
  return { added, removed };
}

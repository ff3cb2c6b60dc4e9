/** The tree of a JSON value, level by level: only what is open is ever read. */
export interface JsonNode {
  /** Null for the whole. */
  name: string | null;
  /** A JSONPath: what "copy path" gives. */
  path: string;
  value: unknown;
}

/** How many children a value has; null for what cannot have any. */
export function countOf(value: unknown): number | null {
  if (Array.isArray(value)) return value.length;
  if (typeof value === "object" && value !== null) return Object.keys(value).length;
  return null;
}

export function childrenOf(node: JsonNode, limit: number): JsonNode[] {
  if (Array.isArray(node.value)) {
    return node.value.slice(0, limit).map((value: unknown, index) => ({
      name: String(index),
      path: `${node.path}[${index}]`,
      value,
    }));
  }
  if (typeof node.value !== "object" || node.value === null) return [];
  return Object.entries(node.value)
    .slice(0, limit)
    .map(([name, value]: [string, unknown]) => ({ name, path: node.path + step(name), value }));
}

function step(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

/** One line about an object or an array; `room` 0 gives its size alone. */
export function previewOf(value: object, room: number): string {
  const size = countOf(value) ?? 0;
  const list = Array.isArray(value);
  if (size === 0) return list ? "[]" : "{}";
  const sized = list ? `[${size}]` : `{${size}}`;
  if (room === 0) return sized;
  let text = "";
  for (const child of childrenOf({ name: null, path: "", value }, 8)) {
    const shown = short(child.value);
    const next = list ? shown : `${child.name}: ${shown}`;
    if (text.length + next.length > room) return `${sized} ${text}${text ? ", " : ""}…`;
    text += text ? `, ${next}` : next;
  }
  return `${sized} ${text}${size > 8 ? ", …" : ""}`;
}

function short(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 24 ? `${value.slice(0, 24)}…` : value);
  if (typeof value === "object" && value !== null) return previewOf(value, 0);
  return String(value);
}

/** What stands at a place of a configuration. Source of the pointers: RFC 6901. Undefined where there is nothing. */
export function valueAt(document: unknown, pointer: string): unknown {
  let value = document;
  for (const token of pointer.split("/").slice(1)) {
    const key = token.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return value;
}

/** A value as lines that can be compared: a text as it is, all else as JSON with one example or member a line. */
export function asText(value: unknown): { text: string; language: "text" | "json" } {
  if (value === undefined) return { text: "", language: "text" };
  if (typeof value === "string") return { text: value, language: "text" };
  return { text: JSON.stringify(value, null, 2), language: "json" };
}

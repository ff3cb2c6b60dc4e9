/** What a sample asks and expects may be any JSON value; most are texts, or an object of one. */

export type ValueKind = "text" | "json" | "none";

export interface TypedValue {
  kind: ValueKind;
  text: string;
}

export function typedValue(value: unknown): TypedValue {
  if (value === null || value === undefined) return { kind: "none", text: "" };
  if (typeof value === "string") return { kind: "text", text: value };
  return { kind: "json", text: JSON.stringify(value, null, 2) };
}

export type Parsed = { ok: true; value: unknown } | { ok: false; problem: string };

export function parseTyped({ kind, text }: TypedValue): Parsed {
  if (kind === "none") return { ok: true, value: null };
  if (kind === "text") return { ok: true, value: text };
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch (error) {
    return { ok: false, problem: `Not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** An object of texts, numbers and the like, as metadata has to be. */
export function parseMembers(text: string): { ok: true; value: Record<string, unknown> } | { ok: false; problem: string } {
  if (text.trim() === "") return { ok: true, value: {} };
  const parsed = parseTyped({ kind: "json", text });
  if (!parsed.ok) return parsed;
  if (typeof parsed.value !== "object" || parsed.value === null || Array.isArray(parsed.value)) {
    return { ok: false, problem: "Not a JSON object" };
  }
  return { ok: true, value: { ...parsed.value } };
}

import type { Schemas } from "@/api/client";

/** Whether a question is answered by yes or no. */
export function isDecision(interrupt: Pick<Schemas["InterruptOut"], "kind">): boolean {
  return interrupt.kind === "decision";
}

type Schema = { [key: string]: unknown } | null;

/** An answer to begin with: every member that the schema requires, with its default or an empty value of its type. */
export function startingAnswer(schema: Schema): string {
  return JSON.stringify(emptyOf(schema), null, 2);
}

function emptyOf(schema: unknown): unknown {
  if (typeof schema !== "object" || schema === null) return null;
  const { type, properties, required, default: given, enum: choices } = schema as Record<string, unknown>;
  if (given !== undefined) return given;
  if (Array.isArray(choices)) return choices[0] ?? null;
  if (type === "object") {
    const members = Object.entries((properties ?? {}) as Record<string, unknown>);
    const wanted = Array.isArray(required) ? members.filter(([name]) => required.includes(name)) : members;
    return Object.fromEntries(wanted.map(([name, member]) => [name, emptyOf(member)]));
  }
  if (type === "array") return [];
  if (type === "string") return "";
  if (type === "number" || type === "integer") return 0;
  if (type === "boolean") return false;
  return null;
}

type Schema = Record<string, unknown>;

/** Inputs to begin with: what the JSON Schema requires, and what it has a default for. */
export function exampleOf(schema: Schema): string {
  const properties = (schema.properties ?? {}) as Record<string, Schema>;
  const required = Array.isArray(schema.required) ? schema.required : [];
  const members = Object.entries(properties)
    .filter(([name, member]) => required.includes(name) || member.default !== undefined)
    .map(([name, member]) => [name, member.default ?? EMPTY[String(member.type)] ?? null]);
  return JSON.stringify(Object.fromEntries(members), null, 2);
}

const EMPTY: Record<string, unknown> = { string: "", number: 0, integer: 0, boolean: false, object: {}, array: [] };

export type Parsed = { inputs: Record<string, unknown>; problem: null } | { inputs: null; problem: string };

/** The inputs that a text says, or what is wrong with it. */
export function parsedInputs(text: string): Parsed {
  if (text.trim() === "") return { inputs: {}, problem: null };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { inputs: null, problem: `This is not JSON: ${error instanceof Error ? error.message : "it cannot be read"}` };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { inputs: null, problem: "Inputs are an object: { … }" };
  }
  return { inputs: value as Record<string, unknown>, problem: null };
}

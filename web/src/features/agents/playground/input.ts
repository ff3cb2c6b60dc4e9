import type { Json } from "../config/yaml-write";

/** `{{name}}` stands for a variable, `\{{` for two braces: as the server reads them. */
const PLACEHOLDER = /\\\{\{|\{\{([\s\S]*?)\}\}/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** The variable that stands for the whole input where the input has no member of that name. */
const WHOLE_INPUT = "input";

/** What the prompt that is executed asks for: `main`, or the only one. */
export function variablesOf(config: unknown): string[] {
  const prompts = member(config, "prompts");
  if (!isObject(prompts)) return [];
  const entry = prompts.main ?? Object.values(prompts)[0];
  const declared = member(entry, "variables");
  if (Array.isArray(declared) && declared.length > 0) return declared.map(String);
  const messages = member(entry, "messages");
  const texts = Array.isArray(messages) ? messages.map((message) => member(message, "content")) : [];
  return [...new Set(texts.flatMap((text) => (typeof text === "string" ? variablesIn(text) : [])))];
}

export function variablesIn(text: string): string[] {
  return [...text.matchAll(PLACEHOLDER)].map((match) => match[1]?.trim() ?? "").filter((name) => NAME.test(name));
}

export type ParsedInput = { ok: true; value: Json } | { ok: false; problem: string };

/** The input from one field for each variable. Everything typed is a text; what nothing was typed into is missing. */
export function inputOfFields(variables: readonly string[], fields: Readonly<Record<string, string>>): ParsedInput {
  const missing = variables.filter((name) => (fields[name] ?? "") === "");
  if (missing.length > 0) return { ok: false, problem: `Missing: ${missing.join(", ")}` };
  return { ok: true, value: Object.fromEntries(variables.map((name) => [name, fields[name] ?? ""])) };
}

/** The input from JSON; a text that is no JSON is the input itself only if the agent takes one value. */
export function inputOfJson(text: string, variables: readonly string[]): ParsedInput {
  if (text.trim() === "") return { ok: false, problem: "The input is empty" };
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    return { ok: false, problem: `Not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  const missing = unbound(value, variables);
  return missing.length > 0 ? { ok: false, problem: `Variables of the prompt that the input lacks: ${missing.join(", ")}` } : { ok: true, value };
}

/** Which variables the input leaves without a value: an object gives its members, anything else is the only variable. */
function unbound(value: Json, variables: readonly string[]): string[] {
  if (isObject(value)) return variables.filter((name) => !(name in value) && name !== WHOLE_INPUT);
  if (variables.length <= 1) return [];
  return variables.filter((name) => name !== WHOLE_INPUT);
}

/** The fields that say the same as an input, or null where only JSON can say it. */
export function fieldsOfInput(value: unknown, variables: readonly string[]): Record<string, string> | null {
  if (variables.length === 0) return null;
  if (typeof value === "string") return variables.length === 1 && variables[0] !== undefined ? { [variables[0]]: value } : null;
  if (!isObject(value)) return null;
  const names = Object.keys(value);
  if (names.length !== variables.length || !names.every((name) => variables.includes(name))) return null;
  const texts = Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === "string");
  return texts.length === names.length ? Object.fromEntries(texts) : null;
}

function member(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

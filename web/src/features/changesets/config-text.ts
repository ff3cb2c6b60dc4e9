/**
 * A configuration as YAML, for reading: texts of several lines stand as blocks, so that a difference shows lines and
 * not one long string with `\n` in it.
 */
export function configText(document: unknown): string {
  return `${block(document, 0).replace(/^\n/, "")}\n`;
}

const INDENT = "  ";
const PLAIN = /^[A-Za-z_/][A-Za-z0-9_./ -]*$/;
const RESERVED = new Set(["true", "false", "null", "yes", "no", "on", "off", "y", "n"]);

function block(value: unknown, depth: number): string {
  const pad = INDENT.repeat(depth);
  if (Array.isArray(value)) {
    if (value.length === 0) return " []";
    return value.map((item: unknown) => `\n${pad}- ${nested(item, depth + 1)}`).join("");
  }
  if (isRecord(value)) {
    const entries = Object.entries(value);
    if (entries.length === 0) return " {}";
    return entries.map(([key, item]) => `\n${pad}${scalar(key)}:${block(item, depth + 1)}`).join("");
  }
  if (typeof value === "string" && value.includes("\n") && isBlockable(value)) return ` ${literal(value, pad)}`;
  return ` ${scalar(value)}`;
}

/** Below a dash the first member stands on the dash's own line. */
function nested(value: unknown, depth: number): string {
  return block(value, depth).replace(/^\n? */, "");
}

function literal(text: string, pad: string): string {
  const kept = text.endsWith("\n");
  const body = kept ? text.slice(0, -1) : text;
  const lines = body.split("\n").map((line) => (line === "" ? "" : pad + line));
  return `|${kept ? "" : "-"}\n${lines.join("\n")}`;
}

/** A block cannot say leading blanks of the first line or more than one line end at the end. */
function isBlockable(text: string): boolean {
  return !/^\s/.test(text) && !text.endsWith("\n\n") && !/[\r\t]/.test(text);
}

function scalar(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value) ?? "null";
  const plain = PLAIN.test(value) && !value.endsWith(" ") && !RESERVED.has(value.toLowerCase());
  return plain ? value : JSON.stringify(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

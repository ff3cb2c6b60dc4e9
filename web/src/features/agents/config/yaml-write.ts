/**
 * A config document as YAML: prompts are read and written line by line there, while JSON has them on one line. What is
 * written here is read back by `yaml-read.ts` to exactly the same value.
 */

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** Longer lists of plain values get a line for each. */
const INLINE = 72;

/** Reads as itself without quotes, and as nothing but a text. */
const PLAIN = /^[A-Za-z_/][\w./-]*( [\w./-]+)*$/;
const NOT_TEXT = /^(null|true|false|yes|no|on|off|y|n)$/i;

export function writeYaml(value: Json): string {
  if (!isCollection(value) || isEmpty(value)) return `${scalar(value, 0)}\n`;
  return `${lines(value, 0).join("\n")}\n`;
}

function lines(value: Json[] | { [name: string]: Json }, depth: number): string[] {
  const pad = "  ".repeat(depth);
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      const [first = "", ...rest] = member(item, depth);
      if (first !== "") return [`${pad}-${first}`, ...rest];
      // A collection begins on the line of its dash.
      const [below = "", ...others] = rest;
      return [`${pad}- ${below.trimStart()}`, ...others];
    });
  }
  return Object.entries(value).flatMap(([name, item]) => {
    const [first, ...rest] = member(item, depth);
    return [`${pad}${isPlain(name) ? name : JSON.stringify(name)}:${first}`, ...rest];
  });
}

/** What follows the `-` or the `name:` at this depth: the rest of that line, and the lines below. */
function member(value: Json, depth: number): string[] {
  if (!isCollection(value) || isEmpty(value)) {
    const [first = "", ...rest] = scalar(value, depth + 1).split("\n");
    return [` ${first}`, ...rest];
  }
  const inline = Array.isArray(value) ? inlined(value) : null;
  if (inline !== null) return [` ${inline}`];
  return ["", ...lines(value, depth + 1)];
}

function inlined(list: Json[]): string | null {
  if (list.some((item) => isCollection(item) || (typeof item === "string" && item.includes("\n")))) return null;
  const text = `[${list.map((item) => scalar(item, 0)).join(", ")}]`;
  return text.length <= INLINE ? text : null;
}

function scalar(value: Json, depth: number): string {
  if (Array.isArray(value)) return "[]";
  if (typeof value === "object" && value !== null) return "{}";
  if (typeof value !== "string") return JSON.stringify(value);
  if (isPlain(value)) return value;
  return literal(value, depth) ?? JSON.stringify(value);
}

/** The text line by line, where YAML can say it so. */
function literal(text: string, depth: number): string | null {
  if (!text.includes("\n") || depth === 0 || hasControl(text) || text.trim() === "") return null;
  const body = text.replace(/\n+$/, "");
  const tail = text.length - body.length;
  const content = body.split("\n");
  if (content.some((line) => line.startsWith("\t")) || /^\s/.test(text)) return null;
  const chomping = tail === 0 ? "-" : tail === 1 ? "" : "+";
  const pad = "  ".repeat(depth);
  const kept = Array.from({ length: Math.max(0, tail - 1) }, () => "");
  return [`|${chomping}`, ...content.map((line) => (line === "" ? "" : pad + line)), ...kept].join("\n");
}

function hasControl(text: string): boolean {
  return [...text].some((character) => {
    const code = character.charCodeAt(0);
    return (code < 32 && code !== 9 && code !== 10) || code === 127 || code === 0x85 || code === 0x2028 || code === 0x2029;
  });
}

function isPlain(text: string): boolean {
  return PLAIN.test(text) && !NOT_TEXT.test(text);
}

function isCollection(value: Json): value is Json[] | { [name: string]: Json } {
  return typeof value === "object" && value !== null;
}

function isEmpty(value: Json): boolean {
  return isCollection(value) && Object.keys(value).length === 0;
}

/**
 * YAML or JSON as the value it says, with the place of everything in the text, so that what the server finds wrong at a
 * JSON pointer can be shown on its line. Anchors, aliases and tags are refused: a config is one plain JSON document.
 */

import { yamlLanguage } from "@codemirror/lang-yaml";
import type { Json } from "./yaml-write";

type Node = ReturnType<typeof yamlLanguage.parser.parse>["topNode"];

export interface Range {
  from: number;
  to: number;
}

export interface ReadProblem extends Range {
  message: string;
}

export interface ReadDocument {
  value: Json;
  /** JSON pointer → where its name, and a short value, stand. */
  places: ReadonlyMap<string, Range>;
  /** The text says nothing, or not that, unless this is empty. */
  problems: readonly ReadProblem[];
}

export function readYaml(text: string): ReadDocument {
  const reader = new Reader(text);
  const value = reader.read();
  return { value, places: reader.places, problems: reader.problems };
}

class Reader {
  readonly places = new Map<string, Range>();
  readonly problems: ReadProblem[] = [];
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Json {
    const top = yamlLanguage.parser.parse(this.#text).topNode;
    const documents = top.getChildren("Document");
    if (documents.length > 1) this.#refuse(documents[1], "only one document can stand here");
    this.#refuseErrors(top);
    const root = documents[0] && content(documents[0]);
    this.places.set("", { from: root?.from ?? 0, to: root?.from ?? 0 });
    return root ? this.#value(root, "") : null;
  }

  #refuseErrors(top: Node) {
    top.cursor().iterate((node) => {
      if (!node.type.isError) return;
      const from = Math.min(node.from, Math.max(0, this.#text.length - 1));
      this.problems.push({ from, to: Math.max(node.to, from + 1), message: "this is not well-formed YAML" });
    });
  }

  #refuse(range: Range | undefined, message: string) {
    if (range) this.problems.push({ from: range.from, to: Math.max(range.to, range.from + 1), message });
  }

  #value(node: Node, pointer: string): Json {
    switch (node.name) {
      case "BlockMapping":
      case "FlowMapping":
        return this.#mapping(node, pointer);
      case "BlockSequence":
      case "FlowSequence":
        return this.#sequence(node, pointer);
      case "Literal":
        return plain(fold(this.#slice(node)));
      case "QuotedLiteral":
        return this.#quoted(node);
      case "BlockLiteral":
        return this.#block(node);
      case "Alias":
      case "Anchored":
      case "Tagged":
        this.#refuse(node, "anchors, aliases and tags are not supported: write the value itself");
        return null;
      default:
        return null;
    }
  }

  #mapping(node: Node, pointer: string): Json {
    // `__proto__` is a name like any other.
    const members = new Map<string, Json>();
    for (const pair of node.getChildren("Pair")) {
      const key = pair.getChild("Key");
      const name = key && content(key);
      if (!name || !(name.name === "Literal" || name.name === "QuotedLiteral")) {
        const braces = this.#slice(pair).startsWith("{");
        this.#refuse(pair, braces ? "a text with {{…}} needs quotes around it" : "a name must be a text");
        continue;
      }
      const member = name.name === "QuotedLiteral" ? this.#quoted(name) : this.#slice(name);
      const place = `${pointer}/${member.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      if (members.has(member)) this.#refuse(name, `“${member}” stands here twice`);
      const value = content(pair, "Key");
      const scalar = value && !/Mapping|Sequence|Block/.test(value.name);
      this.places.set(place, { from: name.from, to: scalar ? value.to : name.to });
      members.set(member, value ? this.#value(value, place) : null);
    }
    return Object.fromEntries(members);
  }

  #sequence(node: Node, pointer: string): Json {
    return node.getChildren("Item").map((item, index) => {
      const place = `${pointer}/${index}`;
      this.places.set(place, { from: item.from, to: Math.max(item.from + 1, this.#lineEnd(item)) });
      const value = content(item);
      return value ? this.#value(value, place) : null;
    });
  }

  #lineEnd(node: Node): number {
    const end = this.#text.indexOf("\n", node.from);
    return Math.min(node.to, end === -1 ? node.to : end);
  }

  #quoted(node: Node): string {
    const raw = this.#slice(node);
    const inner = raw.slice(1, -1);
    if (raw.startsWith("'")) return fold(inner).replaceAll("''", "'");
    return fold(inner.replace(/\\\r?\n[ \t]*/g, "")).replace(ESCAPE, (whole, hex: string | undefined, short: string | undefined) => {
      if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex.slice(1), 16));
      const meant = ESCAPED[short ?? ""];
      if (meant === undefined) this.#refuse(node, `“${whole}” is no escape of YAML`);
      return meant ?? whole;
    });
  }

  /** The parser leaves out empty lines at the end of the block, which `|+` keeps: so the lines are read here. */
  #block(node: Node): string {
    const header = node.firstChild;
    const said = header ? this.#slice(header) : "";
    const start = this.#text.indexOf("\n", node.from);
    const body = node.getChild("BlockLiteralContent");
    if (start === -1 || !body) return "";
    const below = this.#text.slice(start + 1).split(/\r?\n/);
    const count = this.#text.slice(start + 1, body.to).split("\n").length;
    const content = below.slice(0, count);
    const blank = below.slice(count).findIndex((line) => line.trim() !== "");
    // Whatever follows the last line break is no line.
    const trailing = blank === -1 ? Math.max(0, below.length - count - 1) : blank;
    const own = Math.min(...content.filter((line) => line.trim() !== "").map(indentOf));
    const told = /[1-9]/.exec(said)?.[0];
    const indent = told === undefined ? own : this.#parentIndent(node) + Number(told);
    const stripped = content.map((line) => line.slice(indent));
    const text = said.startsWith(">") ? foldBlock(stripped) : stripped.join("\n");
    if (said.includes("-")) return text;
    return said.includes("+") ? text + "\n".repeat(trailing + 1) : `${text}\n`;
  }

  /** How far the line of the collection that holds the block is indented. */
  #parentIndent(node: Node): number {
    let holder: Node | null = node.parent;
    while (holder && holder.name !== "Pair" && holder.name !== "Item") holder = holder.parent;
    if (!holder) return 0;
    const line = this.#text.lastIndexOf("\n", holder.from - 1) + 1;
    return holder.name === "Pair" ? holder.from - line : indentOf(this.#text.slice(line, holder.from));
  }

  #slice(node: Node): string {
    return this.#text.slice(node.from, node.to);
  }
}

/** The one child that is a value. */
function content(node: Node, except?: string): Node | null {
  for (let child = node.firstChild; child; child = child.nextSibling) {
    if (/^[A-Z]/.test(child.name) && child.name !== "Comment" && child.name !== except) return child;
  }
  return null;
}

const ESCAPE = /\\(?:(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|([\s\S]))/g;

const ESCAPED: Record<string, string> = {
  "0": "\0",
  a: "\x07",
  b: "\b",
  t: "\t",
  n: "\n",
  v: "\v",
  f: "\f",
  r: "\r",
  e: "\x1b",
  " ": " ",
  '"': '"',
  "/": "/",
  "\\": "\\",
};

/** A line break inside of a flow scalar is a space, and an empty line is a line break. */
function fold(text: string): string {
  if (!text.includes("\n")) return text;
  return text
    .replace(/[ \t]*\r?\n[ \t]*/g, "\n")
    .replace(/\n+/g, (breaks) => (breaks.length === 1 ? " " : "\n".repeat(breaks.length - 1)));
}

/** What is indented further keeps its line breaks. */
function foldBlock(lines: readonly string[]): string {
  return lines.reduce((text, line, index) => {
    const before = lines[index - 1];
    if (index === 0 || before === undefined) return line;
    const kept = /^[ \t]/.test(line) || /^[ \t]/.test(before);
    if (kept || line === "") return `${text}\n${line}`;
    return before === "" ? text + line : `${text} ${line}`;
  }, "");
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

function plain(text: string): Json {
  if (text === "" || text === "~" || /^null$/i.test(text)) return null;
  if (/^true$/i.test(text)) return true;
  if (/^false$/i.test(text)) return false;
  if (/^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$/.test(text)) return Number(text);
  return text;
}

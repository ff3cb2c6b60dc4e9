/**
 * The filter expression of the API, as far as a bar of tokens needs it: a conjunction whose parts are single terms, or
 * texts that are kept as they were written. The server alone decides what an expression means.
 */

export const OPERATORS = ["=", "!=", "<", "<=", ">", ">=", "~", "has", "in", "not in", "exists"] as const;
export type Operator = (typeof OPERATORS)[number];

/** `values` has several for `in`, none for `exists`; as they stand in the expression, without quotes. */
export interface FilterTerm {
  kind: "term";
  field: string;
  operator: Operator;
  values: string[];
}

/** Part of an expression that a token cannot say: `or`, `not`, parentheses. */
export interface FilterText {
  kind: "text";
  text: string;
}

export type FilterToken = FilterTerm | FilterText;

interface Lexeme {
  kind: "word" | "quoted" | "sign";
  text: string;
  start: number;
  end: number;
}

const SIGN = /^(<=|>=|!=|[=<>~(),[\]])/;
// Words may hold what numbers, durations and times before now are made of.
const WORD = /^[^\s"'=<>~(),[\]!]+/;

/** Null where quotes do not end or a sign is none of the grammar's. */
function lexemes(text: string): Lexeme[] | null {
  const found: Lexeme[] = [];
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at);
    const space = /^\s+/.exec(rest)?.[0];
    if (space) {
      at += space.length;
      continue;
    }
    const quoted = rest[0] === '"' || rest[0] === "'" ? readQuoted(rest) : undefined;
    if (quoted === null) return null;
    if (quoted) {
      found.push({ kind: "quoted", text: quoted.value, start: at, end: at + quoted.length });
      at += quoted.length;
      continue;
    }
    const sign = SIGN.exec(rest)?.[0];
    const plain = sign ?? WORD.exec(rest)?.[0];
    if (!plain) return null;
    found.push({ kind: sign ? "sign" : "word", text: plain, start: at, end: at + plain.length });
    at += plain.length;
  }
  return found;
}

const ESCAPED: Record<string, string> = { n: "\n", t: "\t", r: "\r" };

function readQuoted(text: string): { value: string; length: number } | null {
  const quote = text[0];
  let value = "";
  for (let at = 1; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if (character === quote) return { value, length: at + 1 };
    if (character !== "\\") value += character;
    else {
      at += 1;
      const escaped = text[at];
      if (escaped === undefined) return null;
      value += ESCAPED[escaped] ?? escaped;
    }
  }
  return null;
}

/** The parts of the conjunction; one text where it is something else or cannot be read. */
export function parseFilter(text: string | undefined): FilterToken[] {
  const whole = text?.trim() ?? "";
  if (whole === "") return [];
  const all = lexemes(whole);
  if (!all) return [{ kind: "text", text: whole }];
  const parts: Lexeme[][] = [[]];
  let depth = 0;
  for (const lexeme of all) {
    if (lexeme.kind === "sign" && lexeme.text === "(") depth += 1;
    if (lexeme.kind === "sign" && lexeme.text === ")") depth -= 1;
    const joins = depth === 0 && lexeme.kind === "word";
    if (joins && lexeme.text === "or") return [{ kind: "text", text: whole }];
    if (joins && lexeme.text === "and") parts.push([]);
    else parts.at(-1)?.push(lexeme);
  }
  if (parts.some((part) => part.length === 0)) return [{ kind: "text", text: whole }];
  return parts.map((part) => readTerm(part) ?? { kind: "text", text: sourceOf(whole, part) });
}

function sourceOf(whole: string, part: Lexeme[]): string {
  return whole.slice(part[0]?.start ?? 0, part.at(-1)?.end ?? 0);
}

function readTerm(part: Lexeme[]): FilterTerm | null {
  const [first] = part;
  if (first?.kind !== "word" || first.text === "not") return null;
  let field = first.text;
  let rest = part.slice(1);
  if (rest[0]?.text === "[" && rest[1]?.kind === "quoted" && rest[2]?.text === "]") {
    field = `${field}[${quote(rest[1].text)}]`;
    rest = rest.slice(3);
  }
  const [sign, ...after] = rest;
  if (!sign || sign.kind === "quoted") return null;
  if (sign.text === "exists" && after.length === 0) return { kind: "term", field, operator: "exists", values: [] };
  const negated = sign.text === "not" && after[0]?.text === "in";
  if (sign.text === "in" || negated) {
    const values = readList(negated ? after.slice(1) : after);
    return values && { kind: "term", field, operator: negated ? "not in" : "in", values };
  }
  const operator = OPERATORS.find((one) => one === sign.text);
  const [value] = after;
  if (!operator || !value || after.length !== 1 || value.kind === "sign") return null;
  return { kind: "term", field, operator, values: [value.text] };
}

function readList(part: Lexeme[]): string[] | null {
  if (part[0]?.text !== "(" || part.at(-1)?.text !== ")" || part.length < 3) return null;
  const inner = part.slice(1, -1);
  const good = inner.every((one, at) => (at % 2 === 0 ? one.kind !== "sign" : one.text === ","));
  return good && inner.length % 2 === 1 ? inner.filter((_, at) => at % 2 === 0).map((one) => one.text) : null;
}

export function quote(text: string): string {
  const escaped = text.replace(/["\\\n\t\r]/g, (character) => {
    const letter = { "\n": "n", "\t": "t", "\r": "r" }[character];
    return `\\${letter ?? character}`;
  });
  return `"${escaped}"`;
}

const BARE_NUMBER = /^-?(\d+(\.\d+)?|\.\d+)([eE][+-]?\d+)?(ms|s|m|h|d)?$/;
const BARE_TIME = /^now(-\d+(\.\d+)?(ms|s|m|h|d))?$/;

/** Which fields take numbers, durations, money or times: their values stand without quotes where they can. */
export type IsMeasure = (field: string) => boolean;

function writeValue(value: string, bare: boolean): string {
  if (bare && (BARE_NUMBER.test(value) || BARE_TIME.test(value))) return value;
  return quote(value);
}

export function writeTerm(term: FilterTerm, isMeasure: IsMeasure): string {
  const bare = isMeasure(term.field);
  if (term.operator === "exists") return `${term.field} exists`;
  const values = term.values.map((value) => writeValue(value, bare));
  if (term.operator === "in" || term.operator === "not in") return `${term.field} ${term.operator} (${values.join(", ")})`;
  // What is not there is said without quotes: `error_type = null`.
  const only = term.values[0] === "null" ? "null" : (values[0] ?? quote(""));
  return `${term.field} ${term.operator} ${only}`;
}

export function writeFilter(tokens: readonly FilterToken[], isMeasure: IsMeasure): string | undefined {
  if (tokens.length === 0) return undefined;
  const [only] = tokens;
  if (tokens.length === 1 && only?.kind === "text") return only.text;
  return tokens
    .map((token) => (token.kind === "term" ? writeTerm(token, isMeasure) : bracketed(token.text)))
    .join(" and ");
}

/** `a or b` beside other parts needs parentheses, or it would take them in. */
function bracketed(text: string): string {
  const inside = lexemes(text);
  let depth = 0;
  for (const lexeme of inside ?? []) {
    if (lexeme.kind === "sign" && lexeme.text === "(") depth += 1;
    if (lexeme.kind === "sign" && lexeme.text === ")") depth -= 1;
    if (depth === 0 && lexeme.kind === "word" && lexeme.text === "or") return `(${text})`;
  }
  return text;
}

/** What somebody types into the filter bar: `field:value`, typed operators, whole expressions, or words to look for. */

import type { Schemas } from "@/api/client";
import { type FilterTerm, type FilterToken, type Operator, parseFilter } from "@/features/traces/filter-expression";

export type FilterField = Schemas["FilterFieldOut"];

const MEASURES = new Set(["number", "duration", "money", "time"]);
const ONE_WORD = new Set([...MEASURES, "status", "hex"]);
const DEEP = /^(attr\[|event$|content$)/;

export function fieldNamed(fields: readonly FilterField[], name: string): FilterField | undefined {
  if (name.startsWith("score.") || name.startsWith("score[")) return fields.find((field) => field.name === "score.<name>");
  if (name.startsWith("attr[")) return fields.find((field) => field.name.startsWith("attr["));
  return fields.find((field) => field.name === name);
}

export function measureOf(fields: readonly FilterField[]): (field: string) => boolean {
  return (name) => {
    const field = fieldNamed(fields, name);
    // An attribute may be a number or a text: what looks like a number is compared as one.
    return field !== undefined && (MEASURES.has(field.form) || field.form === "any");
  };
}

/** Whether what was sent for each span has to be read: such lists have one order and come bit by bit. */
export function isDeep(tokens: readonly FilterToken[]): boolean {
  return tokens.some((token) => (token.kind === "term" ? DEEP.test(token.field) : /\battr\[|\bcontent\s*~|\bevent\s/.test(token.text)));
}

/** `status:error`, `duration_ms:>2s`, `model!=gpt-4o`, `input~refund`, `-mode:test`, `tag:a,b`, `session_id:*`. */
const TYPED = /^(-)?([A-Za-z_][\w.]*(?:\[(?:"[^"]*"|'[^']*')\])?)\s*(!=|<=|>=|:|=|<|>|~)\s*([\s\S]*)$/;
const SIGNED = /^(!=|<=|>=|=|<|>|~)\s*/;

export interface Typed {
  negated: boolean;
  field: string;
  sign: string;
  value: string;
}

/** The half of a token that is being typed; null while it is a word. */
export function readTyped(text: string): Typed | null {
  const match = TYPED.exec(text.trim());
  if (!match) return null;
  const [, minus, field = "", colon = "", rest = ""] = match;
  const sign = colon === ":" ? (SIGNED.exec(rest)?.[1] ?? ":") : colon;
  const value = colon === ":" ? rest.replace(SIGNED, "") : rest;
  return { negated: minus === "-", field, sign, value: value.trim() };
}

export type Reading =
  | { kind: "tokens"; tokens: FilterToken[]; words?: string }
  | { kind: "words"; words: string }
  /** The value is still to be typed. */
  | { kind: "unfinished" };

export function readInput(text: string, fields: readonly FilterField[]): Reading {
  const trimmed = text.trim();
  if (trimmed === "") return { kind: "unfinished" };
  const parts = partsOf(trimmed, fields);
  if (parts.length > 1) return together(parts.map((part) => readInput(part, fields)));
  const typed = readTyped(trimmed);
  if (typed && fieldNamed(fields, typed.field) && !/\s(and|or|not)\s/.test(` ${typed.value} `)) {
    if (typed.value === "") return { kind: "unfinished" };
    // Only texts have spaces in them: behind any other value words begin.
    const { value, words } = ONE_WORD.has(fieldNamed(fields, typed.field)?.form ?? "") ? firstWord(typed.value) : { value: typed.value };
    const tokens: FilterToken[] = [termOf({ ...typed, value }, fields)];
    return words ? { kind: "tokens", tokens, words } : { kind: "tokens", tokens };
  }
  const tokens = parseFilter(trimmed);
  const known = tokens.some((token) => token.kind === "term" && fieldNamed(fields, token.field));
  const joined = /^(\(|not\s)/.test(trimmed) || /\s(and|or)\s/.test(trimmed);
  if (known || (joined && fields.some((field) => new RegExp(`\\b${escape(field.name)}\\s*(=|!=|<|>|~|has|in|exists)`).test(trimmed)))) {
    return { kind: "tokens", tokens };
  }
  return { kind: "words", words: trimmed };
}

/** `status:error duration_ms:>2s late` says two things and a word: each begins where a known field does, outside of quotes. */
function partsOf(text: string, fields: readonly FilterField[]): string[] {
  const parts: string[] = [];
  let start = 0;
  for (const { 0: gap, index } of text.matchAll(/"[^"]*"|'[^']*'|\s+/g)) {
    if (gap.trim() !== "") continue;
    const typed = readTyped(text.slice(index));
    const before = text.slice(start, index);
    // Expressions that are joined by hand are read as they are.
    if (typed === null || fieldNamed(fields, typed.field) === undefined || /(^|\s)(and|or|not)$/.test(before)) continue;
    if (before.trim() !== "") parts.push(before);
    start = index;
  }
  return [...parts, text.slice(start)].map((part) => part.trim());
}

/** What several parts say at once. One without its value leaves all of it unfinished. */
function together(readings: readonly Reading[]): Reading {
  if (readings.some((one) => one.kind === "unfinished")) return { kind: "unfinished" };
  const tokens = readings.flatMap((one) => (one.kind === "tokens" ? one.tokens : []));
  const words = readings.flatMap((one) => ("words" in one && one.words !== undefined ? [one.words] : [])).join(" ");
  return words === "" ? { kind: "tokens", tokens } : { kind: "tokens", tokens, words };
}

function firstWord(text: string): { value: string; words?: string } {
  const match = /^([^\s"']+)\s+(.+)$/s.exec(text);
  return match?.[1] && match[2] ? { value: match[1], words: match[2] } : { value: text };
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function unquoted(value: string): string {
  return /^(".*"|'.*')$/s.test(value) ? value.slice(1, -1) : value;
}

function termOf(typed: Typed, fields: readonly FilterField[]): FilterTerm {
  const { field, value } = typed;
  const form = fieldNamed(fields, field)?.form;
  const several = typed.sign === ":" && !/^["']/.test(value) ? value.split(",").map((one) => one.trim()).filter(Boolean) : [value];
  if (typed.sign === ":" && value === "*") {
    return typed.negated
      ? { kind: "term", field, operator: "=", values: ["null"] }
      : { kind: "term", field, operator: "exists", values: [] };
  }
  if (several.length > 1) return { kind: "term", field, operator: typed.negated ? "not in" : "in", values: several.map(unquoted) };
  return { kind: "term", field, operator: operatorOf(typed, form), values: [unquoted(value)] };
}

function operatorOf({ sign, negated }: Typed, form: string | undefined): Operator {
  const plain = sign === ":" ? (form === "substring" ? "~" : form === "list" ? "has" : "=") : (sign as Operator);
  return negated && (plain === "=" || plain === "has") ? "!=" : plain;
}

/** Sets what a facet says about a field: nothing, one value, or one of several. */
export function withValues(tokens: readonly FilterToken[], field: FilterField | string, values: readonly string[]): FilterToken[] {
  const name = typeof field === "string" ? field : field.name;
  const isList = typeof field !== "string" && field.form === "list";
  const others = tokens.filter((token) => !isChoiceOf(token, name));
  if (values.length === 0) return others;
  const operator: Operator = values.length > 1 ? "in" : isList ? "has" : "=";
  return [...others, { kind: "term", field: name, operator, values: [...values] }];
}

/** The values of a field that the tokens choose. */
export function valuesOf(tokens: readonly FilterToken[], field: string): string[] {
  return tokens.flatMap((token) => (isChoiceOf(token, field) && token.kind === "term" ? token.values : []));
}

function isChoiceOf(token: FilterToken, field: string): boolean {
  return token.kind === "term" && token.field === field && (token.operator === "=" || token.operator === "in" || token.operator === "has");
}

import { describe, expect, it } from "vitest";
import { type FilterToken, parseFilter, writeFilter } from "@/features/traces/filter-expression";
import { type FilterField, isDeep, measureOf, readInput, valuesOf, withValues } from "@/features/traces/filter-input";

function field(name: string, form: string, isDeepField = false): FilterField {
  return { name, form, operators: [], is_deep: isDeepField, description: "" };
}

const FIELDS = [
  field("status", "status"),
  field("model", "list"),
  field("name", "text"),
  field("session_id", "text"),
  field("duration_ms", "duration"),
  field("cost_usd", "money"),
  field("started_at", "time"),
  field("score.<name>", "number"),
  field('attr["<key>"]', "any", true),
  field("content", "substring", true),
];
const isMeasure = measureOf(FIELDS);

function term(name: string, operator: string, ...values: string[]): FilterToken {
  return { kind: "term", field: name, operator, values } as FilterToken;
}

describe("an expression as tokens", () => {
  it.each([
    'status = "error"',
    'model has "gpt-4o" and duration_ms > 1.5s',
    'session_id in ("a", "b, c", "d \\" e")',
    'status not in ("ok", "unset")',
    "session_id exists and cost_usd <= 0.05",
    'score["a name"] >= 0.5 and attr["gen_ai.request.temperature"] > 0.5',
    "started_at > now-24h and error_type = null",
    'name ~ "line\\nbreak and \\\\ more" and (status = error or duration_ms > 500)',
    'not model has "x" and name = "and"',
  ])("is written as it was read: %s", (text) => {
    expect(writeFilter(parseFilter(text), isMeasure)).toBe(text);
  });

  it("quotes words, so that a value is never taken for a part of the grammar", () => {
    expect(writeFilter(parseFilter("status = error and session_id = 12"), isMeasure)).toBe('status = "error" and session_id = "12"');
  });

  it("keeps what it cannot take apart, in parentheses where others stand beside it", () => {
    const either = parseFilter('status = error or name = "x"');
    expect(either).toEqual([{ kind: "text", text: 'status = error or name = "x"' }]);
    expect(writeFilter([...either, term("model", "has", "m")], isMeasure)).toBe('(status = error or name = "x") and model has "m"');
    expect(parseFilter('name = "never ends')).toEqual([{ kind: "text", text: 'name = "never ends' }]);
    expect(parseFilter("status = error and")).toHaveLength(1);
  });
});

describe("what is typed", () => {
  it.each<[string, FilterToken[]]>([
    ["status:error", [term("status", "=", "error")]],
    ["model:gpt-4o", [term("model", "has", "gpt-4o")]],
    ["-model:gpt-4o", [term("model", "!=", "gpt-4o")]],
    ["status:error,ok", [term("status", "in", "error", "ok")]],
    ["duration_ms:>2s", [term("duration_ms", ">", "2s")]],
    ["duration_ms>=2s", [term("duration_ms", ">=", "2s")]],
    ["name~late delivery", [term("name", "~", "late delivery")]],
    ['name:"a, b"', [term("name", "=", "a, b")]],
    ["content:refund", [term("content", "~", "refund")]],
    ["session_id:*", [term("session_id", "exists")]],
    ["-session_id:*", [term("session_id", "=", "null")]],
    ['status = error and name = "x"', [term("status", "=", "error"), term("name", "=", "x")]],
    ["(status = error or cost_usd > 1)", [{ kind: "text", text: "(status = error or cost_usd > 1)" }]],
  ])("%s", (text, tokens) => {
    expect(readInput(text, FIELDS)).toEqual({ kind: "tokens", tokens });
  });

  it.each(['"late delivery" -refund', "12:30", "nothing:known", "black and white"])("is words to look for: %s", (text) => {
    expect(readInput(text, FIELDS)).toEqual({ kind: "words", words: text });
  });

  it("begins words behind a value that has no spaces", () => {
    expect(readInput("status:error duration_ms:>2s", FIELDS)).toEqual({
      kind: "tokens",
      tokens: [term("status", "=", "error"), term("duration_ms", ">", "2s")],
    });
    expect(readInput('late refund name:"is status:ok" duration_ms:>2s soon', FIELDS)).toEqual({
      kind: "tokens",
      tokens: [expect.objectContaining({ field: "name", values: ["is status:ok"] }), term("duration_ms", ">", "2s")],
      words: "late refund soon",
    });
    expect(readInput("status:error duration_ms:>", FIELDS)).toEqual({ kind: "unfinished" });
    expect(readInput("duration_ms>2s late refund", FIELDS)).toEqual({ kind: "tokens", tokens: [term("duration_ms", ">", "2s")], words: "late refund" });
  });

  it("waits for a value", () => {
    expect(readInput("status:", FIELDS)).toEqual({ kind: "unfinished" });
  });
});

describe("facets", () => {
  it("choose one value, several, or none of a field and leave the others alone", () => {
    const others = parseFilter('status = "error" and name ~ "x"');
    const one = withValues(others, FIELDS[1] ?? "", ["a"]);
    expect(writeFilter(one, isMeasure)).toBe('status = "error" and name ~ "x" and model has "a"');
    const two = withValues(one, FIELDS[1] ?? "", ["a", "b"]);
    expect(valuesOf(two, "model")).toEqual(["a", "b"]);
    expect(withValues(two, "model", [])).toEqual(others);
  });

  it("know when spans have to be read", () => {
    expect(isDeep(parseFilter('attr["a"] = 1'))).toBe(true);
    expect(isDeep(parseFilter('status = error or content ~ "x"'))).toBe(true);
    expect(isDeep(parseFilter('name = "content"'))).toBe(false);
  });
});

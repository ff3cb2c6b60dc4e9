/**
 * The scorers that come with the server and the form of their settings. The API takes a scorer's options as a JSON object
 * and publishes no schema of them; a scorer that a package added is set as JSON.
 */

export interface OptionSpec {
  name: string;
  label: string;
  hint?: string;
  kind: "text" | "long-text" | "number" | "flag" | "choice" | "lines" | "json" | "scale" | "usd";
  choices?: readonly { value: string; label: string }[];
  required?: boolean;
  /** What the server takes when it is left out. */
  fallback?: unknown;
  placeholder?: string;
}

export interface ScorerSpec {
  name: string;
  label: string;
  /** What gives 1. */
  means: string;
  /** A language or embedding model is asked: it costs. */
  asksModel?: boolean;
  options: readonly OptionSpec[];
}

const CASE: OptionSpec = { name: "case_sensitive", label: "Case counts", kind: "flag", fallback: true };
const SPACES: OptionSpec = { name: "collapse_whitespace", label: "Runs of spaces count as one", kind: "flag", fallback: true };

export const SCORERS: readonly ScorerSpec[] = [
  {
    name: "exact_match",
    label: "Exact match",
    means: "1 when the answer is the expected one: as text, or as a JSON value where an object or a list is expected",
    options: [CASE, SPACES],
  },
  {
    name: "contains",
    label: "Contains",
    means: "The share of wanted phrases that occur, or 1 when one of them does",
    options: [
      { name: "values", label: "Phrases", kind: "lines", hint: "One a line. Without any, the expected answer is the phrase", fallback: null },
      {
        name: "mode",
        label: "Wanted",
        kind: "choice",
        choices: [
          { value: "all", label: "All of them, in part" },
          { value: "any", label: "Any of them" },
        ],
        fallback: "all",
      },
      { ...CASE, fallback: false },
    ],
  },
  {
    name: "regex",
    label: "Regular expression",
    means: "1 when the pattern matches the answer, or when it does not where it is to be absent",
    options: [
      { name: "pattern", label: "Pattern", kind: "text", required: true, hint: "RE2 syntax", placeholder: "(?i)order [0-9]+" },
      {
        name: "mode",
        label: "Matches",
        kind: "choice",
        choices: [
          { value: "search", label: "Anywhere in the answer" },
          { value: "fullmatch", label: "The whole answer" },
        ],
        fallback: "search",
      },
      {
        name: "expect",
        label: "The pattern is to be",
        kind: "choice",
        choices: [
          { value: "present", label: "Present" },
          { value: "absent", label: "Absent" },
        ],
        fallback: "present",
      },
      { name: "ignore_case", label: "Ignore case", kind: "flag", fallback: false },
    ],
  },
  {
    name: "label",
    label: "Label",
    means: "1 when the answer names the expected label and no other one",
    options: [{ name: "labels", label: "Labels", kind: "lines", hint: "One a line. With them the answer may be a sentence that names one", fallback: null }],
  },
  {
    name: "json_schema",
    label: "JSON Schema",
    means: "1 when the answer is JSON that is valid against the schema (draft 2020-12)",
    options: [{ name: "schema", label: "Schema", kind: "json", required: true }],
  },
  {
    name: "numeric_tolerance",
    label: "Number within a tolerance",
    means: "1 when the number in the answer is near enough to the expected one",
    options: [
      { name: "absolute", label: "Absolute tolerance", kind: "number", fallback: 0 },
      { name: "relative", label: "Relative tolerance", kind: "number", fallback: 0, hint: "0.01 is one percent; the larger of both counts" },
      {
        name: "number",
        label: "Which number",
        kind: "choice",
        choices: [
          { value: "last", label: "The last one in the answer" },
          { value: "first", label: "The first one" },
          { value: "whole", label: "The whole answer" },
        ],
        fallback: "last",
      },
    ],
  },
  { name: "levenshtein", label: "Edit distance", means: "The share of characters that need no edit", options: [CASE, SPACES] },
  {
    name: "token_f1",
    label: "Words in common (F1)",
    means: "Harmonic mean of precision and recall of words, as in SQuAD",
    options: [{ name: "drop_articles", label: "Leave out articles", kind: "flag", fallback: false }],
  },
  {
    name: "embedding",
    label: "Embedding similarity",
    means: "The cosine of the answer's vector and the expected answer's",
    asksModel: true,
    options: [
      { name: "model", label: "Model", kind: "text", fallback: "spectral-local-embedding", hint: "The built-in one needs no key: it sees words in common, not meaning" },
      { name: "zero_at", label: "Cosine that is worth 0", kind: "number", fallback: 0 },
      { name: "reference", label: "Compare with", kind: "long-text", fallback: null, hint: "Left out: the expected answer" },
    ],
  },
  {
    name: "judge",
    label: "Judge (language model)",
    means: "A language model judges by your prompt, on your scale",
    asksModel: true,
    options: [
      { name: "model", label: "Model", kind: "text", required: true, placeholder: "openai/gpt-4o-mini" },
      {
        name: "prompt",
        label: "Prompt",
        kind: "long-text",
        required: true,
        hint: "Places: {output} (needed), {input}, {expected}. Other braces are text",
        placeholder: "Is the answer polite?\nThe customer wrote: {input}\nThe answer: {output}",
      },
      { name: "scale", label: "Scale", kind: "scale", fallback: { kind: "numeric", minimum: 1, maximum: 5, whole: true } },
      { name: "temperature", label: "Temperature", kind: "number", fallback: 0, hint: "Empty: the provider's own" },
      { name: "max_output_tokens", label: "At most, output tokens", kind: "number", fallback: 500 },
      { name: "max_question_bytes", label: "At most, bytes of the question", kind: "number", fallback: 32_000 },
      {
        name: "reply_format",
        label: "Form of the reply",
        kind: "choice",
        choices: [
          { value: "json_object", label: "JSON object" },
          { value: "json_schema", label: "JSON Schema" },
          { value: "text", label: "Asked for in words" },
        ],
        fallback: "json_object",
      },
    ],
  },
  {
    name: "latency",
    label: "Latency",
    means: "1 up to the target, 0 from the limit on, a straight line in between",
    options: [
      { name: "target_ms", label: "Target, ms", kind: "number", required: true },
      { name: "limit_ms", label: "Limit, ms", kind: "number", required: true },
    ],
  },
  {
    name: "cost",
    label: "Cost",
    means: "1 up to the target, 0 from the limit on; an unknown cost cannot be scored",
    options: [
      { name: "target_usd", label: "Target, US dollars", kind: "usd", required: true },
      { name: "limit_usd", label: "Limit, US dollars", kind: "usd", required: true },
    ],
  },
  {
    name: "tool_called",
    label: "Tools called",
    means: "Whether the answer was made with these tools",
    options: [
      { name: "tools", label: "Tools", kind: "lines", required: true, hint: "One a line" },
      {
        name: "mode",
        label: "Wanted",
        kind: "choice",
        choices: [
          { value: "all", label: "All of them, in part" },
          { value: "any", label: "Any of them" },
          { value: "none", label: "None of them" },
          { value: "sequence", label: "All, in this order" },
        ],
        fallback: "all",
      },
    ],
  },
];

export function scorerNamed(name: string): ScorerSpec | undefined {
  return SCORERS.find((one) => one.name === name);
}

export function scorerLabel(name: string): string {
  return scorerNamed(name)?.label ?? name;
}

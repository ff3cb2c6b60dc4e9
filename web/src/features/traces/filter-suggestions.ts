/** What the filter bar offers for what is typed so far. */

import type { Schemas } from "@/api/client";
import { formatCount } from "@/components/format";
import { type FilterField, fieldNamed, readTyped } from "@/features/traces/filter-input";

export interface Suggestion {
  /** What replaces the text in the bar. */
  insert: string;
  label: string;
  hint: string;
  /** Complete: it becomes a token at once. */
  final: boolean;
}

const MOST = 12;

/** Facets by the fields that they hold values of. */
export const FACET_FIELDS: Record<string, string> = {
  kind: "span.kind",
  operation: "span.operation",
  provider: "span.provider",
  tool_name: "span.tool",
};

export function facetOf(filters: Schemas["FiltersOut"], field: string): Schemas["FacetOut"] | undefined {
  const name = Object.entries(FACET_FIELDS).find(([, named]) => named === field)?.[0] ?? { tags: "tag", models: "model" }[field] ?? field;
  return filters.facets[name];
}

function needsQuotes(value: string): boolean {
  return /[\s,"']/.test(value) || value === "";
}

export function suggest(text: string, filters: Schemas["FiltersOut"] | undefined, names: ReadonlyMap<string, string>): Suggestion[] {
  if (!filters) return [];
  const typed = readTyped(text);
  const field = typed && fieldNamed(filters.fields, typed.field);
  if (typed && field) return values(typed.field, field, text, typed.value, filters, names);
  return fields(text, filters);
}

function fields(text: string, filters: Schemas["FiltersOut"]): Suggestion[] {
  const wanted = text.trim().replace(/^-/, "").toLowerCase();
  const minus = text.trim().startsWith("-") ? "-" : "";
  const named = filters.fields.flatMap((field) => {
    if (field.description.startsWith("the same as")) return [];
    if (field.name === "score.<name>") {
      return Object.keys(filters.scores).map((score) => ({ ...field, name: /^\w+$/.test(score) ? `score.${score}` : `score["${score}"]` }));
    }
    return field.name.startsWith("attr[") ? [{ ...field, name: 'attr["' }] : [field];
  });
  const ranked = named
    .map((field) => ({ field, at: wanted === "" ? 0 : field.name.toLowerCase().indexOf(wanted) }))
    .filter(({ at }) => at >= 0)
    // A field that begins with what is typed is meant before one that holds it; those of spans come last.
    .sort((a, b) => Number(a.at > 0) - Number(b.at > 0) || rank(a.field, filters) - rank(b.field, filters));
  return ranked.slice(0, MOST).map(({ field }) => ({
    insert: field.name.endsWith('"') ? field.name : `${minus}${field.name}${signOf(field)}`,
    label: field.name.startsWith("attr[") ? 'attr["key"]' : field.name,
    hint: field.description || FORMS[field.form] || field.form,
    final: false,
  }));
}

const FORMS: Record<string, string> = { text: "text", list: "one of several", number: "a number", time: "a time, or now-24h", hex: "an id" };

function rank(field: FilterField, filters: Schemas["FiltersOut"]): number {
  const facet = facetOf(filters, field.name);
  return (facet && facet.distinct > 0 ? 0 : 10) + (field.name.startsWith("span.") ? 5 : 0) + (field.is_deep ? 20 : 0);
}

function signOf(field: FilterField): string {
  if (field.form === "substring") return "~";
  return ["number", "duration", "money", "time"].includes(field.form) ? ":>" : ":";
}

function values(
  name: string,
  field: FilterField,
  text: string,
  value: string,
  filters: Schemas["FiltersOut"],
  names: ReadonlyMap<string, string>,
): Suggestion[] {
  const before = value === "" ? text : text.slice(0, text.lastIndexOf(value));
  const wanted = value.replace(/^["']/, "").toLowerCase();
  const known = facetOf(filters, name)?.values ?? [];
  const offered = known
    .filter((one) => one.value.toLowerCase().includes(wanted) || (names.get(one.value) ?? "").toLowerCase().includes(wanted))
    .map((one) => ({
      insert: before + (needsQuotes(one.value) ? JSON.stringify(one.value) : one.value),
      label: names.get(one.value) ?? one.value,
      hint: `${formatCount(one.count)} ${one.count === 1 ? "trace" : "traces"}`,
      final: true,
    }));
  const fixed = FIXED[field.form] ?? [];
  const more = fixed
    .filter(([one]) => one.startsWith(wanted) && !known.some((other) => other.value === one))
    .map(([one, hint]) => ({ insert: before + one, label: one, hint, final: true }));
  return [...offered, ...more].slice(0, MOST);
}

const FIXED: Record<string, [string, string][]> = {
  status: [
    ["error", "the root span failed"],
    ["ok", "reported success"],
    ["unset", "reported neither"],
  ],
  duration: [
    ["500ms", ""],
    ["2s", ""],
    ["10s", ""],
    ["1m", ""],
  ],
  time: [
    ["now-1h", "in the last hour"],
    ["now-24h", "in the last day"],
    ["now-7d", "in the last week"],
  ],
};

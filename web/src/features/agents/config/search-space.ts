import { formatNumber } from "@/components/format";

export interface Knob {
  pointer: string;
  kind: string;
  /** In words. */
  bounds: string;
  creatable: boolean;
}

/** The knobs of a stored config, which the server has checked. */
export function knobsOf(config: Readonly<Record<string, unknown>>): Knob[] {
  const listed = Array.isArray(config.search_space) ? (config.search_space as Record<string, unknown>[]) : [];
  return listed.map(({ pointer, kind, bounds, creatable }) => ({
    pointer: String(pointer),
    kind: String(kind),
    bounds: inWords((bounds ?? {}) as Record<string, unknown>),
    creatable: creatable === true,
  }));
}

function inWords(bounds: Readonly<Record<string, unknown>>): string {
  if (Array.isArray(bounds.values)) return bounds.values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(", ");
  const step = bounds.step === undefined ? "" : ` in steps of ${figure(bounds.step)}`;
  return (
    between(bounds.min, bounds.max, "") ||
    between(bounds.min_length, bounds.max_length, " characters") ||
    between(bounds.min_items, bounds.max_items, " examples") ||
    "none"
  ).concat(step);
}

function between(low: unknown, high: unknown, unit: string): string {
  if (low === undefined && high === undefined) return "";
  if (high === undefined) return `at least ${figure(low)}${unit}`;
  if (low === undefined) return `at most ${figure(high)}${unit}`;
  return `${figure(low)} to ${figure(high)}${unit}`;
}

function figure(value: unknown): string {
  return formatNumber(Number(value), { digits: 6 });
}

/** What a JSON pointer names; undefined where there is nothing. */
export function valueAt(document: unknown, pointer: string): unknown {
  return pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((value, token) => (typeof value === "object" && value !== null ? (value as Record<string, unknown>)[token] : undefined), document);
}

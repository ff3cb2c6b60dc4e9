import { UNKNOWN, formatCost, formatDuration, formatNumber, formatPercent } from "@/components/format";
import type { GuardOutcome } from "./evidence-types";
import { enumerate, pointsSize } from "./wording";

/** "p95_latency" → "p95 latency", "tone_max_drop" → "drop of tone". */
export function guardName(name: string): string {
  if (name.endsWith("_max_drop")) return `drop of ${name.slice(0, -"_max_drop".length)}`;
  if (name.endsWith("_minimum")) return `minimum of ${name.slice(0, -"_minimum".length)}`;
  return name.replaceAll("_", " ");
}

/** Scores are better when they are larger; the API states every guarded value so that smaller is better. */
function isTurned(guard: GuardOutcome): boolean {
  return guard.unit === "score";
}

/** A guarded value of an arm, in the guard's unit. */
export function guardValue(guard: GuardOutcome, value: number | null): string {
  if (value === null) return UNKNOWN;
  if (isTurned(guard)) return formatNumber(-value, { digits: 3 });
  return amount(guard, value);
}

/** "at most 1.1 ms", "at least 0.291". */
export function guardLimit(guard: GuardOutcome): string {
  if (guard.limit === null) return UNKNOWN;
  return `${isTurned(guard) ? "at least" : "at most"} ${guardValue(guard, guard.limit)}`;
}

/** What is left of the allowance: below 0 is harm. */
export function guardSlack(guard: GuardOutcome, slack: number | null): string {
  if (slack === null) return UNKNOWN;
  if (guard.unit === "score" || guard.unit === "error") return `${slack > 0 ? "+" : ""}${pointsSize(slack)}`;
  return `${slack > 0 ? "+" : ""}${amount(guard, slack)}`;
}

function amount(guard: GuardOutcome, value: number): string {
  switch (guard.unit) {
    case "ms":
      return formatDuration(value);
    case "nano_usd":
      return formatCost(value / 1e9);
    case "error":
      return formatPercent(value);
    default:
      return formatNumber(value, { digits: 3 });
  }
}

/** "all 4 guards hold", "harm is confirmed by the guard on p95 latency". */
export function summariseGuards(guards: readonly GuardOutcome[]): string {
  const named = (status: GuardOutcome["status"]) =>
    guards.filter((guard) => guard.status === status).map((guard) => guardName(guard.name));
  const harmed = named("harmed");
  const unclear = named("unclear");
  if (harmed.length > 0) return `harm is confirmed by the ${harmed.length === 1 ? "guard" : "guards"} on ${enumerate(harmed)}`;
  if (unclear.length > 0) return `${enumerate(unclear)} ${unclear.length === 1 ? "is" : "are"} not shown to hold`;
  if (guards.length === 0) return "no guard is set";
  const [only] = guards;
  if (guards.length === 1 && only) return `the guard on ${guardName(only.name)} holds`;
  return guards.length === 2 ? "both guards hold" : `all ${guards.length} guards hold`;
}

import type { Effect } from "./evidence-types";

/** An effect whose data allows bounds. */
export type BoundedEffect = Effect & { low: number; high: number };

export function isKnown(effect: Effect | null | undefined): effect is BoundedEffect {
  return effect !== null && effect !== undefined && effect.low !== null && effect.high !== null;
}

/** By the whole interval, never by the estimate. */
export function effectTone({ low, high }: { low: number; high: number }, least = 0): "good" | "bad" | "neutral" {
  if (low > least) return "good";
  return high < least ? "bad" : "neutral";
}

const STEPS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
const MOST_TICKS = 7;

/** An axis that holds all of these, with ticks at round numbers; zero is one of them. */
export function axisOf(values: readonly number[]): { domain: readonly [number, number]; ticks: readonly number[] } {
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  const room = (high - low || 0.1) * 0.06;
  const domain = [low - room, high + room] as const;
  const step = STEPS.find((size) => (domain[1] - domain[0]) / size <= MOST_TICKS) ?? 1;
  const ticks: number[] = [];
  for (let index = Math.ceil(domain[0] / step); index * step <= domain[1]; index += 1) ticks.push(index * step);
  return { domain, ticks };
}

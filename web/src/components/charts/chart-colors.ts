/** Six series at most have a colour of their own; more are told apart by their labels alone. */
const SERIES = 6;

export function seriesColor(index: number): string {
  return `var(--series-${(index % SERIES) + 1})`;
}

export type ChartTone = "good" | "bad" | "warn" | "info" | "accent" | "neutral";

export function toneColor(tone: ChartTone): string {
  return tone === "neutral" ? "var(--series-6)" : `var(--${tone})`;
}

export const AXIS = {
  stroke: "var(--line)",
  tick: { fill: "var(--muted)", fontSize: 11 },
  tickLine: false,
} as const;

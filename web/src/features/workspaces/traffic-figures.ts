import type { Schemas } from "@/api/client";

type Bucket = Schemas["UsageBucketOut"];

export const PERIODS = [
  { value: "24h", label: "24 hours", hours: 24, bucket: "hour" },
  { value: "7d", label: "7 days", hours: 168, bucket: "day" },
  { value: "30d", label: "30 days", hours: 720, bucket: "day" },
] as const;

export type Period = (typeof PERIODS)[number]["value"];

export const STEP_MS = { hour: 3_600_000, day: 86_400_000 } as const;

/** Every hour or day of the period in order, also those in which nothing came, of which the API says nothing. */
export function filled(buckets: readonly Bucket[], from: number, to: number, step: "hour" | "day"): { at: number; bucket: Bucket | null }[] {
  const found = new Map(buckets.map((bucket) => [Date.parse(bucket.start), bucket]));
  const size = STEP_MS[step];
  const all: { at: number; bucket: Bucket | null }[] = [];
  for (let at = Math.floor(from / size) * size; at <= to; at += size) all.push({ at, bucket: found.get(at) ?? null });
  return all;
}

/** The share of traces that did not fail; null where there was none. */
export function successRate(counts: { traces: number; failed_traces: number }): number | null {
  return counts.traces === 0 ? null : 1 - counts.failed_traces / counts.traces;
}

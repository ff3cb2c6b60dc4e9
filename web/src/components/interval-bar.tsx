import { cn } from "./cn";

export interface IntervalBarProps {
  low: number;
  high: number;
  value: number;
  /** Where "no difference" lies. */
  zero?: number;
  /** A second mark, such as the smallest effect that counts. */
  threshold?: number;
  domain: readonly [number, number];
  tone?: "good" | "bad" | "warn" | "neutral";
  label: string;
  className?: string;
}

export const INTERVAL_TONE = {
  good: "text-good",
  bad: "text-bad",
  warn: "text-warn",
  neutral: "text-text",
};

/** A whisker with its estimate, on a scale shared by everything beside it. Positions are percents: it takes any width. */
export function IntervalBar({ low, high, value, zero, threshold, domain, tone = "neutral", label, className }: IntervalBarProps) {
  const at = (x: number) => `${Math.min(1, Math.max(0, (x - domain[0]) / (domain[1] - domain[0] || 1))) * 100}%`;
  return (
    <svg role="img" aria-label={label} className={cn("block h-4 w-full min-w-16 overflow-visible", INTERVAL_TONE[tone], className)}>
      <title>{label}</title>
      <line x1="0" x2="100%" y1="8" y2="8" stroke="var(--line)" />
      {zero !== undefined && <line x1={at(zero)} x2={at(zero)} y1="0" y2="16" stroke="var(--line-strong)" />}
      {threshold !== undefined && (
        <line x1={at(threshold)} x2={at(threshold)} y1="0" y2="16" stroke="var(--line-strong)" strokeDasharray="2 2" />
      )}
      <line x1={at(low)} x2={at(high)} y1="8" y2="8" stroke="currentColor" strokeWidth="2" />
      <line x1={at(low)} x2={at(low)} y1="4.5" y2="11.5" stroke="currentColor" strokeWidth="1.5" />
      <line x1={at(high)} x2={at(high)} y1="4.5" y2="11.5" stroke="currentColor" strokeWidth="1.5" />
      <circle cx={at(value)} cy="8" r="3.5" fill="currentColor" stroke="var(--surface)" />
    </svg>
  );
}

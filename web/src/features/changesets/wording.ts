import type { Schemas } from "@/api/client";
import { formatCount, formatNumber, formatPercent } from "@/components/format";

/** A size without a sign, in points: what an effect is compared with. */
export function pointsSize(size: number): string {
  const text = formatNumber(Math.abs(size) * 100, { digits: 1 });
  return `${size < 0 ? "\u2212" : ""}${text} ${text === "1" ? "point" : "points"}`;
}

/** "97.5 %": a confidence as people write it. */
export function levelText(confidence: number): string {
  const percent = Math.round(confidence * 10_000) / 100;
  const digits = Number.isInteger(percent) ? 0 : Number.isInteger(percent * 10) ? 1 : 2;
  return formatPercent(confidence, { digits });
}

export function alphaText(alpha: number): string {
  return formatNumber(alpha, { digits: 4 });
}

const SMALLEST_SHOWN_P = 0.0001;

export function pText(p: number): string {
  return p < SMALLEST_SHOWN_P ? "p\u00a0<\u00a00.0001" : `p\u00a0=\u00a0${formatNumber(p, { digits: p < 0.01 ? 4 : 3 })}`;
}

/** "a", "a and b", "a, b and c". */
export function enumerate(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

export function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const METHODS: Record<string, string> = {
  bca: "bias-corrected and accelerated bootstrap over groups",
  "paired-t": "paired t over groups",
  "zero-variance-bound": "bound for differences that never varied",
};

export function methodText(method: string): string {
  return METHODS[method] ?? method;
}

const EXECUTIONS: Record<Schemas["ChangesetOut"]["execution"], string> = {
  native: "executed by the platform",
  runner: "executed by your runner",
  replica: "executed as a replica, a reconstruction from traces",
  outputs: "outputs brought from elsewhere",
};

export function executionText(execution: Schemas["ChangesetOut"]["execution"]): string {
  return EXECUTIONS[execution];
}

export function versions(changeset: { base_version: number; candidate_version: number }): string {
  return `v${formatCount(changeset.base_version)} → v${formatCount(changeset.candidate_version)}`;
}

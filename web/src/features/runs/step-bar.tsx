import { cn } from "@/components/cn";
import { formatDuration } from "@/components/format";
import { toneOfStatus } from "@/components/status-badge";
import { type LiveStep, shownStatus } from "./run-events";

export type Span = { from: number; to: number };

const FILL: Record<ReturnType<typeof toneOfStatus>, string> = {
  neutral: "bg-line-strong",
  good: "bg-good",
  bad: "bg-bad",
  warn: "bg-warn",
  info: "bg-info",
  accent: "bg-accent",
};

export function durationOf(step: LiveStep, now: number): number | null {
  if (step.startedAt === null) return null;
  return Math.max(0, (step.endedAt === null ? now : Date.parse(step.endedAt)) - Date.parse(step.startedAt));
}

/** When a step ran, within the time of its run. */
export function StepBar({ step, span }: { step: LiveStep; span: Span }) {
  const duration = durationOf(step, span.to);
  if (step.startedAt === null || duration === null) return null;
  const whole = Math.max(1, span.to - span.from);
  const since = Date.parse(step.startedAt) - span.from;
  const left = Math.min(100, Math.max(0, (since / whole) * 100));
  return (
    <span className="relative block h-2 w-200 max-w-full rounded-sm bg-sunken" title={`Began after ${formatDuration(since)}, took ${formatDuration(duration)}`}>
      <span
        className={cn("absolute inset-y-0 min-w-0.5 rounded-sm", FILL[toneOfStatus(shownStatus(step))])}
        style={{ left: `min(${left}%, calc(100% - 2px))`, width: `${Math.min(100 - left, (duration / whole) * 100)}%` }}
      />
    </span>
  );
}

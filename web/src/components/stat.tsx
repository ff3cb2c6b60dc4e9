import type { ReactNode } from "react";
import { cn } from "./cn";

export interface StatProps {
  label: ReactNode;
  value: ReactNode;
  hint?: ReactNode;
  tone?: "good" | "bad" | "warn" | "neutral";
  className?: string;
}

const TONE = { good: "text-good", bad: "text-bad", warn: "text-warn", neutral: "text-text" };

/** One number with its name. Lay several side by side in a grid; they align. */
export function Stat({ label, value, hint, tone = "neutral", className }: StatProps) {
  return (
    <div className={cn("flex min-w-0 flex-col gap-0.5", className)}>
      <div className="text-xs text-muted">{label}</div>
      <div className={cn("numeric text-lg font-semibold break-words", TONE[tone])}>{value}</div>
      {hint && <div className="numeric text-xs text-muted">{hint}</div>}
    </div>
  );
}

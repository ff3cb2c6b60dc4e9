import { cn } from "../cn";

export interface ProgressProps {
  /** From 0 to 1; null when how far it is cannot be known. */
  value: number | null;
  label: string;
  tone?: "accent" | "good" | "bad" | "warn";
  className?: string;
}

const FILL = { accent: "bg-accent", good: "bg-good", bad: "bg-bad", warn: "bg-warn" };

export function Progress({ value, label, tone = "accent", className }: ProgressProps) {
  const share = value === null ? null : Math.min(1, Math.max(0, value));
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={share === null ? undefined : Math.round(share * 100)}
      className={cn("h-1.5 w-full overflow-hidden rounded-full bg-line-strong/25", className)}
    >
      <div
        className={cn("h-full rounded-full", FILL[tone], share === null ? "w-1/3 animate-pulse" : "transition-[width]")}
        style={share === null ? undefined : { width: `${share * 100}%` }}
      />
    </div>
  );
}

import { cn } from "../cn";

export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={cn("h-4 animate-pulse rounded-sm bg-hover", className)} />;
}

export interface SkeletonRowsProps {
  rows?: number;
  rowHeight?: number;
  className?: string;
  /** What is on its way, for screen readers. */
  label?: string;
}

const WIDTHS = ["w-3/5", "w-2/5", "w-1/2", "w-4/5"];

/** Keeps the place of a list while it loads. */
export function SkeletonRows({ rows = 6, rowHeight = 36, className, label = "Loading" }: SkeletonRowsProps) {
  return (
    <div role="status" className={className}>
      <span className="sr-only">{label}…</span>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} style={{ height: rowHeight }} className="flex items-center gap-4 border-b border-line px-3">
          <Skeleton className={cn("h-3", WIDTHS[row % WIDTHS.length])} />
          <Skeleton className="ml-auto h-3 w-16" />
        </div>
      ))}
    </div>
  );
}

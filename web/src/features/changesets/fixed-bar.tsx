import { formatCount } from "@/components/format";

export interface FixedBarProps {
  failures: number;
  fixed: number | null;
  broke: number | null;
  /** The longest bar of the table. */
  largest: number;
  label: string;
}

/** Fixed and still failing to the right of the line, newly broken to its left, on one scale for all rows. */
export function FixedBar({ failures, fixed, broke, largest, label }: FixedBarProps) {
  if (fixed === null || broke === null) {
    return (
      <span className="text-muted" title="Not measured with both configurations">
        unknown
      </span>
    );
  }
  const width = (count: number) => `${(count / largest) * 100}%`;
  return (
    <div
      role="img"
      aria-label={`${label}: fixed ${formatCount(fixed)} of ${formatCount(failures)}, broke ${formatCount(broke)}`}
      title={`Fixed ${formatCount(fixed)} of ${formatCount(failures)}, broke ${formatCount(broke)}`}
      className="grid min-w-40 grid-cols-[1fr_2fr] items-center"
    >
      <div className="flex h-3 justify-end border-r border-line-strong">
        <span className="h-full rounded-l-sm bg-bad" style={{ width: `${Math.min(100, (broke / largest) * 200)}%` }} />
      </div>
      <div className="flex h-3">
        <span className="h-full bg-good" style={{ width: width(fixed) }} />
        <span className="h-full rounded-r-sm bg-line-strong/30" style={{ width: width(Math.max(0, failures - fixed)) }} />
      </div>
    </div>
  );
}

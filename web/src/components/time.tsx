import { type Instant, UNKNOWN, dateOf, formatDateTime, formatRelative } from "./format";
import { useNow } from "./use-now";

export interface TimeProps {
  at: Instant | null | undefined;
  relative?: boolean;
  /** What stands there without a time, for example "never". */
  absent?: string;
  className?: string;
}

export function Time({ at, relative = true, absent = UNKNOWN, className }: TimeProps) {
  useNow();
  const date = dateOf(at);
  if (!date) return <span className={className}>{absent}</span>;
  return (
    <time dateTime={date.toISOString()} title={formatDateTime(date, { seconds: true, zone: true })} className={className}>
      {relative ? formatRelative(date) : formatDateTime(date)}
    </time>
  );
}

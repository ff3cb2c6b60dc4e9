import { cn } from "./cn";
import { type Decimal, type Unit, UNKNOWN, formatCount, formatInterval, formatPercent, formatValue } from "./format";

export interface IntervalValueProps {
  value: Decimal;
  low: Decimal;
  high: Decimal;
  /** The samples behind it. */
  n?: number | null;
  as: Unit;
  /** The confidence level, from 0 to 1. */
  level?: number | null;
  digits?: number;
  className?: string;
}

/** "+18.2 points [+13.7, +23.0] · n = 400". */
export function IntervalValue({ value, low, high, n, as, level, digits, className }: IntervalValueProps) {
  const text = formatValue(value, as, digits);
  const known = text !== UNKNOWN && low !== null && low !== undefined && high !== null && high !== undefined;
  const name = level ? `${formatPercent(level, { digits: level * 100 === Math.round(level * 100) ? 0 : 1 })} interval` : "interval";
  return (
    <span className={cn("numeric whitespace-nowrap", className)}>
      {text === UNKNOWN ? <span title="Not known">{UNKNOWN}</span> : text}
      {known && (
        <span className="text-muted" title={name}>
          {" "}
          {formatInterval(low, high, as, digits)}
        </span>
      )}
      {n !== undefined && n !== null && (
        <span className="text-muted" title="Samples behind the number">
          {" "}
          · n = {formatCount(n)}
        </span>
      )}
    </span>
  );
}

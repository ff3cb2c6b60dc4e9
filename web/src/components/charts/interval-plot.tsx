import type { ReactNode } from "react";
import { cn } from "../cn";
import { type Unit, formatCount, formatInterval, formatValue } from "../format";
import { IntervalBar, type IntervalBarProps } from "../interval-bar";

export interface IntervalRow {
  id: string;
  label: ReactNode;
  /** The label as text, where `label` is more than that. */
  name?: string;
  value: number;
  low: number;
  high: number;
  n?: number | null;
  tone?: IntervalBarProps["tone"];
}

export interface IntervalPlotProps {
  rows: readonly IntervalRow[];
  as: Unit;
  /** Where "no difference" lies. */
  zero?: number;
  /** A dashed mark, such as the smallest effect that counts. */
  threshold?: { value: number; label: string };
  /** Found from the rows when it is left out. */
  domain?: readonly [number, number];
  label: string;
  className?: string;
}

/** Estimates with their intervals, on one scale. */
export function IntervalPlot({ rows, as, zero, threshold, domain, label, className }: IntervalPlotProps) {
  const scale = domain ?? domainOf(rows, [zero, threshold?.value]);
  const said = (row: IntervalRow) => {
    const n = row.n === undefined || row.n === null ? "" : `, n = ${formatCount(row.n)}`;
    return `${formatValue(row.value, as)} ${formatInterval(row.low, row.high, as)}${n}`;
  };
  return (
    <div className={cn("min-w-0 overflow-x-auto", className)} tabIndex={0} role="group" aria-label={label}>
      <table aria-label={label} className="w-full min-w-md border-collapse text-sm">
        <tbody>
          {rows.map((row) => (
            <tr key={row.id} className="border-b border-line last:border-b-0">
              <th scope="row" className="max-w-56 truncate py-1.5 pr-3 text-left font-normal">
                {row.label}
              </th>
              <td className="w-1/2 py-1.5">
                <IntervalBar
                  low={row.low}
                  high={row.high}
                  value={row.value}
                  zero={zero}
                  threshold={threshold?.value}
                  domain={scale}
                  tone={row.tone}
                  label={`${row.name ?? (typeof row.label === "string" ? row.label : "Interval")}: ${said(row)}`}
                />
              </td>
              <td className="numeric py-1.5 pl-4 text-right whitespace-nowrap">
                {formatValue(row.value, as)} <span className="text-muted">{formatInterval(row.low, row.high, as)}</span>
                {row.n !== undefined && row.n !== null && <span className="text-muted"> · n = {formatCount(row.n)}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {threshold && (
        <p className="numeric pt-1 text-xs text-muted">
          Dashed line: {threshold.label} ({formatValue(threshold.value, as)})
        </p>
      )}
    </div>
  );
}

function domainOf(rows: readonly IntervalRow[], marks: readonly (number | undefined)[]): [number, number] {
  const values = [...rows.flatMap((row) => [row.low, row.high]), ...marks.filter((mark) => mark !== undefined)];
  if (values.length === 0) return [0, 1];
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - room, high + room];
}

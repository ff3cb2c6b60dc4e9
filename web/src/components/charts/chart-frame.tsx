import type { ReactNode } from "react";
import { cn } from "../cn";

export interface ChartFrameProps {
  label: string;
  height: number;
  legend?: readonly { label: string; color: string }[];
  /** The same numbers as text, for who cannot see the picture. */
  columns: readonly string[];
  rows: readonly (readonly string[])[];
  children: ReactNode;
  className?: string;
}

/** So many rows are read out at most; a longer series is a picture or an export, not a reading. */
const READ_ROWS = 200;

export function ChartFrame({ label, height, legend, columns, rows, children, className }: ChartFrameProps) {
  return (
    <figure className={cn("relative m-0 min-w-0", className)}>
      {legend && legend.length > 1 && (
        <ul aria-hidden className="mb-2 flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted">
          {legend.map((entry) => (
            <li key={entry.label} className="flex items-center gap-1.5">
              <span className="h-0.5 w-3 rounded-full" style={{ backgroundColor: entry.color }} />
              {entry.label}
            </li>
          ))}
        </ul>
      )}
      <div role="img" aria-label={label} style={{ height }} className="min-w-0">
        {children}
      </div>
      <div className="sr-only">
        <table>
          <caption>{label}</caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, READ_ROWS).map((row, at) => (
              <tr key={at}>
                {row.map((cell, index) => (
                  <td key={columns[index]}>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}

export interface ChartTipProps {
  title: string;
  entries: readonly { label: string; value: string; color: string }[];
}

export function ChartTip({ title, entries }: ChartTipProps) {
  return (
    <div className="rounded-md border border-line bg-raised px-2 py-1.5 text-xs text-text shadow-float">
      <div className="mb-1 text-muted">{title}</div>
      {entries.map((entry) => (
        <div key={entry.label} className="flex items-center gap-2">
          <span aria-hidden className="size-2 rounded-full" style={{ backgroundColor: entry.color }} />
          <span>{entry.label}</span>
          <span className="numeric ml-auto pl-3 font-medium">{entry.value}</span>
        </div>
      ))}
    </div>
  );
}

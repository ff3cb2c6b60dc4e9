import type { ReactNode } from "react";
import { cn } from "./cn";

export interface KeyValueProps {
  items: readonly { label: ReactNode; value: ReactNode; key?: string }[];
  /** Pairs side by side; one column on phones. */
  columns?: 1 | 2 | 3;
  className?: string;
}

const COLUMNS = { 1: "", 2: "sm:grid-cols-2", 3: "sm:grid-cols-2 lg:grid-cols-3" };

export function KeyValue({ items, columns = 1, className }: KeyValueProps) {
  return (
    <dl className={cn("grid min-w-0 grid-cols-1 gap-x-6 gap-y-1.5 text-sm", COLUMNS[columns], className)}>
      {items.map(({ label, value, key }, index) => (
        <div key={key ?? (typeof label === "string" ? label : index)} className="grid min-w-0 grid-cols-[8.5rem_minmax(0,1fr)] gap-2">
          <dt className="text-muted">{label}</dt>
          <dd className="numeric min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

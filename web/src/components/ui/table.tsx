import { ArrowDown, ArrowUp, ChevronsUpDown } from "lucide-react";
import type { ComponentProps } from "react";
import { cn } from "../cn";

/** A plain table for up to a few hundred rows; more belong into a `DataGrid`. */
export function Table({ className, "aria-label": label, ...rest }: ComponentProps<"table">) {
  return (
    // Reachable by Tab, because what scrolls must scroll by keyboard too.
    <div className="relative w-full min-w-0 overflow-x-auto" tabIndex={0} role="group" aria-label={label}>
      <table aria-label={label} className={cn("w-full border-collapse text-sm", className)} {...rest} />
    </div>
  );
}

export function TableHead({ className, ...rest }: ComponentProps<"thead">) {
  return <thead className={cn("text-left text-xs text-muted", className)} {...rest} />;
}

export function TableBody({ className, ...rest }: ComponentProps<"tbody">) {
  return <tbody className={className} {...rest} />;
}

export interface TableRowProps extends ComponentProps<"tr"> {
  selected?: boolean;
}

export function TableRow({ className, selected, ...rest }: TableRowProps) {
  return (
    <tr
      aria-selected={selected}
      className={cn(
        "border-b border-line last:border-b-0",
        rest.onClick && "cursor-pointer hover:bg-hover",
        selected && "bg-selected",
        className,
      )}
      {...rest}
    />
  );
}

export type SortDirection = "asc" | "desc";

export interface TableHeaderProps extends Omit<ComponentProps<"th">, "align"> {
  align?: "left" | "right" | "center";
  sorted?: SortDirection | null;
  /** Makes the header a button. */
  onSort?: () => void;
}

const ALIGN = { left: "text-left", right: "text-right", center: "text-center" };

export function TableHeader({ className, align = "left", sorted = null, onSort, children, ...rest }: TableHeaderProps) {
  const Icon = sorted === "asc" ? ArrowUp : sorted === "desc" ? ArrowDown : ChevronsUpDown;
  return (
    <th
      scope="col"
      aria-sort={onSort ? (sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : "none") : undefined}
      className={cn("h-8 border-b border-line px-3 font-medium whitespace-nowrap", ALIGN[align], className)}
      {...rest}
    >
      {onSort ? (
        <button type="button" onClick={onSort} className="inline-flex h-6 items-center gap-1 rounded-sm font-medium hover:text-text">
          {children}
          <Icon aria-hidden className={cn("size-3", sorted ? "text-text" : "opacity-60")} />
        </button>
      ) : (
        children
      )}
    </th>
  );
}

export interface TableCellProps extends Omit<ComponentProps<"td">, "align"> {
  align?: "left" | "right" | "center";
}

export function TableCell({ className, align = "left", ...rest }: TableCellProps) {
  return <td className={cn("h-9 px-3 py-1.5", ALIGN[align], align === "right" && "numeric", className)} {...rest} />;
}

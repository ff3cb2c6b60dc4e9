import { Check } from "lucide-react";
import { type MouseEvent, memo } from "react";
import { cn } from "./cn";
import { CELL_ALIGN, type GridColumn, STICKY_BESIDE_BOXES, STICKY_ON_PHONES } from "./data-grid-column";

export interface GridRowHandlers {
  open: (index: number) => void;
  activate: (index: number) => void;
  check: (index: number, on: boolean, withRange: boolean) => void;
  checkAll: (on: boolean) => void;
}

export interface GridRowProps<Row> {
  row: Row;
  index: number;
  /** Where it lies, in pixels from the first row. */
  start: number;
  height: number;
  columns: readonly GridColumn<Row>[];
  selected: boolean;
  /** Reached by Tab. */
  tabbable: boolean;
  /** Undefined where rows have no boxes. */
  checked: boolean | undefined;
  clickable: boolean;
  handlers: GridRowHandlers;
}

const INTERACTIVE = "a, button, input, label, select, textarea, [role=checkbox], [role=menuitem]";

function GridRowOf<Row>({
  row,
  index,
  start,
  height,
  columns,
  selected,
  tabbable,
  checked,
  clickable,
  handlers,
}: GridRowProps<Row>) {
  const clicked = (event: MouseEvent<HTMLDivElement>) => {
    const inner = (event.target as HTMLElement).closest(INTERACTIVE);
    if (inner && event.currentTarget.contains(inner)) return;
    // Whoever marks a text to copy it does not mean to open the row.
    if (getSelection()?.type === "Range") return;
    handlers.open(index);
  };
  return (
    <div
      role="row"
      // The header is the first.
      aria-rowindex={index + 2}
      aria-selected={selected}
      data-index={index}
      tabIndex={tabbable ? 0 : -1}
      onClick={clickable ? clicked : undefined}
      onFocus={() => handlers.activate(index)}
      style={{ height, transform: `translateY(${start}px)`, gridTemplateColumns: "var(--grid-columns)" }}
      className={cn(
        "absolute top-0 left-0 grid w-full border-b border-line bg-surface outline-none",
        "focus-visible:z-2 focus-visible:outline-2 focus-visible:-outline-offset-2 focus-visible:outline-accent",
        clickable && "cursor-default hover:bg-hover",
        selected && "bg-selected hover:bg-selected",
      )}
    >
      {checked !== undefined && (
        <div
          role="gridcell"
          aria-colindex={1}
          className={cn("flex items-center justify-center", STICKY_ON_PHONES)}
        >
          <RowBox index={index} checked={checked} check={handlers.check} />
        </div>
      )}
      {columns.map((column, at) => (
        <div
          key={column.id}
          role="gridcell"
          aria-colindex={at + (checked === undefined ? 1 : 2)}
          className={cn(
            "flex min-w-0 items-center overflow-hidden px-2.5",
            CELL_ALIGN[column.align ?? "left"],
            at === 0 && (checked === undefined ? STICKY_ON_PHONES : STICKY_BESIDE_BOXES),
          )}
        >
          <div className="min-w-0 truncate">{column.cell(row)}</div>
        </div>
      ))}
    </div>
  );
}

interface RowBoxProps {
  index: number;
  checked: boolean;
  check: GridRowHandlers["check"];
}

/** Looks like `Checkbox`; one element instead of its many, because hundreds pass by while scrolling. */
function RowBox({ index, checked, check }: RowBoxProps) {
  return (
    <span className="relative grid size-6 place-items-center">
      <input
        type="checkbox"
        tabIndex={-1}
        checked={checked}
        aria-label={`Select row ${index + 1}`}
        onChange={() => undefined}
        onClick={(event) => check(index, !checked, event.shiftKey)}
        className={cn(
          "size-4 appearance-none rounded-sm border border-line-strong bg-surface after:absolute after:inset-0 after:content-['']",
          checked && "border-accent bg-accent",
        )}
      />
      {checked && <Check aria-hidden className="pointer-events-none absolute size-3 text-on-accent" strokeWidth={3} />}
    </span>
  );
}

// Scrolling moves rows without changing them: only what comes into view is rendered.
export const GridRow = memo(GridRowOf) as typeof GridRowOf;

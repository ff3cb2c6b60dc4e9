import { ArrowDown, ArrowUp } from "lucide-react";
import { type PointerEvent, memo } from "react";
import { cn } from "./cn";
import { CELL_ALIGN, type GridColumn, type GridSort, STICKY_BESIDE_BOXES, STICKY_ON_PHONES } from "./data-grid-column";
import { MIN_WIDTH } from "./data-grid-layout";
import { Checkbox } from "./ui/checkbox";

export const HEADER_HEIGHT = 32;

export interface GridHeaderProps<Row> {
  columns: readonly GridColumn<Row>[];
  sort: GridSort | undefined;
  onSort: ((sort: GridSort) => void) | undefined;
  /** Undefined where rows have no boxes. */
  checkState: boolean | "indeterminate" | undefined;
  onCheckAll: (on: boolean) => void;
  /** While the pointer drags: nothing is kept yet. */
  onResizing: (id: string, width: number) => void;
  onResized: (id: string, width: number) => void;
}

function GridHeaderOf<Row>({
  columns,
  sort,
  onSort,
  checkState,
  onCheckAll,
  onResizing,
  onResized,
}: GridHeaderProps<Row>) {
  return (
    <div role="rowgroup" className="sticky top-0 z-3 bg-surface">
      <div
        role="row"
        aria-rowindex={1}
        style={{ height: HEADER_HEIGHT, gridTemplateColumns: "var(--grid-columns)" }}
        className="grid border-b border-line bg-surface text-xs font-medium text-muted"
      >
        {checkState !== undefined && (
          <div role="columnheader" aria-colindex={1} className={cn("flex items-center justify-center", STICKY_ON_PHONES)}>
            <Checkbox checked={checkState} onCheckedChange={onCheckAll} aria-label="Select all rows shown" />
          </div>
        )}
        {columns.map((column, at) => {
          const sorted = sort?.column === column.id ? sort.direction : null;
          const sortable = column.sortable && onSort;
          return (
            <div
              key={column.id}
              role="columnheader"
              data-column={column.id}
              aria-colindex={at + (checkState === undefined ? 1 : 2)}
              aria-sort={sortable ? (sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : "none") : undefined}
              title={column.title}
              className={cn(
                "relative flex min-w-0 items-center px-2.5",
                CELL_ALIGN[column.align ?? "left"],
                at === 0 && (checkState === undefined ? STICKY_ON_PHONES : STICKY_BESIDE_BOXES),
              )}
            >
              {sortable ? (
                <button
                  type="button"
                  onClick={() => onSort({ column: column.id, direction: sorted === "desc" ? "asc" : "desc" })}
                  className={cn(
                    "-mx-1 inline-flex h-6 min-w-0 items-center gap-1 rounded-sm px-1 font-medium hover:text-text",
                    sorted && "text-text",
                  )}
                >
                  <span className="truncate">{column.header}</span>
                  {sorted === "asc" && <ArrowUp aria-hidden className="size-3 shrink-0" />}
                  {sorted === "desc" && <ArrowDown aria-hidden className="size-3 shrink-0" />}
                </button>
              ) : (
                <span className="truncate">{column.header}</span>
              )}
              <ResizeHandle
                minWidth={column.minWidth ?? MIN_WIDTH}
                onMove={(width) => onResizing(column.id, width)}
                onEnd={(width) => onResized(column.id, width)}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

export const GridHeader = memo(GridHeaderOf) as typeof GridHeaderOf;

interface ResizeHandleProps {
  minWidth: number;
  onMove: (width: number) => void;
  onEnd: (width: number) => void;
}

/** For the pointer alone; the menu of the columns does the same by keyboard. */
function ResizeHandle({ minWidth, onMove, onEnd }: ResizeHandleProps) {
  const begin = (event: PointerEvent<HTMLSpanElement>) => {
    const handle = event.currentTarget;
    const cell = handle.parentElement;
    if (!cell || event.button !== 0) return;
    event.preventDefault();
    const from = event.clientX;
    const before = cell.getBoundingClientRect().width;
    let width = before;
    const move = (moved: globalThis.PointerEvent) => {
      width = Math.max(minWidth, before + moved.clientX - from);
      onMove(width);
    };
    const end = () => {
      handle.removeEventListener("pointermove", move);
      handle.removeEventListener("pointerup", end);
      handle.removeEventListener("pointercancel", end);
      if (width !== before) onEnd(width);
    };
    handle.setPointerCapture(event.pointerId);
    handle.addEventListener("pointermove", move);
    handle.addEventListener("pointerup", end);
    handle.addEventListener("pointercancel", end);
  };
  return (
    <span
      aria-hidden
      onPointerDown={begin}
      className="absolute inset-y-0 -right-1 z-1 w-2 cursor-col-resize touch-none after:absolute after:inset-y-2 after:left-1/2 after:w-px after:bg-line hover:after:inset-y-0 hover:after:bg-accent"
    />
  );
}

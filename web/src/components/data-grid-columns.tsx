import { Columns3, Minus, Plus } from "lucide-react";
import { memo } from "react";
import type { GridColumn } from "./data-grid-column";
import { type GridLayout, MIN_WIDTH } from "./data-grid-layout";
import { Button } from "./ui/button";
import { Checkbox } from "./ui/checkbox";
import { Popover } from "./ui/popover";

export interface GridColumnsProps<Row> {
  columns: readonly GridColumn<Row>[];
  layout: GridLayout<Row>;
  /** How wide a column is right now, in pixels. */
  widthOf: (id: string) => number;
}

const STEP = 24;

/** Shows and hides columns, and sets their widths without a drag. */
function GridColumnsOf<Row>({ columns, layout, widthOf }: GridColumnsProps<Row>) {
  return (
    <Popover
      label="Columns"
      align="end"
      className="w-64 p-1"
      trigger={
        <Button variant="ghost" size="icon" aria-label="Choose columns" title="Choose columns">
          <Columns3 aria-hidden />
        </Button>
      }
    >
      <ul className="flex flex-col">
        {columns.map((column) => {
          const hidden = layout.isHidden(column);
          const lastOne = !hidden && layout.visible.length === 1;
          return (
            <li key={column.id} className="flex h-8 items-center gap-1 rounded-sm pr-1 pl-2 hover:bg-hover">
              <Checkbox
                className="min-w-0 flex-1"
                label={column.header}
                checked={!hidden}
                disabled={column.hideable === false || lastOne}
                onCheckedChange={(shown) => layout.setHidden(column.id, !shown)}
              />
              {!hidden && (
                <>
                  <Button
                    variant="ghost"
                    size="icon"
                    className="size-6"
                    aria-label={`Narrower: ${column.header}`}
                    onClick={() => layout.setWidth(column.id, Math.max(column.minWidth ?? MIN_WIDTH, widthOf(column.id) - STEP))}
                  >
                    <Minus aria-hidden />
                  </Button>
                  <Button
                    variant="ghost"
                    size="icon"
                    className="size-6"
                    aria-label={`Wider: ${column.header}`}
                    onClick={() => layout.setWidth(column.id, widthOf(column.id) + STEP)}
                  >
                    <Plus aria-hidden />
                  </Button>
                </>
              )}
            </li>
          );
        })}
      </ul>
      <div className="mt-1 border-t border-line pt-1">
        <Button variant="ghost" size="sm" className="w-full justify-start" disabled={!layout.changed} onClick={layout.reset}>
          Reset columns
        </Button>
      </div>
    </Popover>
  );
}

export const GridColumns = memo(GridColumnsOf) as typeof GridColumnsOf;

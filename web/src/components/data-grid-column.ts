import type { ReactNode } from "react";

export interface GridColumn<Row> {
  id: string;
  /** The column's name; also in the menu that shows and hides columns. */
  header: string;
  /** More about the column, shown on hover of its header. */
  title?: string;
  cell: (row: Row) => ReactNode;
  /** In pixels. A column without it shares what room is left. */
  width?: number;
  minWidth?: number;
  align?: "left" | "right" | "center";
  sortable?: boolean;
  hideable?: boolean;
  /** Hidden until somebody asks for it. */
  hiddenAtFirst?: boolean;
}

export interface GridSort {
  column: string;
  direction: "asc" | "desc";
}

export const CELL_ALIGN = {
  left: "justify-start text-left",
  right: "numeric justify-end text-right",
  center: "justify-center text-center",
};

/** On a phone the first column stays while the others scroll beneath it. */
export const STICKY_ON_PHONES = "max-sm:sticky max-sm:left-0 max-sm:z-1 max-sm:bg-inherit";
/** The same beside the boxes, which are as wide as `CHECK_WIDTH` says. */
export const STICKY_BESIDE_BOXES = "max-sm:sticky max-sm:left-9 max-sm:z-1 max-sm:bg-inherit";

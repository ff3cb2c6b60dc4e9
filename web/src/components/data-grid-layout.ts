import { useCallback, useMemo, useState } from "react";
import type { GridColumn } from "./data-grid-column";

export const MIN_WIDTH = 56;
export const CHECK_WIDTH = 36;
/** Room at the right end of the header for the button that chooses columns. */
export const MENU_WIDTH = 32;
const FLEXIBLE_MIN_WIDTH = 160;

interface Kept {
  widths: Record<string, number>;
  /** Only what somebody chose; the columns themselves say the rest. */
  hidden: Record<string, boolean>;
}

const NOTHING: Kept = { widths: {}, hidden: {} };

function read(storageKey: string | undefined): Kept {
  if (!storageKey) return NOTHING;
  try {
    const kept = JSON.parse(localStorage.getItem(storageKey) ?? "null") as Partial<Kept> | null;
    return { widths: kept?.widths ?? {}, hidden: kept?.hidden ?? {} };
  } catch {
    return NOTHING;
  }
}

function keep(storageKey: string | undefined, kept: Kept): void {
  if (!storageKey) return;
  try {
    localStorage.setItem(storageKey, JSON.stringify(kept));
  } catch {
    // A full or forbidden storage costs the next visit its widths, nothing else.
  }
}

export interface GridLayout<Row> {
  visible: readonly GridColumn<Row>[];
  /** The value of `grid-template-columns`, with a width in the middle of a drag. */
  template: (dragged?: { id: string; width: number }) => string;
  minWidth: number;
  isHidden: (column: GridColumn<Row>) => boolean;
  setHidden: (id: string, hidden: boolean) => void;
  setWidth: (id: string, width: number) => void;
  reset: () => void;
  changed: boolean;
}

/** Widths and hidden columns, kept in this browser under `storageKey`. */
export function useGridLayout<Row>(
  columns: readonly GridColumn<Row>[],
  storageKey: string | undefined,
  withChecks: boolean,
): GridLayout<Row> {
  const name = storageKey && `spectral.grid.${storageKey}`;
  const [kept, setKept] = useState(() => read(name));

  const change = useCallback(
    (next: (kept: Kept) => Kept) => {
      setKept((before) => {
        const after = next(before);
        keep(name, after);
        return after;
      });
    },
    [name],
  );
  const setWidth = useCallback(
    (id: string, width: number) => change((now) => ({ ...now, widths: { ...now.widths, [id]: Math.round(width) } })),
    [change],
  );
  const setHidden = useCallback(
    (id: string, hidden: boolean) => change((now) => ({ ...now, hidden: { ...now.hidden, [id]: hidden } })),
    [change],
  );
  const reset = useCallback(() => change(() => NOTHING), [change]);

  return useMemo(() => {
    const isHidden = (column: GridColumn<Row>) =>
      column.hideable !== false && (kept.hidden[column.id] ?? column.hiddenAtFirst ?? false);
    const visible = columns.filter((column) => !isHidden(column));
    const fixed = (column: GridColumn<Row>) => kept.widths[column.id] ?? column.width;
    const least = (column: GridColumn<Row>) => fixed(column) ?? column.minWidth ?? FLEXIBLE_MIN_WIDTH;
    const minWidth =
      visible.reduce((sum, column) => sum + least(column), 0) + MENU_WIDTH + (withChecks ? CHECK_WIDTH : 0);
    const template = (dragged?: { id: string; width: number }) => {
      const tracks = visible.map((column) => {
        const width = dragged?.id === column.id ? dragged.width : fixed(column);
        return width === undefined ? `minmax(${least(column)}px, 1fr)` : `${width}px`;
      });
      const flexible = visible.some((column) => fixed(column) === undefined && column.id !== dragged?.id);
      return [withChecks ? `${CHECK_WIDTH}px` : "", ...tracks, flexible ? `${MENU_WIDTH}px` : `minmax(${MENU_WIDTH}px, 1fr)`]
        .filter(Boolean)
        .join(" ");
    };
    const changed = Object.keys(kept.widths).length + Object.keys(kept.hidden).length > 0;
    return { visible, template, minWidth, isHidden, setHidden, setWidth, reset, changed };
  }, [columns, kept, withChecks, setHidden, setWidth, reset]);
}

import { type Range, defaultRangeExtractor, useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { cn } from "./cn";
import type { GridColumn, GridSort } from "./data-grid-column";
import { GridColumns } from "./data-grid-columns";
import { GridHeader, HEADER_HEIGHT } from "./data-grid-header";
import { checkRange, checkState, moveByKey } from "./data-grid-keys";
import { useGridLayout } from "./data-grid-layout";
import { GridRow, type GridRowHandlers } from "./data-grid-row";
import { SkeletonRows } from "./ui/skeleton";
import { Spinner } from "./ui/spinner";
import { useHotkey } from "./use-hotkey";

export interface DataGridProps<Row> {
  rows: readonly Row[];
  /** Keep the array the same between renders (a constant or `useMemo`): rows are rendered again when it changes. */
  columns: readonly GridColumn<Row>[];
  rowKey: (row: Row) => string;
  rowHeight?: number;
  selectedKey?: string | null;
  /** Enter or a click. */
  onOpen?: (row: Row) => void;
  /** Arrows, J and K, Home, End, Page up and Page down. */
  onSelectKey?: (key: string) => void;
  /** J and K move the selection wherever the focus is, in an open panel for example. */
  globalKeys?: boolean;
  sort?: GridSort;
  onSort?: (sort: GridSort) => void;
  checked?: ReadonlySet<string>;
  onCheckedChange?: (checked: Set<string>) => void;
  loading?: boolean;
  hasMore?: boolean;
  /** The end of what is loaded comes near: load more. */
  onNearEnd?: () => void;
  /** How many there are, loaded or not. */
  total?: number;
  empty?: ReactNode;
  label: string;
  /** Under which name this browser keeps widths and hidden columns. */
  storageKey?: string;
  className?: string;
}

const OVERSCAN = 12;
const NEAR_END = 20;

/** A virtual grid that fills the height of its parent (which needs one: see `Page` with `fill`). */
export function DataGrid<Row>(props: DataGridProps<Row>) {
  const { rows, columns, rowKey, rowHeight = 36, selectedKey = null, onOpen, sort, onSort, checked, label } = props;
  const { loading = false, hasMore = false, onNearEnd, total, empty, storageKey, className, globalKeys = false } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const grid = useRef<HTMLDivElement>(null);
  const layout = useGridLayout(columns, storageKey, checked !== undefined);
  const keys = useMemo(() => rows.map(rowKey), [rows, rowKey]);

  const allChecked = useMemo(() => checked && checkState(checked, keys), [checked, keys]);

  const [focusedKey, setFocusedKey] = useState<string | null>(null);
  const activeKey = selectedKey ?? focusedKey;
  const activeIndex = activeKey === null ? -1 : keys.indexOf(activeKey);

  const virtual = useVirtualizer<HTMLDivElement, HTMLDivElement>({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => keys[index] ?? index,
    overscan: OVERSCAN,
    scrollMargin: HEADER_HEIGHT,
    scrollPaddingStart: HEADER_HEIGHT,
    useFlushSync: false,
    // The active row stays in the page when it is scrolled away, or the keyboard would lose its place.
    rangeExtractor: useCallback(
      (range: Range) => {
        const indexes = defaultRangeExtractor(range);
        if (activeIndex < 0 || activeIndex >= range.count || indexes.includes(activeIndex)) return indexes;
        return [...indexes, activeIndex].sort((a, b) => a - b);
      },
      [activeIndex],
    ),
  });
  const items = virtual.getVirtualItems();

  useEffect(() => {
    virtual.measure();
  }, [virtual, rowHeight]);

  // Handlers that stay the same keep the memoised rows as they are.
  const latest = useRef({ props, keys });
  useEffect(() => {
    latest.current = { props, keys };
  });
  const lastChecked = useRef<number | null>(null);
  const handlers: GridRowHandlers = useMemo(
    () => ({
      open: (index) => {
        const row = latest.current.props.rows[index];
        if (row === undefined) return;
        setFocusedKey(latest.current.keys[index] ?? null);
        latest.current.props.onOpen?.(row);
      },
      activate: (index) => setFocusedKey(latest.current.keys[index] ?? null),
      check: (index, on, withRange) => {
        const { props: now, keys: all } = latest.current;
        const from = withRange && lastChecked.current !== null ? lastChecked.current : index;
        lastChecked.current = index;
        now.onCheckedChange?.(checkRange(now.checked ?? new Set(), all, { from, to: index, on }));
      },
      checkAll: (on) => latest.current.props.onCheckedChange?.(new Set(on ? latest.current.keys : [])),
    }),
    [],
  );

  const wantsFocus = useRef(false);
  const moveTo = (index: number, takeFocus: boolean) => {
    const key = keys[index];
    if (key === undefined) return;
    wantsFocus.current = takeFocus;
    setFocusedKey(key);
    virtual.scrollToIndex(index, { align: "auto" });
    props.onSelectKey?.(key);
  };
  useLayoutEffect(() => {
    if (!wantsFocus.current || activeIndex < 0) return;
    const row = grid.current?.querySelector<HTMLElement>(`[data-index="${activeIndex}"]`);
    if (!row) return;
    wantsFocus.current = false;
    row.focus({ preventScroll: true });
  });

  // A selection from elsewhere (a link, the panel's own buttons) is brought into view.
  useEffect(() => {
    const index = selectedKey === null ? -1 : latest.current.keys.indexOf(selectedKey);
    if (index >= 0) virtual.scrollToIndex(index, { align: "auto" });
  }, [selectedKey, virtual]);

  const place = () => ({
    index: activeIndex,
    count: rows.length,
    page: Math.floor(((scroller.current?.clientHeight ?? 0) - HEADER_HEIGHT) / rowHeight),
  });
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>("[data-index]");
    if (!row || event.target !== row || event.ctrlKey || event.metaKey || event.altKey) return;
    const index = Number(row.dataset.index);
    if (event.key === "Enter") handlers.open(index);
    else if (event.key === " " && checked) handlers.check(index, !checked.has(keys[index] ?? ""), event.shiftKey);
    else {
      const to = moveByKey(event.key, { ...place(), index });
      if (to === null) return;
      moveTo(to, true);
    }
    event.preventDefault();
  };
  const moveGlobally = (key: string) => {
    const to = moveByKey(key, place());
    if (to !== null) moveTo(to, scroller.current?.contains(document.activeElement) ?? false);
  };
  useHotkey("j", () => moveGlobally("j"), { when: globalKeys });
  useHotkey("k", () => moveGlobally("k"), { when: globalKeys });

  // Once for each length, or an answer that fails would be asked for again without end.
  const askedAt = useRef(-1);
  const lastIndex = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (!hasMore || loading || rows.length === 0 || lastIndex < rows.length - NEAR_END) return;
    if (askedAt.current === rows.length) return;
    askedAt.current = rows.length;
    onNearEnd?.();
  }, [hasMore, loading, rows.length, lastIndex, onNearEnd]);

  const tabbableIndex = activeIndex >= 0 ? activeIndex : (items[0]?.index ?? 0);
  const count = total ?? (hasMore ? null : rows.length);
  const resizing = useCallback(
    (id: string, width: number) => grid.current?.style.setProperty("--grid-columns", layout.template({ id, width })),
    [layout],
  );
  const widthOf = useCallback(
    (id: string) => grid.current?.querySelector(`[data-column="${CSS.escape(id)}"]`)?.getBoundingClientRect().width ?? 0,
    [],
  );

  return (
    <div className={cn("relative flex min-h-0 min-w-0 flex-1 flex-col", className)}>
      <div ref={scroller} className="min-h-0 flex-1 overflow-auto bg-surface [contain:strict]">
        <div
          ref={grid}
          role="grid"
          aria-label={label}
          aria-rowcount={count === null ? -1 : count + 1}
          aria-colcount={layout.visible.length + (checked ? 1 : 0)}
          aria-busy={loading || undefined}
          aria-multiselectable={checked ? true : undefined}
          onKeyDown={onKeyDown}
          style={{ minWidth: layout.minWidth, ["--grid-columns" as string]: layout.template() }}
        >
          <GridHeader
            columns={layout.visible}
            sort={sort}
            onSort={onSort}
            checkState={allChecked}
            onCheckAll={handlers.checkAll}
            onResizing={resizing}
            onResized={layout.setWidth}
          />
          <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
            {items.map((item) => {
              const row = rows[item.index];
              const key = keys[item.index];
              if (row === undefined || key === undefined) return null;
              return (
                <GridRow
                  key={key}
                  row={row}
                  index={item.index}
                  start={item.start - HEADER_HEIGHT}
                  height={rowHeight}
                  columns={layout.visible}
                  selected={key === selectedKey}
                  tabbable={item.index === tabbableIndex}
                  checked={checked?.has(key)}
                  clickable={onOpen !== undefined}
                  handlers={handlers}
                />
              );
            })}
          </div>
        </div>
        {rows.length === 0 && (loading ? <SkeletonRows rows={12} rowHeight={rowHeight} label={`Loading ${label}`} /> : empty)}
        {rows.length > 0 && loading && (
          <div role="status" className="sticky left-0 flex h-9 w-fit items-center gap-2 px-3 text-xs text-muted">
            <Spinner /> Loading more…
          </div>
        )}
      </div>
      <div className="absolute top-0 right-0 z-4 flex h-8 items-center border-b border-line bg-surface px-0.5">
        <GridColumns columns={columns} layout={layout} widthOf={widthOf} />
      </div>
    </div>
  );
}

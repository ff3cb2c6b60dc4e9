import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useId, useMemo, useRef } from "react";
import { formatDuration } from "@/components/format";
import { ROW_HEIGHT, SpanRow } from "@/features/traces/span-row";
import type { Row, SpanNode } from "@/features/traces/span-tree";
import { type TimeWindow, ticksOf } from "@/features/traces/waterfall";

export interface SpanListProps {
  nodes: readonly SpanNode[];
  rows: readonly Row[];
  selectedId: string | undefined;
  collapsed: ReadonlySet<string>;
  matched: ReadonlySet<number>;
  words: readonly string[];
  window: TimeWindow;
  compact: boolean;
  onSelect: (spanId: string) => void;
  onToggle: (spanId: string) => void;
  /** Enter: on to what the span says. */
  onEnter: () => void;
  onZoom: () => void;
}

const TICKS = 6;

/** Tree and waterfall, row by row. The list itself has the focus and names the active row. */
export function SpanList(props: SpanListProps) {
  const { nodes, rows, selectedId, collapsed, matched, words, window, compact, onSelect, onToggle } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const id = useId();
  const at = useMemo(() => rows.findIndex((row) => row.node.span.span_id === selectedId), [rows, selectedId]);
  const virtual = useVirtualizer<HTMLDivElement, HTMLDivElement>({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 14,
    useFlushSync: false,
    getItemKey: (index) => rows[index]?.node.span.span_id ?? index,
  });
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: "auto" });
  }, [at, virtual]);

  const select = (index: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (row) onSelect(row.node.span.span_id);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows[at];
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_HEIGHT) - 1);
    const spanId = row?.node.span.span_id ?? "";
    const folded = collapsed.has(spanId);
    // In a peek panel J and K belong to the list of traces.
    const key = compact && (event.key === "j" || event.key === "k") ? "" : event.key;
    switch (key) {
      case "ArrowDown":
      case "j":
        select(at + 1);
        break;
      case "ArrowUp":
      case "k":
        select(at - 1);
        break;
      case "PageDown":
        select(at + page);
        break;
      case "PageUp":
        select(at - page);
        break;
      case "Home":
        select(0);
        break;
      case "End":
        select(rows.length - 1);
        break;
      case "ArrowRight":
        if (!row || row.node.children === 0) return;
        if (folded) onToggle(spanId);
        else select(at + 1);
        break;
      case "ArrowLeft": {
        if (!row) return;
        const parent = nodes[row.node.parent];
        if (row.node.children > 0 && !folded) onToggle(spanId);
        else if (parent) onSelect(parent.span.span_id);
        break;
      }
      case "Enter":
        props.onEnter();
        break;
      case "z":
        props.onZoom();
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const items = virtual.getVirtualItems();
  const active = items.some((item) => item.index === at);
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      {!compact && <Scale window={window} />}
      <div
        ref={scroller}
        role="tree"
        aria-label="Spans"
        tabIndex={0}
        aria-activedescendant={active ? `${id}-${selectedId}` : undefined}
        onKeyDown={onKeyDown}
        className="min-h-0 flex-1 overflow-x-hidden overflow-y-auto bg-surface [contain:strict] focus-visible:-outline-offset-2"
      >
        <div role="presentation" className="relative" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const row = rows[item.index];
            if (!row) return null;
            const spanId = row.node.span.span_id;
            return (
              <SpanRow
                key={item.key}
                row={row}
                start={item.start}
                domId={`${id}-${spanId}`}
                selected={spanId === selectedId}
                folded={collapsed.has(spanId)}
                matched={matched.has(row.node.index)}
                words={words}
                window={window}
                compact={compact}
                onSelect={onSelect}
                onToggle={onToggle}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Scale({ window }: { window: TimeWindow }) {
  const ticks = ticksOf(window, TICKS);
  return (
    <div aria-hidden className="flex h-6 shrink-0 items-center border-b border-line bg-surface pr-2 text-2xs text-muted">
      <span className="w-[46%] shrink-0 pl-3">Span</span>
      <span className="relative h-full min-w-0 flex-1">
        {ticks.map((tick) => (
          <span key={tick.ms} className="numeric absolute top-1 border-l border-line pl-1 whitespace-nowrap" style={{ left: `${tick.at * 100}%` }}>
            {tick.at < 0.86 && formatDuration(tick.ms)}
          </span>
        ))}
      </span>
      <span className="hidden w-14 text-right xl:block">Tokens</span>
      <span className="hidden w-20 text-right xl:block">Cost</span>
    </div>
  );
}

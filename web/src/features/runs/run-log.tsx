import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDownToLine, ChevronRight } from "lucide-react";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { cn } from "@/components/cn";
import { formatDateTime, formatDuration } from "@/components/format";
import { JsonView } from "@/components/json-view";
import { ShownOf } from "@/components/pagination";
import { TextBody } from "@/components/text-body";
import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { SearchInput } from "@/components/ui/search-input";
import { type EventFilter, type EventRow, filteredRows } from "./event-rows";
import { eventDetail, isBad } from "./event-words";
import { momentOf } from "./run-events";

const NEAR_END_PX = 40;
const LEVEL_TONES: Record<string, Tone> = { debug: "neutral", info: "info", warn: "warn", error: "bad" };

export type RunLogProps = {
  rows: readonly EventRow[];
  filter: EventFilter;
  onFind: (find: string) => void;
  /** The control that narrows the rows by kind or level. */
  narrowing: ReactNode;
  /** "events", "lines". */
  noun: string;
  /** Whether more may come. */
  live: boolean;
  /** Lines of the log show their level and what they say, events their type too. */
  as: "events" | "lines";
};

/** Virtual, and stays at the end while more comes, until somebody scrolls up to read. */
export function RunLog({ rows, filter, onFind, narrowing, noun, live, as }: RunLogProps) {
  const shown = useMemo(() => filteredRows(rows, filter), [rows, filter]);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const [following, setFollowing] = useState(live);
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 32,
    getItemKey: (index) => shown[index]?.event.seq ?? index,
    overscan: 20,
    useFlushSync: false,
  });
  useEffect(() => {
    if (following && shown.length > 0) virtual.scrollToIndex(shown.length - 1, { align: "end" });
  }, [following, shown.length, virtual]);

  const scrolled = () => {
    const box = scroller.current;
    if (!box || !live) return;
    setFollowing(box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX);
  };
  const toggle = (seq: number) => {
    setOpen((before) => {
      const after = new Set(before);
      if (!after.delete(seq)) after.add(seq);
      return after;
    });
  };
  const start = rows[0] ? Date.parse(momentOf(rows[0].event)) : 0;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex flex-wrap items-center gap-2 border-b border-line bg-surface px-3 py-1.5">
        <SearchInput value={filter.find} onValueChange={onFind} label={`Find in ${noun}`} />
        {narrowing}
        <ShownOf shown={shown.length} total={rows.length} noun={noun} />
        {live && (
          <Button size="sm" aria-pressed={following} className="ml-auto" onClick={() => setFollowing(!following)}>
            <ArrowDownToLine aria-hidden />
            {following ? "Following; pause" : "Follow"}
          </Button>
        )}
      </div>
      <div
        ref={scroller}
        role="log"
        aria-label={noun === "events" ? "Events" : "Log"}
        aria-live="off"
        tabIndex={0}
        onScroll={scrolled}
        className="min-h-0 flex-1 overflow-auto bg-surface focus-visible:-outline-offset-2"
      >
        {shown.length === 0 && <p className="p-4 text-sm text-muted">{rows.length === 0 ? `There are no ${noun} yet.` : `None of the ${noun} fits the filter.`}</p>}
        <div className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const row = shown[item.index];
            if (!row) return null;
            return (
              <div
                key={item.key}
                ref={virtual.measureElement}
                data-index={item.index}
                className="absolute inset-x-0 top-0 border-b border-line"
                style={{ transform: `translateY(${item.start}px)` }}
              >
                <LogRow row={row} as={as} since={Date.parse(momentOf(row.event)) - start} open={open.has(row.event.seq)} onToggle={() => toggle(row.event.seq)} />
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

type LogRowProps = { row: EventRow; as: RunLogProps["as"]; since: number; open: boolean; onToggle: () => void };

function LogRow({ row: { event, text, count }, as, since, open, onToggle }: LogRowProps) {
  const bad = isBad(event);
  const level = event.level ?? "info";
  return (
    <>
      <button
        type="button"
        aria-expanded={open}
        onClick={onToggle}
        className="flex min-h-8 w-full flex-wrap items-baseline gap-x-2 px-3 py-1.5 text-left hover:bg-hover focus-visible:-outline-offset-2"
      >
        <ChevronRight aria-hidden className={cn("size-3.5 shrink-0 self-center text-muted transition-transform", open && "rotate-90")} />
        <span className="numeric w-10 shrink-0 text-right text-xs text-muted max-sm:hidden">{event.seq}</span>
        <time
          dateTime={momentOf(event)}
          title={formatDateTime(momentOf(event), { seconds: true, zone: true })}
          className="numeric w-19 shrink-0 text-right text-xs whitespace-nowrap text-muted"
        >
          +{formatDuration(since)}
        </time>
        {as === "lines" ? (
          <Badge tone={LEVEL_TONES[level] ?? "neutral"} className="w-12 shrink-0 justify-center">{level}</Badge>
        ) : (
          <span className={cn("w-36 shrink-0 font-mono text-xs", bad ? "text-bad" : "text-text")}>{event.type}</span>
        )}
        {event.node !== null && <span className="max-w-56 shrink-0 truncate font-mono text-xs text-muted" title={event.node}>{event.node}</span>}
        <span className={cn("min-w-32 flex-1 truncate text-sm", bad && "text-bad")}>{text ?? eventDetail(event)}</span>
        {count > 1 && <span className="numeric shrink-0 text-xs text-muted">{count} pieces</span>}
      </button>
      {open && (
        <div className="px-3 pb-3 sm:pl-18">
          {text === null ? <JsonView value={bodyOf(event)} label={`Event ${event.seq}`} /> : <TextBody text={text} />}
        </div>
      )}
    </>
  );
}

/** What the line does not say already. */
function bodyOf({ data, input, output, error, status, started_at, ended_at, category }: EventRow["event"]): Record<string, unknown> {
  const told = { status, started_at, ended_at, category, input, output, error, data: Object.keys(data).length > 0 ? data : null };
  return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== null));
}

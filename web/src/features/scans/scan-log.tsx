import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDownToLine, ChevronRight } from "lucide-react";
import { memo, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { cn } from "@/components/cn";
import { formatDateTime, formatDuration } from "@/components/format";
import { JsonView } from "@/components/json-view";
import { ShownOf } from "@/components/pagination";
import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { MultiSelect } from "@/components/ui/combobox";
import { SearchInput } from "@/components/ui/search-input";
import { eventSentence } from "./event-sentence";
import { EVENT_KINDS, type EventKind, type ScanEvent, kindOf } from "./scan-events";

export const KIND_LABELS: Record<EventKind, string> = {
  lifecycle: "Scan",
  phase: "Phase",
  failure: "Failures",
  candidate: "Candidate",
  decision: "Decision",
  warning: "Warning",
};

export const KIND_TONES: Record<EventKind, Tone> = { lifecycle: "neutral", phase: "neutral", failure: "neutral", candidate: "accent", decision: "info", warning: "warn" };

const NEAR_END_PX = 40;

export interface ScanLogProps {
  events: readonly ScanEvent[];
  /** Whether more may come. */
  live: boolean;
  kinds: readonly EventKind[];
  find: string;
  onKinds: (kinds: EventKind[]) => void;
  onFind: (find: string) => void;
}

/** Every event, in order. Stays at the end while more come, until somebody scrolls up to read. */
export function ScanLog({ events, live, kinds, find, onKinds, onFind }: ScanLogProps) {
  const shown = useMemo(() => filtered(events, kinds, find), [events, kinds, find]);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const [following, setFollowing] = useState(live);
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 32,
    getItemKey: (index) => shown[index]?.seq ?? index,
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
  const toggle = useCallback((seq: number) => {
    setOpen((before) => {
      const after = new Set(before);
      if (!after.delete(seq)) after.add(seq);
      return after;
    });
  }, []);
  const start = events[0] ? Date.parse(events[0].created_at) : 0;

  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex flex-wrap items-center gap-2 border-b border-line bg-surface px-3 py-2 sm:px-5">
        <SearchInput value={find} onValueChange={onFind} label="Find in events" />
        <MultiSelect size="sm" label="Kinds of events" placeholder="All kinds" className="w-40" values={kinds} onValuesChange={onKinds} options={EVENT_KINDS.map((value) => ({ value, label: KIND_LABELS[value] }))} />
        <ShownOf shown={shown.length} total={events.length} noun="events" />
        {live && (
          <Button size="sm" aria-pressed={following} className="ml-auto" onClick={() => setFollowing(!following)}>
            <ArrowDownToLine aria-hidden />
            {following ? "Following; pause" : "Follow"}
          </Button>
        )}
      </div>
      <div ref={scroller} role="log" aria-label="Events" aria-live="off" tabIndex={0} onScroll={scrolled} className="min-h-0 flex-1 overflow-auto bg-surface focus-visible:-outline-offset-2">
        {shown.length === 0 && <p className="p-5 text-sm text-muted">{events.length === 0 ? "No event yet." : "No event fits the filter."}</p>}
        <div className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const event = shown[item.index];
            if (!event) return null;
            return (
              <div key={item.key} ref={virtual.measureElement} data-index={item.index} className="absolute inset-x-0 top-0 border-b border-line" style={{ transform: `translateY(${item.start}px)` }}>
                <EventRow event={event} sinceStart={Date.parse(event.created_at) - start} open={open.has(event.seq)} onToggle={toggle} />
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface EventRowProps {
  event: ScanEvent;
  sinceStart: number;
  open: boolean;
  onToggle: (seq: number) => void;
}

const EventRow = memo(function EventRow({ event, sinceStart, open, onToggle }: EventRowProps) {
  const kind = kindOf(event.type);
  const failed = event.type === "scan.failed";
  return (
    <>
      <button
        type="button"
        aria-expanded={open}
        onClick={() => onToggle(event.seq)}
        className="grid min-h-8 w-full grid-cols-[1rem_3.25rem_5.5rem_minmax(0,1fr)] items-start gap-2 px-3 py-1.5 text-left hover:bg-hover focus-visible:-outline-offset-2 sm:grid-cols-[1rem_2.5rem_4.5rem_5.5rem_minmax(0,1fr)] sm:px-5"
      >
        <ChevronRight aria-hidden className={cn("mt-0.5 size-3.5 text-muted transition-transform", open && "rotate-90")} />
        <span className="numeric text-right text-xs text-muted max-sm:hidden">{event.seq}</span>
        <time dateTime={event.created_at} title={formatDateTime(event.created_at, { seconds: true, zone: true })} className="numeric text-right text-xs whitespace-nowrap text-muted">
          +{formatDuration(sinceStart)}
        </time>
        <Badge tone={failed ? "bad" : KIND_TONES[kind]} className="justify-self-start">{KIND_LABELS[kind]}</Badge>
        <span className="min-w-0 text-sm break-words">{eventSentence(event)}</span>
      </button>
      {open && (
        <div className="px-5 pb-3 sm:pl-16">
          <p className="mb-1 font-mono text-xs text-muted">{event.type}</p>
          <JsonView value={event.data} label={`Data of event ${event.seq}`} />
        </div>
      )}
    </>
  );
});

function filtered(events: readonly ScanEvent[], kinds: readonly EventKind[], find: string): readonly ScanEvent[] {
  if (kinds.length === 0 && find === "") return events;
  const wanted = find.toLowerCase();
  return events.filter((event) => (kinds.length === 0 || kinds.includes(kindOf(event.type))) && (wanted === "" || `${event.type} ${eventSentence(event)}`.toLowerCase().includes(wanted)));
}

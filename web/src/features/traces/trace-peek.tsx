import { ArrowDown, ArrowUp, Maximize2 } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import { formatCount } from "@/components/format";
import { Button } from "@/components/ui/button";
import { Sheet } from "@/components/ui/sheet";
import { useHotkey } from "@/components/use-hotkey";
import type { SpanTab, TraceDetailSearch, TraceListSearch } from "@/features/traces/search";
import { TraceFacts } from "@/features/traces/trace-facts";
import type { FoundTrace } from "@/features/traces/trace-query";
import { TraceStatus } from "@/features/traces/trace-status";
import { TraceView } from "@/features/traces/trace-view";

export interface TracePeekProps {
  traceId: string | undefined;
  /** Where it is in what is loaded of the list. */
  row: FoundTrace | undefined;
  place: { at: number; of: number } | undefined;
  span: string | undefined;
  tab: SpanTab | undefined;
  onChange: (next: Partial<TraceListSearch>) => void;
  onOpenTrace: (traceId: string, span?: string) => void;
  onStep: (step: 1 | -1) => void;
}

/** The trace beside its list: J and K go through the rows, Enter opens all of it, Escape closes. */
export function TracePeek({ traceId, row, place, span, tab, onChange, onOpenTrace, onStep }: TracePeekProps) {
  const open = traceId !== undefined;
  const settled = useSettled(traceId);
  const [local, setLocal] = useState<Pick<TraceDetailSearch, "find" | "kinds" | "errors">>({});
  useHotkey(
    "Enter",
    (event) => {
      if (event.target instanceof Element && event.target.closest("a, button, summary, [role=treeitem], [role=row]")) return;
      if (traceId) onOpenTrace(traceId, span);
    },
    { when: open },
  );
  const change = useCallback(
    (next: Partial<TraceDetailSearch>) => {
      const { span: spanId, tab: nextTab, ...rest } = next;
      if (Object.keys(rest).length > 0) setLocal((now) => ({ ...now, ...rest }));
      if ("span" in next) onChange({ span: spanId });
      if ("tab" in next) onChange({ tab: nextTab });
    },
    [onChange],
  );
  return (
    <Sheet
      open={open}
      onOpenChange={(next) => !next && onChange({ peek: undefined, span: undefined, tab: undefined })}
      title={
        <span className="flex min-w-0 items-center gap-2">
          <span className="truncate">{row?.name ?? "Trace"}</span>
          {row && <TraceStatus trace={row} />}
        </span>
      }
      width={720}
      padded={false}
      actions={
        <>
          {place && (
            <span className="numeric hidden text-xs whitespace-nowrap text-muted sm:inline">
              {formatCount(place.at + 1)} of {formatCount(place.of)}
            </span>
          )}
          <Button size="icon" variant="ghost" aria-label="Previous trace" title="Previous trace (K)" disabled={!place || place.at === 0} onClick={() => onStep(-1)}>
            <ArrowUp aria-hidden />
          </Button>
          <Button size="icon" variant="ghost" aria-label="Next trace" title="Next trace (J)" disabled={!place || place.at + 1 >= place.of} onClick={() => onStep(1)}>
            <ArrowDown aria-hidden />
          </Button>
          <Button size="icon" variant="ghost" aria-label="Open the whole trace" title="Open the whole trace (Enter)" onClick={() => traceId && onOpenTrace(traceId, span)}>
            <Maximize2 aria-hidden />
          </Button>
        </>
      }
    >
      {traceId && (
        <div className="flex h-full min-h-0 flex-col">
          {row && <TraceFacts trace={row} className="border-b border-line px-4 py-2" />}
          {settled === traceId ? (
            <TraceView key={traceId} traceId={traceId} search={{ ...local, span, tab }} onChange={change} compact />
          ) : (
            <div className="flex-1" />
          )}
        </div>
      )}
    </Sheet>
  );
}

/** Whoever holds J down passes traces without asking for each of them. */
function useSettled(traceId: string | undefined): string | undefined {
  const [settled, setSettled] = useState(traceId);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(traceId), 90);
    return () => clearTimeout(timer);
  }, [traceId]);
  return settled;
}

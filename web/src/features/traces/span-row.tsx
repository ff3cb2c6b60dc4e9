import { ChevronRight, CircleAlert } from "lucide-react";
import { memo } from "react";
import { cn } from "@/components/cn";
import { formatCost, formatCount, formatDuration } from "@/components/format";
import { KindIcon, kindBar, kindLabel } from "@/features/traces/span-kind";
import type { Row } from "@/features/traces/span-tree";
import { type TimeWindow, barOf } from "@/features/traces/waterfall";

export const ROW_HEIGHT = 28;
const INDENT = 14;
/** Deeper spans are not moved further to the right, or nothing of their names were left. */
const DEEPEST = 16;

export interface SpanRowProps {
  row: Row;
  start: number;
  domId: string;
  selected: boolean;
  folded: boolean;
  matched: boolean;
  words: readonly string[];
  window: TimeWindow;
  compact: boolean;
  onSelect: (spanId: string) => void;
  onToggle: (spanId: string) => void;
}

export const SpanRow = memo(function SpanRow({
  row: { node, isContext },
  start,
  domId,
  selected,
  folded,
  matched,
  words,
  window,
  compact,
  onSelect,
  onToggle,
}: SpanRowProps) {
  const { span, children } = node;
  const failed = span.status === "error";
  const tokens = (span.input_tokens ?? 0) + (span.output_tokens ?? 0);
  return (
    <div
      id={domId}
      role="treeitem"
      aria-level={span.depth + 1}
      aria-selected={selected}
      aria-expanded={children > 0 ? !folded : undefined}
      style={{ height: ROW_HEIGHT, transform: `translateY(${start}px)` }}
      onClick={() => onSelect(span.span_id)}
      className={cn(
        "absolute top-0 left-0 flex w-full cursor-default items-center border-b border-line/60 pr-2 hover:bg-hover",
        matched && "bg-warn-soft/60",
        selected && "bg-selected hover:bg-selected",
        isContext && "opacity-60",
      )}
    >
      <div
        className={cn("flex min-w-0 items-center gap-1.5 pl-1.5", compact ? "flex-1" : "w-[46%] shrink-0")}
        style={{ paddingLeft: 6 + Math.min(span.depth, DEEPEST) * INDENT }}
      >
        <span
          aria-hidden
          onClick={(event) => {
            if (children === 0) return;
            event.stopPropagation();
            onToggle(span.span_id);
          }}
          className={cn("grid size-5 shrink-0 place-items-center rounded-sm", children > 0 && "hover:bg-line")}
        >
          {children > 0 && <ChevronRight className={cn("size-3.5 text-muted", !folded && "rotate-90")} />}
        </span>
        <KindIcon kind={span.kind} />
        <span className="sr-only">
          {kindLabel(span.kind)}
          {failed && ", failed"}:
        </span>
        <span className={cn("min-w-0 truncate", failed && "text-bad")} title={span.name}>
          <Marked text={span.name} words={words} />
        </span>
        {folded && <span className="numeric shrink-0 rounded-sm bg-hover px-1 text-2xs text-muted">{formatCount(node.end - node.index - 1)}</span>}
        {failed && <CircleAlert aria-hidden className="size-3.5 shrink-0 text-bad" />}
        {folded && node.errorsBelow > 0 && (
          <span className="numeric shrink-0 text-2xs text-bad" title="Spans below that failed">
            {formatCount(node.errorsBelow)} failed
          </span>
        )}
        {span.is_orphan && (
          <span className="shrink-0 text-2xs text-muted" title="Its parent has not arrived">
            no parent
          </span>
        )}
      </div>
      <div className={cn("relative h-full shrink-0", compact ? "w-28" : "min-w-0 flex-1")} aria-hidden>
        <BarOf span={span} window={window} failed={failed} labelled={!compact} />
      </div>
      {compact ? (
        <span className="numeric w-16 shrink-0 text-right text-xs text-muted">{formatDuration(span.duration_ms)}</span>
      ) : (
        <>
          <span className="numeric hidden w-14 shrink-0 text-right text-xs text-muted xl:block" title={tokens > 0 ? `${formatCount(tokens)} tokens` : undefined}>
            {tokens > 0 ? formatCount(tokens, { compact: true }) : ""}
          </span>
          <span className="numeric hidden w-20 shrink-0 text-right text-xs whitespace-nowrap text-muted xl:block">
            {span.cost_usd !== null && span.cost_usd !== undefined ? formatCost(span.cost_usd) : ""}
          </span>
        </>
      )}
    </div>
  );
});

type BarProps = { span: Row["node"]["span"]; window: TimeWindow; failed: boolean; labelled: boolean };

function BarOf({ span, window, failed, labelled }: BarProps) {
  const bar = barOf(span.offset_ms, span.duration_ms, window);
  if (!bar) return null;
  const right = bar.left + bar.width;
  const left = `${bar.left * 100}%`;
  return (
    <>
      <div
        style={{ left, width: `max(2px, ${bar.width * 100}%)` }}
        className={cn("absolute top-2 h-3 max-w-full", failed ? "bg-bad" : kindBar(span.kind), !bar.cutLeft && "rounded-l-xs", !bar.cutRight && "rounded-r-xs")}
      />
      {labelled && (
        <span
          style={right < 0.82 ? { left: `calc(${right * 100}% + 6px)` } : { right: `calc(${(1 - bar.left) * 100}% + 4px)` }}
          className={cn("numeric absolute top-1.5 text-2xs whitespace-nowrap text-muted", right >= 0.82 && bar.left < 0.12 && "right-1! rounded-xs bg-surface/80 px-0.5")}
        >
          {formatDuration(span.duration_ms)}
        </span>
      )}
    </>
  );
}

function Marked({ text, words }: { text: string; words: readonly string[] }) {
  const lower = text.toLowerCase();
  const found = words.map((word) => ({ word, at: lower.indexOf(word) })).filter(({ at }) => at >= 0);
  const first = found.sort((a, b) => a.at - b.at)[0];
  if (!first) return text;
  const end = first.at + first.word.length;
  return (
    <>
      {text.slice(0, first.at)}
      <mark className="rounded-xs bg-warn/30 text-text">{text.slice(first.at, end)}</mark>
      {text.slice(end)}
    </>
  );
}

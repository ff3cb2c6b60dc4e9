import { ChevronDown, ChevronUp, FoldVertical, UnfoldVertical, ZoomIn, ZoomOut } from "lucide-react";
import { formatCount } from "@/components/format";
import { Button } from "@/components/ui/button";
import { SearchInput } from "@/components/ui/search-input";
import { KindIcon, kindLabel } from "@/features/traces/span-kind";

export interface SpanToolbarProps {
  find: string;
  onFind: (find: string) => void;
  matches: number;
  /** Which of the matches is selected, from 0; -1 for none. */
  matchAt: number;
  onStep: (step: 1 | -1) => void;
  kinds: readonly { kind: string; count: number }[];
  chosen: ReadonlySet<string>;
  onKinds: (kinds: ReadonlySet<string>) => void;
  errors: number;
  errorsOnly: boolean;
  onErrorsOnly: (only: boolean) => void;
  onFold: (fold: boolean) => void;
  zoomed: boolean;
  onZoom: () => void;
  shown: number;
  total: number;
  compact: boolean;
}

export function SpanToolbar(props: SpanToolbarProps) {
  const { find, matches, matchAt, onStep, kinds, chosen, errors, errorsOnly, compact } = props;
  const toggle = (kind: string) => {
    const next = new Set(chosen);
    if (!next.delete(kind)) next.add(kind);
    props.onKinds(next);
  };
  return (
    <div className="flex shrink-0 flex-wrap items-center gap-x-2 gap-y-1 border-b border-line bg-surface px-2 py-1.5">
      <div
        className="flex items-center gap-1"
        onKeyDown={(event) => {
          if (event.key === "Enter") onStep(event.shiftKey ? -1 : 1);
        }}
      >
        <SearchInput value={find} onValueChange={props.onFind} label="Find spans" placeholder="Name, model, tool, error" delayMs={120} className={compact ? "w-40" : "w-52"} />
        {find !== "" && (
          <span role="status" className="numeric text-xs whitespace-nowrap text-muted">
            {matches === 0 ? "None" : `${matchAt < 0 ? "–" : formatCount(matchAt + 1)} of ${formatCount(matches)}`}
          </span>
        )}
        <Button size="icon" variant="ghost" aria-label="Previous match" title="Previous match (Shift Enter)" disabled={matches === 0} onClick={() => onStep(-1)}>
          <ChevronUp aria-hidden />
        </Button>
        <Button size="icon" variant="ghost" aria-label="Next match" title="Next match (Enter)" disabled={matches === 0} onClick={() => onStep(1)}>
          <ChevronDown aria-hidden />
        </Button>
      </div>
      {!compact && (
        <div role="group" aria-label="Kinds of spans" className="order-last flex w-full flex-wrap items-center gap-1">
          {kinds.map(({ kind, count }) => (
            <Chip key={kind} pressed={chosen.has(kind)} onClick={() => toggle(kind)} title={`Show ${kindLabel(kind).toLowerCase()} spans`}>
              <KindIcon kind={kind} className="size-3" />
              {kindLabel(kind)} <span className="numeric text-muted">{formatCount(count)}</span>
            </Chip>
          ))}
          {errors > 0 && (
            <Chip pressed={errorsOnly} onClick={() => props.onErrorsOnly(!errorsOnly)} title="Show failed spans">
              <span className="text-bad">Failed</span> <span className="numeric text-muted">{formatCount(errors)}</span>
            </Chip>
          )}
        </div>
      )}
      <div className="ml-auto flex items-center gap-0.5">
        {props.shown !== props.total && (
          <span className="numeric mr-1 text-xs whitespace-nowrap text-muted">
            {formatCount(props.shown)} of {formatCount(props.total)} shown
          </span>
        )}
        <Button size="icon" variant="ghost" aria-label="Fold all" title="Fold all" onClick={() => props.onFold(true)}>
          <FoldVertical aria-hidden />
        </Button>
        <Button size="icon" variant="ghost" aria-label="Unfold all" title="Unfold all" onClick={() => props.onFold(false)}>
          <UnfoldVertical aria-hidden />
        </Button>
        {!compact && (
          <Button size="icon" variant="ghost" aria-pressed={props.zoomed} aria-label={props.zoomed ? "Show the whole time" : "Zoom to the selected span"} title={props.zoomed ? "Show the whole time (Z)" : "Zoom to the selected span (Z)"} onClick={props.onZoom}>
            {props.zoomed ? <ZoomOut aria-hidden /> : <ZoomIn aria-hidden />}
          </Button>
        )}
      </div>
    </div>
  );
}

type ChipProps = { pressed: boolean; onClick: () => void; title: string; children: React.ReactNode };

function Chip({ pressed, onClick, title, children }: ChipProps) {
  return (
    <button
      type="button"
      aria-pressed={pressed}
      onClick={onClick}
      title={title}
      className="inline-flex h-6 items-center gap-1 rounded-sm border border-line px-1.5 text-xs hover:bg-hover aria-pressed:border-accent aria-pressed:bg-selected"
    >
      {children}
    </button>
  );
}

import { cn } from "@/components/cn";
import { formatInterval, formatPoints, pluralise } from "@/components/format";
import { type Candidate, type ScorePoint, bestSoFar } from "./candidates";
import { strategyLabel } from "./scan-words";

export interface BestSoFarChartProps {
  candidates: readonly Candidate[];
  selected: number | undefined;
  onSelect: (ordinal: number) => void;
}

const MOST_LABELS = 14;
/** Where a candidate stands that has no number: below the scale. */
const BAND = "bottom-7";

/** The gain of each candidate over the champion with its interval, and the best of them so far. Takes the height it is given. */
export function BestSoFarChart({ candidates, selected, onSelect }: BestSoFarChartProps) {
  const points = bestSoFar(candidates);
  const compared = points.filter((point) => point.comparison !== null);
  const [low, high] = domainOf(compared);
  const y = (gain: number) => `${((high - gain) / (high - low)) * 100}%`;
  const x = (index: number) => `${((index + 0.5) / points.length) * 100}%`;
  const ticks = compared.length > 0 ? ticksOf(low, high) : [0];
  const last = points.at(-1);
  const said = `Gain over the champion of ${pluralise(compared.length, "compared candidate")}${last && last.best > 0 ? `, the best ${formatPoints(last.best)}` : ""}`;
  return (
    <figure className="flex h-full min-w-0 flex-col gap-1">
      <div role="group" aria-label={said} className={cn("relative min-w-0 flex-1", compared.length > 0 ? "min-h-56" : "min-h-28")}>
        <div aria-hidden className="absolute top-2 bottom-12 left-0 w-16 text-right text-2xs text-muted">
          {ticks.map((tick) => (
            <span key={tick} className="numeric absolute right-2 -translate-y-1/2 whitespace-nowrap" style={{ top: y(tick) }}>
              {tick === 0 ? "champion" : formatPoints(tick, { digits: 0 }).replace(/ points?$/, "")}
            </span>
          ))}
        </div>
        <div className="absolute top-2 right-0 bottom-12 left-16">
          <svg aria-hidden className="absolute inset-0 size-full overflow-visible">
            {ticks.map((tick) => (
              <line key={tick} x1="0" x2="100%" y1={y(tick)} y2={y(tick)} stroke={tick === 0 ? "var(--line-strong)" : "var(--line)"} strokeDasharray={tick === 0 ? "4 3" : undefined} />
            ))}
            {compared.length > 0 && <BestLine points={points} x={x} y={y} />}
            {points.map(({ comparison, ordinal }, index) =>
              comparison ? (
                <line key={ordinal} className={comparison.beats ? "text-series-1" : "text-series-6"} stroke="currentColor" strokeWidth="1.5" opacity="0.7" x1={x(index)} x2={x(index)} y1={y(comparison.high)} y2={y(comparison.low)} />
              ) : null,
            )}
          </svg>
          {points.map((point, index) =>
            point.comparison ? (
              <div key={point.ordinal} className="absolute size-0" style={{ left: x(index), top: y(point.comparison.effect) }}>
                <Mark point={point} candidate={candidates[index]} selected={point.ordinal === selected} onSelect={onSelect} />
              </div>
            ) : null,
          )}
        </div>
        <div className="absolute inset-y-0 right-0 left-16">
          {points.map((point, index) => (
            <div key={point.ordinal} className="absolute inset-y-0 w-0" style={{ left: x(index) }}>
              {!point.comparison && (
                <div className={cn("absolute size-0", BAND)}>
                  <Mark point={point} candidate={candidates[index]} selected={point.ordinal === selected} onSelect={onSelect} />
                </div>
              )}
              {index % Math.ceil(points.length / MOST_LABELS) === 0 && (
                <span aria-hidden className="numeric absolute bottom-0 -translate-x-1/2 text-2xs text-muted">
                  #{point.ordinal}
                </span>
              )}
            </div>
          ))}
        </div>
      </div>
      <figcaption className="flex flex-wrap items-center gap-x-4 gap-y-1 pl-16 text-xs text-muted">
        <span>{compared.length > 0 ? "Gain in points on the select split, 95 % intervals" : "Compared with the champion in the phase Evaluate"}</span>
        <Legend className="rounded-full bg-series-1">beats the champion</Legend>
        <Legend className="rounded-full bg-series-6">does not</Legend>
        <Legend className="rounded-full border border-line-strong bg-surface">not compared</Legend>
        <Legend className="h-0.5 w-4 bg-series-2">best so far</Legend>
      </figcaption>
    </figure>
  );
}

function Legend({ className, children }: { className: string; children: string }) {
  return (
    <span className="inline-flex items-center gap-1.5">
      <span aria-hidden className={cn("inline-block size-2", className)} />
      {children}
    </span>
  );
}

interface MarkProps {
  point: ScorePoint;
  candidate: Candidate | undefined;
  selected: boolean;
  onSelect: (ordinal: number) => void;
}

function Mark({ point: { ordinal, comparison }, candidate, selected, onSelect }: MarkProps) {
  const gain = comparison ? `${formatPoints(comparison.effect)} ${formatInterval(comparison.low, comparison.high, "points")}, n = ${comparison.n}` : "not compared";
  const text = `#${ordinal} ${strategyLabel(candidate?.strategy ?? "")}: ${gain}${candidate?.selected ? "; chosen for the holdout" : ""}`;
  return (
    <button type="button" aria-label={text} title={text} onClick={() => onSelect(ordinal)} className="absolute grid size-6 -translate-x-1/2 -translate-y-1/2 place-items-center rounded-full">
      <span
        className={cn(
          "size-2.5 rounded-full border-2",
          !comparison ? "border-line-strong bg-surface" : comparison.beats ? "border-series-1 bg-series-1" : "border-series-6 bg-series-6",
          candidate?.selected && "size-3.5 border-surface outline-2 outline-series-1",
          selected && "size-3.5 outline-2 outline-offset-1 outline-text",
        )}
      />
    </button>
  );
}

/** Holds the best until something is better. Single lines, because only these take percents. */
function BestLine({ points, x, y }: { points: readonly ScorePoint[]; x: (index: number) => string; y: (gain: number) => string }) {
  return (
    <g stroke="var(--series-2)" strokeWidth="2">
      {points.map(({ best, ordinal }, index) => {
        const before = points[index - 1]?.best ?? 0;
        return (
          <g key={ordinal}>
            {best !== before && <line x1={x(index)} x2={x(index)} y1={y(before)} y2={y(best)} />}
            <line x1={x(index)} x2={index === points.length - 1 ? "100%" : x(index + 1)} y1={y(best)} y2={y(best)} />
          </g>
        );
      })}
      <line x1="0" x2={x(0)} y1={y(0)} y2={y(0)} />
    </g>
  );
}

/** From the lowest bound to the highest, with the champion always in view. */
function domainOf(points: readonly ScorePoint[]): [number, number] {
  const bounds = points.flatMap(({ comparison }) => (comparison ? [comparison.low, comparison.high] : []));
  const low = Math.min(0, ...bounds);
  const high = Math.max(0.05, ...bounds);
  const room = (high - low) * 0.08;
  return [low - room, high + room];
}

function ticksOf(low: number, high: number): number[] {
  const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].find((size) => (high - low) / size <= 6) ?? 1;
  const ticks: number[] = [];
  for (let at = Math.ceil(low / step); at * step <= high; at += 1) ticks.push(Math.round(at * step * 1000) / 1000);
  return ticks;
}

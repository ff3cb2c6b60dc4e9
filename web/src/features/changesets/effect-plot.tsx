import type { ReactNode } from "react";
import { formatCount, formatInterval, formatNumber, formatPoints } from "@/components/format";
import { IntervalBar, type IntervalBarProps } from "@/components/interval-bar";
import { axisOf } from "./effect-scale";
import { pointsSize } from "./wording";

export interface EffectRow {
  id: string;
  label: string;
  hint?: ReactNode;
  value: number;
  low: number;
  high: number;
  n: number | null;
  tone: IntervalBarProps["tone"];
}

export interface EffectPlotProps {
  rows: readonly EffectRow[];
  /** The least effect that counts; undefined where nothing was asked of the holdout. */
  minimum: number | undefined;
}

/** Effects on one axis in points, with no difference and the least that counts marked on it. */
export function EffectPlot({ rows, minimum }: EffectPlotProps) {
  const { domain, ticks } = axisOf([0, minimum ?? 0, ...rows.flatMap((row) => [row.low, row.high])]);
  const at = (x: number) => `${((x - domain[0]) / (domain[1] - domain[0])) * 100}%`;
  return (
    <div className="flex min-w-0 flex-col gap-1">
      <dl className="grid grid-cols-1 gap-x-4 sm:grid-cols-[11rem_minmax(0,1fr)_auto]">
        {rows.map((row) => (
          <div key={row.id} className="col-span-full grid grid-cols-subgrid items-center gap-y-1 border-b border-line py-2.5 max-sm:gap-y-1.5">
            <dt className="text-sm">
              {row.label}
              {row.hint && <span className="block text-xs text-muted">{row.hint}</span>}
            </dt>
            <dd className="min-w-0 px-2">
              <IntervalBar
                low={row.low}
                high={row.high}
                value={row.value}
                zero={0}
                threshold={minimum}
                domain={domain}
                tone={row.tone}
                label={`${row.label}: ${formatPoints(row.value)} ${formatInterval(row.low, row.high, "points")}`}
              />
            </dd>
            <dd className="numeric text-sm whitespace-nowrap sm:text-right">
              {formatPoints(row.value)} <span className="text-muted">{formatInterval(row.low, row.high, "points")}</span>
              {row.n !== null && <span className="text-muted"> · n = {formatCount(row.n)}</span>}
            </dd>
          </div>
        ))}
        <div aria-hidden className="col-span-full grid grid-cols-subgrid">
          <div className="relative mx-2 h-4 text-2xs text-muted sm:col-start-2">
            {ticks.map((tick) => (
              <span key={tick} className="numeric absolute -translate-x-1/2" style={{ left: at(tick) }}>
                {tick === 0 ? "0" : formatNumber(tick * 100, { digits: 1, signed: true })}
              </span>
            ))}
          </div>
        </div>
      </dl>
      <p className="text-xs text-muted">
        In points of the objective. Solid line: no difference.
        {minimum !== undefined &&
          ` Dashed line: the minimum effect, ${pointsSize(minimum)}; validated needs the whole deciding interval to its right.`}
      </p>
    </div>
  );
}

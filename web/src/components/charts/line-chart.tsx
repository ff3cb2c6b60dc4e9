import { useMemo } from "react";
import { Area, CartesianGrid, ComposedChart, Line, ReferenceLine, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { AXIS, seriesColor } from "./chart-colors";
import { ChartFrame, ChartTip } from "./chart-frame";

export interface LinePoint {
  x: number;
  /** Null leaves a gap: nothing is known there. */
  y: number | null;
  low?: number | null;
  high?: number | null;
}

export interface LineSeries {
  id: string;
  label: string;
  points: readonly LinePoint[];
  /** Holds its value until the next point, as a best-so-far does. */
  step?: boolean;
  color?: string;
}

export interface LineChartProps {
  series: readonly LineSeries[];
  xFormat: (x: number) => string;
  yFormat: (y: number) => string;
  height?: number;
  /** A line to compare with, such as the baseline. */
  referenceY?: { y: number; label: string } | number;
  /** `x` is milliseconds since the epoch. */
  xIsTime?: boolean;
  yDomain?: readonly [number | "auto", number | "auto"];
  xLabel?: string;
  label: string;
}

/** More points than this need no mark each. */
const DOTTED = 40;

interface ChartRow {
  x: number;
  at: Map<string, LinePoint>;
  /** What is drawn here: also where only another series has a point, so that a line runs on to its own next one. */
  drawn: Map<string, number | null>;
}

export function LineChart({
  series,
  xFormat,
  yFormat,
  height = 220,
  referenceY,
  xIsTime = false,
  yDomain = ["auto", "auto"],
  xLabel = xIsTime ? "Time" : "x",
  label,
}: LineChartProps) {
  const rows = useMemo(() => rowsOf(series), [series]);
  const colorOf = (index: number) => series[index]?.color ?? seriesColor(index);
  const reference = typeof referenceY === "number" ? { y: referenceY, label: "" } : referenceY;
  const said = (point: LinePoint | undefined) => {
    if (!point || point.y === null) return "–";
    const { low, high } = point;
    const range = isNumber(low) && isNumber(high) ? ` [${yFormat(low)}, ${yFormat(high)}]` : "";
    return yFormat(point.y) + range;
  };
  return (
    <ChartFrame
      label={label}
      height={height}
      legend={series.map((one, index) => ({ label: one.label, color: colorOf(index) }))}
      columns={[xLabel, ...series.map((one) => one.label)]}
      rows={rows.map((row) => [xFormat(row.x), ...series.map((one) => said(row.at.get(one.id)))])}
    >
      <ResponsiveContainer width="100%" height="100%" initialDimension={{ width: 480, height }}>
        <ComposedChart data={rows} accessibilityLayer={false} margin={{ top: 6, right: 12, bottom: 0, left: 0 }}>
          <CartesianGrid stroke="var(--line)" vertical={false} />
          <XAxis
            {...AXIS}
            dataKey="x"
            type="number"
            scale={xIsTime ? "time" : "linear"}
            domain={["dataMin", "dataMax"]}
            allowDecimals={false}
            tickFormatter={xFormat}
            minTickGap={36}
          />
          <YAxis {...AXIS} axisLine={false} width={56} niceTicks="snap125" domain={[...yDomain]} tickFormatter={yFormat} />
          <Tooltip
            isAnimationActive={false}
            cursor={{ stroke: "var(--line-strong)" }}
            content={({ active, payload }) => {
              const row = payload?.[0]?.payload as ChartRow | undefined;
              if (!active || !row) return null;
              const entries = series.flatMap((one, index) => {
                const point = row.at.get(one.id);
                return point ? [{ label: one.label, value: said(point), color: colorOf(index) }] : [];
              });
              return <ChartTip title={xFormat(row.x)} entries={entries} />;
            }}
          />
          {reference && (
            <ReferenceLine
              y={reference.y}
              stroke="var(--line-strong)"
              strokeDasharray="4 3"
              ifOverflow="extendDomain"
              label={{ value: reference.label, position: "insideBottomRight", fill: "var(--muted)", fontSize: 11 }}
            />
          )}
          {series.map((one, index) =>
            one.points.some((point) => isNumber(point.low) && isNumber(point.high)) ? (
              <Area
                key={`${one.id} interval`}
                dataKey={(row: ChartRow) => {
                  const point = row.at.get(one.id);
                  return point && isNumber(point.low) && isNumber(point.high) ? [point.low, point.high] : null;
                }}
                type={one.step ? "stepAfter" : "linear"}
                stroke="none"
                fill={colorOf(index)}
                fillOpacity={0.14}
                connectNulls
                activeDot={false}
                isAnimationActive={false}
              />
            ) : null,
          )}
          {series.map((one, index) => (
            <Line
              key={one.id}
              dataKey={(row: ChartRow) => row.drawn.get(one.id) ?? null}
              name={one.label}
              type={one.step ? "stepAfter" : "linear"}
              stroke={colorOf(index)}
              strokeWidth={1.75}
              dot={one.points.length <= DOTTED && one.points.length === rows.length ? { r: 2, fill: colorOf(index), strokeWidth: 0 } : false}
              activeDot={{ r: 3.5, strokeWidth: 0 }}
              connectNulls={false}
              isAnimationActive={false}
            />
          ))}
        </ComposedChart>
      </ResponsiveContainer>
    </ChartFrame>
  );
}

function isNumber(value: number | null | undefined): value is number {
  return value !== null && value !== undefined;
}

function rowsOf(series: readonly LineSeries[]): ChartRow[] {
  const rows = new Map<number, ChartRow>();
  for (const { id, points } of series) {
    for (const point of points) {
      const row = rows.get(point.x) ?? { x: point.x, at: new Map(), drawn: new Map() };
      row.at.set(id, point);
      rows.set(point.x, row);
    }
  }
  const sorted = [...rows.values()].sort((a, b) => a.x - b.x);
  for (const one of series) drawBetween(sorted, one);
  return sorted;
}

function drawBetween(rows: readonly ChartRow[], { id, step }: LineSeries): void {
  let before: LinePoint | null = null;
  let between: ChartRow[] = [];
  for (const row of rows) {
    const point = row.at.get(id);
    if (!point) {
      between.push(row);
      continue;
    }
    for (const other of between) other.drawn.set(id, valueBetween(before, point, other.x, step));
    row.drawn.set(id, point.y);
    before = point;
    between = [];
  }
}

function valueBetween(before: LinePoint | null, after: LinePoint, x: number, step = false): number | null {
  if (!before || before.y === null) return null;
  if (step) return before.y;
  if (after.y === null) return null;
  return before.y + ((after.y - before.y) * (x - before.x)) / (after.x - before.x);
}

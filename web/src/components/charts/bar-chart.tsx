import { Bar, CartesianGrid, BarChart as RechartsBarChart, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { AXIS, type ChartTone, seriesColor, toneColor } from "./chart-colors";
import { ChartFrame, ChartTip } from "./chart-frame";

export interface BarItem {
  id: string;
  label: string;
  /** By the id of the series; null is not known. */
  values: Readonly<Record<string, number | null>>;
}

export interface BarSeries {
  id: string;
  label: string;
  tone?: ChartTone;
}

export interface BarChartProps {
  items: readonly BarItem[];
  series: readonly BarSeries[];
  yFormat: (y: number) => string;
  stacked?: boolean;
  /** Bars lie, names of any length stand left of them. */
  horizontal?: boolean;
  height?: number;
  label: string;
  itemLabel?: string;
}

export function BarChart({
  items,
  series,
  yFormat,
  stacked = false,
  horizontal = false,
  height = 200,
  label,
  itemLabel = "Group",
}: BarChartProps) {
  const colorOf = (one: BarSeries, index: number) => (one.tone ? toneColor(one.tone) : seriesColor(index));
  const said = (value: number | null | undefined) => (value === null || value === undefined ? "–" : yFormat(value));
  const names = { ...AXIS, dataKey: "label", minTickGap: 12 };
  const numbers = { ...AXIS, axisLine: false, niceTicks: "snap125", tickFormatter: yFormat } as const;
  return (
    <ChartFrame
      label={label}
      height={height}
      legend={series.map((one, index) => ({ label: one.label, color: colorOf(one, index) }))}
      columns={[itemLabel, ...series.map((one) => one.label)]}
      rows={items.map((item) => [item.label, ...series.map((one) => said(item.values[one.id]))])}
    >
      <ResponsiveContainer width="100%" height="100%" initialDimension={{ width: 480, height }}>
        <RechartsBarChart
          data={[...items]}
          layout={horizontal ? "vertical" : "horizontal"}
          accessibilityLayer={false}
          barCategoryGap="20%"
          maxBarSize={32}
          margin={{ top: 6, right: 12, bottom: 0, left: 0 }}
        >
          <CartesianGrid stroke="var(--line)" vertical={horizontal} horizontal={!horizontal} />
          {horizontal ? <XAxis type="number" {...numbers} /> : <XAxis type="category" {...names} />}
          {horizontal ? <YAxis type="category" width={120} {...names} /> : <YAxis type="number" width={56} {...numbers} />}
          <Tooltip
            isAnimationActive={false}
            cursor={{ fill: "var(--hover)" }}
            content={({ active, payload }) => {
              const item = payload?.[0]?.payload as BarItem | undefined;
              if (!active || !item) return null;
              const entries = series.map((one, index) => ({
                label: one.label,
                value: said(item.values[one.id]),
                color: colorOf(one, index),
              }));
              return <ChartTip title={item.label} entries={entries} />;
            }}
          />
          {series.map((one, index) => (
            <Bar
              key={one.id}
              dataKey={(item: BarItem) => item.values[one.id] ?? null}
              name={one.label}
              stackId={stacked ? "all" : undefined}
              fill={colorOf(one, index)}
              isAnimationActive={false}
            />
          ))}
        </RechartsBarChart>
      </ResponsiveContainer>
    </ChartFrame>
  );
}

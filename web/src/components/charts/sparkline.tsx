import { cn } from "../cn";
import { type ChartTone, toneColor } from "./chart-colors";

export interface SparklineProps {
  /** In order; null leaves a gap. */
  values: readonly (number | null)[];
  label: string;
  width?: number;
  height?: number;
  tone?: ChartTone;
  className?: string;
}

export function Sparkline({ values, label, width = 96, height = 24, tone = "accent", className }: SparklineProps) {
  const known = values.filter((value) => value !== null);
  const low = Math.min(...known);
  const span = Math.max(...known) - low || 1;
  const x = (index: number) => 2 + (index / Math.max(1, values.length - 1)) * (width - 4);
  const y = (value: number) => height - 3 - ((value - low) / span) * (height - 6);
  let path = "";
  let pen = false;
  values.forEach((value, index) => {
    if (value === null) {
      pen = false;
      return;
    }
    path += `${pen ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = true;
  });
  const last = values.at(-1);
  return (
    <svg role="img" aria-label={label} width={width} height={height} className={cn("block overflow-visible", className)}>
      <title>{label}</title>
      {known.length === 0 ? (
        <line x1="2" x2={width - 2} y1={height / 2} y2={height / 2} stroke="var(--line)" />
      ) : (
        <path d={path} fill="none" stroke={toneColor(tone)} strokeWidth="1.5" strokeLinejoin="round" strokeLinecap="round" />
      )}
      {last !== null && last !== undefined && <circle cx={x(values.length - 1)} cy={y(last)} r="2" fill={toneColor(tone)} />}
    </svg>
  );
}

import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { cn } from "../cn";
import { formatCount } from "../format";
import { type ChartTone, toneColor } from "./chart-colors";
import { packCircles } from "./pack-circles";

export interface BubbleItem {
  id: string;
  label: string;
  /** The bubble's area. */
  value: number;
  tone: ChartTone;
}

export interface BubbleChartProps {
  items: readonly BubbleItem[];
  onSelect: (id: string) => void;
  selectedId?: string | null;
  /** How a value is said, with its unit. */
  format?: (value: number) => string;
  height?: number;
  label: string;
  className?: string;
}

export function BubbleChart({
  items,
  onSelect,
  selectedId,
  format = formatCount,
  height = 320,
  label,
  className,
}: BubbleChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(640);
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(entry.contentRect.width));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const bubbles = useMemo(() => layOut(items, width, height), [items, width, height]);
  const pressed = (event: KeyboardEvent, id: string) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onSelect(id);
  };
  return (
    <div ref={host} className={cn("min-w-0", className)} style={{ height }}>
      <svg role="group" aria-label={label} width="100%" height={height} className="block">
        {bubbles.map(({ item, x, y, r }) => {
          const name = `${item.label}, ${format(item.value)}`;
          const color = toneColor(item.tone);
          const selected = item.id === selectedId;
          return (
            <g
              key={item.id}
              role="button"
              tabIndex={0}
              aria-label={name}
              aria-pressed={selected}
              transform={`translate(${x} ${y})`}
              onClick={() => onSelect(item.id)}
              onKeyDown={(event) => pressed(event, item.id)}
              className="group cursor-pointer outline-none"
            >
              <title>{name}</title>
              <circle
                r={r}
                fill={color}
                fillOpacity={selected ? 0.34 : 0.16}
                stroke={color}
                strokeWidth={selected ? 2 : 1}
                className="group-hover:[fill-opacity:0.28] group-focus-visible:[stroke-width:3]"
              />
            </g>
          );
        })}
        <g aria-hidden className="pointer-events-none select-none">
          {bubbles.map(({ item, x, y, r }) => (
            <BubbleText key={item.id} item={item} x={x} y={y} r={r} />
          ))}
        </g>
      </svg>
    </div>
  );
}

interface Bubble {
  item: BubbleItem;
  x: number;
  y: number;
  r: number;
}

/** As much of the name as fits; the whole stands in the bubble's own name. */
function BubbleText({ item, x, y, r }: Bubble) {
  const letters = Math.floor((r * 2 - 10) / 6.2);
  if (letters < 4) return null;
  const withValue = r > 22;
  return (
    <text x={x} y={y} textAnchor="middle" fill="var(--text)" fontSize="11">
      <tspan x={x} dy={withValue ? "-0.1em" : "0.35em"}>
        {item.label.length > letters ? `${item.label.slice(0, letters - 1)}…` : item.label}
      </tspan>
      {withValue && (
        <tspan x={x} dy="1.3em" fill="var(--muted)">
          {formatCount(item.value, { compact: true })}
        </tspan>
      )}
    </text>
  );
}

const GAP = 0.02;
const MARGIN = 4;

function layOut(items: readonly BubbleItem[], width: number, height: number): Bubble[] {
  const largest = Math.max(0, ...items.map((item) => item.value));
  if (largest === 0) return [];
  const sorted = items.filter((item) => item.value > 0).sort((a, b) => b.value - a.value);
  // No bubble becomes too small to point at beside a huge one.
  const circles = packCircles(
    sorted.map((item) => Math.max(0.12, Math.sqrt(item.value / largest))),
    GAP,
  );
  const left = Math.min(...circles.map((circle) => circle.x - circle.r));
  const right = Math.max(...circles.map((circle) => circle.x + circle.r));
  const top = Math.min(...circles.map((circle) => circle.y - circle.r));
  const bottom = Math.max(...circles.map((circle) => circle.y + circle.r));
  const scale = Math.min((width - 2 * MARGIN) / (right - left), (height - 2 * MARGIN) / (bottom - top), height * 0.32);
  return sorted.flatMap((item, index) => {
    const circle = circles[index];
    if (!circle) return [];
    return {
      item,
      x: width / 2 + (circle.x - (left + right) / 2) * scale,
      y: height / 2 + (circle.y - (top + bottom) / 2) * scale,
      r: circle.r * scale,
    };
  });
}

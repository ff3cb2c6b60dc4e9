import { ArrowDown, ArrowUp, Equal } from "lucide-react";
import { cn } from "@/components/cn";
import { formatPoints } from "@/components/format";
import type { Standing } from "./item-rows";

const LOOK = {
  improved: { Icon: ArrowUp, className: "bg-good-soft text-good" },
  regressed: { Icon: ArrowDown, className: "bg-bad-soft text-bad" },
  same: { Icon: Equal, className: "text-muted" },
};

/** A difference with its sign and an arrow: colour alone says nothing to many. */
export function Delta({ delta, standing }: { delta: number | null; standing: Standing }) {
  if (standing === "missing" || delta === null) {
    return (
      <span className="text-muted" title="Missing on one side: no difference is known">
        –
      </span>
    );
  }
  const { Icon, className } = LOOK[standing];
  const points = formatPoints(delta, { digits: Number.isInteger(Math.round(delta * 1e6) / 1e4) ? 0 : 1 });
  return (
    <span title={`${points} against the baseline`} className={cn("numeric inline-flex items-center gap-0.5 align-middle leading-5 rounded-sm px-1 text-xs font-medium", className)}>
      <Icon aria-label={standing} className="size-3" />
      {standing === "same" ? "0" : points.replace(/ points?$/, "")}
    </span>
  );
}

import { formatCount, formatPercent } from "@/components/format";
import type { Schemas } from "@/api/client";
import { SPLITS, type Split } from "./search";

export const SPLIT_MEANING: Record<Split, string> = {
  reflect: "What a search learns from",
  select: "What a search chooses by, and what checks and experiments compare on",
  holdout: "What nobody may see before the verdict",
};

const FILL: Record<Split, string> = { reflect: "bg-series-1", select: "bg-series-2", holdout: "bg-series-3" };

/** How the items are divided; the numbers stand beside it. */
export function SplitBar({ splits }: { splits: Schemas["SplitCounts"] }) {
  const total = SPLITS.reduce((sum, split) => sum + splits[split], 0);
  return (
    <div aria-hidden className="flex h-1.5 w-full min-w-16 gap-px overflow-hidden rounded-full bg-sunken">
      {SPLITS.map((split) => (
        <div
          key={split}
          title={`${split}: ${formatCount(splits[split])} (${formatPercent(total ? splits[split] / total : 0)})`}
          className={FILL[split]}
          style={{ flexGrow: splits[split] }}
        />
      ))}
    </div>
  );
}

export function SplitName({ split }: { split: Split }) {
  return (
    <span className="inline-flex items-center gap-1.5" title={SPLIT_MEANING[split]}>
      <span aria-hidden className={`size-2 shrink-0 rounded-xs ${FILL[split]}`} />
      {split}
    </span>
  );
}

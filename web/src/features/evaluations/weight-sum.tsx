import { Scale } from "lucide-react";
import { formatNumber } from "@/components/format";
import { Button } from "@/components/ui/button";
import { sharesOf, sumOf, sumToOne } from "./weights";

const FILL = ["bg-series-1", "bg-series-2", "bg-series-3", "bg-series-4", "bg-series-5", "bg-series-6"];

interface WeightSumProps {
  weights: readonly string[];
  names: readonly string[];
  onNormalise: () => void;
  disabled: boolean;
}

/** The sum of the weights as they are typed, the shares that it makes of them, and a button that makes it 1. */
export function WeightSum({ weights, names, onNormalise, disabled }: WeightSumProps) {
  const shares = sharesOf(weights);
  const wrong = shares.some((share) => share === null);
  const even = sumToOne(weights);
  return (
    <div className="flex flex-wrap items-center gap-3">
      <div aria-hidden className="flex h-1.5 min-w-24 flex-1 gap-px overflow-hidden rounded-full bg-sunken">
        {shares.map((share, index) => (
          <div key={index} title={names[index]} className={FILL[index % FILL.length]} style={{ flexGrow: share ?? 0 }} />
        ))}
      </div>
      <span role="status" className={wrong ? "numeric text-xs text-bad" : "numeric text-xs text-muted"}>
        {wrong ? "Every weight must be above 0" : `Weights sum to ${formatNumber(sumOf(weights), { digits: 3 })}${even ? "" : "; only their shares count"}`}
      </span>
      <Button size="sm" disabled={disabled || wrong || even} title={even ? "The weights sum to 1" : "Make the weights sum to 1; their shares stay"} onClick={onNormalise}>
        <Scale aria-hidden />
        Normalise
      </Button>
    </div>
  );
}

import { Trash2 } from "lucide-react";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import type { Guard, GuardDraft } from "./objective-draft";

export const GUARD_LABEL: Record<Guard["kind"], string> = {
  latency: "Latency",
  cost: "Cost",
  error_rate: "Error rate",
  dimension: "One dimension",
};

interface GuardRowProps {
  guard: GuardDraft;
  /** Of the objective's rubric; undefined where it is for any. */
  dimensions: readonly string[] | undefined;
  disabled: boolean;
  onChange: (guard: GuardDraft) => void;
  onRemove: () => void;
}

export function GuardRow({ guard, dimensions, disabled, onChange, onRemove }: GuardRowProps) {
  const name = GUARD_LABEL[guard.kind];
  const ratio = guard.kind === "latency" || guard.kind === "cost";
  return (
    <li className="flex flex-wrap items-center gap-2 rounded-md border border-line p-2 text-sm">
      <span className="w-28 pl-1 font-medium">{name}</span>
      {guard.kind === "latency" && (
        <Select
          label="Statistic of latency"
          className="w-24"
          disabled={disabled}
          value={guard.statistic}
          onValueChange={(statistic) => onChange({ ...guard, statistic })}
          options={[
            { value: "p95", label: "p95" },
            { value: "mean", label: "mean" },
          ]}
        />
      )}
      {guard.kind === "dimension" && (
        <>
          {dimensions ? (
            <Select label="Dimension" className="w-40" disabled={disabled} value={guard.dimension} onValueChange={(dimension) => onChange({ ...guard, dimension })} options={dimensions.map((one) => ({ value: one, label: one }))} />
          ) : (
            <Input aria-label="Dimension" className="w-40" placeholder="dimension" disabled={disabled} value={guard.dimension} onChange={(event) => onChange({ ...guard, dimension: event.target.value })} />
          )}
          <Select
            label="What holds of the dimension"
            className="w-40"
            disabled={disabled}
            value={guard.form}
            onValueChange={(form) => onChange({ ...guard, form })}
            options={[
              { value: "max_drop", label: "drops at most" },
              { value: "minimum", label: "is at least" },
            ]}
          />
        </>
      )}
      {guard.kind !== "dimension" && <span className="text-muted">at most</span>}
      <Input aria-label={`Bound of ${name}`} type="number" step="any" className="w-20 text-right" disabled={disabled} value={guard.bound} onChange={(event) => onChange({ ...guard, bound: event.target.value })} />
      <span className="text-muted">{ratio ? "% above the baseline" : guard.kind === "dimension" && guard.form === "minimum" ? "%" : guard.kind === "dimension" ? "points" : "points above the baseline"}</span>
      <Button variant="ghost" size="icon" className="ml-auto" aria-label={`Remove the guard on ${name.toLowerCase()}`} title="Remove" disabled={disabled} onClick={onRemove}>
        <Trash2 aria-hidden />
      </Button>
    </li>
  );
}

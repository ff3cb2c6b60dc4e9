import { Plus } from "lucide-react";
import { EmptyState } from "@/components/empty-state";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { DimensionEditor } from "./dimension-editor";
import { dimensionDraft, type DimensionDraft, type RubricDraft } from "./rubric-draft";
import { normalised, sharesOf } from "./weights";
import { WeightSum } from "./weight-sum";

interface RubricEditorProps {
  draft: RubricDraft;
  onChange: (draft: RubricDraft) => void;
  disabled: boolean;
}

const MOST = 20;

export function RubricEditor({ draft, onChange, disabled }: RubricEditorProps) {
  const { dimensions } = draft;
  const weights = dimensions.map(({ weight }) => weight);
  const shares = sharesOf(weights);
  const set = (next: DimensionDraft[]) => onChange({ ...draft, dimensions: next });
  const normalise = () => {
    const even = normalised(weights);
    set(dimensions.map((one, index) => ({ ...one, weight: even[index] ?? one.weight })));
  };
  return (
    <div className="flex flex-col gap-3">
      {dimensions.length === 0 ? (
        <EmptyState title="No dimension yet" className="py-6">
          A dimension is a scorer with its settings, and how much it weighs in the total.
        </EmptyState>
      ) : (
        <ol aria-label="Dimensions" className="flex flex-col gap-2">
          {dimensions.map((dimension, index) => (
            <DimensionEditor
              key={dimension.key}
              dimension={dimension}
              share={shares[index] ?? null}
              disabled={disabled}
              startsOpen={dimensions.length === 1 || dimension.name === ""}
              onChange={(next) => set(dimensions.map((one) => (one.key === next.key ? next : one)))}
              onRemove={() => set(dimensions.filter(({ key }) => key !== dimension.key))}
            />
          ))}
        </ol>
      )}
      <div className="flex flex-wrap items-center gap-3">
        <Button size="sm" disabled={disabled || dimensions.length >= MOST} onClick={() => set([...dimensions, dimensionDraft({ name: "", scorer: "exact_match" })])}>
          <Plus aria-hidden />
          Add a dimension
        </Button>
        {dimensions.length > 0 && (
          <div className="min-w-64 flex-1">
            <WeightSum weights={weights} names={dimensions.map(({ name }) => name)} onNormalise={normalise} disabled={disabled} />
          </div>
        )}
      </div>
      <div className="grid gap-3 border-t border-line pt-3 sm:grid-cols-2">
        <Field label="Threshold" hint="From this total on an answer passes">
          {(control) => (
            <Input {...control} type="number" min={0} max={1} step="any" disabled={disabled} value={draft.threshold} onChange={(event) => onChange({ ...draft, threshold: event.target.value })} />
          )}
        </Field>
        <Field label="When the agent fails" hint="A scorer that fails is never a 0: the item is missing">
          {(control) => (
            <Select
              {...control}
              disabled={disabled}
              value={draft.onError}
              onValueChange={(onError) => onChange({ ...draft, onError })}
              options={[
                { value: "zero", label: "Scores 0 on every dimension" },
                { value: "exclude", label: "The item is left out as missing" },
              ]}
            />
          )}
        </Field>
      </div>
    </div>
  );
}

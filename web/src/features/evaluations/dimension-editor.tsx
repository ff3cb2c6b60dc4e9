import { ChevronDown, ChevronRight, Trash2 } from "lucide-react";
import { useState } from "react";
import { formatPercent } from "@/components/format";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { JsonField, OptionField } from "./option-field";
import type { DimensionDraft } from "./rubric-draft";
import { SCORERS, scorerNamed } from "./scorers";

interface DimensionEditorProps {
  dimension: DimensionDraft;
  share: number | null;
  onChange: (dimension: DimensionDraft) => void;
  onRemove: () => void;
  disabled: boolean;
  startsOpen: boolean;
}

export function DimensionEditor({ dimension, share, onChange, onRemove, disabled, startsOpen }: DimensionEditorProps) {
  const [open, setOpen] = useState(startsOpen);
  const spec = scorerNamed(dimension.scorer);
  const name = dimension.name || "new dimension";
  const change = (part: Partial<DimensionDraft>) => onChange({ ...dimension, ...part });
  const setOption = (option: string, value: unknown) => {
    const { [option]: _, ...rest } = dimension.options;
    change({ options: value === undefined ? rest : { ...rest, [option]: value }, broken: undefined });
  };
  return (
    <li className="rounded-md border border-line">
      <div className="grid grid-cols-[auto_minmax(0,1fr)_auto] items-center gap-2 p-2 sm:grid-cols-[auto_minmax(8rem,1fr)_minmax(10rem,14rem)_5.5rem_4.5rem_auto]">
        <Button variant="ghost" size="icon" aria-expanded={open} aria-label={`Settings of ${name}`} onClick={() => setOpen(!open)}>
          {open ? <ChevronDown aria-hidden /> : <ChevronRight aria-hidden />}
        </Button>
        <Input
          aria-label="Name of the dimension"
          maxLength={64}
          spellCheck={false}
          disabled={disabled}
          placeholder="name"
          value={dimension.name}
          onChange={(event) => change({ name: event.target.value })}
        />
        <Select
          label={`Scorer of ${name}`}
          disabled={disabled}
          className="max-sm:col-start-2"
          value={dimension.scorer}
          onValueChange={(scorer) => change({ scorer, options: {}, broken: undefined })}
          options={[
            ...SCORERS.map((one) => ({ value: one.name, label: one.label })),
            ...(spec ? [] : [{ value: dimension.scorer, label: dimension.scorer }]),
          ]}
        />
        <Input
          aria-label={`Weight of ${name}`}
          type="number"
          min={0}
          step="any"
          disabled={disabled}
          className="text-right max-sm:col-start-2"
          value={dimension.weight}
          onChange={(event) => change({ weight: event.target.value })}
        />
        <span className="numeric text-right text-xs text-muted" title="Share of the total">
          {share === null ? "–" : formatPercent(share)}
        </span>
        <Button variant="ghost" size="icon" aria-label={`Remove ${name}`} title="Remove" disabled={disabled} onClick={onRemove} className="max-sm:col-start-3 max-sm:row-start-1">
          <Trash2 aria-hidden />
        </Button>
      </div>
      {open && (
        <div key={dimension.scorer} className="flex flex-col gap-3 border-t border-line bg-canvas p-3">
          <p className="flex items-center gap-2 text-xs text-muted">
            {spec ? `${spec.means}.` : "A scorer that a package added to the server: its options are written as JSON."}
            {spec?.asksModel && <Badge tone="warn">Asks a model</Badge>}
          </p>
          {spec ? (
            spec.options.length > 0 && (
              <div className="grid gap-3 sm:grid-cols-3">
                {spec.options.map((option) => (
                  <OptionField
                    key={option.name}
                    spec={option}
                    value={dimension.options[option.name]}
                    onValueChange={(value) => setOption(option.name, value)}
                    onBroken={(problem) => change({ broken: problem ?? undefined })}
                    disabled={disabled}
                  />
                ))}
              </div>
            )
          ) : (
            <JsonField
              spec={{ name: "options", label: "Options", kind: "json" }}
              value={dimension.options}
              onValueChange={(value) => {
                if (typeof value === "object" && value !== null && !Array.isArray(value)) change({ options: { ...value }, broken: undefined });
                else change({ broken: "not a JSON object" });
              }}
              onBroken={(problem) => {
                if (problem) change({ broken: problem });
              }}
              disabled={disabled}
            />
          )}
        </div>
      )}
    </li>
  );
}

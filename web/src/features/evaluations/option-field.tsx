import { useState } from "react";
import { Checkbox } from "@/components/ui/checkbox";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Textarea } from "@/components/ui/textarea";
import { ScaleField } from "./scale-field";
import type { OptionSpec } from "./scorers";

interface OptionFieldProps {
  spec: OptionSpec;
  /** Undefined: left out. */
  value: unknown;
  onValueChange: (value: unknown) => void;
  /** What was typed is no value of this option; null once it is. */
  onBroken: (problem: string | null) => void;
  disabled: boolean;
}

export function OptionField({ spec, value, onValueChange, onBroken, disabled }: OptionFieldProps) {
  const given = value === undefined ? spec.fallback : value;
  const { label, hint, required } = spec;
  switch (spec.kind) {
    case "flag":
      return <Checkbox checked={given === true} onCheckedChange={onValueChange} label={label} disabled={disabled} className="self-end" />;
    case "choice":
      return (
        <Field label={label} hint={hint}>
          {(control) => <Select {...control} disabled={disabled} value={String(given)} onValueChange={onValueChange} options={spec.choices ?? []} />}
        </Field>
      );
    case "lines":
      return <LinesField spec={spec} value={given} onValueChange={onValueChange} disabled={disabled} />;
    case "json":
      return <JsonField spec={spec} value={given} onValueChange={onValueChange} onBroken={onBroken} disabled={disabled} />;
    case "scale":
      return <ScaleField label={label} value={given} onValueChange={onValueChange} disabled={disabled} />;
    case "long-text":
      return (
        <Field label={label} hint={hint} required={required} className="col-span-full">
          {(control) => (
            <Textarea {...control} rows={5} disabled={disabled} placeholder={spec.placeholder} value={typeof given === "string" ? given : ""} onChange={(event) => onValueChange(event.target.value === "" ? spec.fallback : event.target.value)} />
          )}
        </Field>
      );
    case "number":
      return (
        <Field label={label} hint={hint} required={required}>
          {(control) => (
            <Input {...control} type="number" step="any" disabled={disabled} value={typeof given === "number" ? given : ""} onChange={(event) => onValueChange(event.target.value === "" ? null : Number(event.target.value))} />
          )}
        </Field>
      );
    default:
      return (
        <Field label={label} hint={hint} required={required}>
          {(control) => (
            <Input
              {...control}
              inputMode={spec.kind === "usd" ? "decimal" : undefined}
              disabled={disabled}
              spellCheck={false}
              className={spec.kind === "text" ? "font-mono text-xs" : undefined}
              placeholder={spec.placeholder}
              value={typeof given === "string" || typeof given === "number" ? String(given) : ""}
              onChange={(event) => onValueChange(event.target.value)}
            />
          )}
        </Field>
      );
  }
}

type PartProps = Omit<OptionFieldProps, "onBroken">;

function LinesField({ spec, value, onValueChange, disabled }: PartProps) {
  const [text, setText] = useState(Array.isArray(value) ? value.join("\n") : "");
  return (
    <Field label={spec.label} hint={spec.hint} required={spec.required}>
      {(control) => (
        <Textarea
          {...control}
          rows={4}
          spellCheck={false}
          disabled={disabled}
          className="font-mono text-xs"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            const lines = event.target.value.split("\n").map((line) => line.trim()).filter(Boolean);
            onValueChange(lines.length > 0 ? lines : null);
          }}
        />
      )}
    </Field>
  );
}

export function JsonField({ spec, value, onValueChange, onBroken, disabled }: OptionFieldProps) {
  const [text, setText] = useState(value === undefined ? "" : JSON.stringify(value, null, 2));
  const [problem, setProblem] = useState<string | null>(null);
  const typed = (next: string) => {
    setText(next);
    let found: string | null = null;
    try {
      onValueChange(JSON.parse(next) as unknown);
    } catch (error) {
      found = `not JSON: ${error instanceof Error ? error.message : String(error)}`;
    }
    setProblem(found);
    onBroken(found);
  };
  return (
    <Field label={spec.label} hint={spec.hint} required={spec.required} error={problem} className="col-span-full">
      {(control) => (
        <Textarea {...control} rows={8} spellCheck={false} disabled={disabled} className="font-mono text-xs" value={text} onChange={(event) => typed(event.target.value)} />
      )}
    </Field>
  );
}

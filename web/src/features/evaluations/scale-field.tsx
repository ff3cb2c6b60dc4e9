import { useState } from "react";
import { Checkbox } from "@/components/ui/checkbox";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Segmented } from "@/components/ui/segmented";
import { Textarea } from "@/components/ui/textarea";

interface ScaleFieldProps {
  label: string;
  value: unknown;
  onValueChange: (value: unknown) => void;
  disabled: boolean;
}

interface Numeric {
  kind: "numeric";
  minimum: number;
  maximum: number;
  whole: boolean;
}

const NUMERIC: Numeric = { kind: "numeric", minimum: 1, maximum: 5, whole: true };
const PASS_FAIL = { kind: "labels", labels: { fail: 0, pass: 1 } };

function members(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** Numbers between two ends, or words with what each is worth. */
export function ScaleField({ label, value, onValueChange, disabled }: ScaleFieldProps) {
  const given = members(value);
  const labels = given.kind === "labels";
  return (
    <fieldset disabled={disabled} className="col-span-full flex flex-col gap-2">
      <legend className="mb-1 text-xs font-medium">{label}</legend>
      <Segmented
        label="Kind of scale"
        value={labels ? "labels" : "numeric"}
        onValueChange={(kind) => onValueChange(kind === "labels" ? PASS_FAIL : NUMERIC)}
        options={[
          { value: "numeric", label: "Numbers" },
          { value: "labels", label: "Labels" },
        ]}
        className="self-start"
      />
      {labels ? (
        <Labels value={members(given.labels)} onValueChange={(found) => onValueChange({ kind: "labels", labels: found })} />
      ) : (
        <Numbers value={{ ...NUMERIC, ...given }} onValueChange={onValueChange} />
      )}
    </fieldset>
  );
}

function Numbers({ value, onValueChange }: { value: Numeric; onValueChange: (value: Numeric) => void }) {
  return (
    <div className="flex flex-wrap items-end gap-3">
      <Field label="From (worth 0)" className="w-28">
        {(control) => <Input {...control} type="number" step="any" value={value.minimum} onChange={(event) => onValueChange({ ...value, minimum: Number(event.target.value) })} />}
      </Field>
      <Field label="To (worth 1)" className="w-28">
        {(control) => <Input {...control} type="number" step="any" value={value.maximum} onChange={(event) => onValueChange({ ...value, maximum: Number(event.target.value) })} />}
      </Field>
      <Checkbox checked={value.whole} onCheckedChange={(whole) => onValueChange({ ...value, whole })} label="Only whole numbers" className="pb-1" />
    </div>
  );
}

function Labels({ value, onValueChange }: { value: Record<string, unknown>; onValueChange: (value: Record<string, number>) => void }) {
  const [text, setText] = useState(
    Object.entries(value)
      .map(([name, worth]) => `${name} = ${String(worth)}`)
      .join("\n"),
  );
  return (
    <Field label="Labels" hint="One a line, with what it is worth from 0 to 1: rude = 0">
      {(control) => (
        <Textarea
          {...control}
          rows={4}
          spellCheck={false}
          className="font-mono text-xs"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            onValueChange(labelsOf(event.target.value));
          }}
        />
      )}
    </Field>
  );
}

function labelsOf(text: string): Record<string, number> {
  return Object.fromEntries(
    text.split("\n").flatMap((line): [string, number][] => {
      const found = /^\s*(.+?)\s*[=:]\s*([\d.]+)\s*$/.exec(line);
      return found?.[1] ? [[found[1], Number(found[2])]] : [];
    }),
  );
}

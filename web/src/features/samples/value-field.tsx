import { Field } from "@/components/ui/field";
import { Segmented } from "@/components/ui/segmented";
import { Textarea } from "@/components/ui/textarea";
import type { TypedValue, ValueKind } from "./values";

interface ValueFieldProps {
  label: string;
  value: TypedValue;
  onValueChange: (value: TypedValue) => void;
  /** Whether there may be nothing. */
  optional?: boolean;
  error?: string;
  autoFocus?: boolean;
}

/** A JSON value, written as the text it mostly is. */
export function ValueField({ label, value, onValueChange, optional = false, error, autoFocus }: ValueFieldProps) {
  const kinds: { value: ValueKind; label: string }[] = [
    { value: "text", label: "Text" },
    { value: "json", label: "JSON" },
    ...(optional ? [{ value: "none" as const, label: "None" }] : []),
  ];
  return (
    <div className="relative">
      <Segmented
        label={`${label}: kind of value`}
        value={value.kind}
        onValueChange={(kind) => onValueChange({ ...value, kind })}
        options={kinds}
        className="absolute -top-1.5 right-0"
      />
      <Field label={label} error={error} className="gap-2">
        {(control) => (
          <Textarea
            {...control}
            autoFocus={autoFocus}
            rows={value.kind === "none" ? 1 : 5}
            disabled={value.kind === "none"}
            placeholder={value.kind === "none" ? "Nothing is expected" : undefined}
            spellCheck={value.kind === "text"}
            className={value.kind === "json" ? "font-mono text-xs" : undefined}
            value={value.kind === "none" ? "" : value.text}
            onChange={(event) => onValueChange({ ...value, text: event.target.value })}
          />
        )}
      </Field>
    </div>
  );
}

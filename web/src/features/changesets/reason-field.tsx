import type { ReactNode } from "react";
import { Field } from "@/components/ui/field";
import { Textarea } from "@/components/ui/textarea";

export interface ReasonFieldProps {
  value: string;
  onValueChange: (value: string) => void;
  label?: string;
  hint?: ReactNode;
  required?: boolean;
}

const LONGEST_REASON = 2_000;

export function ReasonField({ value, onValueChange, label = "Reason", hint = "Kept in the audit log.", required = false }: ReasonFieldProps) {
  return (
    <Field label={required ? label : `${label} (optional)`} hint={hint} required={required} className="mt-1">
      {(control) => (
        <Textarea
          {...control}
          rows={3}
          maxLength={LONGEST_REASON}
          value={value}
          onChange={(event) => onValueChange(event.target.value)}
        />
      )}
    </Field>
  );
}

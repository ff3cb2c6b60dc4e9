import { useState } from "react";
import { Field } from "@/components/ui/field";
import { Textarea } from "@/components/ui/textarea";

export type JsonText = { text: string; onText: (text: string) => void; error: string | undefined; read: () => { value: unknown } | null };

/** A text that has to be JSON; `read` gives its value, or says what is wrong with it. Empty is undefined. */
export function useJsonText(start: string): JsonText {
  const [text, onText] = useState(start);
  const [error, setError] = useState<string | undefined>();
  const read = () => {
    try {
      const value: unknown = text.trim() === "" ? undefined : JSON.parse(text);
      setError(undefined);
      return { value };
    } catch (wrong) {
      setError(wrong instanceof Error ? wrong.message : "This is not JSON");
      return null;
    }
  };
  return { text, onText, error, read };
}

export function JsonField({ json, label, hint, rows = 4 }: { json: JsonText; label: string; hint: string; rows?: number }) {
  return (
    <Field label={label} hint={hint} error={json.error}>
      {(control) => <Textarea {...control} rows={rows} className="font-mono" spellCheck={false} value={json.text} onChange={(event) => json.onText(event.target.value)} />}
    </Field>
  );
}

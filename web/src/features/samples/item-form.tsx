import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { http, idempotencyKey, type Schemas } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Textarea } from "@/components/ui/textarea";
import { refreshSamples, type SetPath } from "./queries";
import { ValueField } from "./value-field";
import { parseMembers, parseTyped, typedValue } from "./values";

interface ItemFormProps {
  path: SetPath;
  /** What is changed; without it a sample is added. */
  item?: Schemas["SampleOut"];
  onDone: (item: Schemas["SampleOut"]) => void;
  onCancel: () => void;
}

const ITEMS = "/api/v1/workspaces/{workspace_id}/samples/{set_id}/items";
const TRACE_ID = /^[0-9a-f]{32}$/;

export function ItemForm({ path, item, onDone, onCancel }: ItemFormProps) {
  const queries = useQueryClient();
  const [key] = useState(idempotencyKey);
  const [input, setInput] = useState(item ? typedValue(item.input) : { kind: "text" as const, text: "" });
  const [expected, setExpected] = useState(item ? typedValue(item.expected) : { kind: "text" as const, text: "" });
  const [metadata, setMetadata] = useState(item ? JSON.stringify(item.metadata, null, 2) : "{}");
  const [traceId, setTraceId] = useState(item?.source_trace_id ?? "");
  const [tried, setTried] = useState(false);

  const parsed = { input: parseTyped(input), expected: parseTyped(expected), metadata: parseMembers(metadata) };
  const traceFits = traceId === "" || TRACE_ID.test(traceId);
  const save = useMutation({
    mutationFn: async () => {
      if (!parsed.input.ok || !parsed.expected.ok || !parsed.metadata.ok) throw new Error("The form has mistakes");
      const body = {
        input: parsed.input.value,
        expected: parsed.expected.value,
        metadata: parsed.metadata.value,
        source_trace_id: traceId || null,
      };
      const answer = item
        ? await http.PATCH("/api/v1/workspaces/{workspace_id}/samples/{set_id}/items/{item_id}", {
            params: { path: { ...path, item_id: item.id } },
            body,
          })
        : await http.POST(ITEMS, { params: { path }, headers: { "Idempotency-Key": key }, body });
      return answer.data!;
    },
    onSuccess: async (saved) => {
      await refreshSamples(queries);
      toast(item ? "Sample changed" : `Sample added to ${saved.split}`);
      onDone(saved);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (parsed.input.ok && parsed.expected.ok && parsed.metadata.ok && traceFits && !save.isPending) save.mutate();
  };
  const problem = (one: { ok: true } | { ok: false; problem: string }) => (tried && !one.ok ? one.problem : undefined);
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <ValueField label="Input" value={input} onValueChange={setInput} error={problem(parsed.input)} autoFocus />
      <ValueField label="Expected" value={expected} onValueChange={setExpected} error={problem(parsed.expected)} optional />
      <Field
        label="Metadata"
        hint="A JSON object. Session, user and customer keep an item together with others in one split."
        error={problem(parsed.metadata)}
      >
        {(control) => (
          <Textarea {...control} rows={4} spellCheck={false} className="font-mono text-xs" value={metadata} onChange={(event) => setMetadata(event.target.value)} />
        )}
      </Field>
      <Field label="Source trace" error={tried && !traceFits ? "32 hexadecimal digits, in lower case" : undefined}>
        {(control) => (
          <Input {...control} spellCheck={false} className="font-mono text-xs" value={traceId} onChange={(event) => setTraceId(event.target.value.trim())} />
        )}
      </Field>
      {item && <p className="text-xs text-muted">The sample stays in {item.split}, so that nothing a search has seen gets into a holdout.</p>}
      {save.error !== null && <ProblemNotice error={save.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onCancel}>Cancel</Button>
        <Button type="submit" variant="primary" pending={save.isPending}>
          {item ? "Save" : "Add sample"}
        </Button>
      </div>
    </form>
  );
}

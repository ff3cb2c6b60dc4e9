import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { toast } from "sonner";
import { http, idempotencyKey, type Schemas } from "@/api/client";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Input } from "@/components/ui/input";
import { JsonField, useJsonText } from "./json-field";

export type SignalDialogProps = { workspaceId: string; runId: string; type: string; onClose: () => void; onDone: () => void };

/** An event from outside: a step that waits for its type takes it, now or later. */
export function SignalDialog({ workspaceId, runId, type: start, onClose, onDone }: SignalDialogProps) {
  const [intent] = useState(idempotencyKey);
  const [type, setType] = useState(start);
  const payload = useJsonText("{}");
  const send = useMutation({
    mutationFn: (body: Schemas["SignalIn"]) =>
      http.POST("/api/v1/workspaces/{workspace_id}/runs/{run_id}/signals", {
        params: { path: { workspace_id: workspaceId, run_id: runId } },
        headers: { "Idempotency-Key": intent },
        body,
      }),
    onSuccess: () => {
      toast.success("Signal sent");
      onDone();
    },
  });
  const submit = () => {
    const read = payload.read();
    if (read !== null) send.mutate({ type, payload: read.value as Schemas["JsonValue"] });
  };
  return (
    <FormDialog
      title="Send a signal"
      description="It is kept until a step that waits for its type takes it, the oldest first."
      className="gap-3"
      submitLabel="Send the signal"
      disabled={type === ""}
      pending={send.isPending}
      error={send.error}
      onClose={onClose}
      onSubmit={submit}
    >
      <Field label="Type" required>
        {(control) => <Input {...control} className="font-mono" spellCheck={false} autoComplete="off" value={type} onChange={(event) => setType(event.target.value)} />}
      </Field>
      <JsonField json={payload} label="Payload" hint="JSON; what the waiting step gives as its payload" />
    </FormDialog>
  );
}

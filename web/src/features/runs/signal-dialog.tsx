import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { http, idempotencyKey, type Schemas } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
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
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const read = payload.read();
    if (read !== null) send.mutate({ type, payload: read.value as Schemas["JsonValue"] });
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="Send a signal"
      description="It is kept until a step that waits for its type takes it, the oldest first."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form="signal" variant="primary" pending={send.isPending} disabled={type === ""}>
            Send the signal
          </Button>
        </>
      }
    >
      <form id="signal" onSubmit={submit} className="flex flex-col gap-3">
        <Field label="Type" required>
          {(control) => <Input {...control} className="font-mono" spellCheck={false} autoComplete="off" value={type} onChange={(event) => setType(event.target.value)} />}
        </Field>
        <JsonField json={payload} label="Payload" hint="JSON; what the waiting step gives as its payload" />
        {send.error !== null && <ProblemNotice error={send.error} />}
      </form>
    </Dialog>
  );
}

import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { toast } from "sonner";
import { http, idempotencyKey, type Schemas } from "@/api/client";
import { Combobox } from "@/components/ui/combobox";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Input } from "@/components/ui/input";
import { JsonField, useJsonText } from "./json-field";

type Json = Schemas["JsonValue"];
type Common = { workspaceId: string; runId: string; onClose: () => void };

/** A new run that begins with the state of a checkpoint. */
export function ForkDialog({ workspaceId, runId, index, inputs, onClose }: Common & { index: number; inputs: Schemas["RunOut"]["inputs"] }) {
  const unchanged = JSON.stringify(inputs, null, 2);
  const changed = useJsonText(unchanged);
  return (
    <BranchDialog
      title={`Fork from checkpoint ${index}`}
      description="A new run begins with this state: what had ended there is not done again. This run stays as it is."
      confirm="Start the fork"
      onClose={onClose}
      workspaceId={workspaceId}
      post={async (name, key) => {
        const read = changed.read();
        if (read === null) return null;
        const body: Schemas["ForkIn"] = {
          checkpoint_index: index,
          run_id: name,
          inputs: changed.text === unchanged ? undefined : (read.value as { [key: string]: Json }),
        };
        const path = { workspace_id: workspaceId, run_id: runId };
        return (await http.POST("/api/v1/workspaces/{workspace_id}/runs/{run_id}/fork", { params: { path }, headers: { "Idempotency-Key": key }, body })).data!;
      }}
    >
      <JsonField json={changed} label="Inputs" hint="JSON; the run's own unless you change them" rows={6} />
    </BranchDialog>
  );
}

/** A new run that begins where a step began for the last time. */
export function ReplayDialog({ workspaceId, runId, step: start, steps, onClose }: Common & { step: string | undefined; steps: readonly string[] }) {
  const [step, setStep] = useState(start ?? steps[0]);
  const input = useJsonText("");
  return (
    <BranchDialog
      title="Replay from a step"
      description="A new run begins where the step began for the last time, and does it and all that follows again. This run stays as it is."
      confirm="Start the replay"
      ready={step !== undefined}
      onClose={onClose}
      workspaceId={workspaceId}
      post={async (name, key) => {
        const read = input.read();
        if (read === null || step === undefined) return null;
        const body: Schemas["ReplayIn"] = { step, run_id: name, ...(read.value === undefined ? {} : { input: read.value as Json }) };
        const path = { workspace_id: workspaceId, run_id: runId };
        return (await http.POST("/api/v1/workspaces/{workspace_id}/runs/{run_id}/replay", { params: { path }, headers: { "Idempotency-Key": key }, body })).data!;
      }}
    >
      <Field label="Step" required>
        {(control) => <Combobox {...control} className="w-full" value={step} onValueChange={setStep} options={steps.map((key) => ({ value: key, label: key }))} />}
      </Field>
      <JsonField json={input} label="Input of the step" hint="JSON; leave it empty for what the step was given" />
    </BranchDialog>
  );
}

type BranchProps = {
  workspaceId: string;
  title: string;
  description: string;
  confirm: string;
  ready?: boolean;
  onClose: () => void;
  /** Null where what was typed is not right yet. */
  post: (name: string | undefined, key: string) => Promise<Schemas["RunOut"] | null>;
  children: ReactNode;
};

function BranchDialog({ workspaceId, title, description, confirm, ready = true, onClose, post, children }: BranchProps) {
  const [intent] = useState(idempotencyKey);
  const [name, setName] = useState("");
  const navigate = useNavigate();
  const start = useMutation({
    mutationFn: () => post(name === "" ? undefined : name, intent),
    onSuccess: (run) => {
      if (run === null) return;
      toast.success("Run started");
      onClose();
      void navigate({ to: "/w/$workspaceId/runs/$runId", params: { workspaceId, runId: run.id } });
    },
  });
  return (
    <FormDialog
      title={title}
      description={description}
      className="gap-3"
      submitLabel={confirm}
      disabled={!ready}
      pending={start.isPending}
      error={start.error}
      onClose={onClose}
      onSubmit={() => start.mutate()}
    >
      {children}
      <Field label="Name of the new run" hint="Left empty, its id is its name">
        {(control) => <Input {...control} spellCheck={false} autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}

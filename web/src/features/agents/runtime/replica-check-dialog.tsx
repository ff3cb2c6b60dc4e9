import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { toast } from "sonner";
import { api, type Schemas } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Combobox } from "@/components/ui/combobox";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { pluralise } from "@/components/format";
import { useIntentKey } from "../intent-key";
import { useAgentPath } from "../use-agent-path";

export const REPLICA_CHECKS = "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/replica-checks";

export interface ReplicaCheckDialogProps {
  agent: Schemas["AgentOut"];
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

export function ReplicaCheckDialog({ agent, open, onOpenChange }: ReplicaCheckDialogProps) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Check the replica"
      description="Executes the config on recorded inputs and compares its outputs with what was recorded."
    >
      {open && <CheckForm agent={agent} onClose={() => onOpenChange(false)} />}
    </Dialog>
  );
}

function CheckForm({ agent, onClose }: { agent: Schemas["AgentOut"]; onClose: () => void }) {
  const path = useAgentPath();
  const queries = useQueryClient();
  const keyOf = useIntentKey();
  const [sampleSet, setSampleSet] = useState<string>();
  const [version, setVersion] = useState("");
  const [maximum, setMaximum] = useState("");
  const sets = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/samples", {
    params: { path: { workspace_id: path.workspace_id }, query: { limit: 100 } },
  });
  const start = api.useMutation("post", REPLICA_CHECKS, {
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["get", REPLICA_CHECKS] });
      toast.success("The check has begun");
      onClose();
    },
  });
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (sampleSet === undefined) return;
        const body = {
          sample_set_id: sampleSet,
          version: version.trim() === "" ? null : Number(version),
          max_cost_usd: maximum.trim() === "" ? null : maximum.trim(),
        };
        start.mutate({ params: { path }, headers: { "Idempotency-Key": keyOf(body) }, body });
      }}
    >
      <Field label="Sample set" required hint="Of the agent's traces, expecting what they said. 100 to 500 samples outside of the holdout are compared.">
        {(control) => (
          <Combobox
            {...control}
            value={sampleSet}
            onValueChange={setSampleSet}
            options={(sets.data?.results ?? []).map((set) => ({ value: set.id, label: set.name, hint: pluralise(set.items, "sample") }))}
            emptyText={sets.isPending ? "Loading…" : "No such sample set."}
          />
        )}
      </Field>
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="Version" hint="Left empty, what is live in production.">
          {(control) => (
            <Input
              {...control}
              inputMode="numeric"
              value={version}
              placeholder={agent.live.production === undefined ? undefined : String(agent.live.production)}
              onChange={(event) => setVersion(event.target.value.replace(/\D/g, ""))}
            />
          )}
        </Field>
        <Field label="Maximum cost (US$)" hint="Left empty, there is no limit.">
          {(control) => <Input {...control} inputMode="decimal" value={maximum} onChange={(event) => setMaximum(event.target.value)} />}
        </Field>
      </div>
      {start.error && <ProblemNotice error={start.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" pending={start.isPending} disabled={sampleSet === undefined}>
          Check the replica
        </Button>
      </div>
    </form>
  );
}

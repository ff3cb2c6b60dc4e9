import { useState } from "react";
import { toast } from "sonner";
import { api, type Schemas } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Textarea } from "@/components/ui/textarea";
import { useAgentPath, useRefreshAgents } from "./use-agent-path";

export interface RenameDialogProps {
  agent: Schemas["AgentOut"];
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

export function RenameDialog({ agent, open, onOpenChange }: RenameDialogProps) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={`Rename or describe ${agent.name}`}>
      {open && <RenameForm agent={agent} onClose={() => onOpenChange(false)} />}
    </Dialog>
  );
}

function RenameForm({ agent, onClose }: { agent: Schemas["AgentOut"]; onClose: () => void }) {
  const path = useAgentPath();
  const refresh = useRefreshAgents();
  const [name, setName] = useState(agent.name);
  const [description, setDescription] = useState(agent.description ?? "");
  const patch = api.useMutation("patch", "/api/v1/workspaces/{workspace_id}/agents/{agent_id}", {
    onSuccess: async () => {
      await refresh();
      toast.success("Agent changed");
      onClose();
    },
  });
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        patch.mutate({ params: { path }, body: { name, description: description.trim() === "" ? null : description } });
      }}
    >
      <Field label="Name" required hint={agent.external_key === null ? "Spans that go on naming it by the old name count for it no longer; its id always does." : undefined}>
        {(control) => <Input {...control} value={name} maxLength={200} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label="Description">
        {(control) => <Textarea {...control} rows={3} maxLength={2000} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
      {patch.error && <ProblemNotice error={patch.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" pending={patch.isPending} disabled={name.trim() === ""}>
          Save
        </Button>
      </div>
    </form>
  );
}

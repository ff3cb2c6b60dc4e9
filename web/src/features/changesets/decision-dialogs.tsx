import { useState } from "react";
import { toast } from "sonner";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { useAfterDecision } from "./changeset-queries";
import type { ChangesetDetail } from "./evidence-types";
import { ReasonField } from "./reason-field";

interface DecisionDialogProps {
  changeset: ChangesetDetail;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

export function RejectDialog({ changeset, open, onOpenChange }: DecisionDialogProps) {
  const workspaceId = useWorkspaceId();
  const after = useAfterDecision(changeset.id);
  const [reason, setReason] = useState("");
  const reject = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}/reject", {
    onSuccess: async (answer) => {
      await after(answer);
      onOpenChange(false);
      toast.success("Change set rejected");
    },
  });
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={(next) => {
        reject.reset();
        onOpenChange(next);
      }}
      title="Reject this change set?"
      confirmLabel="Reject"
      danger
      pending={reject.isPending}
      error={reject.error}
      onConfirm={() =>
        reject.mutate({
          params: { path: { workspace_id: workspaceId, changeset_id: changeset.id } },
          body: reason.trim() === "" ? null : { reason: reason.trim() },
        })
      }
    >
      <p>
        Nobody can accept it any more. Version {changeset.candidate_version} stays in the agent's list of versions, and nothing that is
        live changes.
        {changeset.state === "validating" && " The look under way stops before its next batch."}
      </p>
      <ReasonField value={reason} onValueChange={setReason} />
    </ConfirmDialog>
  );
}

export function RollbackDialog({ changeset, open, onOpenChange, agentName }: DecisionDialogProps & { agentName: string }) {
  const workspaceId = useWorkspaceId();
  const after = useAfterDecision(changeset.id);
  const [reason, setReason] = useState("");
  const back = changeset.previous_version ?? changeset.base_version;
  const rollback = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}/rollback", {
    onSuccess: async (answer) => {
      await after(answer);
      onOpenChange(false);
      toast.success(`Rolled back: version ${back} is live in ${answer.target_environment}`);
    },
  });
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={(next) => {
        rollback.reset();
        onOpenChange(next);
      }}
      title={`Roll back ${agentName} to version ${back}?`}
      confirmLabel={`Roll back to version ${back}`}
      danger
      pending={rollback.isPending}
      error={rollback.error}
      onConfirm={() =>
        rollback.mutate({
          params: { path: { workspace_id: workspaceId, changeset_id: changeset.id } },
          body: reason.trim() === "" ? null : { reason: reason.trim() },
        })
      }
    >
      <p>
        Version {back} goes live in {changeset.target_environment} again, for everybody and at once, in place of version{" "}
        {changeset.candidate_version}.
        {changeset.state === "applied" && " The managed templates get its prompts back."} The guard ends. A change set that was rolled
        back cannot be accepted again.
      </p>
      <ReasonField value={reason} onValueChange={setReason} />
    </ConfirmDialog>
  );
}

export function ApplyDialog({ changeset, open, onOpenChange }: DecisionDialogProps) {
  const workspaceId = useWorkspaceId();
  const after = useAfterDecision(changeset.id);
  const apply = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}/apply", {
    onSuccess: async (answer) => {
      await after(answer);
      onOpenChange(false);
      toast.success("Written into the managed templates");
    },
  });
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={(next) => {
        apply.reset();
        onOpenChange(next);
      }}
      title="Write it into the managed templates?"
      confirmLabel="Apply to templates"
      pending={apply.isPending}
      error={apply.error}
      onConfirm={() => apply.mutate({ params: { path: { workspace_id: workspaceId, changeset_id: changeset.id } } })}
    >
      <p>
        Each prompt of version {changeset.candidate_version} becomes a new version of the agent's template of that name, so that code
        which reads templates gets what is live. Rolling the change set back takes this back too.
      </p>
    </ConfirmDialog>
  );
}

import { useState } from "react";
import { toast } from "sonner";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { formatCount, formatPercent } from "@/components/format";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { useAfterDecision } from "./changeset-queries";
import type { ChangesetDetail, LiveGuard } from "./evidence-types";
import { ReasonField } from "./reason-field";

export interface ReleaseDialogProps {
  changeset: ChangesetDetail;
  guard: LiveGuard;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

export function ReleaseDialog({ changeset, guard, open, onOpenChange }: ReleaseDialogProps) {
  const workspaceId = useWorkspaceId();
  const after = useAfterDecision(changeset.id);
  const [reason, setReason] = useState("");
  const release = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}/guard/release", {
    onSuccess: async () => {
      await after();
      onOpenChange(false);
      toast.success(`Version ${changeset.candidate_version} is live for everybody`);
    },
  });
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={(next) => {
        release.reset();
        onOpenChange(next);
      }}
      title="End the guard and keep the new version?"
      confirmLabel="Release"
      pending={release.isPending}
      error={release.error}
      onConfirm={() =>
        release.mutate({
          params: { path: { workspace_id: workspaceId, changeset_id: changeset.id } },
          body: reason.trim() === "" ? null : { reason: reason.trim() },
        })
      }
    >
      <p>
        Version {changeset.candidate_version} goes live in {guard.environment} for everybody
        {guard.holdback === null ? "" : `, also for the ${formatPercent(guard.holdback, { digits: 0 })} of the sessions that had the version before`}.
        The guard has counted {formatCount(guard.sessions)} sessions and will count no more; a regression would not be noticed by it.
      </p>
      <ReasonField value={reason} onValueChange={setReason} />
    </ConfirmDialog>
  );
}

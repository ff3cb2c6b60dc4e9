import { useState } from "react";
import { toast } from "sonner";
import { http, idempotencyKey } from "@/api/client";
import { isPassing } from "@/api/problems";
import { useWorkspaceId } from "@/api/access";
import { pluralise } from "@/components/format";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { useTracesChanged } from "@/features/traces/trace-query";
import { useMutation } from "@tanstack/react-query";

const POLL_MS = 400;
const LONGEST_MS = 20_000;

export interface DeleteTracesProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  traceIds: readonly string[];
  onDeleted: () => void;
}

/** One trace goes at once, several in the background: the dialog waits for them as long as people do. */
export function DeleteTraces({ open, onOpenChange, traceIds, onDeleted }: DeleteTracesProps) {
  const workspaceId = useWorkspaceId();
  const changed = useTracesChanged();
  const [key, setKey] = useState(idempotencyKey);
  const remove = useMutation({
    mutationFn: async () => {
      const path = { workspace_id: workspaceId };
      const [only] = traceIds;
      if (traceIds.length === 1 && only !== undefined) {
        await http.DELETE("/api/v1/workspaces/{workspace_id}/traces/{trace_id}", { params: { path: { ...path, trace_id: only } } });
        return true;
      }
      const begun = await http.POST("/api/v1/workspaces/{workspace_id}/traces/deletions", {
        params: { path, header: { "Idempotency-Key": key } },
        body: { trace_ids: [...traceIds] },
      });
      let deletion = begun.data!;
      const until = Date.now() + LONGEST_MS;
      while (deletion.state !== "done" && Date.now() < until) {
        await new Promise((done) => setTimeout(done, POLL_MS));
        try {
          const answer = await http.GET("/api/v1/workspaces/{workspace_id}/traces/deletions/{trace_deletion_id}", {
            params: { path: { ...path, trace_deletion_id: deletion.id } },
          });
          deletion = answer.data!;
        } catch (error) {
          // It was accepted and goes on, also while the server is too busy to say so.
          if (!isPassing(error)) throw error;
        }
      }
      return deletion.state === "done";
    },
    onSuccess: async (done) => {
      const many = pluralise(traceIds.length, "trace");
      toast.success(done ? `${many} deleted` : `${many} are being deleted; the server goes on by itself`);
      setKey(idempotencyKey());
      onOpenChange(false);
      onDeleted();
      await changed();
    },
  });
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Delete ${pluralise(traceIds.length, "trace")}?`}
      confirmLabel={`Delete ${pluralise(traceIds.length, "trace")}`}
      danger
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate()}
    >
      <p>Spans, content, feedback and scores go, and the figures become as if they had never been sent. This cannot be undone.</p>
      <p>Samples that were made of them stay. Spans that arrive later are stored again.</p>
    </ConfirmDialog>
  );
}

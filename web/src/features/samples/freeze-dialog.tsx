import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { toast } from "sonner";
import { http, idempotencyKey, type Schemas } from "@/api/client";
import { formatCount } from "@/components/format";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { LOOK_ALPHAS } from "./holdout-ledger";
import { refreshSamples, type SetPath } from "./queries";

interface FreezeDialogProps {
  path: SetPath;
  set: Schemas["SampleSetOut"];
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onFrozen: () => void;
}

export function FreezeDialog({ path, set, open, onOpenChange, onFrozen }: FreezeDialogProps) {
  const queries = useQueryClient();
  const [key, setKey] = useState(idempotencyKey);
  const freeze = useMutation({
    mutationFn: () =>
      http.POST("/api/v1/workspaces/{workspace_id}/samples/{set_id}/holdouts", {
        params: { path },
        headers: { "Idempotency-Key": key },
      }),
    onSuccess: async ({ data }) => {
      toast(`Holdout of ${formatCount(data?.size)} items frozen`);
      setKey(idempotencyKey());
      onFrozen();
      await refreshSamples(queries);
    },
  });
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Freeze the holdout of “${set.name}”?`}
      confirmLabel={`Freeze ${formatCount(set.splits.holdout)} items`}
      pending={freeze.isPending}
      error={freeze.error}
      onConfirm={() => freeze.mutate()}
    >
      <p>
        The {formatCount(set.splits.holdout)} items of the holdout split get a SHA-256 over their content. From then on they can be
        neither changed nor deleted, and no search reads them. This cannot be undone.
      </p>
      <p>
        The holdout has α = 0.05 for its whole life: {LOOK_ALPHAS.length} looks at {LOOK_ALPHAS.join(", ")}. Every validation that takes a look pays
        for it, whatever it shows; after the last one the holdout is retired and a fresh one is frozen.
      </p>
      <p>Samples that come later wait for the next holdout.</p>
    </ConfirmDialog>
  );
}

import { useState } from "react";
import { toast } from "sonner";
import { useWorkspaceId } from "@/api/access";
import { api, idempotencyKey, type Schemas } from "@/api/client";
import { formatCount } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { CLUSTER, type ClusterDetail, useAfterCuration } from "./cluster-queries";

export interface SplitDialogProps {
  cluster: ClusterDetail;
  /** The failures of the new part; left out, it falls into parts by what they say. */
  itemIds?: readonly string[];
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onSplit?: () => void;
}

const PARTS = ["2", "3", "4", "5", "6", "7", "8", "9", "10"] as const;
const LONGEST_LABEL = 200;

export function SplitDialog({ cluster, itemIds, open, onOpenChange, onSplit }: SplitDialogProps) {
  const workspaceId = useWorkspaceId();
  const after = useAfterCuration();
  const [key, setKey] = useState(idempotencyKey);
  const [parts, setParts] = useState<(typeof PARTS)[number]>("2");
  const [label, setLabel] = useState("");
  const [result, setResult] = useState<Schemas["ClusterOut"][]>();
  const split = api.useMutation("post", `${CLUSTER}/split`, {
    onSuccess: ({ parts: made }) => {
      after();
      setResult(made);
      onSplit?.();
      toast.success(`Split into ${made.length} parts`);
    },
  });
  const close = () => {
    onOpenChange(false);
    split.reset();
    setResult(undefined);
    setKey(idempotencyKey());
  };
  const chosen = itemIds?.length ?? 0;
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => (next ? onOpenChange(true) : close())}
      title={result ? "The parts" : itemIds ? `Make ${chosen} failures a cluster of their own?` : "Split this cluster?"}
      description={cluster.label}
      footer={
        result ? (
          <Button variant="primary" onClick={close}>
            Done
          </Button>
        ) : (
          <>
            <Button onClick={close}>Cancel</Button>
            <Button
              variant="primary"
              pending={split.isPending}
              onClick={() =>
                split.mutate({
                  params: { path: { workspace_id: workspaceId, cluster_id: cluster.id }, header: { "Idempotency-Key": key } },
                  body: {
                    ...(itemIds ? { item_ids: [...itemIds] } : { k: Number(parts) }),
                    ...(label.trim() === "" ? {} : { label: label.trim() }),
                  },
                })
              }
            >
              Split
            </Button>
          </>
        )
      }
    >
      {result ? (
        <ul aria-label="Parts" className="rounded-md border border-line text-sm">
          {result.map((part) => (
            <li key={part.id} className="flex gap-2 border-b border-line px-3 py-1.5 last:border-b-0">
              <span className="numeric w-10 shrink-0 text-right text-muted">{formatCount(part.size)}</span>
              <span className="min-w-0 break-words">{part.label}</span>
            </li>
          ))}
        </ul>
      ) : (
        <div className="flex flex-col gap-3 text-sm">
          {itemIds ? (
            <p className="numeric">
              Afterwards: {formatCount(cluster.size - chosen)} failures stay in “{cluster.label}”, and {formatCount(chosen)} are a new
              cluster.
            </p>
          ) : (
            <Field label="Into how many parts" hint="By what the failures say; how large each part is, is shown afterwards.">
              {(control) => (
                <Select {...control} value={parts} onValueChange={setParts} options={PARTS.map((value) => ({ value, label: value }))} />
              )}
            </Field>
          )}
          <Field label="Name of the new part (optional)" hint="Several new parts are numbered. The first part keeps the id and the name.">
            {(control) => <Input {...control} maxLength={LONGEST_LABEL} value={label} onChange={(event) => setLabel(event.target.value)} />}
          </Field>
          <p className="text-muted">Later failures go to the part that they are most like. Merging the parts takes it back.</p>
          {split.error && <ProblemNotice error={split.error} />}
        </div>
      )}
    </Dialog>
  );
}

import { useEffect, useState } from "react";
import { toast } from "sonner";
import { useWorkspaceId } from "@/api/access";
import { api, idempotencyKey } from "@/api/client";
import { formatCount } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { CLUSTERS, type Cluster, type ClusterDetail, useAfterCuration } from "./cluster-queries";

export interface MergeDialogProps {
  /** Empty: closed. */
  clusters: readonly Cluster[];
  onClose: () => void;
  onMerged: (merged: ClusterDetail) => void;
}

const LONGEST_LABEL = 200;

export function MergeDialog({ clusters, onClose, onMerged }: MergeDialogProps) {
  const workspaceId = useWorkspaceId();
  const after = useAfterCuration();
  const [key, setKey] = useState(idempotencyKey);
  const [stays, setStays] = useState<string>();
  const [label, setLabel] = useState("");
  const merge = api.useMutation("post", `${CLUSTERS}/merge`, {
    onSuccess: (merged) => {
      after();
      onClose();
      toast.success(`Merged into “${merged.label}”`);
      onMerged(merged);
    },
  });
  const { reset } = merge;
  const isOpen = clusters.length > 0;
  useEffect(() => {
    if (!isOpen) return;
    setKey(idempotencyKey());
    setStays(undefined);
    setLabel("");
    reset();
  }, [isOpen, reset]);
  const sorted = [...clusters].sort((a, b) => b.size - a.size);
  const first = sorted.find((cluster) => cluster.id === stays) ?? sorted[0];
  const ids = first ? [first.id, ...sorted.filter((cluster) => cluster.id !== first.id).map((cluster) => cluster.id)] : [];
  return (
    <Dialog
      open={isOpen}
      onOpenChange={(open) => !open && onClose()}
      title={`Merge ${clusters.length} clusters?`}
      description="They are one kind of failure, in this scan and in every later one."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            variant="primary"
            pending={merge.isPending}
            onClick={() =>
              merge.mutate({
                params: { path: { workspace_id: workspaceId }, header: { "Idempotency-Key": key } },
                body: { cluster_ids: ids, ...(label.trim() === "" ? {} : { label: label.trim() }) },
              })
            }
          >
            Merge
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 text-sm">
        <ul aria-label="What is merged" className="rounded-md border border-line">
          {sorted.map((cluster) => (
            <li key={cluster.id} className="flex gap-2 border-b border-line px-3 py-1.5 last:border-b-0">
              <span className="numeric w-10 shrink-0 text-right text-muted">{formatCount(cluster.size)}</span>
              <span className="min-w-0 break-words">{cluster.label}</span>
            </li>
          ))}
        </ul>
        <Field label="Which one stays" hint="Its id stays, and its name unless you write another; links to the others lead to it.">
          {(control) => (
            <Select
              {...control}
              value={first?.id}
              onValueChange={setStays}
              options={sorted.map((cluster) => ({ value: cluster.id, label: cluster.label }))}
            />
          )}
        </Field>
        <Field label="New name (optional)" hint="A name that a person chose is never changed by a scan.">
          {(control) => (
            <Input {...control} maxLength={LONGEST_LABEL} value={label} onChange={(event) => setLabel(event.target.value)} placeholder={first?.label} />
          )}
        </Field>
        <p className="numeric text-muted">
          Afterwards: <span className="text-text">{label.trim() || first?.label}</span>,{" "}
          {new Set(clusters.map((cluster) => cluster.scan_id)).size === 1
            ? `${formatCount(clusters.reduce((sum, cluster) => sum + cluster.size, 0))} failures`
            : "with the failures of the last scan that saw them"}
          .
        </p>
        {merge.error && <ProblemNotice error={merge.error} />}
      </div>
    </Dialog>
  );
}

import { useState } from "react";
import { toast } from "sonner";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { formatCount, pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Combobox } from "@/components/ui/combobox";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { CLUSTER, CLUSTERS, type ClusterDetail, useAfterCuration } from "./cluster-queries";

export interface MoveDialogProps {
  cluster: ClusterDetail;
  itemIds: readonly string[];
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onMoved: () => void;
}

const NOWHERE = "none";

/** Failures leave a cluster, for another one of the same scan or for none. */
export function MoveDialog({ cluster, itemIds, open, onOpenChange, onMoved }: MoveDialogProps) {
  const workspaceId = useWorkspaceId();
  const after = useAfterCuration();
  const [to, setTo] = useState(NOWHERE);
  const { data } = api.useQuery(
    "get",
    CLUSTERS,
    { params: { path: { workspace_id: workspaceId }, query: { limit: 100, agent_id: cluster.agent_id } } },
    { enabled: open },
  );
  const others = data?.results.filter((other) => other.id !== cluster.id && other.scan_id === cluster.scan_id) ?? [];
  const target = others.find((other) => other.id === to);
  const move = api.useMutation("post", `${CLUSTER}/members`, {
    onSuccess: () => {
      after();
      onOpenChange(false);
      onMoved();
      toast.success(`${pluralise(itemIds.length, "failure")} moved`);
    },
  });
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        move.reset();
        onOpenChange(next);
      }}
      title={`Move ${pluralise(itemIds.length, "failure")}?`}
      description={`Out of ${cluster.label}`}
      footer={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button
            variant="primary"
            pending={move.isPending}
            onClick={() =>
              move.mutate({
                params: { path: { workspace_id: workspaceId, cluster_id: cluster.id } },
                body: { add: [], remove: [...itemIds], ...(target ? { to: target.id } : {}) },
              })
            }
          >
            Move
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 text-sm">
        <Field label="To" hint="Clusters that the same scan saw.">
          {(control) => (
            <Combobox
              {...control}
              value={to}
              onValueChange={setTo}
              options={[
                { value: NOWHERE, label: "No cluster" },
                ...others.map((other) => ({ value: other.id, label: other.label, hint: `${formatCount(other.size)} failures` })),
              ]}
            />
          )}
        </Field>
        <p className="numeric text-muted">
          Afterwards: {formatCount(cluster.size - itemIds.length)} failures stay here
          {target ? `, and “${target.label}” has ${formatCount(target.size + itemIds.length)}` : ""}. When the same items fail again, they
          are where you put them.
        </p>
        {move.error && <ProblemNotice error={move.error} />}
      </div>
    </Dialog>
  );
}

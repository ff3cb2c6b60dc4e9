import { useState } from "react";
import { toast } from "sonner";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { statusLabel } from "@/components/status-badge";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Textarea } from "@/components/ui/textarea";
import { CLUSTER, type ClusterDetail, useAfterCuration } from "./cluster-queries";
import { CLUSTER_STATUSES } from "./search";

const LONGEST_LABEL = 200;
const LONGEST_NOTE = 4_000;

const HINTS = {
  open: undefined,
  investigating: "Somebody is at it.",
  resolved: "It should not come again.",
  muted: "Left out of what explains and suggests; what breaks in it is still counted.",
};

/** A person's view of a cluster: it survives later scans. */
export function CurateForm({ cluster, onDone }: { cluster: ClusterDetail; onDone: () => void }) {
  const workspaceId = useWorkspaceId();
  const after = useAfterCuration();
  const [label, setLabel] = useState(cluster.label);
  const [status, setStatus] = useState(cluster.status);
  const [note, setNote] = useState(cluster.note ?? "");
  const curate = api.useMutation("patch", CLUSTER, {
    onSuccess: () => {
      after();
      onDone();
      toast.success("Cluster saved");
    },
  });
  // Only what was changed is sent: a name that is sent counts as a person's from then on.
  const changed = {
    ...(label.trim() === cluster.label ? {} : { label: label.trim() }),
    ...(status === cluster.status ? {} : { status }),
    ...(note === (cluster.note ?? "") ? {} : { note: note === "" ? null : note }),
  };
  const isEmpty = label.trim() === "";
  return (
    <form
      className="flex flex-col gap-3 rounded-md border border-line bg-sunken p-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (isEmpty) return;
        if (Object.keys(changed).length === 0) onDone();
        else curate.mutate({ params: { path: { workspace_id: workspaceId, cluster_id: cluster.id } }, body: changed });
      }}
    >
      <Field label="Name" required error={isEmpty ? "It needs a name" : undefined}>
        {(control) => <Input {...control} maxLength={LONGEST_LABEL} value={label} onChange={(event) => setLabel(event.target.value)} />}
      </Field>
      <Field label="Status" hint={HINTS[status]}>
        {(control) => (
          <Select
            {...control}
            value={status}
            onValueChange={setStatus}
            options={CLUSTER_STATUSES.map((value) => ({ value, label: statusLabel(value), hint: HINTS[value] }))}
          />
        )}
      </Field>
      <Field label="Note">
        {(control) => <Textarea {...control} rows={3} maxLength={LONGEST_NOTE} value={note} onChange={(event) => setNote(event.target.value)} />}
      </Field>
      {curate.error && <ProblemNotice error={curate.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" variant="primary" pending={curate.isPending} disabled={isEmpty}>
          Save
        </Button>
      </div>
    </form>
  );
}

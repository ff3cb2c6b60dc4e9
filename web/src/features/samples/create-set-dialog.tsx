import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useId, useState } from "react";
import { toast } from "sonner";
import { useWorkspaceId } from "@/api/access";
import { http, idempotencyKey } from "@/api/client";
import { formatPercent } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Textarea } from "@/components/ui/textarea";
import { refreshSamples } from "./queries";
import { SPLITS, type Split } from "./search";
import { SPLIT_MEANING } from "./split-bar";

interface CreateSetDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

export function CreateSetDialog({ open, onOpenChange }: CreateSetDialogProps) {
  const form = useId();
  const [pending, setPending] = useState(false);
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="New sample set"
      description="Shares, grouping and seed decide where items go, and stay as they are."
      footer={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button type="submit" form={form} variant="primary" pending={pending}>
            Create
          </Button>
        </>
      }
    >
      {open && <CreateForm id={form} onPending={setPending} />}
    </Dialog>
  );
}

const SHARES: Record<Split, string> = { reflect: "40", select: "20", holdout: "40" };

function CreateForm({ id, onPending }: { id: string; onPending: (pending: boolean) => void }) {
  const workspaceId = useWorkspaceId();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [key] = useState(idempotencyKey);
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [shares, setShares] = useState(SHARES);
  const [groupBy, setGroupBy] = useState("session_id, conversation_id, user_id, customer_id");
  const [seed, setSeed] = useState("0");
  const sum = SPLITS.reduce((total, split) => total + Number(shares[split] || 0), 0);
  const sums = Math.abs(sum - 100) < 1e-9;
  const create = useMutation({
    mutationFn: () =>
      http.POST("/api/v1/workspaces/{workspace_id}/samples", {
        params: { path: { workspace_id: workspaceId } },
        headers: { "Idempotency-Key": key },
        body: {
          name: name.trim(),
          description: description.trim() || null,
          group_by: groupBy.split(",").map((one) => one.trim()).filter(Boolean),
          seed: Number(seed),
          shares: {
            reflect: Number(shares.reflect) / 100,
            select: Number(shares.select) / 100,
            holdout: Number(shares.holdout) / 100,
          },
        },
      }),
    onMutate: () => onPending(true),
    onSettled: () => onPending(false),
    onSuccess: async ({ data }) => {
      await refreshSamples(queries);
      toast(`Sample set ${data?.name ?? ""} created`);
      if (data) void navigate({ to: "/w/$workspaceId/samples/$setId", params: { workspaceId, setId: data.id }, search: { open: "import" } });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== "" && sums && !create.isPending) create.mutate();
  };
  return (
    <form id={id} onSubmit={submit} className="flex flex-col gap-4">
      <Field label="Name" required>
        {(control) => <Input {...control} autoFocus required maxLength={200} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label="Description">
        {(control) => <Textarea {...control} rows={2} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-1 text-xs font-medium">Shares</legend>
        <div className="grid grid-cols-3 gap-3">
          {SPLITS.map((split) => (
            <Field key={split} label={`${split}, %`} hint={SPLIT_MEANING[split]}>
              {(control) => (
                <Input
                  {...control}
                  type="number"
                  min={0}
                  max={100}
                  step="any"
                  value={shares[split]}
                  onChange={(event) => setShares({ ...shares, [split]: event.target.value })}
                />
              )}
            </Field>
          ))}
        </div>
        <p role="status" className={sums ? "numeric text-xs text-muted" : "numeric text-xs text-bad"}>
          {sums ? "Together 100 %." : `Together ${formatPercent(sum / 100)}; they must make 100 %.`}
        </p>
      </fieldset>
      <Field label="Keep together by" hint="Members of an item's metadata, with commas between. Items that agree in any of them stay in one split.">
        {(control) => <Input {...control} value={groupBy} onChange={(event) => setGroupBy(event.target.value)} />}
      </Field>
      <Field label="Seed" className="w-32">
        {(control) => <Input {...control} type="number" min={0} step={1} value={seed} onChange={(event) => setSeed(event.target.value)} />}
      </Field>
      {create.error !== null && <ProblemNotice error={create.error} />}
    </form>
  );
}

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { toast } from "sonner";
import { http, type Schemas } from "@/api/client";
import { pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Textarea } from "@/components/ui/textarea";
import { refreshSamples, type SetPath } from "./queries";

interface SetDialogProps {
  path: SetPath;
  set: Schemas["SampleSetOut"];
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

export function RenameSetDialog(props: SetDialogProps) {
  return (
    <Dialog open={props.open} onOpenChange={props.onOpenChange} title="Rename sample set">
      {props.open && <RenameForm {...props} />}
    </Dialog>
  );
}

function RenameForm({ path, set, onOpenChange }: SetDialogProps) {
  const id = useId();
  const queries = useQueryClient();
  const [name, setName] = useState(set.name);
  const [description, setDescription] = useState(set.description ?? "");
  const save = useMutation({
    mutationFn: () =>
      http.PATCH("/api/v1/workspaces/{workspace_id}/samples/{set_id}", {
        params: { path },
        body: { name: name.trim(), description: description.trim() || null },
      }),
    onSuccess: async () => {
      await refreshSamples(queries);
      toast("Sample set renamed");
      onOpenChange(false);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== "") save.mutate();
  };
  return (
    <form id={id} onSubmit={submit} className="flex flex-col gap-4">
      <Field label="Name" required>
        {(control) => <Input {...control} autoFocus required maxLength={200} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label="Description">
        {(control) => <Textarea {...control} rows={3} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
      {save.error !== null && <ProblemNotice error={save.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={() => onOpenChange(false)}>Cancel</Button>
        <Button type="submit" variant="primary" pending={save.isPending}>
          Save
        </Button>
      </div>
    </form>
  );
}

export function DeleteSetDialog({ path, set, open, onOpenChange, onDeleted }: SetDialogProps & { onDeleted: () => void }) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => http.DELETE("/api/v1/workspaces/{workspace_id}/samples/{set_id}", { params: { path } }),
    onSuccess: async () => {
      toast("Sample set deleted");
      onDeleted();
      await refreshSamples(queries);
    },
  });
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Delete “${set.name}”?`}
      confirmLabel="Delete the set"
      danger
      requireText={set.name}
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate()}
    >
      {`Its ${pluralise(set.items, "item")} and its holdouts go with it. A set that a scan refers to is refused.`}
    </ConfirmDialog>
  );
}

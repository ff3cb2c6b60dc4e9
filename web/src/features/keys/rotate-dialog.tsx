import { useState } from "react";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Field } from "@/components/ui/field";
import { Select } from "@/components/ui/select";
import { OVERLAPS, type Overlap } from "@/features/keys/expiry";

type Props = { name: string; pending: boolean; error: unknown; onClose: () => void; onRotate: (overlapS: number) => void };

/** A new key in place of the old one, which goes on working for as long as it takes to exchange it everywhere. */
export function RotateDialog({ name, pending, error, onClose, onRotate }: Props) {
  const [overlap, setOverlap] = useState<Overlap>("86400");
  return (
    <ConfirmDialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`Rotate ${name}`}
      confirmLabel="Make the new key"
      pending={pending}
      error={error}
      onConfirm={() => onRotate(Number(overlap))}
    >
      <p>You get a new key with the same rights, shown once.</p>
      <Field label="The old key stops">
        {(control) => <Select {...control} value={overlap} onValueChange={setOverlap} options={OVERLAPS} />}
      </Field>
    </ConfirmDialog>
  );
}

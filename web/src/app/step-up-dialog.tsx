import { useMutation } from "@tanstack/react-query";
import { useState, useSyncExternalStore } from "react";
import { http } from "@/api/client";
import { stepUp } from "@/api/step-up";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Input } from "@/components/ui/input";

/** Asks for a code of the authenticator app when the server wants to see one before it changes something. */
export function StepUpDialog() {
  const asked = useSyncExternalStore(stepUp.subscribe, stepUp.isAsked);
  return asked ? <Question /> : null;
}

function Question() {
  const [code, setCode] = useState("");
  const show = useMutation({
    mutationFn: () => http.POST("/api/v1/auth/step-up", { body: { code: code.trim() } }),
    onSuccess: () => stepUp.answer(true),
  });

  return (
    <FormDialog
      title="Show your second factor"
      description="This change needs a code, as you have not shown one for a while."
      size="sm"
      className="gap-3"
      submitLabel="Go on"
      pending={show.isPending}
      error={show.error}
      onClose={() => stepUp.answer(false)}
      onSubmit={() => show.mutate()}
    >
      <Field label="Code">
        {(control) => (
          <Input {...control} autoFocus required autoComplete="one-time-code" value={code} onChange={(event) => setCode(event.target.value)} />
        )}
      </Field>
    </FormDialog>
  );
}

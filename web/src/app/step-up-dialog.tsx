import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState, useSyncExternalStore } from "react";
import { http } from "@/api/client";
import { stepUp } from "@/api/step-up";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
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

  function submit(event: FormEvent) {
    event.preventDefault();
    show.mutate();
  }

  return (
    <Dialog
      open
      onOpenChange={(open) => !open && stepUp.answer(false)}
      title="Show your second factor"
      description="This change needs a code, as you have not shown one for a while."
      size="sm"
      footer={
        <>
          <Button onClick={() => stepUp.answer(false)}>Cancel</Button>
          <Button variant="primary" type="submit" form="step-up" pending={show.isPending}>
            Go on
          </Button>
        </>
      }
    >
      <form id="step-up" onSubmit={submit} className="flex flex-col gap-3">
        <Field label="Code">
          {(control) => (
            <Input {...control} autoFocus required autoComplete="one-time-code" value={code} onChange={(event) => setCode(event.target.value)} />
          )}
        </Field>
        {show.error !== null && <ProblemNotice error={show.error} />}
      </form>
    </Dialog>
  );
}

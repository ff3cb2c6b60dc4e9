import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { toast } from "sonner";
import { api, type Schemas } from "@/api/client";
import { ApiProblem, type FieldProblem } from "@/api/problems";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { useIntentKey } from "../intent-key";
import { useAgentPath } from "../use-agent-path";
import { MessageEditor } from "./message-editor";
import { type Message, variablesOfMessages } from "./messages";

export const TEMPLATES = "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/templates";
export const TEMPLATE = "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/templates/{name}";

export interface TemplateFormProps {
  /** What is edited; null makes a new one. */
  template: Schemas["TemplateOut"] | null;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onSaved: (template: Schemas["TemplateOut"]) => void;
}

export function TemplateDialog({ template, open, onOpenChange, onSaved }: TemplateFormProps) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      size="lg"
      title={template ? `Edit ${template.name}` : "Create a template"}
      description={template ? `Saving writes version ${template.current_version + 1}; the versions before it stay.` : "Write {{name}} where a variable goes."}
    >
      {open && <TemplateForm template={template} onCancel={() => onOpenChange(false)} onSaved={onSaved} />}
    </Dialog>
  );
}

const NO_ERRORS: readonly FieldProblem[] = [];

function TemplateForm({ template, onCancel, onSaved }: Pick<TemplateFormProps, "template" | "onSaved"> & { onCancel: () => void }) {
  const path = useAgentPath();
  const queries = useQueryClient();
  const keyOf = useIntentKey();
  const [name, setName] = useState(template?.name ?? "");
  const [messages, setMessages] = useState<Message[]>(template?.messages ?? [{ role: "system", content: "" }]);
  const saved = async (answer: Schemas["TemplateOut"]) => {
    await queries.invalidateQueries({ predicate: ({ queryKey }) => typeof queryKey[1] === "string" && queryKey[1].startsWith(TEMPLATES) });
    toast.success(`Version ${answer.version} of ${answer.name} saved`);
    onSaved(answer);
  };
  const create = api.useMutation("post", TEMPLATES, { onSuccess: saved });
  const replace = api.useMutation("put", TEMPLATE, { onSuccess: saved });
  const { error, isPending } = template ? replace : create;
  const errors = error instanceof ApiProblem ? error.errors : NO_ERRORS;
  const shownInPlace = errors.length > 0 && errors.every(({ pointer }) => /^\/(name$|messages\/\d+\/)/.test(pointer));
  const variables = variablesOfMessages(messages);
  const submit = () => {
    const body = { messages, variables };
    if (template) replace.mutate({ params: { path: { ...path, name: template.name } }, body });
    else create.mutate({ params: { path }, headers: { "Idempotency-Key": keyOf([name, body]) }, body: { ...body, name } });
  };
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {!template && (
        <Field
          label="Name"
          required
          hint="Letters, digits, _ . and -; 64 at most. A change set that is applied writes the template of the same name as the prompt."
          error={errors.find(({ pointer }) => pointer === "/name")?.detail}
        >
          {(control) => <Input {...control} value={name} onChange={(event) => setName(event.target.value)} autoComplete="off" spellCheck={false} maxLength={64} />}
        </Field>
      )}
      <MessageEditor messages={messages} onMessagesChange={setMessages} errors={errors} />
      <p className="flex flex-wrap items-center gap-1 text-xs text-muted">
        Variables:
        {variables.length === 0 ? " none" : variables.map((variable) => <Badge key={variable}>{variable}</Badge>)}
      </p>
      {error && !shownInPlace && <ProblemNotice error={error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onCancel}>Cancel</Button>
        <Button type="submit" variant="primary" pending={isPending} disabled={!template && name === ""}>
          {template ? `Save version ${template.current_version + 1}` : "Create template"}
        </Button>
      </div>
    </form>
  );
}

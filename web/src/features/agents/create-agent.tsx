import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { toast } from "sonner";
import { useWorkspaceId } from "@/api/access";
import { type Schemas, api } from "@/api/client";
import { ApiProblem, type FieldProblem } from "@/api/problems";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Switch } from "@/components/ui/switch";
import { ConfigEditor, useReadYaml } from "./config/config-editor";
import { STARTING_POINT } from "./config/starting-point";
import { useIntentKey } from "./intent-key";
import { RUNTIMES, type SettingsForm, runtimeKind, settingsOf } from "./runtime/settings";
import { SettingsFields } from "./runtime/settings-fields";

export interface CreateAgentDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

export function CreateAgentDialog({ open, onOpenChange }: CreateAgentDialogProps) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Create an agent"
      description="With a config, that becomes version 1 and is live in production at once."
      size="lg"
    >
      {open && <CreateAgentForm onCancel={() => onOpenChange(false)} />}
    </Dialog>
  );
}

const NO_ERRORS: readonly FieldProblem[] = [];

function CreateAgentForm({ onCancel }: { onCancel: () => void }) {
  const workspaceId = useWorkspaceId();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const keyOf = useIntentKey();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [runtime, setRuntime] = useState("prompt");
  const [settings, setSettings] = useState<SettingsForm>({});
  const [withConfig, setWithConfig] = useState(true);
  const [text, setText] = useState(STARTING_POINT);
  const [sent, setSent] = useState("");
  const document = useReadYaml(text);
  const create = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/agents", {
    onSuccess: async (agent) => {
      await queries.invalidateQueries({ queryKey: ["get", "/api/v1/workspaces/{workspace_id}/agents"] });
      toast.success(`Agent ${agent.name} created`);
      await navigate({ to: "/w/$workspaceId/agents/$agentId", params: { workspaceId, agentId: agent.id } });
    },
  });
  const errors = create.error instanceof ApiProblem ? create.error.errors : NO_ERRORS;
  const at = (pointer: string) => errors.find((one) => one.pointer === pointer)?.detail;
  const shownInPlace = errors.length > 0 && errors.every(({ pointer }) => /^\/(name|description|runtime|runtime_settings|config)(\/|$)/.test(pointer));
  const hasConfig = withConfig && runtime !== "observed";
  const submit = () => {
    setSent(text);
    const body = {
      name,
      description: description.trim() === "" ? null : description,
      runtime,
      runtime_settings: settingsOf(runtime, settings),
      config: hasConfig ? (document.value as Schemas["ConfigDocument"]) : null,
    };
    create.mutate({ params: { path: { workspace_id: workspaceId } }, headers: { "Idempotency-Key": keyOf(body) }, body });
  };
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="Name" required error={at("/name")} hint="Traces whose spectral.agent.id is this name, or the agent's id, are this agent's.">
          {(control) => <Input {...control} value={name} onChange={(event) => setName(event.target.value)} maxLength={200} autoFocus />}
        </Field>
        <Field label="Runtime" hint={runtimeKind(runtime).hint} error={at("/runtime")}>
          {(control) => (
            <Select
              {...control}
              value={runtime}
              onValueChange={(next) => {
                setRuntime(next);
                setSettings({});
              }}
              options={RUNTIMES.map(({ value, label, hint }) => ({ value, label, hint }))}
            />
          )}
        </Field>
      </div>
      <Field label="Description" error={at("/description")}>
        {(control) => <Input {...control} value={description} onChange={(event) => setDescription(event.target.value)} maxLength={2000} />}
      </Field>
      {runtime !== "prompt" && <SettingsFields runtime={runtime} form={settings} onFormChange={setSettings} errors={errors} />}
      {runtime !== "observed" && (
        <Switch checked={withConfig} onCheckedChange={setWithConfig} label="Begin with a config (YAML or JSON)" />
      )}
      {hasConfig && (
        <ConfigEditor
          text={text}
          onTextChange={setText}
          refused={sent === text ? errors.filter(({ pointer }) => pointer.startsWith("/config")) : NO_ERRORS}
          label="Config"
          className="max-h-96"
        />
      )}
      {create.error && !shownInPlace && <ProblemNotice error={create.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onCancel}>Cancel</Button>
        <Button
          type="submit"
          variant="primary"
          pending={create.isPending}
          disabled={name.trim() === "" || (hasConfig && document.problems.length > 0)}
        >
          Create agent
        </Button>
      </div>
    </form>
  );
}

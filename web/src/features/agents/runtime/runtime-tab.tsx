import { useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { api, type Schemas } from "@/api/client";
import { ApiProblem, type FieldProblem } from "@/api/problems";
import { JsonView } from "@/components/json-view";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Field } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { useAgentPath, useRefreshAgents } from "../use-agent-path";
import { Connect } from "./connect";
import { ReplicaChecks } from "./replica-checks";
import { RuntimeSecret } from "./runtime-secret";
import { formOf, RUNTIMES, runtimeKind, settingsOf } from "./settings";
import { SettingsFields } from "./settings-fields";

export function RuntimeTab({ agent }: { agent: Schemas["AgentOut"] }) {
  return (
    <>
      <SettingsPanel key={`${agent.runtime} ${JSON.stringify(agent.runtime_settings)}`} agent={agent} />
      {agent.runtime === "http" && <RuntimeSecret agent={agent} />}
      <Connect agent={agent} />
      {agent.runtime === "prompt" && agent.runtime_settings.replica === true && <ReplicaChecks agent={agent} />}
    </>
  );
}

const NO_ERRORS: readonly FieldProblem[] = [];

function SettingsPanel({ agent }: { agent: Schemas["AgentOut"] }) {
  const path = useAgentPath();
  const refresh = useRefreshAgents();
  const mayWrite = useMay("write:workspace");
  const [runtime, setRuntime] = useState(agent.runtime);
  const [form, setForm] = useState(formOf(agent.runtime_settings));
  const [confirming, setConfirming] = useState(false);
  const patch = api.useMutation("patch", "/api/v1/workspaces/{workspace_id}/agents/{agent_id}", {
    onSuccess: async () => {
      await refresh();
      toast.success("Runtime saved");
    },
    onError: () => setConfirming(false),
  });
  const errors = patch.error instanceof ApiProblem ? patch.error.errors : NO_ERRORS;
  const kind = runtimeKind(runtime);
  const isBrought = !RUNTIMES.some(({ value }) => value === runtime);
  const changed =
    runtime !== agent.runtime || JSON.stringify(settingsOf(runtime, form)) !== JSON.stringify(settingsOf(agent.runtime, formOf(agent.runtime_settings)));
  const save = () => patch.mutate({ params: { path }, body: { runtime, runtime_settings: settingsOf(runtime, form) } });
  return (
    <Panel title="Runtime" description="Who executes the agent in evaluations, workflows and the playground.">
      <form
        className="flex max-w-3xl flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (runtime === agent.runtime) save();
          else setConfirming(true);
        }}
      >
        <Field label="Runtime" hint={kind.hint} error={errors.find(({ pointer }) => pointer === "/runtime")?.detail} className="sm:w-1/2">
          {(control) => (
            <Select
              {...control}
              value={runtime}
              disabled={!mayWrite}
              onValueChange={(next) => {
                setRuntime(next);
                setForm(next === agent.runtime ? formOf(agent.runtime_settings) : {});
              }}
              options={[...(RUNTIMES.some(({ value }) => value === agent.runtime) ? [] : [runtimeKind(agent.runtime)]), ...RUNTIMES].map(
                ({ value, label, hint }) => ({ value, label, hint }),
              )}
            />
          )}
        </Field>
        {isBrought ? (
          <JsonView value={agent.runtime_settings} label="Settings of the runtime" />
        ) : (
          <SettingsFields runtime={runtime} form={form} onFormChange={setForm} errors={errors} disabled={!mayWrite} />
        )}
        {patch.error && errors.length === 0 && <ProblemNotice error={patch.error} />}
        {!isBrought && (
          <div className="flex gap-2">
            <Button
              type="submit"
              variant="primary"
              pending={patch.isPending}
              disabled={!mayWrite || !changed}
              title={mayWrite ? (changed ? undefined : "Nothing is changed") : lacking("write:workspace")}
            >
              {runtime === agent.runtime ? "Save settings" : `Change to ${kind.label}…`}
            </Button>
          </div>
        )}
      </form>
      <ConfirmDialog
        open={confirming}
        onOpenChange={setConfirming}
        title={`Change the runtime of ${agent.name} to ${kind.label}`}
        confirmLabel="Change the runtime"
        danger
        pending={patch.isPending}
        onConfirm={save}
      >
        <p>
          {kind.hint} The settings of the runtime before, {runtimeKind(agent.runtime).label}, are forgotten
          {agent.runtime === "http" && agent.has_secret && ", and so is the secret that signs what is posted"}.
        </p>
        <p>Evidence that was made with another runtime stays what it is.</p>
      </ConfirmDialog>
    </Panel>
  );
}

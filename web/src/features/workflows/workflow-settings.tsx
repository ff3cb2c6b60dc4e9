import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { api, http, type Schemas } from "@/api/client";
import { ApiProblem } from "@/api/problems";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Textarea } from "@/components/ui/textarea";
import { WorkflowSecrets } from "@/features/workflows/workflow-secrets";

const PATH = "/api/v1/workspaces/{workspace_id}/workflow-settings";

export function WorkflowSettingsPage() {
  const workspace_id = useWorkspaceId();
  const settings = api.useQuery("get", PATH, { params: { path: { workspace_id } } });
  return (
    <div className="flex flex-col gap-4">
      {settings.error !== null ? (
        <ProblemNotice error={settings.error} retry={() => void settings.refetch()} />
      ) : settings.isPending ? (
        <SkeletonRows rows={4} />
      ) : (
        <Form key={settings.data.updated_at} settings={settings.data} />
      )}
      <WorkflowSecrets />
    </div>
  );
}

function Form({ settings }: { settings: Schemas["WorkflowSettingsOut"] }) {
  const workspace_id = useWorkspaceId();
  const mayChange = useMay("admin:workspace");
  const queries = useQueryClient();
  const [networks, setNetworks] = useState(settings.allowed_networks.join("\n"));
  const [days, setDays] = useState(settings.retention_days === null ? "" : String(settings.retention_days));
  const save = useMutation({
    mutationFn: () =>
      http.PUT(PATH, {
        params: { path: { workspace_id } },
        body: {
          allowed_networks: networks.split(/\s+/).filter((one) => one !== ""),
          retention_days: days === "" ? null : Number(days),
        },
      }),
    onSuccess: async () => {
      toast.success("Saved");
      await queries.invalidateQueries({ queryKey: ["get", PATH] });
    },
  });
  const errors = save.error instanceof ApiProblem ? save.error.errors : [];
  const about = (pointer: string) => errors.find((error) => error.pointer.startsWith(pointer))?.detail;

  function submit(event: FormEvent) {
    event.preventDefault();
    save.mutate();
  }

  return (
    <Panel title="Workflows" description="What http nodes may reach, and how long finished runs are kept.">
      <form onSubmit={submit} className="flex max-w-lg flex-col gap-4">
        <Field
          label="Private networks that http nodes may reach"
          hint="One a line, such as 10.20.0.0/16. Without any, private, loopback and link-local addresses are refused."
          error={about("/allowed_networks")}
        >
          {(control) => (
            <Textarea {...control} rows={3} className="font-mono" disabled={!mayChange} value={networks} onChange={(event) => setNetworks(event.target.value)} />
          )}
        </Field>
        <Field label="Days that finished runs are kept" hint="Empty keeps them until somebody deletes them." error={about("/retention_days")}>
          {(control) => <Input {...control} type="number" min={1} disabled={!mayChange} value={days} onChange={(event) => setDays(event.target.value)} />}
        </Field>
        {save.error !== null && errors.length === 0 && <ProblemNotice error={save.error} />}
        <div>
          <Button type="submit" variant="primary" pending={save.isPending} disabled={!mayChange} title={mayChange ? undefined : lacking("admin:workspace")}>
            Save
          </Button>
        </div>
      </form>
    </Panel>
  );
}

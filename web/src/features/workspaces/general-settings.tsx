import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { lacking, profileQuery, useMay, useProfile, useStanding, useWorkspaceId } from "@/api/access";
import { api, http, type Schemas } from "@/api/client";
import { CopyButton } from "@/components/copy-button";
import { KeyValue } from "@/components/key-value";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Textarea } from "@/components/ui/textarea";

const ONE = "/api/v1/workspaces/{workspace_id}";

export function GeneralSettingsPage() {
  const workspace_id = useWorkspaceId();
  const workspace = api.useQuery("get", ONE, { params: { path: { workspace_id } } });
  if (workspace.error !== null) return <ProblemNotice error={workspace.error} retry={() => void workspace.refetch()} />;
  if (workspace.isPending) return <SkeletonRows rows={4} />;
  return (
    <div className="flex flex-col gap-4">
      <Naming key={workspace.data.name + (workspace.data.description ?? "")} workspace={workspace.data} />
      <Panel title="For scripts">
        <KeyValue
          items={[
            {
              label: "Workspace id",
              value: (
                <span className="flex items-center gap-1">
                  <code className="font-mono text-xs break-all">{workspace_id}</code>
                  <CopyButton text={workspace_id} label="Copy the workspace id" />
                </span>
              ),
            },
            { label: "Created", value: <Time at={workspace.data.created_at} /> },
          ]}
        />
      </Panel>
      <Deletion name={workspace.data.name} />
    </div>
  );
}

function Naming({ workspace }: { workspace: Schemas["WorkspaceOut"] }) {
  const mayChange = useMay("admin:workspace");
  const queries = useQueryClient();
  const [name, setName] = useState(workspace.name);
  const [description, setDescription] = useState(workspace.description ?? "");
  const save = useMutation({
    mutationFn: () =>
      http.PATCH(ONE, { params: { path: { workspace_id: workspace.id } }, body: { name, description: description || null } }),
    onSuccess: async () => {
      toast.success("Saved");
      await Promise.all([queries.invalidateQueries({ queryKey: ["get", ONE] }), queries.invalidateQueries(profileQuery)]);
    },
  });
  const changed = name !== workspace.name || description !== (workspace.description ?? "");

  function submit(event: FormEvent) {
    event.preventDefault();
    save.mutate();
  }

  return (
    <Panel title="General">
      <form onSubmit={submit} className="flex max-w-lg flex-col gap-4">
        <Field label="Name" required>
          {(control) => <Input {...control} required disabled={!mayChange} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <Field label="Description">
          {(control) => <Textarea {...control} rows={3} disabled={!mayChange} value={description} onChange={(event) => setDescription(event.target.value)} />}
        </Field>
        {save.error !== null && <ProblemNotice error={save.error} />}
        <div>
          <Button
            variant="primary"
            type="submit"
            pending={save.isPending}
            disabled={!mayChange || !changed}
            title={mayChange ? undefined : lacking("admin:workspace")}
          >
            Save
          </Button>
        </div>
      </form>
    </Panel>
  );
}

function Deletion({ name }: { name: string }) {
  const workspace_id = useWorkspaceId();
  const standing = useStanding();
  const account = useProfile()?.accounts.find((one) => one.account_id === standing?.account_id);
  const owns = account?.role === "owner";
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  const remove = useMutation({
    mutationFn: () => http.DELETE(ONE, { params: { path: { workspace_id } } }),
    onSuccess: async () => {
      await navigate({ to: "/workspaces" });
      await queries.invalidateQueries(profileQuery);
      toast.success(`${name} is being deleted`);
    },
  });
  return (
    <Panel title="Delete this workspace" description="Its traces, agents, samples, scans and keys go with it.">
      <Button
        variant="danger-ghost"
        disabled={!owns}
        title={owns ? undefined : "Only an owner of the account may delete workspaces"}
        onClick={() => setAsking(true)}
      >
        Delete the workspace…
      </Button>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={`Delete ${name}`}
        confirmLabel="Delete everything"
        danger
        requireText={name}
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate()}
      >
        <p>Its keys stop within a second. Everything in it is deleted, finally; the audit log keeps that it was.</p>
      </ConfirmDialog>
    </Panel>
  );
}

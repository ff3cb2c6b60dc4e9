import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { profileQuery, useProfile } from "@/api/access";
import { http, idempotencyKey } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { Page } from "@/components/page";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";

export function WorkspaceListPage() {
  const profile = useProfile();
  const [creating, setCreating] = useState(false);
  const owns = profile?.accounts.some((account) => account.role === "owner") ?? false;
  const workspaces = profile?.workspaces ?? [];
  return (
    <Page
      title="Workspaces"
      actions={
        <Button
          variant="primary"
          disabled={!owns}
          title={owns ? undefined : "Only an owner of the account may make workspaces"}
          onClick={() => setCreating(true)}
        >
          New workspace
        </Button>
      }
    >
      <Panel padded={workspaces.length === 0}>
        {workspaces.length === 0 ? (
          <EmptyState title="You are in no workspace">Ask an owner of your account to add you to one.</EmptyState>
        ) : (
          <ul>
            {workspaces.map((one) => (
              <li key={one.workspace_id} className="border-b last:border-b-0">
                <Link
                  to="/w/$workspaceId"
                  params={{ workspaceId: one.workspace_id }}
                  className="flex items-center gap-3 px-4 py-3 hover:bg-hover"
                >
                  <span className="min-w-0 flex-1 truncate font-medium">{one.name}</span>
                  <span className="text-muted">{profile?.accounts.find((account) => account.account_id === one.account_id)?.name}</span>
                  <Badge>{one.role}</Badge>
                </Link>
              </li>
            ))}
          </ul>
        )}
      </Panel>
      {creating && <NewWorkspace onClose={() => setCreating(false)} />}
    </Page>
  );
}

function NewWorkspace({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [intent] = useState(idempotencyKey);
  const [name, setName] = useState("");
  const create = useMutation({
    mutationFn: async () =>
      (await http.POST("/api/v1/workspaces", { body: { name }, headers: { "Idempotency-Key": intent } })).data!,
    onSuccess: async (workspace) => {
      await queries.fetchQuery({ ...profileQuery, staleTime: 0 });
      await navigate({ to: "/w/$workspaceId", params: { workspaceId: workspace.id } });
    },
  });

  return (
    <FormDialog
      title="New workspace"
      description="Agents, traces and keys of one workspace are out of reach of every other."
      submitLabel="Make the workspace"
      pending={create.isPending}
      error={create.error}
      onClose={onClose}
      onSubmit={() => create.mutate()}
    >
      <Field label="Name" required>
        {(control) => <Input {...control} autoFocus required maxLength={200} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}

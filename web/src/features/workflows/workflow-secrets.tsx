import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { toast } from "sonner";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { api, http } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";

const LIST = "/api/v1/workspaces/{workspace_id}/workflow-secrets";
const ONE = "/api/v1/workspaces/{workspace_id}/workflow-secrets/{secret_name}";

/** Names that definitions may fill in; the values are sealed, and masked wherever a run is recorded. */
export function WorkflowSecrets() {
  const workspace_id = useWorkspaceId();
  const mayChange = useMay("admin:workspace");
  const queries = useQueryClient();
  const secrets = api.useQuery("get", LIST, { params: { path: { workspace_id }, query: { limit: 100 } } }, { enabled: mayChange });
  const [setting, setSetting] = useState<string | null>(null);
  const [deleting, setDeleting] = useState<string | null>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", LIST] });
  const remove = useMutation({
    mutationFn: (secret_name: string) => http.DELETE(ONE, { params: { path: { workspace_id, secret_name } } }),
    onSuccess: async (_, name) => {
      setDeleting(null);
      toast.success(`${name} is deleted`);
      await refresh();
    },
  });
  const list = secrets.data?.results ?? [];
  return (
    <Panel
      title="Secrets"
      description="Definitions name them; their values are sealed and never shown again."
      padded={list.length === 0}
      actions={
        <Button disabled={!mayChange} title={mayChange ? undefined : lacking("admin:workspace")} onClick={() => setSetting("")}>
          Set a secret
        </Button>
      }
    >
      {!mayChange ? (
        <p className="text-muted">{lacking("admin:workspace")}.</p>
      ) : secrets.error !== null ? (
        <ProblemNotice error={secrets.error} retry={() => void secrets.refetch()} />
      ) : secrets.isPending ? (
        <SkeletonRows rows={2} />
      ) : list.length === 0 ? (
        <p className="text-muted">None is set.</p>
      ) : (
        <Table aria-label="Secrets">
          <TableHead>
            <TableRow>
              <TableHeader>Name</TableHeader>
              <TableHeader>Set</TableHeader>
              <TableHeader>
                <span className="sr-only">Actions</span>
              </TableHeader>
            </TableRow>
          </TableHead>
          <TableBody>
            {list.map((one) => (
              <TableRow key={one.name}>
                <TableCell className="font-mono text-xs">{one.name}</TableCell>
                <TableCell>
                  <Time at={one.updated_at} />
                </TableCell>
                <TableCell align="right">
                  <Button size="sm" variant="ghost" onClick={() => setSetting(one.name)}>
                    Replace
                  </Button>
                  <Button size="sm" variant="danger-ghost" onClick={() => setDeleting(one.name)}>
                    Delete
                  </Button>
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      )}
      {setting !== null && (
        <SetSecret
          known={setting}
          onClose={() => setSetting(null)}
          onSet={async (name) => {
            setSetting(null);
            toast.success(`${name} is set`);
            await refresh();
          }}
        />
      )}
      <ConfirmDialog
        open={deleting !== null}
        onOpenChange={(open) => !open && setDeleting(null)}
        title={`Delete ${deleting ?? ""}`}
        confirmLabel="Delete"
        danger
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => deleting !== null && remove.mutate(deleting)}
      >
        <p>Runs that need it fail from now on.</p>
      </ConfirmDialog>
    </Panel>
  );
}

function SetSecret({ known, onClose, onSet }: { known: string; onClose: () => void; onSet: (name: string) => void }) {
  const workspace_id = useWorkspaceId();
  const [name, setName] = useState(known);
  const [value, setValue] = useState("");
  const set = useMutation({
    mutationFn: () => http.PUT(ONE, { params: { path: { workspace_id, secret_name: name } }, body: { value } }),
    onSuccess: () => onSet(name),
  });

  return (
    <FormDialog
      title={known === "" ? "Set a secret" : `Replace ${known}`}
      autoComplete="off"
      submitLabel="Set"
      pending={set.isPending}
      error={set.error}
      onClose={onClose}
      onSubmit={() => set.mutate()}
    >
      <Field label="Name" required>
        {(control) => (
          <Input {...control} required disabled={known !== ""} className="font-mono" value={name} onChange={(event) => setName(event.target.value)} />
        )}
      </Field>
      <Field label="Value" required>
        {(control) => (
          <Input {...control} required type="password" autoComplete="new-password" value={value} onChange={(event) => setValue(event.target.value)} />
        )}
      </Field>
    </FormDialog>
  );
}

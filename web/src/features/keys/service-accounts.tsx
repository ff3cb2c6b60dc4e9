import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Bot } from "lucide-react";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { api, http, type Schemas } from "@/api/client";
import { CodeBlock } from "@/components/code-block";
import { EmptyState } from "@/components/empty-state";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Checkbox } from "@/components/ui/checkbox";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";
import { CredentialTable } from "@/features/keys/credential-table";
import { expiryOf, LIFETIMES, type Lifetime } from "@/features/keys/expiry";
import { RotateDialog } from "@/features/keys/rotate-dialog";
import { SecretDialog } from "@/features/keys/secret-dialog";

type ServiceAccount = Schemas["ServiceAccountOut"] & { id: string };
type Asked = { action: "rotate" | "revoke"; account: ServiceAccount };

const LIST = "/api/v1/workspaces/{workspace_id}/service-accounts";
const ROLES = [
  { value: "contributor", label: "Contributor", hint: "Reads, starts scans and runs, changes samples" },
  { value: "observer", label: "Observer", hint: "Reads" },
] as const;

/** What pipelines sign in with. */
export function ServiceAccountsPage() {
  const workspace_id = useWorkspaceId();
  const mayChange = useMay("admin:workspace");
  const queries = useQueryClient();
  const accounts = api.useQuery("get", LIST, { params: { path: { workspace_id }, query: { limit: 100 } } }, { enabled: mayChange });
  const [creating, setCreating] = useState(false);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [created, setCreated] = useState<Schemas["ServiceAccountCreated"] | null>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", LIST] });

  const rotate = useMutation({
    mutationFn: async ({ account, overlap_s }: { account: ServiceAccount; overlap_s: number }) =>
      (
        await http.POST("/api/v1/workspaces/{workspace_id}/service-accounts/{service_account_id}/rotate", {
          params: { path: { workspace_id, service_account_id: account.id } },
          body: { overlap_s, expires_at: null },
        })
      ).data!,
    onSuccess: async (account) => {
      setAsked(null);
      setCreated(account);
      await refresh();
    },
  });
  const revoke = useMutation({
    mutationFn: (account: ServiceAccount) =>
      http.DELETE("/api/v1/workspaces/{workspace_id}/service-accounts/{service_account_id}", {
        params: { path: { workspace_id, service_account_id: account.id } },
      }),
    onSuccess: async (_, account) => {
      setAsked(null);
      toast.success(`${account.name} is revoked`);
      await refresh();
    },
  });

  function ask(next: Asked) {
    rotate.reset();
    revoke.reset();
    setAsked(next);
  }

  const list = accounts.data?.results.map((one) => ({ ...one, id: one.service_account_id })) ?? [];
  return (
    <>
      <Panel
        title="Service accounts"
        description="For pipelines: they start scans and runs, and read their results. Approving is an extra right."
        padded={list.length === 0}
        actions={
          <Button
            variant="primary"
            onClick={() => setCreating(true)}
            disabled={!mayChange}
            title={mayChange ? undefined : lacking("admin:workspace")}
          >
            New service account
          </Button>
        }
      >
        {!mayChange ? (
          <p className="text-muted">{lacking("admin:workspace")}.</p>
        ) : accounts.error !== null ? (
          <ProblemNotice error={accounts.error} retry={() => void accounts.refetch()} />
        ) : accounts.isPending ? (
          <SkeletonRows rows={3} />
        ) : list.length === 0 ? (
          <EmptyState icon={<Bot aria-hidden />} title="No service accounts yet">
            Give a pipeline one, and it can refuse a configuration that makes an agent worse.
          </EmptyState>
        ) : (
          <CredentialTable
            label="Service accounts"
            credentials={list}
            rights={(one) => `${ROLES.find(({ value }) => value === one.role)?.label ?? one.role}${one.approve ? ", approve agents" : ""}`}
            actions={(account) => [
              { label: "Rotate…", onSelect: () => ask({ action: "rotate", account }) },
              { label: "Revoke…", danger: true, onSelect: () => ask({ action: "revoke", account }) },
            ]}
          />
        )}
      </Panel>
      {creating && (
        <NewServiceAccount
          onClose={() => setCreating(false)}
          onCreated={async (account) => {
            setCreating(false);
            setCreated(account);
            await refresh();
          }}
        />
      )}
      {asked?.action === "rotate" && (
        <RotateDialog
          name={asked.account.name}
          pending={rotate.isPending}
          error={rotate.error}
          onClose={() => setAsked(null)}
          onRotate={(overlap_s) => rotate.mutate({ account: asked.account, overlap_s })}
        />
      )}
      <ConfirmDialog
        open={asked?.action === "revoke"}
        onOpenChange={(open) => !open && setAsked(null)}
        title={`Revoke ${asked?.account.name ?? ""}`}
        confirmLabel="Revoke"
        danger
        pending={revoke.isPending}
        error={revoke.error}
        onConfirm={() => asked !== null && revoke.mutate(asked.account)}
      >
        <p>Pipelines that sign in with it are refused within a second. This cannot be undone.</p>
      </ConfirmDialog>
      {created !== null && (
        <SecretDialog title={`The key of ${created.name}`} secret={created.key} onClose={() => setCreated(null)}>
          <div className="flex flex-col gap-1.5">
            <p className="text-xs font-medium">A pipeline's step: exit 0 no regression, 1 a regression, 2 inconclusive</p>
            <CodeBlock
              language="shell"
              code={[
                `export SPECTRAL_URL=${location.origin}`,
                `export SPECTRAL_KEY=${created.key}`,
                "spectral check --agent support --config agent.yaml --set tickets",
              ].join("\n")}
            />
          </div>
        </SecretDialog>
      )}
    </>
  );
}

type NewProps = { onClose: () => void; onCreated: (account: Schemas["ServiceAccountCreated"]) => void };

function NewServiceAccount({ onClose, onCreated }: NewProps) {
  const workspace_id = useWorkspaceId();
  const mayApprove = useMay("approve:agents");
  const [name, setName] = useState("");
  const [role, setRole] = useState<"observer" | "contributor">("contributor");
  const [approve, setApprove] = useState(false);
  const [lifetime, setLifetime] = useState<Lifetime>("365");
  const create = useMutation({
    mutationFn: async () =>
      (
        await http.POST(LIST, {
          params: { path: { workspace_id } },
          body: { name, role, approve, expires_at: expiryOf(lifetime, Date.now()) },
        })
      ).data!,
    onSuccess: onCreated,
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    create.mutate();
  }

  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="New service account"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button variant="primary" type="submit" form="new-service-account" pending={create.isPending}>
            Make the account
          </Button>
        </>
      }
    >
      <form id="new-service-account" onSubmit={submit} className="flex flex-col gap-4">
        <Field label="Name" required>
          {(control) => (
            <Input {...control} autoFocus required maxLength={200} placeholder="CI of the support agent" value={name} onChange={(event) => setName(event.target.value)} />
          )}
        </Field>
        <Field label="Role">{(control) => <Select {...control} value={role} onValueChange={setRole} options={ROLES} />}</Field>
        <Checkbox
          label="May also accept change sets, promote configurations and answer approvals"
          checked={approve}
          disabled={!mayApprove}
          onCheckedChange={setApprove}
        />
        <Field label="Expires">
          {(control) => <Select {...control} value={lifetime} onValueChange={setLifetime} options={LIFETIMES} />}
        </Field>
        {create.error !== null && <ProblemNotice error={create.error} />}
      </form>
    </Dialog>
  );
}

import { useMutation } from "@tanstack/react-query";
import { Bot } from "lucide-react";
import { useState } from "react";
import { useMay, useWorkspaceId } from "@/api/access";
import { api, http, type Schemas } from "@/api/client";
import { CodeBlock } from "@/components/code-block";
import { EmptyState } from "@/components/empty-state";
import { Checkbox } from "@/components/ui/checkbox";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { CredentialPanel, type NewCredentialProps } from "@/features/keys/credential-panel";
import { expiryOf, LIFETIMES, type Lifetime } from "@/features/keys/expiry";

const LIST = "/api/v1/workspaces/{workspace_id}/service-accounts";
const ROLES = [
  { value: "contributor", label: "Contributor", hint: "Reads, starts scans and runs, changes samples" },
  { value: "observer", label: "Observer", hint: "Reads" },
] as const;

/** What pipelines sign in with. */
export function ServiceAccountsPage() {
  const workspace_id = useWorkspaceId();
  const mayChange = useMay("admin:workspace");
  const accounts = api.useQuery(
    "get",
    LIST,
    { params: { path: { workspace_id }, query: { limit: 100 } } },
    {
      enabled: mayChange,
      select: ({ results }: Schemas["Collection_ServiceAccountOut_"]) => results.map((one) => ({ ...one, id: one.service_account_id })),
    },
  );
  return (
    <CredentialPanel
      title="Service accounts"
      description="For pipelines: they start scans and runs, and read their results. Approving is an extra right."
      newLabel="New service account"
      newDialog={NewServiceAccount}
      empty={
        <EmptyState icon={<Bot aria-hidden />} title="No service accounts yet">
          Give a pipeline one, and it can refuse a configuration that makes an agent worse.
        </EmptyState>
      }
      query={accounts}
      path={LIST}
      rights={(one) => `${ROLES.find(({ value }) => value === one.role)?.label ?? one.role}${one.approve ? ", approve agents" : ""}`}
      rotate={async ({ id }, overlap_s) =>
        (
          await http.POST("/api/v1/workspaces/{workspace_id}/service-accounts/{service_account_id}/rotate", {
            params: { path: { workspace_id, service_account_id: id } },
            body: { overlap_s, expires_at: null },
          })
        ).data!
      }
      revoke={({ id }) =>
        http.DELETE("/api/v1/workspaces/{workspace_id}/service-accounts/{service_account_id}", {
          params: { path: { workspace_id, service_account_id: id } },
        })
      }
      revokeWarning="Pipelines that sign in with it are refused within a second."
      secretTitle={({ name }) => `The key of ${name}`}
      secretUse={({ key }) => (
        <div className="flex flex-col gap-1.5">
          <p className="text-xs font-medium">A pipeline's step: exit 0 no regression, 1 a regression, 2 inconclusive</p>
          <CodeBlock
            language="shell"
            code={[
              `export SPECTRAL_URL=${location.origin}`,
              `export SPECTRAL_KEY=${key}`,
              "spectral check --agent support --config agent.yaml --set tickets",
            ].join("\n")}
          />
        </div>
      )}
    />
  );
}

function NewServiceAccount({ onClose, onCreated }: NewCredentialProps<Schemas["ServiceAccountCreated"]>) {
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

  return (
    <FormDialog
      title="New service account"
      submitLabel="Make the account"
      pending={create.isPending}
      error={create.error}
      onClose={onClose}
      onSubmit={() => create.mutate()}
    >
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
    </FormDialog>
  );
}

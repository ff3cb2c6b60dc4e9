import { useMutation } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
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

type KeyScope = Schemas["ApiKeyOut"]["scopes"][number];

const LIST = "/api/v1/workspaces/{workspace_id}/keys";
const SCOPES: { scope: KeyScope; label: string }[] = [
  { scope: "write:traces", label: "Send traces" },
  { scope: "read:agents", label: "Fetch agent configuration" },
];

/** What exporters and agents sign in with. */
export function ApiKeysPage() {
  const workspace_id = useWorkspaceId();
  const mayChange = useMay("admin:workspace");
  const keys = api.useQuery(
    "get",
    LIST,
    { params: { path: { workspace_id }, query: { limit: 100 } } },
    {
      enabled: mayChange,
      select: ({ results }: Schemas["Collection_ApiKeyOut_"]) => results.map((key) => ({ ...key, id: key.key_id })),
    },
  );
  return (
    <CredentialPanel
      title="API keys"
      description="For OTLP exporters and running agents. A key reads agents and sends traces, nothing else."
      newLabel="New key"
      newDialog={NewKey}
      empty={
        <EmptyState icon={<KeyRound aria-hidden />} title="No keys yet">
          A new key comes with the environment block that sends your agent's first trace.
        </EmptyState>
      }
      query={keys}
      path={LIST}
      rights={(key) => SCOPES.filter(({ scope }) => key.scopes.includes(scope)).map(({ label }) => label).join(", ")}
      rotate={async ({ id }, overlap_s) =>
        (
          await http.POST("/api/v1/workspaces/{workspace_id}/keys/{key_id}/rotate", {
            params: { path: { workspace_id, key_id: id } },
            body: { overlap_s, expires_at: null },
          })
        ).data!
      }
      revoke={({ id }) =>
        http.DELETE("/api/v1/workspaces/{workspace_id}/keys/{key_id}", { params: { path: { workspace_id, key_id: id } } })
      }
      revokeWarning="Whatever signs in with it is refused within a second."
      secretTitle={({ name }) => `The key ${name}`}
      secretUse={({ environment }) =>
        environment !== null && (
          <div className="flex flex-col gap-1.5">
            <p className="text-xs font-medium">The environment of an agent that is instrumented with OpenTelemetry</p>
            <CodeBlock
              language="shell"
              code={Object.entries(environment)
                .map(([name, value]) => `${name}=${value}`)
                .join("\n")}
            />
          </div>
        )
      }
    />
  );
}

function NewKey({ onClose, onCreated }: NewCredentialProps<Schemas["ApiKeyCreated"]>) {
  const workspace_id = useWorkspaceId();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<KeyScope[]>(["read:agents", "write:traces"]);
  const [lifetime, setLifetime] = useState<Lifetime>("365");
  const create = useMutation({
    mutationFn: async () =>
      (
        await http.POST(LIST, {
          params: { path: { workspace_id } },
          body: { name, scopes, expires_at: expiryOf(lifetime, Date.now()) },
        })
      ).data!,
    onSuccess: onCreated,
  });

  return (
    <FormDialog
      title="New API key"
      submitLabel="Make the key"
      disabled={scopes.length === 0}
      pending={create.isPending}
      error={create.error}
      onClose={onClose}
      onSubmit={() => create.mutate()}
    >
      <Field label="Name" hint="Where it is used, so that somebody else knows what stops when it is revoked." required>
        {(control) => (
          <Input {...control} autoFocus required maxLength={200} placeholder="Production" value={name} onChange={(event) => setName(event.target.value)} />
        )}
      </Field>
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-1 text-xs font-medium">It may</legend>
        {SCOPES.map(({ scope, label }) => (
          <Checkbox
            key={scope}
            label={label}
            checked={scopes.includes(scope)}
            onCheckedChange={(on) => setScopes(on ? [...scopes, scope] : scopes.filter((one) => one !== scope))}
          />
        ))}
      </fieldset>
      <Field label="Expires">
        {(control) => <Select {...control} value={lifetime} onValueChange={setLifetime} options={LIFETIMES} />}
      </Field>
    </FormDialog>
  );
}

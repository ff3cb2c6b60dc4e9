import { useMutation, useQueryClient } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
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

type Key = Schemas["ApiKeyOut"] & { id: string };
type KeyScope = Key["scopes"][number];
type Asked = { action: "rotate" | "revoke"; key: Key };

const LIST = "/api/v1/workspaces/{workspace_id}/keys";
const ONE = "/api/v1/workspaces/{workspace_id}/keys/{key_id}";
const SCOPES: { scope: KeyScope; label: string }[] = [
  { scope: "write:traces", label: "Send traces" },
  { scope: "read:agents", label: "Fetch agent configuration" },
];

/** What exporters and agents sign in with. */
export function ApiKeysPage() {
  const workspace_id = useWorkspaceId();
  const mayChange = useMay("admin:workspace");
  const queries = useQueryClient();
  const keys = api.useQuery("get", LIST, { params: { path: { workspace_id }, query: { limit: 100 } } }, { enabled: mayChange });
  const [creating, setCreating] = useState(false);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [created, setCreated] = useState<Schemas["ApiKeyCreated"] | null>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", LIST] });

  const rotate = useMutation({
    mutationFn: async ({ key, overlap_s }: { key: Key; overlap_s: number }) =>
      (
        await http.POST("/api/v1/workspaces/{workspace_id}/keys/{key_id}/rotate", {
          params: { path: { workspace_id, key_id: key.key_id } },
          body: { overlap_s, expires_at: null },
        })
      ).data!,
    onSuccess: async (key) => {
      setAsked(null);
      setCreated(key);
      await refresh();
    },
  });
  const revoke = useMutation({
    mutationFn: (key: Key) => http.DELETE(ONE, { params: { path: { workspace_id, key_id: key.key_id } } }),
    onSuccess: async (_, key) => {
      setAsked(null);
      toast.success(`${key.name} is revoked`);
      await refresh();
    },
  });

  function ask(next: Asked) {
    rotate.reset();
    revoke.reset();
    setAsked(next);
  }

  const list = keys.data?.results.map((key) => ({ ...key, id: key.key_id })) ?? [];
  return (
    <>
      <Panel
        title="API keys"
        description="For OTLP exporters and running agents. A key reads agents and sends traces, nothing else."
        padded={list.length === 0}
        actions={
          <Button
            variant="primary"
            onClick={() => setCreating(true)}
            disabled={!mayChange}
            title={mayChange ? undefined : lacking("admin:workspace")}
          >
            New key
          </Button>
        }
      >
        {!mayChange ? (
          <p className="text-muted">{lacking("admin:workspace")}.</p>
        ) : keys.error !== null ? (
          <ProblemNotice error={keys.error} retry={() => void keys.refetch()} />
        ) : keys.isPending ? (
          <SkeletonRows rows={3} />
        ) : list.length === 0 ? (
          <EmptyState icon={<KeyRound aria-hidden />} title="No keys yet">
            A new key comes with the environment block that sends your agent's first trace.
          </EmptyState>
        ) : (
          <CredentialTable
            label="API keys"
            credentials={list}
            rights={(key) => SCOPES.filter(({ scope }) => key.scopes.includes(scope)).map(({ label }) => label).join(", ")}
            actions={(key) => [
              { label: "Rotate…", onSelect: () => ask({ action: "rotate", key }) },
              { label: "Revoke…", danger: true, onSelect: () => ask({ action: "revoke", key }) },
            ]}
          />
        )}
      </Panel>
      {creating && (
        <NewKey
          onClose={() => setCreating(false)}
          onCreated={async (key) => {
            setCreating(false);
            setCreated(key);
            await refresh();
          }}
        />
      )}
      {asked?.action === "rotate" && (
        <RotateDialog
          name={asked.key.name}
          pending={rotate.isPending}
          error={rotate.error}
          onClose={() => setAsked(null)}
          onRotate={(overlap_s) => rotate.mutate({ key: asked.key, overlap_s })}
        />
      )}
      <ConfirmDialog
        open={asked?.action === "revoke"}
        onOpenChange={(open) => !open && setAsked(null)}
        title={`Revoke ${asked?.key.name ?? ""}`}
        confirmLabel="Revoke"
        danger
        pending={revoke.isPending}
        error={revoke.error}
        onConfirm={() => asked !== null && revoke.mutate(asked.key)}
      >
        <p>Whatever signs in with it is refused within a second. This cannot be undone.</p>
      </ConfirmDialog>
      {created !== null && (
        <SecretDialog title={`The key ${created.name}`} secret={created.key} onClose={() => setCreated(null)}>
          {created.environment !== null && (
            <div className="flex flex-col gap-1.5">
              <p className="text-xs font-medium">The environment of an agent that is instrumented with OpenTelemetry</p>
              <CodeBlock
                language="shell"
                code={Object.entries(created.environment)
                  .map(([name, value]) => `${name}=${value}`)
                  .join("\n")}
              />
            </div>
          )}
        </SecretDialog>
      )}
    </>
  );
}

function NewKey({ onClose, onCreated }: { onClose: () => void; onCreated: (key: Schemas["ApiKeyCreated"]) => void }) {
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

  function submit(event: FormEvent) {
    event.preventDefault();
    create.mutate();
  }

  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="New API key"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button variant="primary" type="submit" form="new-key" pending={create.isPending} disabled={scopes.length === 0}>
            Make the key
          </Button>
        </>
      }
    >
      <form id="new-key" onSubmit={submit} className="flex flex-col gap-4">
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
        {create.error !== null && <ProblemNotice error={create.error} />}
      </form>
    </Dialog>
  );
}

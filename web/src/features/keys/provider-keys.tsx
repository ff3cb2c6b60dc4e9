import { useMutation, useQueryClient } from "@tanstack/react-query";
import { MoreHorizontal } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { api, http, idempotencyKey, type Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { formatCost } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Input } from "@/components/ui/input";
import { Menu } from "@/components/ui/menu";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { ModelUsage } from "@/features/keys/model-usage";

type Credential = Schemas["CredentialOut"];
type Provider = Schemas["ProviderKind"];

const LIST = "/api/v1/workspaces/{workspace_id}/models/credentials";
const ONE = "/api/v1/workspaces/{workspace_id}/models/credentials/{credential_id}";
const PROVIDERS: { value: Provider; label: string; hint?: string }[] = [
  { value: "openai", label: "OpenAI" },
  { value: "anthropic", label: "Anthropic" },
  { value: "openai_compatible", label: "OpenAI-compatible", hint: "Your own endpoint" },
];

/** The keys that this workspace calls language models with, what they can call, and what that has cost. */
export function ProviderKeysPage() {
  const workspace_id = useWorkspaceId();
  const mayChange = useMay("admin:workspace");
  const queries = useQueryClient();
  const credentials = api.useQuery("get", LIST, { params: { path: { workspace_id }, query: { limit: 100 } } }, { enabled: mayChange });
  const [creating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<Credential | null>(null);
  const refresh = () =>
    Promise.all([
      queries.invalidateQueries({ queryKey: ["get", LIST] }),
      queries.invalidateQueries({ queryKey: ["get", "/api/v1/workspaces/{workspace_id}/models"] }),
    ]);

  const check = useMutation({
    mutationFn: async (credential: Credential) =>
      (
        await http.POST("/api/v1/workspaces/{workspace_id}/models/credentials/{credential_id}/check", {
          params: { path: { workspace_id, credential_id: credential.id } },
          body: null,
        })
      ).data!,
    onSuccess: async (found, credential) => {
      if (found.ok) toast.success(`${credential.name} works: ${found.models.length} models in ${found.latency_ms} ms`);
      else toast.error(`${credential.name} does not work: ${found.error ?? "no reason was given"}`);
      await refresh();
    },
    onError: (error) => toast.error(error.message),
  });
  const remove = useMutation({
    mutationFn: (credential: Credential) =>
      http.DELETE(ONE, { params: { path: { workspace_id, credential_id: credential.id } } }),
    onSuccess: async (_, credential) => {
      setDeleting(null);
      toast.success(`${credential.name} is deleted`);
      await refresh();
    },
  });

  const list = credentials.data?.results ?? [];
  return (
    <div className="flex flex-col gap-4">
      <Panel
        title="Provider keys"
        description="Stored encrypted, never shown again. Without one, the built-in spectral-local runs, which is no language model."
        padded={list.length === 0}
        actions={
          <Button
            variant="primary"
            onClick={() => setCreating(true)}
            disabled={!mayChange}
            title={mayChange ? undefined : lacking("admin:workspace")}
          >
            Add a key
          </Button>
        }
      >
        {!mayChange ? (
          <p className="text-muted">{lacking("admin:workspace")}.</p>
        ) : credentials.error !== null ? (
          <ProblemNotice error={credentials.error} retry={() => void credentials.refetch()} />
        ) : credentials.isPending ? (
          <SkeletonRows rows={2} />
        ) : list.length === 0 ? (
          <EmptyState title="No provider keys">Add one to run agents, judges and searches on your provider's models.</EmptyState>
        ) : (
          <Table aria-label="Provider keys">
            <TableHead>
              <TableRow>
                <TableHeader>Name</TableHeader>
                <TableHeader>Provider</TableHeader>
                <TableHeader>Key</TableHeader>
                <TableHeader>Last check</TableHeader>
                <TableHeader>
                  <span className="sr-only">Actions</span>
                </TableHeader>
              </TableRow>
            </TableHead>
            <TableBody>
              {list.map((one) => (
                <TableRow key={one.id}>
                  <TableCell className="font-medium">{one.name}</TableCell>
                  <TableCell>
                    {PROVIDERS.find(({ value }) => value === one.provider)?.label}
                    {one.base_url !== null && <span className="block text-xs break-all text-muted">{one.base_url}</span>}
                  </TableCell>
                  <TableCell className="font-mono text-xs text-muted">
                    {one.prefix}…{one.last_four}
                  </TableCell>
                  <TableCell>
                    {one.checked_at === null ? (
                      <span className="text-muted">Never</span>
                    ) : (
                      <span className="flex flex-wrap items-center gap-2">
                        <Badge tone={one.check_error === null ? "good" : "bad"}>{one.check_error === null ? "Works" : "Fails"}</Badge>
                        <Time at={one.checked_at} />
                        {one.check_error !== null && <span className="text-xs text-bad">{one.check_error}</span>}
                      </span>
                    )}
                  </TableCell>
                  <TableCell align="right">
                    <Menu
                      label={`Actions of ${one.name}`}
                      trigger={
                        <Button size="icon" variant="ghost" aria-label={`Actions of ${one.name}`} pending={check.isPending && check.variables.id === one.id}>
                          <MoreHorizontal aria-hidden />
                        </Button>
                      }
                      items={[
                        { label: "Check it", onSelect: () => check.mutate(one) },
                        { label: "Delete…", danger: true, onSelect: () => setDeleting(one) },
                      ]}
                    />
                  </TableCell>
                </TableRow>
              ))}
            </TableBody>
          </Table>
        )}
      </Panel>
      <CallableModels />
      <ModelUsage />
      {creating && (
        <NewCredential
          onClose={() => setCreating(false)}
          onCreated={async (credential) => {
            setCreating(false);
            toast.success(`${credential.name} is stored`);
            await refresh();
            check.mutate(credential);
          }}
        />
      )}
      <ConfirmDialog
        open={deleting !== null}
        onOpenChange={(open) => !open && setDeleting(null)}
        title={`Delete ${deleting?.name ?? ""}`}
        confirmLabel="Delete"
        danger
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => deleting !== null && remove.mutate(deleting)}
      >
        <p>Agents, judges and scans that use its models stop working until there is another key.</p>
      </ConfirmDialog>
    </div>
  );
}

function NewCredential({ onClose, onCreated }: { onClose: () => void; onCreated: (credential: Credential) => void }) {
  const workspace_id = useWorkspaceId();
  const [intent] = useState(idempotencyKey);
  const [provider, setProvider] = useState<Provider>("openai");
  const [name, setName] = useState("openai");
  const [apiKey, setApiKey] = useState("");
  const [baseUrl, setBaseUrl] = useState("");
  const compatible = provider === "openai_compatible";
  const create = useMutation({
    mutationFn: async () =>
      (
        await http.POST(LIST, {
          params: { path: { workspace_id } },
          headers: { "Idempotency-Key": intent },
          body: { provider, name, api_key: apiKey, base_url: compatible ? baseUrl : null },
        })
      ).data!,
    onSuccess: onCreated,
  });

  return (
    <FormDialog
      title="Add a provider key"
      autoComplete="off"
      submitLabel="Store and check"
      pending={create.isPending}
      error={create.error}
      onClose={onClose}
      onSubmit={() => create.mutate()}
    >
      <Field label="Provider">
        {(control) => (
          <Select
            {...control}
            value={provider}
            options={PROVIDERS}
            onValueChange={(next) => {
              setProvider(next);
              setName(next === "openai_compatible" ? "" : next);
            }}
          />
        )}
      </Field>
      <Field label="Name" hint={compatible ? "Models are called name/model." : undefined} required>
        {(control) => <Input {...control} required value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      {compatible && (
        <Field label="Base URL" required>
          {(control) => (
            <Input {...control} type="url" required placeholder="https://models.example.com/v1" value={baseUrl} onChange={(event) => setBaseUrl(event.target.value)} />
          )}
        </Field>
      )}
      <Field label="Key" required>
        {(control) => (
          <Input {...control} type="password" required autoComplete="new-password" value={apiKey} onChange={(event) => setApiKey(event.target.value)} />
        )}
      </Field>
    </FormDialog>
  );
}

function CallableModels() {
  const workspace_id = useWorkspaceId();
  const models = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/models", {
    params: { path: { workspace_id }, query: { callable_only: true, limit: 100 } },
  });
  const list = models.data?.results ?? [];
  return (
    <Panel title="Models that can be called" description="Prices per million tokens, of the table that comes with this release." padded={list.length === 0}>
      {models.error !== null ? (
        <ProblemNotice error={models.error} retry={() => void models.refetch()} />
      ) : models.isPending ? (
        <SkeletonRows rows={3} />
      ) : (
        <Table aria-label="Models that can be called">
          <TableHead>
            <TableRow>
              <TableHeader>Model</TableHeader>
              <TableHeader>Tier</TableHeader>
              <TableHeader align="right">Input</TableHeader>
              <TableHeader align="right">Output</TableHeader>
            </TableRow>
          </TableHead>
          <TableBody>
            {list.map((model) => (
              <TableRow key={model.name}>
                <TableCell className="font-mono text-xs">{model.name}</TableCell>
                <TableCell className="text-muted">{model.tier ?? (model.embeddings_only ? "embeddings" : "–")}</TableCell>
                <TableCell align="right">{model.priced ? formatCost(model.input_price_usd) : "unknown"}</TableCell>
                <TableCell align="right">{model.priced ? formatCost(model.output_price_usd) : "unknown"}</TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      )}
    </Panel>
  );
}

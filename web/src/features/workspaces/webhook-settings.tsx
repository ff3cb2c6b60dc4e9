import { useMutation, useQueryClient } from "@tanstack/react-query";
import { MoreHorizontal, Webhook as WebhookIcon } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { api, http, idempotencyKey, type Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Menu } from "@/components/ui/menu";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { NewWebhook } from "@/features/workspaces/new-webhook";
import { WebhookDeliveries } from "@/features/workspaces/webhook-deliveries";
import { WebhookSecret } from "@/features/workspaces/webhook-secret";

type Webhook = Schemas["WebhookOut"];

const LIST = "/api/v1/workspaces/{workspace_id}/webhooks";
const ONE = "/api/v1/workspaces/{workspace_id}/webhooks/{webhook_id}";

export function WebhookSettingsPage() {
  const workspace_id = useWorkspaceId();
  const mayChange = useMay("admin:workspace");
  const queries = useQueryClient();
  const webhooks = api.useQuery("get", LIST, { params: { path: { workspace_id }, query: { limit: 100 } } }, { enabled: mayChange });
  const [creating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<Webhook | null>(null);
  const [reading, setReading] = useState<Webhook | null>(null);
  const [secret, setSecret] = useState<{ name: string; secret: string } | null>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", LIST] });
  const failed = (error: Error) => toast.error(error.message);
  const path = (webhook: Webhook) => ({ path: { workspace_id, webhook_id: webhook.id } });

  const test = useMutation({
    mutationFn: (webhook: Webhook) =>
      http.POST("/api/v1/workspaces/{workspace_id}/webhooks/{webhook_id}/test", {
        params: path(webhook),
        headers: { "Idempotency-Key": idempotencyKey() },
      }),
    onSuccess: (_, webhook) => setReading(webhook),
    onError: failed,
  });
  const enable = useMutation({
    mutationFn: (webhook: Webhook) => http.PATCH(ONE, { params: path(webhook), body: { enabled: !webhook.enabled } }),
    onSuccess: refresh,
    onError: failed,
  });
  const rotate = useMutation({
    mutationFn: async (webhook: Webhook) =>
      (await http.POST("/api/v1/workspaces/{workspace_id}/webhooks/{webhook_id}/rotate-secret", { params: path(webhook) })).data!,
    onSuccess: (made, webhook) => setSecret({ name: webhook.name, secret: made.secret }),
    onError: failed,
  });
  const remove = useMutation({
    mutationFn: (webhook: Webhook) => http.DELETE(ONE, { params: path(webhook) }),
    onSuccess: async (_, webhook) => {
      setDeleting(null);
      toast.success(`${webhook.name} is deleted`);
      await refresh();
    },
  });

  const list = webhooks.data?.results ?? [];
  return (
    <>
      <Panel
        title="Webhooks"
        description="Tells your systems, a Slack channel or a mailbox what has happened here. Every delivery is signed."
        padded={list.length === 0}
        actions={
          <Button variant="primary" disabled={!mayChange} title={mayChange ? undefined : lacking("admin:workspace")} onClick={() => setCreating(true)}>
            New webhook
          </Button>
        }
      >
        {!mayChange ? (
          <p className="text-muted">{lacking("admin:workspace")}.</p>
        ) : webhooks.error !== null ? (
          <ProblemNotice error={webhooks.error} retry={() => void webhooks.refetch()} />
        ) : webhooks.isPending ? (
          <SkeletonRows rows={2} />
        ) : list.length === 0 ? (
          <EmptyState icon={<WebhookIcon aria-hidden />} title="No webhooks yet" />
        ) : (
          <Table aria-label="Webhooks">
            <TableHead>
              <TableRow>
                <TableHeader>Name</TableHeader>
                <TableHeader>To</TableHeader>
                <TableHeader>Events</TableHeader>
                <TableHeader>State</TableHeader>
                <TableHeader>
                  <span className="sr-only">Actions</span>
                </TableHeader>
              </TableRow>
            </TableHead>
            <TableBody>
              {list.map((one) => (
                <TableRow key={one.id}>
                  <TableCell className="font-medium">{one.name}</TableCell>
                  <TableCell className="max-w-60 truncate text-muted">{one.url ?? one.email}</TableCell>
                  <TableCell className="text-muted">{one.events.includes("*") ? "All" : one.events.join(", ")}</TableCell>
                  <TableCell>
                    <StatusBadge status={one.status} />
                    {one.disabled_reason !== null && <span className="block text-xs text-muted">{one.disabled_reason}</span>}
                  </TableCell>
                  <TableCell align="right">
                    <Menu
                      label={`Actions of ${one.name}`}
                      trigger={
                        <Button size="icon" variant="ghost" aria-label={`Actions of ${one.name}`}>
                          <MoreHorizontal aria-hidden />
                        </Button>
                      }
                      items={[
                        { label: "Deliveries", onSelect: () => setReading(one) },
                        { label: "Send a test", onSelect: () => test.mutate(one), disabled: !one.enabled },
                        { label: one.enabled ? "Switch off" : "Switch on", onSelect: () => enable.mutate(one) },
                        { label: "Rotate the secret", onSelect: () => rotate.mutate(one), disabled: one.kind !== "http" },
                        "separator",
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
      {creating && (
        <NewWebhook
          onClose={() => setCreating(false)}
          onCreated={async (made) => {
            setCreating(false);
            if (made.secret !== null) setSecret({ name: made.name, secret: made.secret });
            await refresh();
          }}
        />
      )}
      {reading !== null && <WebhookDeliveries webhook={reading} onClose={() => setReading(null)} />}
      {secret !== null && <WebhookSecret {...secret} onClose={() => setSecret(null)} />}
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
        <p>Nothing is delivered to it any more, and its log of deliveries goes with it.</p>
      </ConfirmDialog>
    </>
  );
}

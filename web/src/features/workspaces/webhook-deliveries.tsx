import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useWorkspaceId } from "@/api/access";
import { api, http, idempotencyKey, type Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Sheet } from "@/components/ui/sheet";
import { SkeletonRows } from "@/components/ui/skeleton";

const LIST = "/api/v1/workspaces/{workspace_id}/webhooks/{webhook_id}/deliveries";
const EVERY_MS = 3_000;

type Props = { webhook: Schemas["WebhookOut"]; onClose: () => void };

/** What was sent lately, each attempt with what came back. */
export function WebhookDeliveries({ webhook, onClose }: Props) {
  const workspace_id = useWorkspaceId();
  const queries = useQueryClient();
  const path = { workspace_id, webhook_id: webhook.id };
  const deliveries = api.useQuery("get", LIST, { params: { path, query: { limit: 50 } } }, { refetchInterval: EVERY_MS });
  const again = useMutation({
    mutationFn: (delivery_id: string) =>
      http.POST("/api/v1/workspaces/{workspace_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", {
        params: { path: { ...path, delivery_id } },
        headers: { "Idempotency-Key": idempotencyKey() },
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["get", LIST] }),
  });
  const list = deliveries.data?.results ?? [];
  return (
    <Sheet open onOpenChange={(open) => !open && onClose()} title={`Deliveries of ${webhook.name}`}>
      {again.error !== null && <ProblemNotice error={again.error} />}
      {deliveries.error !== null ? (
        <ProblemNotice error={deliveries.error} retry={() => void deliveries.refetch()} />
      ) : deliveries.isPending ? (
        <SkeletonRows rows={4} />
      ) : list.length === 0 ? (
        <EmptyState title="Nothing was sent yet" />
      ) : (
        <ul className="flex flex-col">
          {list.map((one) => (
            <li key={one.id} className="border-b py-3 last:border-b-0">
              <div className="flex items-center gap-3">
                <span className="min-w-0 flex-1 truncate font-medium">{one.event_type}</span>
                <StatusBadge status={one.state} />
                <Time at={one.created_at} />
                <Button size="sm" pending={again.isPending && again.variables === one.id} onClick={() => again.mutate(one.id)}>
                  Send again
                </Button>
              </div>
              <ul className="mt-1 text-xs text-muted">
                {one.attempts.map((attempt) => (
                  <li key={attempt.number}>{wordsOf(attempt)}</li>
                ))}
              </ul>
            </li>
          ))}
        </ul>
      )}
    </Sheet>
  );
}

function wordsOf(attempt: Schemas["AttemptOut"]): string {
  return `Attempt ${attempt.number}: ${attempt.error ?? `HTTP ${attempt.status_code}`}`;
}

import { getRouteApi } from "@tanstack/react-router";
import { ListPlus, MoreHorizontal, RotateCw } from "lucide-react";
import { useCallback, useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { toast } from "sonner";
import { api } from "@/api/client";
import { lacking, useMay } from "@/api/access";
import { ApiProblem } from "@/api/problems";
import { EmptyState } from "@/components/empty-state";
import { shortId } from "@/components/format";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Menu } from "@/components/ui/menu";
import { Skeleton, SkeletonRows } from "@/components/ui/skeleton";
import { useNow } from "@/components/use-now";
import { AddToSamples } from "@/features/traces/add-to-samples";
import { DeleteTraces } from "@/features/traces/delete-traces";
import { exportTraces } from "@/features/traces/export-traces";
import type { TraceDetailSearch } from "@/features/traces/search";
import { TraceFacts } from "@/features/traces/trace-facts";
import { TraceStatus } from "@/features/traces/trace-status";
import { TraceView } from "@/features/traces/trace-view";

const route = getRouteApi("/w/$workspaceId/traces/$traceId");

/** Spans of a trace that ended so recently may still be on their way. */
const YOUNG_MS = 2 * 60_000;
const REFETCH_MS = 5_000;

export function TraceDetailPage() {
  const { workspaceId, traceId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const mayWrite = useMay("write:workspace");
  const [dialog, setDialog] = useState<"samples" | "delete" | null>(null);
  const now = useNow(10_000);
  const trace = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/traces/{trace_id}",
    { params: { path: { workspace_id: workspaceId, trace_id: traceId } } },
    {
      refetchInterval: ({ state }) => (state.data && Date.now() - Date.parse(state.data.ended_at) < YOUNG_MS ? REFETCH_MS : false),
    },
  );
  const young = trace.data !== undefined && now - Date.parse(trace.data.ended_at) < YOUNG_MS;
  const change = useCallback((next: Partial<TraceDetailSearch>) => void navigate({ search: (before) => ({ ...before, ...next }), replace: true }), [navigate]);
  const refresh = () => queries.invalidateQueries({ predicate: ({ queryKey }) => JSON.stringify(queryKey).includes(traceId) });
  const copyId = async () => {
    try {
      await navigator.clipboard.writeText(traceId);
      toast.success("Trace id copied");
    } catch {
      toast.error("The browser refused to copy");
    }
  };
  const crumbs = [{ label: "Traces", to: `/w/${workspaceId}/traces` }, { label: shortId(traceId) }];
  const refused = mayWrite ? undefined : lacking("write:workspace");

  if (trace.error && !trace.data) {
    const gone = trace.error instanceof ApiProblem && trace.error.status === 404;
    return (
      <Page title={gone ? "No such trace" : "Trace"} breadcrumbs={crumbs}>
        {gone ? (
          <EmptyState title="This trace is not here">
            It was deleted, is older than what is kept, or belongs to a workspace that you are not in. A trace that was sent just now appears within a second.
          </EmptyState>
        ) : (
          <ProblemNotice error={trace.error} retry={() => void trace.refetch()} />
        )}
      </Page>
    );
  }
  return (
    <Page
      fill
      breadcrumbs={crumbs}
      documentTitle={trace.data?.name ?? "Trace"}
      title={
        trace.data ? (
          <>
            <span className="truncate">{trace.data.name}</span>
            <TraceStatus trace={trace.data} />
          </>
        ) : (
          <Skeleton className="h-5 w-64" />
        )
      }
      actions={
        <>
          <Button size="icon" variant="ghost" aria-label="Ask for late spans" title={young ? "Asks for late spans every 5 s" : "Ask for late spans"} onClick={() => void refresh()}>
            <RotateCw aria-hidden className={trace.isFetching ? "animate-spin" : undefined} />
          </Button>
          <Button disabled={!mayWrite} title={refused} onClick={() => setDialog("samples")}>
            <ListPlus aria-hidden />
            Add to samples
          </Button>
          <Menu
            label="More about this trace"
            trigger={
              <Button size="icon" aria-label="More actions" className="size-8">
                <MoreHorizontal aria-hidden />
              </Button>
            }
            items={[
              { label: "Copy trace id", onSelect: () => void copyId() },
              { label: "Give feedback", onSelect: () => change({ tab: "feedback" }) },
              {
                label: "Export as OTLP/JSON",
                onSelect: () => void exportTraces(workspaceId, {}, [traceId]).catch((error: unknown) => toast.error(error instanceof Error ? error.message : "The export failed")),
              },
              "separator",
              { label: "Delete…", danger: true, disabled: !mayWrite, title: refused, onSelect: () => setDialog("delete") },
            ]}
          />
        </>
      }
    >
      <div className="border-b border-line bg-surface px-3 py-1.5 sm:px-5">
        {trace.data ? <TraceFacts trace={trace.data} /> : <SkeletonRows rows={1} rowHeight={20} label="Loading the trace" />}
      </div>
      <TraceView key={traceId} traceId={traceId} search={search} onChange={change} refetchInterval={young ? REFETCH_MS : false} />
      <AddToSamples open={dialog === "samples"} onOpenChange={(open) => setDialog(open ? "samples" : null)} traceIds={[traceId]} />
      <DeleteTraces
        open={dialog === "delete"}
        onOpenChange={(open) => setDialog(open ? "delete" : null)}
        traceIds={[traceId]}
        onDeleted={() => void navigate({ to: "/w/$workspaceId/traces", params: { workspaceId }, search: {} })}
      />
    </Page>
  );
}

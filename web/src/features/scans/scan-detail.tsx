import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect } from "react";
import { api } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { shortId } from "@/components/format";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Skeleton } from "@/components/ui/skeleton";
import { Tabs, TabPanel } from "@/components/ui/tabs";
import { CandidateSheet } from "./candidate-sheet";
import { mergeCandidates } from "./candidates";
import { LiveMark } from "./live-mark";
import { ScanActions } from "./scan-actions";
import { ScanFindings } from "./scan-findings";
import { ScanLog } from "./scan-log";
import { ScanOverview } from "./scan-overview";
import { ScanReport } from "./scan-report";
import { resultsOf } from "./scan-results";
import { ScanSettings } from "./scan-settings";
import { hasEnded } from "./scan-words";
import type { ScanDetailSearch, ScanTab } from "./search";
import { useScanEvents } from "./use-scan-events";

const route = getRouteApi("/w/$workspaceId/scans/$scanId");

const REREAD_MS = 250;
const COST_EVERY_MS = 2_000;
const QUEUED_EVERY_MS = 1_000;

export function ScanDetailPage() {
  const { scanId } = route.useParams();
  // Another scan has other events: nothing of this one is kept.
  return <ScanPage key={scanId} />;
}

function ScanPage() {
  const { workspaceId, scanId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const params = { params: { path: { workspace_id: workspaceId, scan_id: scanId } } };
  const scan = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/scans/{scan_id}", params, {
    // That a scan got its turn again after a failure is no event.
    refetchInterval: ({ state }) => (state.data?.status === "queued" ? QUEUED_EVERY_MS : false),
  });
  const { state, stream, error: streamError } = useScanEvents(workspaceId, scanId, scan.data?.status);
  const status = scan.data?.status ?? "queued";
  const going = !hasEnded(status);
  const cost = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/scans/{scan_id}/cost", params, {
    refetchInterval: status === "running" ? COST_EVERY_MS : false,
  });
  const agentId = scan.data?.agent_id;
  const agent = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/agents/{agent_id}",
    { params: { path: { workspace_id: workspaceId, agent_id: agentId ?? "" } } },
    { enabled: agentId !== undefined },
  );

  // An event says that something is new; the scan's document says what, in full.
  const { lastSeq } = state;
  useEffect(() => {
    if (lastSeq === 0) return;
    const timer = setTimeout(() => {
      void queries.invalidateQueries({ queryKey: api.queryOptions("get", "/api/v1/workspaces/{workspace_id}/scans/{scan_id}", { params: { path: { workspace_id: workspaceId, scan_id: scanId } } }).queryKey });
      void queries.invalidateQueries({ queryKey: api.queryOptions("get", "/api/v1/workspaces/{workspace_id}/scans/{scan_id}/cost", { params: { path: { workspace_id: workspaceId, scan_id: scanId } } }).queryKey });
    }, REREAD_MS);
    return () => clearTimeout(timer);
  }, [lastSeq, queries, workspaceId, scanId]);

  const change = (next: Partial<ScanDetailSearch>, replace = false) => void navigate({ search: (before) => ({ ...before, ...next }), replace });
  const select = (ordinal: number | undefined) => change({ candidate: ordinal });
  const crumbs = [{ label: "Scans", to: `/w/${workspaceId}/scans` }, { label: shortId(scanId) }];

  if (scan.error && !scan.data) {
    return (
      <Page title="Scan" breadcrumbs={crumbs}>
        <ProblemNotice error={scan.error} retry={() => void scan.refetch()} />
      </Page>
    );
  }
  if (!scan.data) {
    return (
      <Page title="Scan" breadcrumbs={crumbs}>
        <Skeleton className="h-16 w-full" />
        <Skeleton className="h-72 w-full" />
      </Page>
    );
  }

  const results = resultsOf(scan.data);
  const candidates = mergeCandidates(state.candidates, scan.data.candidates, results.winner);
  const name = agent.data?.name ?? (agent.isLoading ? "…" : "an agent");
  const tab: ScanTab = search.tab ?? "overview";
  return (
    <Page
      title={
        <>
          Scan of {name} <StatusBadge status={status} />
          {status === "completed" && scan.data.outcome && <StatusBadge status={scan.data.outcome} />}
        </>
      }
      documentTitle={`Scan of ${name}`}
      breadcrumbs={crumbs}
      description={<LiveMark stream={stream} lastSeq={lastSeq} error={streamError} />}
      actions={<ScanActions workspaceId={workspaceId} scanId={scanId} status={status} />}
      fill={tab === "events" || tab === "report"}
      tabs={
        <Tabs
          label="Views of the scan"
          value={tab}
          onValueChange={(next) => change({ tab: next === "overview" ? undefined : next })}
          tabs={[
            { value: "overview", label: "Overview" },
            { value: "findings", label: "Findings", count: results.cluster === undefined ? null : results.clusters.length },
            { value: "events", label: "Events", count: state.events.length },
            { value: "report", label: "Report" },
            { value: "settings", label: "Settings" },
          ]}
        />
      }
    >
      <TabPanel value={tab} className={tab === "events" || tab === "report" ? "flex min-h-0 flex-1 flex-col" : "flex flex-col gap-4"}>
        {tab === "overview" && (
          <ScanOverview workspaceId={workspaceId} scan={scan.data} state={state} status={status} results={results} candidates={candidates} cost={cost.data} selected={search.candidate} onSelect={select} onAllEvents={() => change({ tab: "events" })} />
        )}
        {tab === "findings" && <ScanFindings results={results} workspaceId={workspaceId} />}
        {tab === "events" && (
          <ScanLog events={state.events} live={going} kinds={search.kinds ?? []} find={search.find ?? ""} onKinds={(kinds) => change({ kinds: kinds.length > 0 ? kinds : undefined }, true)} onFind={(find) => change({ find: find || undefined }, true)} />
        )}
        {tab === "report" &&
          (results.detect === undefined ? (
            <EmptyState title="Nothing to report yet">The report begins with what the first two phases find. Come back in a moment.</EmptyState>
          ) : (
            <ScanReport workspaceId={workspaceId} scanId={scanId} version={`${scan.data.status} ${scan.data.progress.phases_finished}`} />
          ))}
        {tab === "settings" && <ScanSettings scan={scan.data} workspaceId={workspaceId} />}
      </TabPanel>
      <CandidateSheet candidate={candidates.find((one) => one.ordinal === search.candidate)} all={candidates} agentId={scan.data.agent_id} baseVersion={scan.data.base_version} onSelect={select} onClose={() => select(undefined)} />
    </Page>
  );
}

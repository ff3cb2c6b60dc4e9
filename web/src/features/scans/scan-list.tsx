import { Link, getRouteApi } from "@tanstack/react-router";
import { CalendarClock, Plus } from "lucide-react";
import { useMemo } from "react";
import { lacking, useMay } from "@/api/access";
import { api } from "@/api/client";
import { DataGrid } from "@/components/data-grid";
import { EmptyState } from "@/components/empty-state";
import { Page } from "@/components/page";
import { Pagination, ShownOf } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { statusLabel } from "@/components/status-badge";
import { Button } from "@/components/ui/button";
import { Combobox } from "@/components/ui/combobox";
import { Select } from "@/components/ui/select";
import { scanColumns } from "./scan-columns";
import { ScanNeeds } from "./scan-needs";
import { SCAN_STATUSES, type ScanStatus, hasEnded } from "./scan-words";
import type { ScanListSearch } from "./search";

const route = getRouteApi("/w/$workspaceId/scans");

const PAGE = 50;
const NAMES = 100;
const POLL_MS = 2_500;
const ALL = "all";

export function ScanListPage() {
  const { workspaceId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const may = useMay("write:workspace");
  const path = { workspace_id: workspaceId };
  const offset = search.offset ?? 0;
  const scans = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/scans",
    { params: { path, query: { limit: PAGE, offset, agent_id: search.agent, status: search.status } } },
    { refetchInterval: ({ state }) => (state.data?.results.some((scan) => !hasEnded(scan.status) && scan.status !== "paused") ? POLL_MS : false) },
  );
  const agents = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/agents", { params: { path, query: { limit: NAMES } } });
  const changesets = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/changesets", { params: { path, query: { limit: NAMES } } });
  const total = scans.data?.pagination.total;
  const filtered = search.agent !== undefined || search.status !== undefined;
  const none = total === 0 && !filtered;
  const samples = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/samples", { params: { path, query: { limit: NAMES } } }, { enabled: none });
  const objectives = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/evaluations/objectives", { params: { path, query: { limit: 1 } } }, { enabled: none });
  const columns = useMemo(
    () =>
      scanColumns({
        workspaceId,
        names: new Map(agents.data?.results.map((agent) => [agent.id, agent.name])),
        effects: new Map(changesets.data?.results.map((one) => [one.id, one.effect])),
      }),
    [workspaceId, agents.data, changesets.data],
  );
  const filter = (next: Partial<ScanListSearch>) => void navigate({ search: (before) => ({ ...before, offset: undefined, ...next }) });
  const starting = (
    <Button asChild variant="primary" aria-disabled={!may} title={may ? undefined : lacking("write:workspace")}>
      <Link to="/w/$workspaceId/scans/new" params={{ workspaceId }} search={search.agent ? { agent: search.agent } : {}} disabled={!may}>
        <Plus aria-hidden />
        New scan
      </Link>
    </Button>
  );
  return (
    <Page
      title="Scans"
      fill
      actions={
        <>
          <Button asChild>
            <Link to="/w/$workspaceId/scans/schedules" params={{ workspaceId }}>
              <CalendarClock aria-hidden />
              Schedules
            </Link>
          </Button>
          {starting}
        </>
      }
    >
      {scans.error && !scans.data ? (
        <ProblemNotice error={scans.error} retry={() => void scans.refetch()} className="m-5" />
      ) : none ? (
        <ScanNeeds workspaceId={workspaceId} agents={agents.data?.results ?? []} sampleSets={samples.data?.results ?? []} objectives={objectives.data?.pagination.total ?? 0} actions={starting} />
      ) : (
        <>
          <div className="flex flex-wrap items-center gap-2 border-b border-line bg-surface px-3 py-2 sm:px-5">
            <Combobox
              size="sm"
              label="Agent"
              className="w-44"
              value={search.agent ?? ALL}
              onValueChange={(agent) => filter({ agent: agent === ALL ? undefined : agent })}
              options={[{ value: ALL, label: "All agents" }, ...(agents.data?.results ?? []).map((agent) => ({ value: agent.id, label: agent.name }))]}
            />
            <Select<ScanStatus | typeof ALL>
              size="sm"
              label="Status"
              className="w-36"
              value={search.status ?? ALL}
              onValueChange={(status) => filter({ status: status === ALL ? undefined : status })}
              options={[{ value: ALL, label: "Every status" }, ...SCAN_STATUSES.map((value) => ({ value, label: statusLabel(value) }))]}
            />
            {scans.data && <ShownOf shown={scans.data.results.length} total={total} noun="scans" />}
          </div>
          <DataGrid
            label="Scans"
            rows={scans.data?.results ?? NONE}
            columns={columns}
            rowKey={(scan) => scan.id}
            rowHeight={44}
            loading={scans.isPending}
            storageKey="scans"
            onOpen={(scan) => void navigate({ to: "/w/$workspaceId/scans/$scanId", params: { workspaceId, scanId: scan.id } })}
            empty={
              <EmptyState title="No scan fits the filter" actions={<Button onClick={() => filter({ agent: undefined, status: undefined })}>Show all scans</Button>} />
            }
          />
          {total !== undefined && total > PAGE && (
            <div className="border-t border-line bg-surface px-3 py-1.5 sm:px-5">
              <Pagination total={total} limit={PAGE} offset={offset} onOffsetChange={(next) => filter({ offset: next || undefined })} />
            </div>
          )}
        </>
      )}
    </Page>
  );
}

const NONE: never[] = [];

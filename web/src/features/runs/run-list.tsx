import { getRouteApi, Link } from "@tanstack/react-router";
import { X } from "lucide-react";
import { useMemo, useState } from "react";
import { api, type Schemas } from "@/api/client";
import { Actor } from "@/components/actor";
import { DataGrid } from "@/components/data-grid";
import type { GridColumn } from "@/components/data-grid-column";
import { EmptyState } from "@/components/empty-state";
import { formatCost, formatCount, formatDuration, formatPercent, shortId } from "@/components/format";
import { Page } from "@/components/page";
import { ShownOf } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge, statusLabel } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { SearchInput } from "@/components/ui/search-input";
import { Select } from "@/components/ui/select";
import { RUN_PERIODS, RUN_STATUSES, type RunListSearch } from "@/features/runs/search";

type Run = Schemas["RunSummary"];

const LIST = "/api/v1/workspaces/{workspace_id}/runs";
const PAGE = 100;
const EVERY_MS = 5_000;
const MINUTE_MS = 60_000;
const ANY = "any";
const route = getRouteApi("/w/$workspaceId/runs");

const columns: GridColumn<Run>[] = [
  {
    id: "name",
    header: "Run",
    width: 260,
    hideable: false,
    cell: (run) => (
      <span className="truncate">
        <span className="font-medium">{run.workflow ?? run.name}</span>{" "}
        {run.workflow_version !== null && <span className="numeric text-muted">v{run.workflow_version}</span>}
      </span>
    ),
  },
  { id: "status", header: "Status", width: 140, cell: (run) => <StatusBadge status={run.status} /> },
  { id: "created_at", header: "Started", width: 130, sortable: true, cell: (run) => <Time at={run.started_at ?? run.created_at} /> },
  {
    id: "duration",
    header: "Duration",
    width: 110,
    align: "right",
    cell: (run) => (run.duration_ms === null ? "–" : formatDuration(run.duration_ms)),
  },
  { id: "steps", header: "Steps", width: 80, align: "right", cell: (run) => formatCount(run.step_count) },
  {
    id: "cost",
    header: "Cost",
    width: 110,
    align: "right",
    cell: (run) => (run.spent.unknown_cost_calls > 0 ? "unknown" : formatCost(run.spent.cost_usd)),
  },
  { id: "by", header: "By", width: 220, cell: (run) => <span className="truncate text-muted"><Actor by={run.created_by} /></span> },
  {
    id: "error",
    header: "Error",
    minWidth: 200,
    cell: (run) => <span className="truncate text-bad">{typeof run.error?.message === "string" ? run.error.message : ""}</span>,
  },
];

/** Every run of the workspace: of people's workflows, and of scans, validations and experiments. */
export function RunListPage() {
  const { workspaceId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const query = useRunQuery(search);
  const path = { workspace_id: workspaceId };
  const runs = api.useInfiniteQuery(
    "get",
    LIST,
    { params: { path, query: { ...query, sort: search.sort === "created_at" ? "created_at" : "-created_at", limit: PAGE } } },
    {
      pageParamName: "cursor",
      initialPageParam: null,
      getNextPageParam: (page: Schemas["CursorPage_RunSummary_"]) => page.pagination.next_cursor ?? undefined,
      refetchInterval: (state) =>
        state.state.data?.pages.length === 1 && state.state.data.pages[0]?.results.some((run) => run.finished_at === null) ? EVERY_MS : false,
    },
  );
  const summary = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/runs/summary", { params: { path, query } });
  const rows = useMemo(() => runs.data?.pages.flatMap((page) => page.results) ?? [], [runs.data]);
  const pagination = runs.data?.pages[0]?.pagination;
  const filter = (next: Partial<RunListSearch>) => void navigate({ search: (now) => ({ ...now, ...next }), replace: true });
  const filtered = search.status !== undefined || search.workflow !== undefined || search.since !== undefined || search.parent !== undefined;

  return (
    <Page
      title="Runs"
      fill
      actions={
        <Button asChild>
          <Link to="/w/$workspaceId/workflows" params={{ workspaceId }}>
            Workflows
          </Link>
        </Button>
      }
    >
      <div className="flex flex-wrap items-center gap-2 border-b px-3 py-2 sm:px-5">
        <SearchInput
          label="Workflow"
          placeholder="Workflow's name, exactly"
          value={search.workflow ?? ""}
          onValueChange={(workflow) => filter({ workflow: workflow || undefined })}
        />
        <Select
          label="Status"
          className="w-40"
          value={search.status ?? ANY}
          onValueChange={(status) => filter({ status: status === ANY ? undefined : status })}
          options={[{ value: ANY, label: "Any status" }, ...RUN_STATUSES.map((value) => ({ value, label: statusLabel(value) }))]}
        />
        <Select
          label="Period"
          className="w-36"
          value={search.since ?? ANY}
          onValueChange={(since) => filter({ since: since === ANY ? undefined : since })}
          options={[{ value: ANY, label: "All time" }, ...RUN_PERIODS]}
        />
        {search.parent !== undefined && (
          <Button size="sm" title={search.parent} onClick={() => filter({ parent: undefined })}>
            Children of {shortId(search.parent)}
            <span className="sr-only">; show all runs</span>
            <X aria-hidden />
          </Button>
        )}
        {pagination !== undefined && <ShownOf shown={rows.length} total={pagination.total} noun="runs" />}
        {summary.data !== undefined && summary.data.total > 0 && (
          <span className="numeric ml-auto text-muted">
            {summary.data.success_rate !== null && `${formatPercent(summary.data.success_rate)} succeeded`}
            {summary.data.p50_duration_ms !== null && ` · median ${formatDuration(summary.data.p50_duration_ms)}`}
            {summary.data.p95_duration_ms !== null && ` · 95th percentile ${formatDuration(summary.data.p95_duration_ms)}`}
          </span>
        )}
      </div>
      {runs.error !== null ? (
        <div className="p-5">
          <ProblemNotice error={runs.error} retry={() => void runs.refetch()} />
        </div>
      ) : (
        <DataGrid<Run>
          label="Runs"
          storageKey="runs"
          rows={rows}
          columns={columns}
          rowKey={(run) => run.id}
          loading={runs.isFetching && !runs.isRefetching}
          hasMore={runs.hasNextPage}
          onNearEnd={() => void runs.fetchNextPage()}
          total={pagination?.total_is_estimate === true ? undefined : pagination?.total}
          sort={{ column: "created_at", direction: search.sort === "created_at" ? "asc" : "desc" }}
          onSort={({ direction }) => filter({ sort: direction === "asc" ? "created_at" : undefined })}
          onOpen={(run) => void navigate({ to: "/w/$workspaceId/runs/$runId", params: { workspaceId, runId: run.id } })}
          empty={
            filtered ? (
              <EmptyState title="No run fits" actions={<Button onClick={() => void navigate({ search: {} })}>Clear the filters</Button>} />
            ) : (
              <EmptyState title="Nothing has run yet">Start a workflow or a scan; every long work is a run.</EmptyState>
            )
          }
        />
      )}
    </Page>
  );
}

function useRunQuery({ status, workflow, since, parent }: RunListSearch) {
  // Of one minute, so that the same question has the same answer for a while.
  const [now] = useState(() => Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS);
  const hours = RUN_PERIODS.find(({ value }) => value === since)?.hours;
  return {
    status: status === undefined ? undefined : [status],
    workflow,
    parent,
    from: hours === undefined ? undefined : new Date(now - hours * 60 * MINUTE_MS).toISOString(),
  };
}

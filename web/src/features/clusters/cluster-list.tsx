import { getRouteApi } from "@tanstack/react-router";
import { ChartScatter } from "lucide-react";
import { useMemo, useState } from "react";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { BubbleChart } from "@/components/charts/bubble-chart";
import { EmptyState } from "@/components/empty-state";
import { pluralise } from "@/components/format";
import { Page } from "@/components/page";
import { Pagination, ShownOf } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { statusLabel } from "@/components/status-badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { Sheet } from "@/components/ui/sheet";
import { Skeleton, SkeletonRows } from "@/components/ui/skeleton";
import { useHotkey } from "@/components/use-hotkey";
import { ClusterPanel } from "./cluster-panel";
import { CLUSTERS, type Cluster, useAgentNames } from "./cluster-queries";
import { ClusterTable } from "./cluster-table";
import { MergeDialog } from "./merge-dialog";
import { CLUSTER_STATUSES } from "./search";

const route = getRouteApi("/w/$workspaceId/clusters");

const PAGE = 100;
const NONE: readonly Cluster[] = [];

export function ClusterListPage() {
  const workspaceId = useWorkspaceId();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const may = useMay("write:workspace");
  const agents = useAgentNames();
  const offset = search.offset ?? 0;
  const { data, error, refetch } = api.useQuery("get", CLUSTERS, {
    params: {
      path: { workspace_id: workspaceId },
      query: {
        limit: PAGE,
        offset,
        ...(search.agent ? { agent_id: search.agent } : {}),
        ...(search.status ? { status: search.status } : {}),
      },
    },
  });
  const [checked, setChecked] = useState<ReadonlySet<string>>(new Set());
  const [merging, setMerging] = useState<readonly Cluster[]>(NONE);
  const rows = data?.results ?? NONE;
  const chosen = rows.filter((row) => checked.has(row.id));
  const ofOneAgent = new Set(chosen.map((row) => row.agent_id)).size <= 1;
  const open = (cluster: string | undefined) => void navigate({ search: (before) => ({ ...before, cluster }) });
  const step = (by: number) => {
    const at = rows.findIndex((row) => row.id === search.cluster);
    const next = rows[at + by];
    if (at >= 0 && next) open(next.id);
  };
  useHotkey("j", () => step(1), { when: search.cluster !== undefined });
  useHotkey("k", () => step(-1), { when: search.cluster !== undefined });
  const bubbles = useMemo(
    () => rows.map((row) => ({ id: row.id, label: row.label, value: row.size, tone: BUBBLE_TONES[row.status] })),
    [rows],
  );
  const whyNot = !may
    ? lacking("write:workspace")
    : chosen.length < 2
      ? "Check two clusters or more"
      : ofOneAgent
        ? undefined
        : "Only clusters of one agent can be merged";

  return (
    <Page
      title="Clusters"
      description="What agents get wrong, by kind, as their last scans saw it. What you say here holds for later scans too."
      actions={
        <>
          <Select
            label="Agent"
            size="sm"
            className="w-48"
            value={search.agent ?? ""}
            onValueChange={(agent) => void navigate({ search: ({ status }) => ({ status, agent: agent || undefined }) })}
            options={[{ value: "", label: "All agents" }, ...[...agents].map(([value, label]) => ({ value, label }))]}
          />
          <Select
            label="Status"
            size="sm"
            className="w-36"
            value={search.status ?? ""}
            onValueChange={(status) => void navigate({ search: ({ agent }) => ({ agent, status: status || undefined }) })}
            options={[{ value: "", label: "Any status" }, ...CLUSTER_STATUSES.map((value) => ({ value, label: statusLabel(value) }))]}
          />
        </>
      }
    >
      {error && <ProblemNotice error={error} retry={() => void refetch()} />}
      {!data && !error && (
        <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-[21rem_minmax(0,1fr)]">
          <Skeleton className="h-96 rounded-md" />
          <Panel padded={false}>
            <SkeletonRows rows={8} rowHeight={48} label="Loading clusters" />
          </Panel>
        </div>
      )}
      {data && rows.length === 0 && (
        <EmptyState icon={<ChartScatter />} title="No clusters of failures">
          {search.agent || search.status
            ? "Another filter may show some."
            : "A scan scores an agent as it is and groups what it gets wrong. Clusters stand here after the first scan that found failures."}
        </EmptyState>
      )}
      {rows.length > 0 && (
        <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-[21rem_minmax(0,1fr)]">
          <Panel
            title="By number of failures"
            description="In the last scan that saw each; muted ones are grey"
            className="xl:sticky xl:top-4"
          >
            <BubbleChart
              label="Clusters by number of failures"
              items={bubbles}
              selectedId={search.cluster}
              onSelect={open}
              format={(size) => pluralise(size, "failure")}
              height={320}
            />
          </Panel>
          <div className="flex min-w-0 flex-col gap-3">
            <div className="flex min-h-7 flex-wrap items-center justify-between gap-3">
              <span className="flex items-center gap-2">
                <Button size="sm" disabled={whyNot !== undefined} title={whyNot} onClick={() => setMerging(chosen)}>
                  {chosen.length > 1 ? `Merge ${chosen.length}…` : "Merge…"}
                </Button>
                {chosen.length > 0 && (
                  <Button size="sm" variant="ghost" onClick={() => setChecked(new Set())}>
                    Uncheck all
                  </Button>
                )}
                {whyNot !== undefined && chosen.length > 1 && <span className="text-xs text-muted">{whyNot}.</span>}
              </span>
              <ShownOf shown={rows.length} total={data?.pagination.total} noun="clusters" />
            </div>
            <ClusterTable
              rows={rows}
              agents={agents}
              openId={search.cluster}
              onOpen={open}
              checked={checked}
              onCheckedChange={may ? setChecked : undefined}
            />
            {data && data.pagination.total > PAGE && (
              <Pagination
                total={data.pagination.total}
                limit={PAGE}
                offset={offset}
                onOffsetChange={(next) => void navigate({ search: (before) => ({ ...before, offset: next || undefined }) })}
              />
            )}
          </div>
        </div>
      )}
      <Sheet
        open={search.cluster !== undefined}
        onOpenChange={(next) => !next && open(undefined)}
        title="Cluster"
        description="J and K go to the next and the one before"
      >
        {search.cluster !== undefined && (
          <ClusterPanel key={search.cluster} clusterId={search.cluster} agents={agents} onOpen={open} />
        )}
      </Sheet>
      <MergeDialog
        clusters={merging}
        onClose={() => setMerging(NONE)}
        onMerged={(merged) => {
          setChecked(new Set());
          open(merged.id);
        }}
      />
    </Page>
  );
}

const BUBBLE_TONES = { open: "accent", investigating: "warn", resolved: "good", muted: "neutral" } as const;

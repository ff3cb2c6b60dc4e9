import { GitFork } from "lucide-react";
import { useMemo } from "react";
import { lacking, useMay } from "@/api/access";
import { api, type Schemas } from "@/api/client";
import { DataGrid } from "@/components/data-grid";
import type { GridColumn } from "@/components/data-grid-column";
import { EmptyState } from "@/components/empty-state";
import { formatCount, formatDateTime } from "@/components/format";
import { JsonView } from "@/components/json-view";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Sheet } from "@/components/ui/sheet";
import { SkeletonRows } from "@/components/ui/skeleton";

type Checkpoint = Schemas["CheckpointOut"];

export type RunCheckpointsProps = {
  workspaceId: string;
  runId: string;
  generation: number;
  open: number | undefined;
  onOpen: (index: number | undefined) => void;
  /** Absent where the run is not one that may be forked. */
  onFork?: (index: number) => void;
};

const PAGE = 100;

/** Written with every transaction that moves the run; each can become a new run. The newest first. */
export function RunCheckpoints({ workspaceId, runId, generation, open, onOpen, onFork }: RunCheckpointsProps) {
  const may = useMay("write:workspace");
  const list = api.useInfiniteQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/runs/{run_id}/checkpoints",
    { params: { path: { workspace_id: workspaceId, run_id: runId }, query: { generation, order: "desc", limit: PAGE } } },
    {
      pageParamName: "cursor",
      initialPageParam: null,
      getNextPageParam: (page: Schemas["CursorPage_CheckpointOut_"]) => page.pagination.next_cursor ?? undefined,
    },
  );
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.results) ?? [], [list.data]);
  const fork = (index: number) =>
    onFork && (
      <Button size="sm" disabled={!may} title={may ? undefined : lacking("write:workspace")} aria-label={`Fork from checkpoint ${index}`} onClick={() => onFork(index)}>
        <GitFork aria-hidden />
        Fork
      </Button>
    );
  const columns: GridColumn<Checkpoint>[] = [
    { id: "index", header: "Checkpoint", width: 96, align: "right", hideable: false, cell: ({ index }) => index },
    { id: "at", header: "Written", width: 130, cell: ({ created_at }) => <Time at={created_at} /> },
    { id: "last", header: "After", minWidth: 130, cell: ({ last_node }) => <span className="truncate font-mono text-xs">{last_node ?? "–"}</span> },
    { id: "next", header: "Next", minWidth: 160, cell: ({ next_nodes }) => <span className="truncate font-mono text-xs">{next_nodes.join(", ") || "–"}</span> },
    { id: "done", header: "Steps completed", width: 126, align: "right", cell: ({ steps_completed }) => formatCount(steps_completed) },
    ...(onFork ? [{ id: "fork", header: "Fork", width: 110, hideable: false, cell: ({ index }: Checkpoint) => fork(index) }] : []),
  ];
  if (list.error !== null) return <div className="p-3"><ProblemNotice error={list.error} retry={() => void list.refetch()} /></div>;
  return (
    <>
      <DataGrid<Checkpoint>
        label="Checkpoints"
        storageKey="run-checkpoints"
        rows={rows}
        columns={columns}
        rowKey={keyOf}
        selectedKey={open === undefined ? null : String(open)}
        onOpen={({ index }) => onOpen(index)}
        onSelectKey={open === undefined ? undefined : (key) => onOpen(Number(key))}
        globalKeys={open !== undefined}
        loading={list.isFetching && !list.isRefetching}
        hasMore={list.hasNextPage}
        onNearEnd={() => void list.fetchNextPage()}
        total={list.data?.pages[0]?.pagination.total}
        empty={<EmptyState title="No checkpoint yet">One is written as soon as the run begins.</EmptyState>}
      />
      {open !== undefined && (
        <Sheet open onOpenChange={(shown) => !shown && onOpen(undefined)} title={`Checkpoint ${open}`} width={560} actions={fork(open)}>
          <State workspaceId={workspaceId} runId={runId} index={open} />
        </Sheet>
      )}
    </>
  );
}

function keyOf({ index }: Checkpoint): string {
  return String(index);
}

function State({ workspaceId, runId, index }: { workspaceId: string; runId: string; index: number }) {
  const checkpoint = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/runs/{run_id}/checkpoints/{index}", {
    params: { path: { workspace_id: workspaceId, run_id: runId, index } },
  });
  if (checkpoint.error !== null) return <ProblemNotice error={checkpoint.error} retry={() => void checkpoint.refetch()} />;
  if (checkpoint.isPending) return <SkeletonRows rows={8} />;
  return (
    <div className="flex flex-col gap-3">
      <p className="text-sm text-muted">
        Written {formatDateTime(checkpoint.data.created_at, { seconds: true })}, generation {checkpoint.data.generation}.
      </p>
      <JsonView value={checkpoint.data.state} label={`State at checkpoint ${index}`} />
    </div>
  );
}

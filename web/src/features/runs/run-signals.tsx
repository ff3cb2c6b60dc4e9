import { Send } from "lucide-react";
import { useMemo } from "react";
import { lacking, useMay } from "@/api/access";
import { api, type Schemas } from "@/api/client";
import { Actor } from "@/components/actor";
import { DataGrid } from "@/components/data-grid";
import type { GridColumn } from "@/components/data-grid-column";
import { EmptyState } from "@/components/empty-state";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";

type Signal = Schemas["SignalOut"];

export type RunSignalsProps = {
  workspaceId: string;
  runId: string;
  /** Absent where the run takes none any more. */
  onSend?: () => void;
};

const PAGE = 100;

const columns: GridColumn<Signal>[] = [
  { id: "type", header: "Type", width: 160, hideable: false, cell: ({ type }) => <span className="truncate font-mono text-xs">{type}</span> },
  { id: "received", header: "Received", width: 130, cell: ({ received_at }) => <Time at={received_at} /> },
  { id: "by", header: "By", width: 170, cell: ({ sent_by }) => <span className="truncate text-muted"><Actor by={sent_by} /></span> },
  {
    id: "taken",
    header: "Taken",
    width: 170,
    cell: ({ consumed_at, consumed_by }) =>
      consumed_at === null ? <span className="text-muted">not yet</span> : <span className="truncate"><Time at={consumed_at} />{consumed_by !== null && <> by <span className="font-mono text-xs">{consumed_by}</span></>}</span>,
  },
  { id: "generation", header: "Generation", width: 96, align: "right", hiddenAtFirst: true, cell: ({ generation }) => generation },
  { id: "payload", header: "Payload", minWidth: 200, cell: ({ payload }) => <span className="truncate font-mono text-xs">{payload === null ? "–" : JSON.stringify(payload)}</span> },
  { id: "id", header: "Id", width: 160, hiddenAtFirst: true, cell: ({ id }) => <span className="truncate font-mono text-xs">{id}</span> },
];

/** What was sent to the run, newest first. */
export function RunSignals({ workspaceId, runId, onSend }: RunSignalsProps) {
  const may = useMay("write:workspace");
  const list = api.useInfiniteQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/runs/{run_id}/signals",
    { params: { path: { workspace_id: workspaceId, run_id: runId }, query: { limit: PAGE } } },
    {
      pageParamName: "cursor",
      initialPageParam: null,
      getNextPageParam: (page: Schemas["CursorPage_SignalOut_"]) => page.pagination.next_cursor ?? undefined,
    },
  );
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.results) ?? [], [list.data]);
  if (list.error !== null) return <div className="p-3"><ProblemNotice error={list.error} retry={() => void list.refetch()} /></div>;
  const send = onSend && (
    <Button size="sm" disabled={!may} title={may ? undefined : lacking("write:workspace")} onClick={onSend}>
      <Send aria-hidden />
      Send a signal
    </Button>
  );
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      {rows.length > 0 && send && <div className="border-b border-line bg-surface px-3 py-1">{send}</div>}
      <DataGrid<Signal>
        label="Signals"
        storageKey="run-signals"
        rows={rows}
        columns={columns}
        rowKey={idOf}
        loading={list.isFetching && !list.isRefetching}
        hasMore={list.hasNextPage}
        onNearEnd={() => void list.fetchNextPage()}
        total={list.data?.pages[0]?.pagination.total}
        empty={
          <EmptyState title="Nothing was sent to this run" actions={send}>
            A signal is an event from outside that a step waits for, and may come before anything does.
          </EmptyState>
        }
      />
    </div>
  );
}

function idOf({ id }: Signal): string {
  return id;
}

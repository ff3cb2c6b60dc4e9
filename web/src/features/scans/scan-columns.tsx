import { Link } from "@tanstack/react-router";
import { api, type Schemas } from "@/api/client";
import { Actor } from "@/components/actor";
import type { GridColumn } from "@/components/data-grid-column";
import { formatCost, formatCount, formatDuration, formatPercent, shortId } from "@/components/format";
import { IntervalValue } from "@/components/interval-value";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Progress } from "@/components/ui/progress";
import { Elapsed, spanOf } from "./scan-phases";
import { PHASES, hasEnded, strategyLabel } from "./scan-words";

export type ScanRow = Schemas["ScanSummary"];

export interface ScanColumnsInput {
  workspaceId: string;
  names: ReadonlyMap<string, string>;
  /** By change set. */
  effects: ReadonlyMap<string, Schemas["EffectOut"] | null>;
}

const POLL_MS = 2_500;

export function scanColumns({ workspaceId, names, effects }: ScanColumnsInput): GridColumn<ScanRow>[] {
  return [
    {
      id: "agent",
      header: "Agent",
      minWidth: 160,
      hideable: false,
      cell: (scan) => (
        <Link to="/w/$workspaceId/scans/$scanId" params={{ workspaceId, scanId: scan.id }} onClick={(event) => event.stopPropagation()} tabIndex={-1} className="truncate font-medium hover:underline">
          {names.get(scan.agent_id) ?? shortId(scan.agent_id)}
        </Link>
      ),
    },
    { id: "status", header: "Status", width: 184, cell: (scan) => <Standing scan={scan} workspaceId={workspaceId} /> },
    { id: "outcome", header: "Outcome", width: 115, cell: (scan) => (scan.outcome ? <StatusBadge status={scan.outcome} /> : <Nothing title="Known once the scan has completed" />) },
    { id: "gain", header: "Gain on the holdout", title: "Of the change set, with the interval of its last look", width: 205, cell: (scan) => <Gain scan={scan} workspaceId={workspaceId} effects={effects} /> },
    { id: "strategies", header: "Strategies", width: 136, cell: (scan) => <span className="truncate text-muted">{scan.strategies.map(strategyLabel).join(", ")}</span> },
    { id: "cost", header: "Cost", width: 72, align: "right", cell: (scan) => <Cost scan={scan} workspaceId={workspaceId} /> },
    { id: "started", header: "Started", width: 104, cell: (scan) => (scan.started_at ? <Time at={scan.started_at} /> : <Nothing title="Waits for its turn" />) },
    { id: "duration", header: "Took", width: 84, align: "right", cell: (scan) => <Took scan={scan} /> },
    { id: "by", header: "By", width: 145, cell: (scan) => <span className="truncate text-muted"><Actor by={scan.created_by} /></span> },
  ];
}

function Nothing({ title }: { title: string }) {
  return (
    <span className="text-muted" title={title}>
      –
    </span>
  );
}

function useCost(scan: ScanRow, workspaceId: string) {
  const ended = hasEnded(scan.status);
  return api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/scans/{scan_id}/cost",
    { params: { path: { workspace_id: workspaceId, scan_id: scan.id } } },
    // A failed scan can be taken up again; the others are what they are.
    { staleTime: ended && scan.status !== "failed" ? Number.POSITIVE_INFINITY : 0, refetchInterval: scan.status === "running" ? POLL_MS : false },
  );
}

function Standing({ scan, workspaceId }: { scan: ScanRow; workspaceId: string }) {
  const going = scan.status === "running" || scan.status === "paused";
  if (!going) return <StatusBadge status={scan.status} />;
  return (
    <span className="flex w-full min-w-0 items-center gap-2">
      <StatusBadge status={scan.status} />
      <Going scan={scan} workspaceId={workspaceId} />
    </span>
  );
}

function Going({ scan, workspaceId }: { scan: ScanRow; workspaceId: string }) {
  const cost = useCost(scan, workspaceId).data;
  const at = PHASES.findIndex((phase) => phase.name === scan.phase);
  const share = cost ? cost.evaluations / cost.max_evaluations : null;
  return (
    <span className="flex min-w-0 flex-1 flex-col gap-0.5">
      <span className="numeric truncate text-2xs text-muted" title={cost ? `${formatCount(cost.evaluations)} of at most ${formatCount(cost.max_evaluations)} evaluations` : undefined}>
        {at < 0 ? "not begun" : `${PHASES[at]?.label} ${at + 1}/${PHASES.length}`}
        {share !== null && ` · ${formatPercent(share, { digits: 0 })}`}
      </span>
      <Progress value={share} label="Evaluations of the budget" tone={scan.status === "paused" ? "warn" : "accent"} />
    </span>
  );
}

function Cost({ scan, workspaceId }: { scan: ScanRow; workspaceId: string }) {
  const cost = useCost(scan, workspaceId);
  if (!cost.data) return <Nothing title={cost.error ? "The cost could not be read" : "Loading"} />;
  return <span title={`${formatCount(cost.data.evaluations)} evaluations`}>{formatCost(cost.data.total_cost_usd)}</span>;
}

function Took({ scan }: { scan: ScanRow }) {
  if (scan.started_at === null) return <Nothing title="Not begun" />;
  if (scan.finished_at !== null) return <>{formatDuration(spanOf(scan.started_at, scan.finished_at))}</>;
  return scan.status === "running" ? <Elapsed since={scan.started_at} /> : <Nothing title="Not finished" />;
}

function Gain({ scan, workspaceId, effects }: { scan: ScanRow } & Omit<ScanColumnsInput, "names">) {
  const id = scan.changeset_id;
  const listed = id !== null && effects.has(id);
  // The list of change sets holds the newest only.
  const own = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/changesets",
    { params: { path: { workspace_id: workspaceId }, query: { scan_id: scan.id, limit: 1 } } },
    { enabled: id !== null && !listed && effects.size > 0, staleTime: 60_000 },
  );
  if (id === null) return <Nothing title={hasEnded(scan.status) ? "Nothing was proposed" : "Not decided yet"} />;
  const effect = listed ? effects.get(id) : own.data?.results[0]?.effect;
  if (!effect) return <Nothing title="The holdout has not answered" />;
  return <IntervalValue value={effect.mean} low={effect.low} high={effect.high} as="points" level={effect.confidence} />;
}

import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Schemas } from "@/api/client";
import { Actor } from "@/components/actor";
import { formatCost, formatCount, formatDuration, formatTokens, shortId } from "@/components/format";
import { statusLabel } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Select } from "@/components/ui/select";
import { useNow } from "@/components/use-now";
import { hasEnded, isPlatformRun } from "./run-standing";

type Run = Schemas["RunOut"];

export type RunFactsProps = { workspaceId: string; run: Run; generation: number; onGeneration: (generation: number) => void };

const LINK = "text-accent underline underline-offset-2";
const TICK_MS = 1_000;
const STANDING_MS = 3_600_000;

/** Who, when, how long and for how much: one line of facts. */
export function RunFacts({ workspaceId, run, generation, onGeneration }: RunFactsProps) {
  const { parent, spent } = run;
  return (
    <dl className="flex flex-wrap items-center gap-x-5 gap-y-1 border-b border-line bg-surface px-3 py-2 text-sm sm:px-5">
      <Fact label="Started"><Time at={run.started_at} absent="not yet" /></Fact>
      <Fact label="Duration"><Duration run={run} /></Fact>
      <Fact label="By"><Actor by={run.created_by} /></Fact>
      <Fact label="Steps">{formatCount(run.step_count)}</Fact>
      <Fact label="Spent">
        <span title={spent.unknown_cost_calls > 0 ? `${formatCount(spent.unknown_cost_calls)} calls without a known price` : undefined}>
          {formatTokens(spent.tokens)} · {spent.unknown_cost_calls > 0 ? "cost unknown" : formatCost(spent.cost_usd)}
        </span>
      </Fact>
      <Origin workspaceId={workspaceId} run={run} />
      {parent !== null && (
        <Fact label={statusLabel(parent.kind)}>
          of{" "}
          <Link to="/w/$workspaceId/runs/$runId" params={{ workspaceId, runId: parent.run_id }} className={LINK}>{shortId(parent.run_id)}</Link>
          {parent.step != null && <> at <span className="font-mono text-xs">{parent.step}</span></>}
          {parent.step == null && parent.index != null && <> at checkpoint {parent.index}</>}
        </Fact>
      )}
      {run.children > 0 && (
        <Fact label="Children">
          <Link to="/w/$workspaceId/runs" params={{ workspaceId }} search={{ parent: run.id }} className={LINK}>{formatCount(run.children)}</Link>
        </Fact>
      )}
      {run.trace_id !== null && (
        <Fact label="Trace">
          <Link to="/w/$workspaceId/traces/$traceId" params={{ workspaceId, traceId: run.trace_id }} className={LINK}>{shortId(run.trace_id)}</Link>
        </Fact>
      )}
      {run.generation > 1 && (
        <Fact label="Generation">
          <Select
            label="Generation"
            size="sm"
            className="w-28"
            value={String(generation)}
            onValueChange={(value) => onGeneration(Number(value))}
            options={Array.from({ length: run.generation }, (_, index) => {
              const value = String(run.generation - index);
              return { value, label: index === 0 ? `${value} (latest)` : value };
            })}
          />
        </Fact>
      )}
    </dl>
  );
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex items-center gap-1.5 whitespace-nowrap">
      <dt className="text-xs text-muted">{label}</dt>
      <dd className="numeric max-w-64 truncate">{children}</dd>
    </div>
  );
}

function Duration({ run }: { run: Run }) {
  const now = useNow(hasEnded(run.status) ? STANDING_MS : TICK_MS);
  if (run.duration_ms !== null) return <>{formatDuration(run.duration_ms)}</>;
  if (run.started_at === null) return <>–</>;
  return <>{formatDuration(Math.floor(Math.max(0, now - Date.parse(run.started_at)) / TICK_MS) * TICK_MS)}</>;
}

/** What it runs: people's workflow, or a scan, an experiment or a validation with a page of its own. */
function Origin({ workspaceId, run }: { workspaceId: string; run: Run }) {
  if (!isPlatformRun(run)) {
    if (run.workflow === null || run.workflow_version === null) return null;
    return (
      <Fact label="Workflow">
        <Link to="/w/$workspaceId/workflows/$name" params={{ workspaceId, name: run.workflow }} search={{ version: run.workflow_version }} className={LINK}>
          {run.workflow} v{run.workflow_version}
        </Link>
      </Fact>
    );
  }
  const { scan_id: scanId, experiment_id: experimentId } = run.inputs;
  if (typeof scanId === "string") {
    return (
      <Fact label="Scan">
        <Link to="/w/$workspaceId/scans/$scanId" params={{ workspaceId, scanId }} className={LINK}>{shortId(scanId)}</Link>
      </Fact>
    );
  }
  if (typeof experimentId === "string") {
    return (
      <Fact label="Experiment">
        <Link to="/w/$workspaceId/experiments/$experimentId" params={{ workspaceId, experimentId }} className={LINK}>{shortId(experimentId)}</Link>
      </Fact>
    );
  }
  return null;
}

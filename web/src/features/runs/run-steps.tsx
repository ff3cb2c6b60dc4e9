import { X } from "lucide-react";
import { useMemo } from "react";
import { DataGrid } from "@/components/data-grid";
import type { GridColumn } from "@/components/data-grid-column";
import { EmptyState } from "@/components/empty-state";
import { formatCount, formatDuration } from "@/components/format";
import { ShownOf } from "@/components/pagination";
import { StatusBadge } from "@/components/status-badge";
import { Button } from "@/components/ui/button";
import { useNow } from "@/components/use-now";
import { waitOfStep } from "./event-words";
import { type LiveStep, shownStatus } from "./run-events";
import { durationOf, StepBar, type Span } from "./step-bar";

export type RunStepsProps = {
  steps: readonly LiveStep[];
  /** How many there are, whichever node is chosen. */
  total: number;
  /** The node of the graph whose steps these are. */
  node: string | undefined;
  onAllNodes: () => void;
  kindOf: (key: string) => string | null;
  startedAt: string | null;
  endedAt: string | null;
  selected: string | undefined;
  onSelect: (id: string) => void;
  loading: boolean;
};

const TICK_MS = 1_000;
const STANDING_MS = 3_600_000;

export function RunSteps({ steps, total, node, onAllNodes, kindOf, startedAt, endedAt, selected, onSelect, loading }: RunStepsProps) {
  const now = useNow(endedAt === null ? TICK_MS : STANDING_MS);
  const from = startedAt === null ? now : Date.parse(startedAt);
  const to = endedAt === null ? Math.max(now, from) : Date.parse(endedAt);
  const columns = useMemo(() => columnsOf(kindOf, { from, to }), [kindOf, from, to]);
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex min-h-9 flex-wrap items-center gap-2 border-b border-line bg-surface px-3 py-1">
        {node !== undefined && (
          <Button size="sm" onClick={onAllNodes}>
            Only <span className="max-w-60 truncate font-mono">{node}</span>
            <span className="sr-only">; show all steps</span>
            <X aria-hidden />
          </Button>
        )}
        <ShownOf shown={steps.length} total={total} noun="steps" />
      </div>
      <DataGrid<LiveStep>
        label="Steps"
        storageKey="run-steps"
        rows={steps}
        columns={columns}
        rowKey={idOf}
        rowHeight={32}
        selectedKey={selected ?? null}
        onOpen={(step) => onSelect(step.id)}
        onSelectKey={selected === undefined ? undefined : onSelect}
        globalKeys={selected !== undefined}
        loading={loading}
        empty={<EmptyState title={node === undefined ? "No step has begun yet" : "This step has not begun"} />}
      />
    </div>
  );
}

function idOf(step: LiveStep): string {
  return step.id;
}

function columnsOf(kindOf: RunStepsProps["kindOf"], span: Span): GridColumn<LiveStep>[] {
  return [
    {
      id: "step",
      header: "Step",
      width: 160,
      hideable: false,
      cell: (step) => (
        <span className="truncate font-mono text-xs" title={step.key}>
          {step.key}
          {step.iteration > 1 && <span className="text-muted" title={`Iteration ${step.iteration}`}> @{step.iteration}</span>}
        </span>
      ),
    },
    { id: "kind", header: "Kind", width: 92, cell: (step) => <span className="truncate text-muted">{kindOf(step.key) ?? "–"}</span> },
    { id: "status", header: "Status", width: 118, cell: (step) => <StatusBadge status={shownStatus(step)} /> },
    { id: "attempts", header: "Attempts", width: 78, align: "right", cell: (step) => (step.attempts === 0 ? "–" : formatCount(step.attempts)) },
    {
      id: "duration",
      header: "Duration",
      width: 84,
      align: "right",
      cell: (step) => {
        const duration = durationOf(step, span.to);
        return duration === null ? "–" : formatDuration(duration);
      },
    },
    { id: "bar", header: "Timeline", title: "When it ran, within the run", minWidth: 120, cell: (step) => <StepBar step={step} span={span} /> },
    {
      id: "waits",
      header: "Waits for, or says",
      minWidth: 150,
      cell: (step) =>
        step.error === null ? (
          <span className="truncate text-muted" title={waitOfStep(step)}>{waitOfStep(step)}</span>
        ) : (
          <span className="truncate text-bad" title={step.error}>{step.error}</span>
        ),
    },
  ];
}

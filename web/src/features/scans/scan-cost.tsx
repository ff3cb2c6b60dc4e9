import type { Schemas } from "@/api/client";
import { formatCost, formatCount, formatDuration, formatPercent, formatTokens } from "@/components/format";
import { Stat } from "@/components/stat";
import { Panel } from "@/components/ui/panel";
import { Progress } from "@/components/ui/progress";
import { Skeleton } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { Elapsed, spanOf } from "./scan-phases";
import { type ScanStatus, hasEnded } from "./scan-words";

export interface ScanCostProps {
  cost: Schemas["ScanCostOut"] | undefined;
  status: ScanStatus;
  startedAt: string | null;
  finishedAt: string | null;
}

/** What was spent of the hard budget, by model and purpose, and how long it has been going on. */
export function ScanCost({ cost, status, startedAt, finishedAt }: ScanCostProps) {
  return (
    <Panel title="Budget and cost" description="Both limits are hard: nothing goes beyond them.">
      {!cost ? (
        <Skeleton className="h-40 w-full" />
      ) : (
        <div className="flex flex-col gap-3">
          <div className="grid grid-cols-2 gap-3">
            <Stat label={hasEnded(status) ? "Took" : status === "paused" ? "Since the start" : "Elapsed"} value={<Duration status={status} startedAt={startedAt} finishedAt={finishedAt} />} />
            <Stat label="Spent" value={formatCost(cost.total_cost_usd)} hint={cost.total_cost_usd === null ? "the price of a model is not known" : undefined} />
          </div>
          <Bar label="Evaluations" spent={cost.evaluations} limit={cost.max_evaluations} write={(value) => formatCount(value)} />
          {cost.max_cost_usd === null ? (
            <p className="text-xs text-muted">No limit in US dollars was set.</p>
          ) : (
            <Bar label="US dollars" spent={cost.total_cost_usd === null ? null : Number(cost.total_cost_usd)} limit={Number(cost.max_cost_usd)} write={formatCost} />
          )}
          <CostLines lines={cost.by_model} />
        </div>
      )}
    </Panel>
  );
}

function Duration({ status, startedAt, finishedAt }: Omit<ScanCostProps, "cost">) {
  if (startedAt === null) return <span title="It waits for its turn">not begun</span>;
  if (finishedAt !== null) return <>{formatDuration(spanOf(startedAt, finishedAt))}</>;
  return status === "running" || status === "paused" ? <Elapsed since={startedAt} /> : <>–</>;
}

function Bar({ label, spent, limit, write }: { label: string; spent: number | null; limit: number; write: (value: number) => string }) {
  const share = spent === null || limit <= 0 ? null : spent / limit;
  return (
    <div className="flex flex-col gap-1">
      <div className="numeric flex justify-between gap-2 text-xs">
        <span className="text-muted">{label}</span>
        <span>
          {spent === null ? "unknown" : write(spent)} of {write(limit)}
          {share !== null && <span className="text-muted"> · {formatPercent(share, { digits: 0 })}</span>}
        </span>
      </div>
      <Progress value={share ?? 0} label={`${label} spent of the budget`} />
    </div>
  );
}

function CostLines({ lines }: { lines: readonly Schemas["CostLine"][] }) {
  if (lines.length === 0) return <p className="text-xs text-muted">No model was called yet.</p>;
  return (
    <Table aria-label="Cost by model and purpose" className="text-xs [&_td]:h-auto [&_td]:px-0 [&_td]:pr-3 [&_th]:px-0 [&_th]:pr-3">
      <TableHead>
        <tr>
          <TableHeader>Model, purpose</TableHeader>
          <TableHeader align="right">Calls</TableHeader>
          <TableHeader align="right" className="pr-0!">
            Cost
          </TableHeader>
        </tr>
      </TableHead>
      <TableBody>
        {lines.map((line) => (
          <TableRow key={`${line.model} ${line.purpose}`} title={`${formatTokens(line.input_tokens)} in, ${formatTokens(line.output_tokens)} out`}>
            <TableCell className="max-w-40 min-w-0">
              <span className="block truncate" title={line.model}>
                {line.model}
              </span>
              <span className="numeric block text-muted">
                {line.purpose} · {formatTokens(line.input_tokens)} in
              </span>
            </TableCell>
            <TableCell align="right">{formatCount(line.calls)}</TableCell>
            <TableCell align="right" className="pr-0!">
              {formatCost(line.cost_usd)}
            </TableCell>
          </TableRow>
        ))}
      </TableBody>
    </Table>
  );
}

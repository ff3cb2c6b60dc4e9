import { UNKNOWN, formatCost, formatCount, formatDuration, formatInterval, formatNumber, formatPercent, formatPoints } from "@/components/format";
import { Panel } from "@/components/ui/panel";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import type { Look } from "./evidence-types";
import { levelText } from "./wording";

type Arm = NonNullable<Look["champion"]>;

interface Measure {
  id: string;
  label: string;
  title?: string;
  of: (arm: Arm) => string;
  range?: (arm: Arm) => string;
  change: (before: Arm, after: Arm) => string;
}

const MEASURES: readonly Measure[] = [
  {
    id: "objective",
    label: "Objective, mean",
    title: "From 0 to 1; its effect is the paired one above",
    of: (arm) => (arm.objective === null ? UNKNOWN : (Math.round(arm.objective * 1000) / 1000).toFixed(3)),
    change: (before, after) =>
      before.objective === null || after.objective === null ? UNKNOWN : formatPoints(after.objective - before.objective),
  },
  {
    id: "passed",
    label: "Passed",
    title: "Share of samples that passed, with its Wilson interval",
    of: (arm) => `${formatPercent(arm.passed.rate)} (${formatCount(arm.passed.successes)} of ${formatCount(arm.passed.n)})`,
    range: (arm) => formatInterval(arm.passed.low, arm.passed.high, "percent"),
    change: (before, after) => formatPoints(after.passed.rate - before.passed.rate),
  },
  {
    id: "errors",
    label: "Errors of the agent",
    of: (arm) => formatCount(arm.errors),
    change: (before, after) => formatNumber(after.errors - before.errors, { signed: true }),
  },
  {
    id: "cost",
    label: "Mean cost of an execution",
    of: (arm) => formatCost(arm.mean_cost_usd),
    change: (before, after) => ratio(before.mean_cost_usd, after.mean_cost_usd),
  },
  {
    id: "p50",
    label: "Latency, median",
    of: (arm) => formatDuration(arm.p50_latency_ms),
    change: (before, after) => ratio(before.p50_latency_ms, after.p50_latency_ms),
  },
  {
    id: "p95",
    label: "Latency, 95th percentile",
    of: (arm) => formatDuration(arm.p95_latency_ms),
    change: (before, after) => ratio(before.p95_latency_ms, after.p95_latency_ms),
  },
];

export interface ArmsTableProps {
  look: Look;
  versions: readonly [number, number];
}

export function ArmsTable({ look, versions }: ArmsTableProps) {
  const { champion, challenger } = look;
  if (!champion || !challenger) return null;
  return (
    <Panel
      title="Champion and candidate on the holdout"
      description={`The same ${formatCount(look.items)} samples. Cost and latency have an interval only where a guard is on them, below.`}
      padded={false}
    >
      <Table aria-label="Champion and candidate on the holdout" className="min-w-lg">
        <TableHead>
          <tr>
            <TableHeader>
              <span className="sr-only">Measure</span>
            </TableHeader>
            <TableHeader align="right">Champion, v{versions[0]}</TableHeader>
            <TableHeader align="right">Candidate, v{versions[1]}</TableHeader>
            <TableHeader align="right">Change</TableHeader>
          </tr>
        </TableHead>
        <TableBody>
          {MEASURES.map((measure) => (
            <TableRow key={measure.id}>
              <th scope="row" className="px-3 py-1.5 text-left font-normal" title={measure.title}>
                {measure.label}
              </th>
              {[champion, challenger].map((arm, index) => (
                <TableCell key={index} align="right">
                  {measure.of(arm)}
                  {measure.range && (
                    <span className="block text-xs text-muted" title={`${levelText(arm.passed.confidence)} interval`}>
                      {measure.range(arm)}
                    </span>
                  )}
                </TableCell>
              ))}
              <TableCell align="right">{measure.change(champion, challenger)}</TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </Panel>
  );
}

function ratio(before: number | string | null, after: number | string | null): string {
  if (before === null || after === null) return UNKNOWN;
  const from = Number(before);
  const to = Number(after);
  if (from === to) return "same";
  return from === 0 ? "was 0" : `× ${formatNumber(to / from, { digits: 2 })}`;
}

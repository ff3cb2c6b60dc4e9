import { Crown } from "lucide-react";
import type { ReactNode } from "react";
import type { Schemas } from "@/api/client";
import { formatCost, formatCount, formatDuration, formatNumber, formatPoints } from "@/components/format";
import { IntervalBar } from "@/components/interval-bar";
import { IntervalValue } from "@/components/interval-value";
import { StatusBadge } from "@/components/status-badge";
import { Badge, type Tone } from "@/components/ui/badge";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";

export interface ArmLine {
  key: string;
  name: ReactNode;
  summary: Schemas["ExperimentArmOut"];
  /** Against the baseline; null for the baseline itself and for what was not measured. */
  comparison: Schemas["ComparisonOut"] | Schemas["ComparedArmOut"] | null;
}

const VERDICT: Record<string, { tone: Tone; label: string; title: string }> = {
  no_regression: { tone: "good", label: "No regression", title: "The whole 95 % interval lies above the margin, and every guard holds" },
  regression: { tone: "bad", label: "Regression", title: "The interval lies wholly below 0, or harm to a guard is confirmed" },
  inconclusive: { tone: "warn", label: "Inconclusive", title: "The samples cannot tell" },
};

/** One scale for all arms, with 0 in it. */
export function domainOf(lines: readonly ArmLine[]): readonly [number, number] {
  const ends = lines.flatMap(({ comparison }) => (comparison ? [comparison.low ?? comparison.effect, comparison.high ?? comparison.effect] : []));
  const furthest = Math.max(0.05, ...ends.map(Math.abs));
  return [-furthest * 1.08, furthest * 1.08];
}

export function ArmTable({ lines, label, margin }: { lines: readonly ArmLine[]; label: string; margin: number | null }) {
  const domain = domainOf(lines);
  return (
    <Table aria-label={label}>
      <TableHead>
        <tr>
          <TableHeader>Arm</TableHeader>
          <TableHeader align="right" title="Mean of the objective, with its 95 % interval">
            Objective
          </TableHeader>
          <TableHeader align="right" title="Paired difference on the same items, with its 95 % interval">
            Against the baseline
          </TableHeader>
          <TableHeader className="min-w-32">
            <span className="sr-only">Interval on a common scale</span>
          </TableHeader>
          <TableHeader>Verdict</TableHeader>
          <TableHeader align="right" title="Items on which the arm scored higher, and lower">
            Wins : losses
          </TableHeader>
          <TableHeader align="right" title="One-sided, that there is no gain; after Holm's correction over all arms">
            p
          </TableHeader>
          <TableHeader align="right">Mean cost</TableHeader>
          <TableHeader align="right">p95 latency</TableHeader>
          <TableHeader align="right">Missing</TableHeader>
        </tr>
      </TableHead>
      <TableBody>
        {lines.map((line) => (
          <ArmRow key={line.key} line={line} domain={domain} margin={margin} />
        ))}
      </TableBody>
    </Table>
  );
}

function ArmRow({ line: { name, summary, comparison }, domain, margin }: { line: ArmLine; domain: readonly [number, number]; margin: number | null }) {
  const known = comparison !== null && comparison.low !== null && comparison.high !== null;
  const tone = !known ? "neutral" : comparison.low! > 0 ? "good" : comparison.high! < 0 ? "bad" : "neutral";
  return (
    <TableRow>
      <TableCell>
        <span className="flex items-center gap-1.5 font-medium whitespace-nowrap">
          {name}
          {summary.frontier && (
            <span title="No other arm is better in quality, cost and latency at once">
              <Crown aria-label="on the frontier" className="size-3.5 text-warn" />
            </span>
          )}
        </span>
      </TableCell>
      <TableCell align="right">
        <IntervalValue value={summary.objective} low={summary.objective_low} high={summary.objective_high} n={summary.items} as="percent" level={0.95} />
      </TableCell>
      <TableCell align="right" className="whitespace-nowrap">
        {comparison ? (
          <>
            <IntervalValue value={comparison.effect} low={comparison.low} high={comparison.high} n={comparison.n} as="points" level={0.95} />
            {comparison.groups !== null && comparison.groups !== comparison.n && (
              <span className="text-xs whitespace-nowrap text-muted" title="Groups of sessions or users: the unit of evidence">
                {" "}
                / {formatCount(comparison.groups)}
              </span>
            )}
          </>
        ) : (
          <span className="text-muted">Baseline</span>
        )}
      </TableCell>
      <TableCell>
        {known && (
          <IntervalBar
            low={comparison.low!}
            high={comparison.high!}
            value={comparison.effect}
            zero={0}
            threshold={margin ? -margin : undefined}
            domain={domain}
            tone={tone}
            label={`${summary.label}: ${formatPoints(comparison.effect)} from ${formatPoints(comparison.low)} to ${formatPoints(comparison.high)}`}
          />
        )}
      </TableCell>
      <TableCell>{comparison && <Verdict comparison={comparison} />}</TableCell>
      <TableCell align="right">{comparison ? `${formatCount(comparison.wins)} : ${formatCount(comparison.losses)}` : null}</TableCell>
      <TableCell align="right" className="whitespace-nowrap">{comparison ? pValue(comparison.p_adjusted) : null}</TableCell>
      <TableCell align="right">{formatCost(summary.mean_cost_usd)}</TableCell>
      <TableCell align="right">{summary.p95_latency_ms === null ? <Mean ms={summary.mean_latency_ms} /> : formatDuration(summary.p95_latency_ms)}</TableCell>
      <TableCell align="right">{formatCount(summary.missing)}</TableCell>
    </TableRow>
  );
}

function Mean({ ms }: { ms: number | null }) {
  return ms === null ? "unknown" : <span title="The 95th percentile is not known">{formatDuration(ms)} mean</span>;
}

export function pValue(p: number | null): string {
  if (p === null) return "unknown";
  return p < 0.001 ? "< 0.001" : formatNumber(p, { digits: 3 });
}

function Verdict({ comparison }: { comparison: NonNullable<ArmLine["comparison"]> }) {
  const verdict = comparison.verdict && VERDICT[comparison.verdict];
  return (
    <div className="flex flex-col items-start gap-1">
      {verdict ? (
        <Badge tone={verdict.tone} dot title={[verdict.title, ...comparison.reasons].join(". ")}>
          {verdict.label}
        </Badge>
      ) : (
        <span className="text-muted" title="Only experiments by hand have a verdict">
          –
        </span>
      )}
      {comparison.verdict === "inconclusive" && comparison.n_more !== null && (
        <span className="numeric text-xs whitespace-nowrap text-muted">{formatCount(comparison.n_more)} more items would decide</span>
      )}
      {comparison.guards
        .filter(({ status }) => status !== "held")
        .map((guard) => (
          <span key={guard.name} className="inline-flex items-center gap-1 text-xs text-muted">
            {guard.name} <StatusBadge status={guard.status} />
          </span>
        ))}
    </div>
  );
}

import { Link } from "@tanstack/react-router";
import { formatCount, formatNumber, formatPercent } from "@/components/format";
import { IntervalBar } from "@/components/interval-bar";
import { IntervalValue } from "@/components/interval-value";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { EmptyState } from "@/components/empty-state";
import { Panel } from "@/components/ui/panel";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { formatP } from "./candidates";
import type { Ablation, PhaseResults } from "./scan-results";
import { strategyLabel } from "./scan-words";

/** What the looking phases found: where the champion fails, what each strategy did, what each change is worth. */
export function ScanFindings({ results, workspaceId }: { results: PhaseResults; workspaceId: string }) {
  return (
    <>
      <Panel
        title="Where the champion fails"
        description="Failures on the reflect and select splits, grouped by what they have in common; fixed and broken count the winner's answers."
        padded={false}
        actions={
          <Button asChild size="sm">
            <Link to="/w/$workspaceId/clusters" params={{ workspaceId }}>
              All clusters
            </Link>
          </Button>
        }
      >
        {results.detected.length > 0 && (
          <p className="numeric border-b border-line px-3 py-2 text-xs text-muted">
            {results.detected
              .map((one) => `${one.split}: ${formatCount(one.failures)} of ${formatCount(one.items)} items fail${one.missing > 0 ? `, ${formatCount(one.missing)} could not be measured` : ""} (accuracy ${formatPercent(one.accuracy)})`)
              .join(" · ")}
          </p>
        )}
        <Clusters results={results} />
      </Panel>
      <Panel title="What each change is worth" description="The winner against itself without one change, on the select split; 95 % intervals." padded={false}>
        <Ablations ablations={results.ablations} diagnosed={results.diagnose !== undefined} />
      </Panel>
      <Panel title="Strategies" padded={false}>
        {results.strategies.length === 0 ? (
          <Later>Known once the phase Generate has finished.</Later>
        ) : (
          <Table aria-label="Strategies">
            <TableHead>
              <tr>
                <TableHeader>Strategy</TableHeader>
                <TableHeader align="right">Candidates</TableHeader>
                <TableHeader align="right">Evaluations asked for</TableHeader>
                <TableHeader>End</TableHeader>
              </tr>
            </TableHead>
            <TableBody>
              {results.strategies.map((one) => (
                <TableRow key={one.name}>
                  <TableCell>{strategyLabel(one.name)}</TableCell>
                  <TableCell align="right">{formatCount(one.candidates)}</TableCell>
                  <TableCell align="right">{formatCount(one.evaluations)}</TableCell>
                  <TableCell className="text-muted">{one.exhausted ? "its share of the budget was used up" : "had nothing more to try"}</TableCell>
                </TableRow>
              ))}
            </TableBody>
          </Table>
        )}
      </Panel>
    </>
  );
}

function Clusters({ results }: { results: PhaseResults }) {
  if (results.cluster === undefined) return <Later>Known once the phase Cluster has finished.</Later>;
  if (results.clusters.length === 0) return <Later>The failures have nothing in common, or there are none.</Later>;
  return (
    <Table aria-label="Clusters of failures" className="min-w-[44rem]">
      <TableHead>
        <tr>
          <TableHeader>Cluster</TableHeader>
          <TableHeader align="right">Failures</TableHeader>
          <TableHeader align="right">Share</TableHeader>
          <TableHeader align="right" title="How much of the cluster comes back when the failures are grouped again from a part of them">
            Stability
          </TableHeader>
          <TableHeader align="right">Fixed</TableHeader>
          <TableHeader align="right">Broken</TableHeader>
        </tr>
      </TableHead>
      <TableBody>
        {results.clusters.map((one) => (
          <TableRow key={one.id ?? one.label}>
            <TableCell className="max-w-xl" title={one.examples.join("\n")}>
              {one.label}
              {one.muted && <Badge className="ml-2">muted</Badge>}
            </TableCell>
            <TableCell align="right">{formatCount(one.size)}</TableCell>
            <TableCell align="right">{formatPercent(one.share)}</TableCell>
            <TableCell align="right">{formatNumber(one.stability)}</TableCell>
            <TableCell align="right" className={one.fixed ? "text-good" : undefined}>
              {one.fixed === null ? "–" : formatCount(one.fixed)}
            </TableCell>
            <TableCell align="right" className={one.broken ? "text-bad" : undefined}>
              {one.broken === null ? "–" : formatCount(one.broken)}
            </TableCell>
          </TableRow>
        ))}
        {results.unclustered && (
          <TableRow>
            <TableCell className="text-muted">In no cluster</TableCell>
            <TableCell align="right">{formatCount(results.unclustered.size)}</TableCell>
            <TableCell align="right">–</TableCell>
            <TableCell align="right">–</TableCell>
            <TableCell align="right">{results.unclustered.fixed === null ? "–" : formatCount(results.unclustered.fixed)}</TableCell>
            <TableCell align="right">{results.unclustered.broken === null ? "–" : formatCount(results.unclustered.broken)}</TableCell>
          </TableRow>
        )}
      </TableBody>
    </Table>
  );
}

function Ablations({ ablations, diagnosed }: { ablations: readonly Ablation[]; diagnosed: boolean }) {
  if (ablations.length === 0) return <Later>{diagnosed ? "There was no winner to take apart." : "Known once the phase Diagnose has finished."}</Later>;
  const bounds = ablations.flatMap(({ low, high }) => (low === null || high === null ? [] : [low, high]));
  const domain: [number, number] = [Math.min(-0.02, ...bounds), Math.max(0.05, ...bounds)];
  return (
    <Table aria-label="Worth of each change" className="min-w-[48rem]">
      <TableHead>
        <tr>
          <TableHeader>Change</TableHeader>
          <TableHeader title="What the objective loses without it">Worth</TableHeader>
          <TableHeader className="w-40">
            <span className="sr-only">Interval</span>
          </TableHeader>
          <TableHeader align="right">Objective without → with</TableHeader>
          <TableHeader align="right" title="One-sided, that the change is worth nothing; corrected after Holm">
            p, corrected
          </TableHeader>
        </tr>
      </TableHead>
      <TableBody>
        {ablations.map((one) => (
          <TableRow key={one.pointer}>
            <TableCell className="font-mono text-xs">{one.pointer}</TableCell>
            <TableCell>
              {one.worth === null ? (
                <span className="text-muted" title="The plan allowed no further measurement">
                  not measured
                </span>
              ) : (
                <IntervalValue value={one.worth} low={one.low} high={one.high} n={one.n} as="points" level={0.95} />
              )}
            </TableCell>
            <TableCell>
              {one.worth !== null && one.low !== null && one.high !== null && (
                <IntervalBar low={one.low} high={one.high} value={one.worth} zero={0} domain={domain} tone={one.low > 0 ? "good" : "neutral"} label={`Worth of ${one.pointer}`} />
              )}
            </TableCell>
            <TableCell align="right">
              {one.objectiveWithout === null ? "–" : `${formatNumber(one.objectiveWithout, { digits: 3 })} → ${formatNumber(one.objectiveWith, { digits: 3 })}`}
            </TableCell>
            <TableCell align="right">{formatP(one.pAdjusted)}</TableCell>
          </TableRow>
        ))}
      </TableBody>
    </Table>
  );
}

function Later({ children }: { children: string }) {
  return <EmptyState className="py-6" title={<span className="font-normal text-muted">{children}</span>} />;
}
